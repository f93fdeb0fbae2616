"""Choosing between elements: the larger or smaller of two, limits, and by a condition."""

from typing import Any, overload

from facula import dtypes
from facula.arguments import need_tensor
from facula.primitive import primitive, promote
from facula.promotion import combine
from facula.tensor_base import TensorBase
from facula.types import Tensor, TensorLike

__all__ = ["clamp", "clamp_max", "clamp_min", "clip", "fmax", "fmin", "maximum", "minimum", "where"]


def _share(g: Tensor, chosen: Tensor, equal: Tensor) -> Tensor:
    """Return the gradient where chosen, half of it where both are equal."""
    return (g / 2).where(equal, g.where(chosen, 0.0))


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, other: _share(g, x > other, x == other),
        "other": lambda g, x, other: _share(g, other > x, x == other),
    },
)
def _maximum(xp, x, other):
    return xp.maximum(x, other)


_maximum.native("maximum", low_precision=True)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, other: _share(g, x < other, x == other),
        "other": lambda g, x, other: _share(g, other < x, x == other),
    },
)
def _minimum(xp, x, other):
    return xp.minimum(x, other)


_minimum.native("minimum", low_precision=True)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, other: g.where((x >= other) | other.isnan(), 0.0),
        "other": lambda g, x, other: g.where(~((x >= other) | other.isnan()), 0.0),
    },
)
def _fmax(xp, x, other):
    return xp.fmax(x, other)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, other: g.where((x <= other) | other.isnan(), 0.0),
        "other": lambda g, x, other: g.where(~((x <= other) | other.isnan()), 0.0),
    },
)
def _fmin(xp, x, other):
    return xp.fmin(x, other)


def _refuse_complex(name: str, *values: TensorLike | None) -> None:
    if any(isinstance(each, TensorBase) and each.is_complex() for each in values):
        raise RuntimeError(f"{name} does not support complex inputs.")


def maximum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the larger of each pair; nan where either is; equal elements share the gradient."""
    need_tensor("maximum", input)
    need_tensor("maximum", other, "other")
    _refuse_complex("maximum", input, other)
    return _maximum(input, other, out=out)


def minimum(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the smaller of each pair; nan where either is; equal elements share the gradient."""
    need_tensor("minimum", input)
    need_tensor("minimum", other, "other")
    _refuse_complex("minimum", input, other)
    return _minimum(input, other, out=out)


def fmax(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the larger of each pair; a number rather than nan."""
    need_tensor("fmax", input)
    need_tensor("fmax", other, "other")
    _refuse_complex("fmax", input, other)
    return _fmax(input, other, out=out)


def fmin(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the smaller of each pair; a number rather than nan."""
    need_tensor("fmin", input)
    need_tensor("fmin", other, "other")
    _refuse_complex("fmin", input, other)
    return _fmin(input, other, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, low, high: g.where(_within(x, low, high), 0.0),
        "low": lambda g, x, low, high: g.where((x < low) if high is None else (x < low) & (low < high), 0.0),
        "high": lambda g, x, low, high: g.where((x > high) if low is None else (x > high) | (high < low), 0.0),
    },
)
def _clamp(xp, x, low, high):
    if low is not None:
        x = xp.maximum(x, low)
    return x if high is None else xp.minimum(x, high)


def _within(x: Tensor, low: Any, high: Any) -> Tensor:
    if low is None:
        return x <= high
    return x >= low if high is None else (x >= low) & (x <= high)


def clamp(
    input: Tensor,
    min: TensorLike | None = None,
    max: TensorLike | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return each element limited to between ``min`` and ``max``, either of which may be None.

    >>> facula.clamp(facula.tensor([-2.0, 0.5, 3.0]), 0, 1)
    tensor([0.0000, 0.5000, 1.0000])
    """
    need_tensor("clamp", input)
    if min is None and max is None:
        raise RuntimeError("clamp: At least one of 'min' or 'max' must not be None")
    _refuse_complex("clamp", input, min, max)
    return _clamp(input, min, max, out=out)


def clamp_min(input: Tensor, min: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return each element, at least ``min``."""
    return clamp(input, min, out=out)


def clamp_max(input: Tensor, max: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return each element, at most ``max``."""
    return clamp(input, None, max, out=out)


@primitive(
    dtype=promote("x", "other"),
    vjp={
        "x": lambda g, condition: _where(condition, g, 0.0),
        "other": lambda g, condition: _where(condition, 0.0, g),
    },
)
def _where(xp, condition, x, other):
    return xp.where(condition, x, other)


_where.native("where")


@overload
def where(condition: Tensor) -> tuple[Tensor, ...]: ...
@overload
def where(condition: Tensor, input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor: ...
def where(
    condition: Tensor,
    input: TensorLike | None = None,
    other: TensorLike | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """Return elements of ``input`` where ``condition``, else of ``other``; alone, the indices where it is true.

    >>> facula.where(facula.tensor([True, False]), 1.0, 2.0)
    tensor([1., 2.])
    """
    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if condition.dtype is not dtypes.bool_:
        if condition.dtype is not dtypes.uint8:
            raise RuntimeError(
                f"where expected condition to be a boolean tensor, but got a tensor with dtype {condition.dtype}"
            )
        condition = condition.bool()
    if not isinstance(input, TensorBase) and not isinstance(other, TensorBase):
        both = combine([], [], [dtypes.of_scalar(input), dtypes.of_scalar(other)])
        other = condition.new_full((), other, dtype=both)  # type: ignore[arg-type]  # `of_scalar` saw a number
    return _where(condition, input, other, out=out)


def where_method(input: Tensor, condition: Tensor, other: TensorLike) -> Tensor:
    """Return this tensor's elements where ``condition``, else those of ``other``."""
    return where(condition, input, other)


clip = clamp
