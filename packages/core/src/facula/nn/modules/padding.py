"""Padding modules."""

from __future__ import annotations

from collections.abc import Sequence

from facula.nn import functional as F
from facula.nn.module import Module
from facula.tensor import Tensor


class _Pad(Module):
    """Padding of the last ``rank`` dimensions: one width for all sides, or (left, right, top, bottom, …)."""

    rank: int
    mode: str

    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__()
        sides = 2 * self.rank
        self.padding = (padding,) * sides if isinstance(padding, int) else tuple(padding)
        if len(self.padding) != sides:
            raise ValueError(f"{type(self).__name__} takes one width or {sides}, got {self.padding}")

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    mode = "constant"

    def __init__(self, padding: int | Sequence[int], value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return the widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class ConstantPad1d(_ConstantPad):
    """Pads (…, L) with one value."""

    rank = 1


class ConstantPad2d(_ConstantPad):
    """Pads (…, H, W) with one value."""

    rank = 2


class ConstantPad3d(_ConstantPad):
    """Pads (…, D, H, W) with one value."""

    rank = 3


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: int | Sequence[int]) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"{self.padding}"


class ZeroPad1d(_ZeroPad):
    """Pads (…, L) with zeros."""

    rank = 1


class ZeroPad2d(_ZeroPad):
    """Pads (…, H, W) with zeros."""

    rank = 2


class ZeroPad3d(_ZeroPad):
    """Pads (…, D, H, W) with zeros."""

    rank = 3


class ReflectionPad1d(_Pad):
    """Pads (…, L) with its reflection at the edges."""

    rank, mode = 1, "reflect"


class ReflectionPad2d(_Pad):
    """Pads (…, H, W) with its reflection at the edges."""

    rank, mode = 2, "reflect"


class ReflectionPad3d(_Pad):
    """Pads (…, D, H, W) with its reflection at the edges."""

    rank, mode = 3, "reflect"


class ReplicationPad1d(_Pad):
    """Pads (…, L) with its edges."""

    rank, mode = 1, "replicate"


class ReplicationPad2d(_Pad):
    """Pads (…, H, W) with its edges."""

    rank, mode = 2, "replicate"


class ReplicationPad3d(_Pad):
    """Pads (…, D, H, W) with its edges."""

    rank, mode = 3, "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """Return the padded input; ValueError when it has another number of dimensions."""
        if input.dim() not in (self.rank + 1, self.rank + 2):
            raise ValueError(f"expected {self.rank + 1}D or {self.rank + 2}D input (got {input.dim()}D input)")
        return super().forward(input)


class CircularPad1d(_CircularPad):
    """Pads (…, L) with its other end."""

    rank = 1


class CircularPad2d(_CircularPad):
    """Pads (…, H, W) with its other ends."""

    rank = 2


class CircularPad3d(_CircularPad):
    """Pads (…, D, H, W) with its other ends."""

    rank = 3
