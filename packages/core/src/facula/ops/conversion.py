"""Copies of a tensor: another type, another device, other memory; and the regions that views cover."""

from typing import Any

import numpy as np

from facula import backend, devices, native
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.graph.views import Geometry
from facula.primitive import primitive
from facula.tensor_base import TensorBase, alias
from facula.types import Tensor

__all__ = ["clone", "contiguous", "detach"]


class memory_format:
    """An order of dimensions in memory. Tensors here keep the order they were made with; the names are accepted."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"facula.{self.name}"

    def __reduce__(self) -> str:
        return self.name


class layout:
    """How the elements of a tensor are stored."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"facula.{self.name}"

    def __reduce__(self) -> str:
        return self.name


strided = layout("strided")
sparse_coo = layout("sparse_coo")
sparse_csr = layout("sparse_csr")
sparse_csc = layout("sparse_csc")
sparse_bsr = layout("sparse_bsr")
sparse_bsc = layout("sparse_bsc")
jagged = layout("jagged")
contiguous_format: memory_format = memory_format("contiguous_format")
preserve_format: memory_format = memory_format("preserve_format")
channels_last = memory_format("channels_last")
channels_last_3d = memory_format("channels_last_3d")


@primitive(vjp={"x": lambda g: g})
def _cast(xp, x, *, dtype):
    if x.dtype.kind == "c" and dtype.kind != "c":
        x = x.real
    if dtype.kind in "iu" and x.dtype.kind in "fV":
        # A float out of range wraps through int64, as it does in C.
        return x.astype(np.int64).astype(dtype)
    return x.astype(dtype)


@_cast.kernel("native")
def _cast_native(x, *, dtype):
    return native.kernels.cast(x, dtype.num)


def cast(input: TensorBase, dtype: DType) -> Tensor:
    """Return ``input`` with elements of type ``dtype``; itself when it has that type already."""
    if input._array.dtype == dtype.numpy:
        return input  # type: ignore[return-value]  # each tensor is a Tensor
    return _cast(input, dtype=dtype.numpy)


@primitive(vjp={"x": lambda g, source: move(g, source)})
def _move(xp, x, *, target, source):
    return x


@_move.kernel("cpu")
@_move.kernel("cuda")
def _move_array(x, *, target, source):
    return devices.move(x, target)


def move(input: TensorBase, device: Device | str | int) -> Tensor:
    """Return ``input`` on ``device``; itself when it is there already."""
    target = devices.canonical(device)
    source = devices.of_array(input._array)
    if target == source:
        return input  # type: ignore[return-value]
    return _move(input, target=target, source=source)


@primitive(vjp={"x": lambda g: g})
def _clone(xp, x, *, order):
    return x.copy(order=order)


@_clone.kernel("native")
def _clone_native(x, *, order):
    return native.kernels.contiguous(x) if order == "C" or x.flags.c_contiguous else NotImplemented


def clone(input: TensorBase, *, memory_format: memory_format = preserve_format) -> Tensor:
    """Return a copy of ``input`` in memory of its own, through which gradients pass.

    >>> facula.clone(facula.tensor([1, 2]))
    tensor([1, 2])
    """
    return _clone(input, order="K" if memory_format is preserve_format else "C")


def contiguous(input: Tensor, memory_format: memory_format = contiguous_format) -> Tensor:
    """Return ``input`` with its elements in row-major order in memory; itself when they are so already."""
    return input if input._array.flags.c_contiguous else _clone(input, order="C")


def detach(input: Tensor) -> Tensor:
    """Return a tensor on the same memory that requires no grad."""
    return alias(input, input._array)


# The regions of a base that its views cover; see graph/views.py. A gradient is first laid out in memory as the base is,
# so that the view's strides hold there too. A view by `as_strided` may reach out of the base, on either side.


def _laid_out(xp, array: backend.Array, geometry: Geometry) -> tuple[backend.Array, int, int]:
    """Return flat memory in which the elements of ``array`` stand where the base has its own.

    With it: where in it the base begins, and where the view.
    """
    base = max(0, -geometry.offset)
    view = base + geometry.offset
    end = max(
        base + _reach(geometry.base_shape, geometry.base_strides), view + _reach(geometry.shape, geometry.strides)
    )
    memory = xp.zeros(end, array.dtype)
    _strided(xp, memory, geometry.base_shape, geometry.base_strides, base)[...] = array
    return memory, base, view


def _reach(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    return 1 + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True) if length)


def _strided(xp, memory: backend.Array, shape: tuple[Any, ...], strides: tuple[Any, ...], offset: int) -> backend.Array:
    in_bytes = tuple(stride * memory.itemsize for stride in strides)
    return xp.lib.stride_tricks.as_strided(memory[offset:], shape, in_bytes)


def _overlap(shape: tuple[int, ...], strides: tuple[int, ...]) -> bool:
    """Whether two elements of a view may be one place in memory."""
    reach = 0
    for stride, length in sorted(zip(strides, shape, strict=True)):
        if length > 1:
            if stride <= reach:
                return True
            reach += (length - 1) * stride
    return False


@primitive(vjp={"x": lambda g, geometry: g._place_region(geometry)})
def _take_region(xp, x, *, geometry):
    memory, _, view = _laid_out(xp, x, geometry)
    return _strided(xp, memory, geometry.shape, geometry.strides, view).copy()


@primitive(vjp={"x": lambda g, geometry: g._take_region(geometry)})
def _place_region(xp, x, *, geometry):
    memory, base, view = _laid_out(xp, xp.zeros(geometry.base_shape, x.dtype), geometry)
    # An element that a view shows several times receives the sum of its gradients.
    places = _strided(xp, xp.arange(memory.size), geometry.shape, geometry.strides, view)
    if _overlap(geometry.shape, geometry.strides):
        xp.add.at(memory, places, x)
    else:
        memory[places] = x
    return _strided(xp, memory, geometry.base_shape, geometry.base_strides, base).copy()


@primitive(vjp={"x": lambda g, geometry: g._clear_region(geometry)})
def _clear_region(xp, x, *, geometry):
    memory, base, view = _laid_out(xp, x, geometry)
    _strided(xp, memory, geometry.shape, geometry.strides, view)[...] = 0
    return _strided(xp, memory, geometry.base_shape, geometry.base_strides, base).copy()


def take_region(input: Tensor, geometry: Geometry) -> Tensor:
    """Return the part of ``input``, shaped as a base, that a view of that base shows."""
    return _take_region(input, geometry=geometry)


def place_region(input: Tensor, geometry: Geometry) -> Tensor:
    """Return zeros of the base's shape with ``input`` where the view lies."""
    return _place_region(input, geometry=geometry)


def clear_region(input: Tensor, geometry: Geometry) -> Tensor:
    """Return ``input``, shaped as a base, with zeros where the view lies."""
    return _clear_region(input, geometry=geometry)
