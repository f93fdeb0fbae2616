"""Dropout modules."""

from __future__ import annotations

from collections.abc import Callable

from facula.nn import functional as F
from facula.nn.module import Module
from facula.tensor import Tensor


class _Dropout(Module):
    function: Callable[..., Tensor]

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with parts set to zero in training; itself otherwise."""
        return self.function(input, self.p, self.training, self.inplace)

    def extra_repr(self) -> str:
        """Return the settings."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Sets elements to zero with probability ``p`` in training, and scales the others by ``1 / (1 - p)``."""

    function = staticmethod(F.dropout)


class Dropout1d(_Dropout):
    """Sets whole channels of (N, C, L) to zero."""

    function = staticmethod(F.dropout1d)


class Dropout2d(_Dropout):
    """Sets whole channels of (N, C, H, W) to zero."""

    function = staticmethod(F.dropout2d)


class Dropout3d(_Dropout):
    """Sets whole channels of (N, C, D, H, W) to zero."""

    function = staticmethod(F.dropout3d)


class AlphaDropout(_Dropout):
    """Dropout that keeps mean and variance after SELU."""

    function = staticmethod(F.alpha_dropout)


class FeatureAlphaDropout(_Dropout):
    """Alpha dropout of whole channels."""

    function = staticmethod(F.feature_alpha_dropout)
