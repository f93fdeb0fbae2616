"""What the samplers share about shapes and types."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Shape = int | Sequence[int]


class FloatLimits(NamedTuple):
    """What a floating point type can hold: every integer up to 2**digits, and numbers up to ``largest``."""

    digits: int
    largest: float
    smallest_normal: float


_LIMITS = {
    "float16": FloatLimits(11, 65504.0, 2.0**-14),
    "bfloat16": FloatLimits(8, (2.0 - 2.0**-7) * 2.0**127, 2.0**-126),
    "float32": FloatLimits(24, (2.0 - 2.0**-23) * 2.0**127, 2.0**-126),
    "float64": FloatLimits(53, (2.0 - 2.0**-52) * 2.0**1023, 2.0**-1022),
}


def float_limits(dtype: np.dtype) -> FloatLimits:
    """Return the limits of a floating point type; bfloat16 is not one NumPy's own ``finfo`` knows."""
    return _LIMITS[dtype.name]


def is_floating(dtype: np.dtype) -> bool:
    """Return whether a type is one of float16, bfloat16, float32, float64."""
    return dtype.name in _LIMITS


def checked_floating(dtype: np.dtype, expectation: str) -> None:
    """Raise RuntimeError unless a type is a floating point one."""
    if not is_floating(dtype):
        raise RuntimeError(f"{expectation}. dtype must be a floating point but you specified {dtype.name}")


def element_count(shape: Shape) -> int:
    """Return how many elements a shape has."""
    return shape if isinstance(shape, int) else math.prod(shape)


def real_view(fill: Callable[[tuple[int, ...], np.dtype], np.ndarray], shape: Shape, dtype: np.dtype) -> np.ndarray:
    """Return a complex array from ``fill``, which makes real ones: real and imaginary parts take turns."""
    dimensions = (shape,) if isinstance(shape, int) else tuple(shape)
    real = np.dtype(f"f{dtype.itemsize // 2}")
    parts = fill((*dimensions, 2), real)
    return parts.view(dtype).reshape(dimensions)


def from_float64(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return float64 values as another type. The small types are reached through float32, as PyTorch reaches them."""
    small = is_floating(dtype) and dtype.itemsize == 2
    with np.errstate(over="ignore", invalid="ignore"):
        return (values.astype(np.float32) if small else values).astype(dtype)
