"""``make_tensor``: random values of any type, within bounds, for tests."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import facula
from facula import Tensor
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.ops.conversion import memory_format as MemoryFormat

__all__ = ["make_tensor"]


def make_tensor(
    *shape: int | Sequence[int],
    dtype: DType,
    device: Device | str | int | None = None,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: MemoryFormat | None = None,
) -> Tensor:
    """Return a tensor of values spread evenly over ``[low, high)``, the numbers PyTorch draws from the same seed.

    Without bounds they lie in [-9, 9) for floating-point and complex types, in [-9, 10) for integers, [0, 10) for uint8
    and [0, 2) for bool. ``exclude_zero`` puts the smallest positive number for zeros; ``noncontiguous`` leaves a gap
    after every element. ValueError for bounds in the wrong order or beyond the type.

    >>> facula.testing.make_tensor(2, 3, dtype=facula.float32, low=0, high=1).shape
    facula.Size([2, 3])
    """
    sizes: tuple[int, ...] = tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], Sequence) else shape  # type: ignore[assignment]
    differentiable = dtype.is_floating_point or dtype.is_complex
    if requires_grad and not differentiable:
        raise ValueError(
            f"`requires_grad=True` is not supported for boolean and integral dtypes, but got dtype={dtype}"
        )
    if noncontiguous and memory_format is not None:
        raise ValueError(
            f"The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"noncontiguous={noncontiguous} and memory_format={memory_format}"
        )
    gaps = noncontiguous and math.prod(sizes) > 1
    if gaps:
        sizes = (*sizes[:-1], 2 * sizes[-1])
    if differentiable:
        limits = facula.finfo(dtype)
        low, high = _bounds(low, high, dtype, (limits.min, limits.max), (-9, 9))
        result = facula.empty(sizes, dtype=dtype, device=device)
        parts = facula.view_as_real(result) if dtype.is_complex else result
        if high - low >= limits.max:  # the width is no number of the type
            parts.uniform_(low / 2, high / 2).mul_(2)
        else:
            parts.uniform_(low, high)
    else:
        lowest, beyond, usual = _whole_numbers(dtype)
        low, high = _bounds(low, high, dtype, (lowest, beyond), usual)
        result = facula.randint(int(low), int(high), sizes, dtype=dtype, device=device)
    if gaps:
        result = result[..., 1::2]  # with an offset, too
    elif memory_format is not None:
        result = result.clone(memory_format=memory_format)
    if exclude_zero:
        result[result == 0] = facula.finfo(dtype).tiny if differentiable else 1
    return result.requires_grad_() if requires_grad else result


def _whole_numbers(dtype: DType) -> tuple[int, int, tuple[int, int]]:
    """Return the lowest value of a type, the first beyond its highest, and the usual bounds."""
    if dtype is facula.bool:
        return 0, 2, (0, 2)
    limits = facula.iinfo(dtype)
    # The first number beyond int64 is none that randint takes.
    beyond = limits.max if dtype is facula.int64 else limits.max + 1
    return limits.min, beyond, (max(limits.min, -9), 10)


def _bounds(
    low: float | None, high: float | None, dtype: DType, limits: tuple[float, float], usual: tuple[int, int]
) -> tuple[float, float]:
    """Return the bounds, within those of the type."""
    low, high = usual[0] if low is None else low, usual[1] if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low} and high={high}")
    if low == high and (dtype.is_floating_point or dtype.is_complex):
        warnings.warn("Passing `low==high` is deprecated; use `facula.full(...)` instead.", FutureWarning, stacklevel=3)
    elif low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    elif high < limits[0] or low >= limits[1]:
        raise ValueError(
            f"The value interval specified by `low` and `high` is [{low}, {high}), but {dtype} only supports "
            f"[{limits[0]}, {limits[1]})"
        )
    low, high = (min(max(each, limits[0]), limits[1]) for each in (low, high))
    return (low, high) if dtype.is_floating_point or dtype.is_complex else (math.floor(low), math.ceil(high))
