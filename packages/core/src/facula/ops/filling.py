"""Writing whole tensors in place, and new tensors like one that is there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula import backend, devices
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.graph.modes import state
from facula.graph.views import check_writable
from facula.methods import write
from facula.overlap import refuse_partial_overlap
from facula.primitive import primitive
from facula.tensor_base import TensorBase, storage_of, wrap
from facula.types import Number, Tensor, TensorLike

__all__: list[str] = []


def copy_(input: Tensor, src: Tensor, non_blocking: bool = False) -> Tensor:
    """Write ``src``, broadcast and converted, into this tensor, and return it."""
    value = src if isinstance(src, TensorBase) else wrap(np.asarray(src))
    if value._overrides and value.is_sparse:
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented! Use src.to_dense()")
    if input._storage is not None and value._storage is input._storage:
        refuse_partial_overlap(input, value)
    if value.dtype != input.dtype or value.is_cuda != input.is_cuda:
        value = value.to(device=input.device, dtype=input.dtype)
    if value._array.shape != input._array.shape:
        value = value.expand(input._array.shape)
    return write(input, value)


def fill_(input: Tensor, value: TensorLike) -> Tensor:
    """Write one value into every element of this tensor, and return it."""
    if isinstance(value, TensorBase):
        if value.dim():
            raise RuntimeError(
                f"fill_ only supports 0-dimension value tensor but got tensor with {value.dim()} dimensions."
            )
        return copy_(input, value)
    if isinstance(value, complex) and not input.is_complex():
        raise RuntimeError("value cannot be converted to type " + input.dtype.name + " without overflow")
    xp = backend.namespace(input._array)
    number = xp.asarray(value).astype(input._array.dtype)
    return write(input, wrap(xp.broadcast_to(number, input._array.shape)))


def zero_(input: Tensor) -> Tensor:
    """Write zeros into this tensor, and return it."""
    return fill_(input, 0)


def fill_diagonal_(input: Tensor, fill_value: Number, wrap: bool = False) -> Tensor:
    """Write one value onto the main diagonal of this tensor, and return it; ``wrap`` goes on in tall matrices."""
    if input.dim() < 2:
        raise RuntimeError("dimensions must larger than 1")
    if input.dim() > 2 and len(set(input.shape)) > 1:
        raise RuntimeError("all dimensions of input must be of equal length")
    places = np.zeros(input._array.shape, bool)
    np.fill_diagonal(places, True, wrap=wrap)
    key = backend.namespace(input._array).asarray(places)
    input[_mask(key)] = fill_value
    return input


def _mask(array: backend.Array) -> Tensor:
    return wrap(array)


def in_new_shape(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the in-place method of a view: the tensor itself takes the view's shape."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if state.grad_enabled and self.requires_grad:
            check_writable(self)
        seen = function(self, *args, **kwargs)
        self._array, self._node = seen._array, seen._node
        return self

    method.__name__ = function.__name__ + "_"
    method.__doc__ = f"Give this tensor the shape of ``{function.__name__}``, and return it."
    return method


def _place(input: Tensor, dtype: DType | None, device: Device | str | int | None) -> tuple[Any, np.dtype, Device]:
    target = input.device if device is None else devices.canonical(device)
    return (np if target.type == "cpu" else backend.cupy()), (dtype or input.dtype).numpy, target


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    return tuple(each.__index__() for each in size)


def new_zeros(
    input: Tensor,
    *size: int | Sequence[int],
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    layout: object = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return zeros of a shape, with the type and device of this tensor."""
    xp, kind, _ = _place(input, dtype, device)
    return wrap(xp.zeros(_shape(size), kind)).requires_grad_(requires_grad)


def new_ones(
    input: Tensor,
    *size: int | Sequence[int],
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    layout: object = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return ones of a shape, with the type and device of this tensor."""
    xp, kind, _ = _place(input, dtype, device)
    return wrap(xp.ones(_shape(size), kind)).requires_grad_(requires_grad)


def new_empty(
    input: Tensor,
    *size: int | Sequence[int],
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    layout: object = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return an uninitialised tensor of a shape, with the type and device of this one."""
    xp, kind, _ = _place(input, dtype, device)
    return wrap(xp.empty(_shape(size), kind)).requires_grad_(requires_grad)


def new_full(
    input: Tensor,
    size: Sequence[int],
    fill_value: TensorLike,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    layout: object = None,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of a shape filled with one value, with the type and device of this one."""
    xp, kind, _ = _place(input, dtype, device)
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    return wrap(xp.full(_shape((size,)), value, kind)).requires_grad_(requires_grad)


def new_tensor(
    input: Tensor,
    data: object,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor with a copy of ``data``, with the type and device of this one."""
    _, kind, target = _place(input, dtype, device)
    array = backend.to_numpy(data._array) if isinstance(data, TensorBase) else np.array(data)
    return wrap(devices.move(array.astype(kind), target)).requires_grad_(requires_grad)


def new(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """Return an uninitialised tensor of a shape, or one with the given data."""
    if len(size) == 1 and isinstance(size[0], (list, np.ndarray, TensorBase)):
        return new_tensor(input, size[0])
    return new_empty(input, *(size or (0,)))


@primitive()
def _resized(xp, x, *, shape):
    result = xp.empty(shape, x.dtype)
    count = min(x.size, result.size)
    result.reshape(-1)[:count] = x.reshape(-1)[:count]
    return result


def resize_(input: Tensor, *sizes: int | Sequence[int], memory_format: object = None) -> Tensor:
    """Give this tensor another shape, keeping the elements that fit, and return it."""
    if input.requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    shape = _shape(sizes)
    array = input._array
    if int(np.prod(shape)) == array.size and array.flags.c_contiguous:
        input._array = array.reshape(shape)
    else:
        input._array = _resized(input, shape=shape)._array
    storage_of(input).version += 1
    return input


def set_(input: Tensor, source: Tensor | None = None) -> Tensor:
    """Make this tensor share the memory and shape of ``source`` (or be empty), and return it."""
    input._array = np.empty(0, input._array.dtype) if source is None else source._array
    storage_of(input).version += 1
    return input


def resize_as_(input: Tensor, the_template: Tensor, memory_format: object = None) -> Tensor:
    """Give this tensor the shape of another one, keeping the elements that fit, and return it."""
    return resize_(input, *the_template.shape)


def apply_(input: Tensor, callable: Callable[[Number], Number]) -> Tensor:
    """Replace each element by what ``callable`` returns for it, one by one, and return the tensor.

    TypeError for a tensor on a CUDA device.
    """
    if input.is_cuda:
        raise TypeError("apply_ is only implemented on CPU tensors")
    values = [callable(each) for each in input._array.reshape(-1).tolist()]
    return copy_(input, wrap(np.asarray(values, input._array.dtype).reshape(input._array.shape)))


def map_(input: Tensor, tensor: Tensor, callable: Callable[[Number, Number], Number]) -> Tensor:
    """Replace each element by what ``callable`` returns for it and that of ``tensor``, and return the tensor."""
    other = np.broadcast_to(tensor._array, input._array.shape)
    values = [callable(*pair) for pair in zip(input._array.reshape(-1).tolist(), other.reshape(-1).tolist())]
    return copy_(input, wrap(np.asarray(values, input._array.dtype).reshape(input._array.shape)))
