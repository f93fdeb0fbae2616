"""What functions that make tensors do with their arguments: size, dtype, device, requires_grad, out."""

from __future__ import annotations

import builtins
from types import ModuleType
from typing import Any

import numpy as np

from facula import backend, devices, dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.graph.modes import state
from facula.tensor import Tensor
from facula.tensor_base import storage_of, wrap

__all__ = ["finish", "library", "numpy_dtype", "shape_of"]


def library(device: Device | str | int | None) -> tuple[ModuleType, Device]:
    """Return the array library for a device argument, and the device."""
    target = devices.canonical(device)
    if target.type == "cpu":
        return np, target
    devices.move(np.empty(0), target)  # says clearly when there is no such device
    return backend.cupy(), target


def finish(array: backend.Array, requires_grad: bool, out: Tensor | None = None, dtype: DType | None = None) -> Tensor:
    """Return a tensor on an array just made, or ``out`` with the array's elements.

    RuntimeError for an ``out`` that requires grad, or is of another type than the ``dtype`` asked for.
    """
    if out is None:
        made = wrap(array)
        return made.requires_grad_() if requires_grad else made
    if dtype is not None and out.dtype is not dtype:
        raise RuntimeError(f"dtype {dtype.name} does not match dtype of out parameter ({out.dtype.name})")
    if state.grad_enabled and out.requires_grad:
        raise RuntimeError(
            "functions with out=... arguments don't support automatic differentiation, but one of the arguments requires "
            "grad."
        )
    if out._array.shape != array.shape:
        out._array = array.astype(out._array.dtype)
    else:
        out._array[...] = array
    storage_of(out).version += 1
    return out


def shape_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the shape that positional sizes, or one sequence of them, name."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = []
    for each in size:
        if isinstance(each, builtins.float) or not hasattr(each, "__index__"):
            raise TypeError(f"expected the sizes to be int, got {type(each).__name__} in {tuple(size)}")
        length = each.__index__()
        if length < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {length}: {list(size)}")
        shape.append(length)
    return tuple(shape)


def numpy_dtype(dtype: DType | None, otherwise: DType | None = None) -> np.dtype[Any]:
    """Return the NumPy type behind a ``dtype`` argument; without one that of ``otherwise``, or the default type."""
    if dtype is None:
        return (otherwise or dtypes.get_default_dtype()).numpy
    if not isinstance(dtype, DType):
        raise TypeError(f"argument 'dtype' must be facula.dtype, not {type(dtype).__name__}")
    return dtype.numpy
