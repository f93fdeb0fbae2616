"""New tensors of evenly spaced numbers."""

from __future__ import annotations

import math
import warnings
from types import ModuleType
from typing import Any

import numpy as np

from facula import backend, devices, dtypes
from facula.creation_arguments import finish, library, numpy_dtype
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.tensor import Tensor
from facula.types import Number

__all__ = ["arange", "linspace", "logspace", "range"]


def arange(
    *bounds: float | Tensor,
    start: float | Tensor | None = None,
    end: float | Tensor | None = None,
    step: float | Tensor = 1,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return the numbers from ``start`` (0) up to, without, ``end``, in steps of ``step``; int64 when all are ints.

    >>> facula.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    given = [_number(each, "end") for each in bounds]
    named = {"start": start, "end": end}
    if not 1 <= len(given) + (start is not None) + (end is not None) <= 3 or (end is None and not given):
        raise TypeError(f"arange() takes an end, or a start, an end and a step, got {len(given)} numbers")
    last = given.pop(0 if len(given) == 1 else 1) if end is None else _number(named["end"], "end")
    first = given.pop(0) if given else _number(0 if start is None else start, "start")
    apart = given.pop(0) if given else _number(step, "step")
    target_dtype = numpy_dtype(dtype, _natural((first, last, apart)) if out is None else out.dtype)
    if target_dtype.kind in "bcW":
        name = dtypes.from_numpy_dtype[target_dtype].name
        raise NotImplementedError(f"\"arange_cpu\" not implemented for '{name}'")
    _check_range(first, last, apart)
    if target_dtype == np.int64:  # here alone the number of elements is counted in integers
        first, last, apart = int(first), int(last), int(apart)
        if not apart:
            raise ValueError("step must be nonzero")
    count = math.ceil((last - first) / apart)
    xp, target = library(device)
    if target_dtype.kind in "iu":
        array = xp.arange(count, dtype=np.int64) * int(apart) + int(first)
    else:
        # Each element on its own, in double precision: errors do not add up.
        array = first + xp.arange(count, dtype=np.float64) * apart
    return finish(devices.move(array.astype(target_dtype), target), requires_grad, out, dtype)


def _number(value: object, name: str) -> Any:
    """Return a bound, which may be a tensor of one element, as a number."""
    found = value.item() if isinstance(value, Tensor) else value
    if not isinstance(found, (int, float, np.number)):
        raise TypeError(f"arange(): argument '{name}' must be Number, not {type(found).__name__}")
    return found


def _natural(bounds: tuple[Any, ...]) -> DType:
    integral = all(isinstance(each, (int, np.integer)) for each in bounds)
    return dtypes.int64 if integral else dtypes.get_default_dtype()


def _check_range(first: Any, last: Any, step: Any) -> None:
    if not (math.isfinite(first) and math.isfinite(last)):
        raise RuntimeError(f"unsupported range: {first} -> {last}")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (last - first) * step < 0:
        raise RuntimeError(
            f"upper bound and lower bound inconsistent with step sign: {first} to {last} in steps of {step}"
        )


def range(
    start: float = 0,
    end: float | None = None,
    step: float = 1,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from ``start`` to ``end``, both included, in steps of ``step``. Deprecated, as in PyTorch."""
    warnings.warn("range is deprecated: use arange, which leaves the end out", UserWarning, stacklevel=2)
    if end is None:
        start, end = 0, start
    _check_range(start, end, step)
    count = math.floor((end - start) / step) + 1
    xp, target = library(device)
    target_dtype = numpy_dtype(dtype, dtypes.get_default_dtype() if out is None else out.dtype)
    array = start + xp.arange(count, dtype=np.float64) * step
    return finish(devices.move(array.astype(target_dtype), target), requires_grad, out, dtype)


def _evenly(xp: ModuleType, start: backend.Array, end: backend.Array, steps: int, dtype: np.dtype) -> backend.Array:
    """Return ``steps`` points from start to end, computed from both ends so that each end is met exactly.

    Rounded as PyTorch does it: the step in the type itself, in float64 for integers; then a product and a sum in one
    rounding, which a wider type gives, or in two for types of 16 bits.
    """
    start, end = xp.asarray(start).astype(dtype), xp.asarray(end).astype(dtype)
    if steps == 1:
        return start[None]
    narrow = np.dtype(np.float64) if dtype.kind in "iub" else dtype
    start, end = start.astype(narrow), end.astype(narrow)
    wide = _wider(narrow, xp is np)
    parts = xp.asarray(max(steps - 1, 1)).astype(narrow if narrow.kind != "c" else wide)
    step = ((end - start) / parts).astype(narrow)
    start, end, step = (each.astype(wide) for each in (start, end, step))
    places = xp.arange(steps)
    points = xp.where(
        places < steps // 2,
        start + places.astype(wide) * step,
        end - (steps - 1 - places).astype(wide) * step,
    ).astype(narrow)
    return points


def _wider(dtype: np.dtype, extended: bool) -> np.dtype:
    """Return the type in which a product of two numbers of ``dtype`` is exact, or nearly; 16 bits stay as they are."""
    if dtype.kind == "V" or dtype.itemsize == 2:
        return dtype
    if dtype.itemsize == (8 if dtype.kind == "c" else 4):
        return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)
    if not extended:
        return dtype
    return np.dtype(np.clongdouble if dtype.kind == "c" else np.longdouble)


def linspace(
    start: Number | Tensor,
    end: Number | Tensor,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    >>> facula.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    array, target_dtype, target = _points("linspace", start, end, steps, dtype if out is None else out.dtype, device)
    return finish(devices.move(array.astype(target_dtype), target), requires_grad, out, dtype)


def logspace(
    start: Number | Tensor,
    end: Number | Tensor,
    steps: int,
    base: float | Tensor = 10.0,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``base`` raised to ``steps`` evenly spaced exponents from ``start`` to ``end``."""
    wanted = dtype if out is None else out.dtype
    exponents, target_dtype, target = _points("logspace", start, end, steps, wanted, device)
    array = np.power(float(base), exponents.astype(_wider(exponents.dtype, True)))
    return finish(devices.move(array.astype(target_dtype), target), requires_grad, out, dtype)


def _points(
    name: str,
    start: Number | Tensor,
    end: Number | Tensor,
    steps: int,
    dtype: DType | None,
    device: Device | str | int | None,
) -> tuple[backend.Array, np.dtype, Device]:
    if isinstance(steps, bool) or not hasattr(steps, "__index__"):
        raise TypeError(f"{name}(): argument 'steps' must be int, not {type(steps).__name__}")
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    for which, each in (("start", start), ("end", end)):
        if isinstance(each, Tensor) and each.dim():
            raise RuntimeError(
                f"{name} only supports 0-dimensional start and end tensors, but got {which} with {each.dim()} dimension(s)."
            )
    ends: list[Any] = [each.item() if isinstance(each, Tensor) else each for each in (start, end)]
    natural = dtypes.get_default_dtype()
    if any(isinstance(each, complex) for each in ends):
        natural = natural.to_complex()
    xp, target = library(device)
    found = numpy_dtype(dtype, natural)
    if found.kind == "b":
        raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
    if natural.is_complex and not dtypes.from_numpy_dtype[found].is_complex:
        raise RuntimeError(
            f"{name}(): inferred dtype {natural.name} can't be safely cast to passed dtype "
            f"{dtypes.from_numpy_dtype[found].name}"
        )
    return _evenly(xp, ends[0], ends[1], steps, found), found, target
