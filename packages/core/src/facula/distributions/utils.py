"""Helpers of distributions: parameters of one shape, probabilities and logits, properties computed once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import facula
from facula import Tensor
from facula.nn import functional as F

__all__ = ["broadcast_all", "clamp_probs", "lazy_property", "logits_to_probs", "probs_to_logits"]

euler_constant = 0.57721566490153286060


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Return tensors and numbers as tensors of one shape; numbers have the type of the first tensor, or the default."""
    if not all(isinstance(each, (Tensor, int, float, bool)) for each in values):
        raise ValueError(
            "Input arguments must all be instances of Number, Tensor or objects implementing __torch_function__."
        )
    first = next((each for each in values if isinstance(each, Tensor)), None)
    options: dict[str, Any] = {"dtype": facula.get_default_dtype() if first is None else first.dtype}
    if first is not None:
        options["device"] = first.device
    return facula.broadcast_tensors(*[x if isinstance(x, Tensor) else facula.tensor(x, **options) for x in values])


def _standard_normal(shape: Any, dtype: Any, device: Any) -> Tensor:
    return facula.empty(shape, dtype=dtype, device=device).normal_()


def _sum_rightmost(value: Tensor, dim: int) -> Tensor:
    """Return the sum over the last ``dim`` dimensions."""
    return value if dim == 0 else value.reshape((*value.shape[: value.dim() - dim], -1)).sum(-1)


def clamp_probs(probs: Tensor) -> Tensor:
    """Return probabilities kept away from 0 and 1 by the precision of their type."""
    eps = facula.finfo(probs.dtype).eps
    return probs.clamp(min=eps, max=1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Return probabilities from logits: of each by itself, or of a choice along the last dimension."""
    return logits.sigmoid() if is_binary else F.softmax(logits, dim=-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """Return logits from probabilities: of each by itself, or of a choice along the last dimension."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


class lazy_property:
    """A property that is computed once, and kept."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        functools.update_wrapper(self, wrapped)  # type: ignore[arg-type]  # for its name and docstring

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            return self
        with facula.enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value
