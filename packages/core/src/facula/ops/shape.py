"""Views: the same memory in another shape."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import native
from facula.dimensions import wrap_dim
from facula.dtypes import dtype as DType
from facula.graph.views import Geometry
from facula.primitive import primitive
from facula.tensor_base import owner
from facula.types import Tensor

__all__ = ["adjoint", "as_strided", "broadcast_to", "diagonal", "flatten", "moveaxis", "movedim", "permute", "ravel"]
__all__ += ["reshape", "squeeze", "swapaxes", "swapdims", "t", "transpose", "unflatten", "unsqueeze"]


def _sizes(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Return sizes given one by one or as one sequence."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    return tuple(each if type(each) is int else each.__index__() for each in size)


def _infer(shape: tuple[int, ...], count: int) -> tuple[int, ...]:
    """Return the shape with its one -1 replaced, so that it has ``count`` elements."""
    unknown = [at for at, length in enumerate(shape) if length == -1]
    if len(unknown) > 1:
        raise RuntimeError("only one dimension can be inferred")
    known = math.prod(length for length in shape if length != -1)
    if any(length < -1 for length in shape):
        raise RuntimeError(f"invalid shape dimension {min(shape)}")
    if unknown:
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the unspecified dimension size -1 can "
                "be any value and is ambiguous"
            )
        if count % known == 0:
            return tuple(count // known if length == -1 else length for length in shape)
    elif known == count:
        return shape
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {count}")


@primitive(view=True, vjp={"x": lambda g, x_shape: g.reshape(x_shape)})
def _view(xp, x, *, shape):
    return x.reshape(shape)


@primitive(vjp={"x": lambda g, x_shape: g.reshape(x_shape)})
def _reshape_copy(xp, x, *, shape):
    return x.reshape(shape)


@_reshape_copy.kernel("native")
def _reshape_copy_native(x, *, shape):
    copy = native.kernels.contiguous(x)
    return copy if copy is NotImplemented else copy.reshape(shape)


def _can_view(array: np.ndarray, shape: tuple[int, ...]) -> bool:
    if array.flags.c_contiguous or array.size == 0:
        return True
    probe = array.view()
    try:
        probe.shape = shape  # NumPy refuses where a copy would be needed
    except AttributeError:
        return False
    return True


def reshape(input: Tensor, shape: Sequence[int]) -> Tensor:
    """Return ``input`` in another shape, as a view where memory allows, else as a copy; one length may be -1.

    >>> facula.reshape(facula.arange(6), (2, -1))
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    array = input._array
    wanted = _infer(_sizes((shape,)), array.size)
    if wanted == array.shape or _can_view(array, wanted):
        return _view(input, shape=wanted)
    return _reshape_copy(input, shape=wanted)


def reshape_method(input: Tensor, *shape: int | Sequence[int]) -> Tensor:
    """Return the tensor in another shape, given as one sequence or length by length; see `facula.reshape`.

    >>> facula.arange(6).reshape(3, -1).shape
    facula.Size([3, 2])
    """
    given: Any = shape[0] if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape
    return reshape(input, given)


def view(input: Tensor, *shape: int | Sequence[int] | DType, dtype: DType | None = None) -> Tensor:
    """Return a view of ``input`` in another shape, or with its memory read as another type.

    RuntimeError where only a copy could have that shape.

    >>> facula.arange(4).view(2, 2)
    tensor([[0, 1],
            [2, 3]])
    """
    if dtype is not None:
        shape = (dtype,)
    if len(shape) == 1 and isinstance(shape[0], DType):
        return _view_as_type(input, shape[0])
    wanted = _infer(_sizes(shape), input._array.size)
    if not _can_view(input._array, wanted):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one dimension spans across two "
            "contiguous subspaces). Use .reshape(...) instead."
        )
    return _view(input, shape=wanted)


@primitive(view=True)
def _reinterpret(xp, x, *, dtype):
    return x.view(dtype)


def _view_as_type(input: Tensor, dtype: DType) -> Tensor:
    array = input._array
    if array.itemsize == dtype.itemsize:
        return _reinterpret(input, dtype=dtype.numpy)
    if array.ndim == 0:
        raise RuntimeError("self.dim() cannot be 0 to view a tensor with a different element size")
    if array.strides[-1] != array.itemsize and array.shape[-1] != 1:
        raise RuntimeError("self.stride(-1) must be 1 to view a tensor with a different element size")
    if array.shape[-1] * array.itemsize % dtype.itemsize:
        ratio = dtype.itemsize // array.itemsize
        raise RuntimeError(f"self.size(-1) must be divisible by {ratio} to view {input.dtype} as {dtype}")
    return _reinterpret(input, dtype=dtype.numpy)


def view_as(input: Tensor, other: Tensor) -> Tensor:
    """Return a view of ``input`` in the shape of ``other``."""
    return view(input, other._array.shape)


def reshape_as(input: Tensor, other: Tensor) -> Tensor:
    """Return ``input`` in the shape of ``other``."""
    return reshape(input, other._array.shape)


def ravel(input: Tensor) -> Tensor:
    """Return ``input`` with one dimension."""
    return reshape(input, (-1,))


def flatten(input: Tensor, start_dim: int = 0, end_dim: int = -1) -> Tensor:
    """Return ``input`` with dimensions ``start_dim`` to ``end_dim`` made one."""
    rank = input.dim()
    start, end = wrap_dim(start_dim, rank), wrap_dim(end_dim, rank)
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if rank == 0:
        return reshape(input, (1,))
    if start == end:
        return input
    shape = input._array.shape
    return reshape(input, (*shape[:start], math.prod(shape[start : end + 1]), *shape[end + 1 :]))


def unflatten(input: Tensor, dim: int, sizes: Sequence[int]) -> Tensor:
    """Return ``input`` with dimension ``dim`` made several of the given sizes, one of which may be -1."""
    at = wrap_dim(dim, input.dim())
    shape = input._array.shape
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        inner = _infer(tuple(sizes), shape[at])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {at} ({shape[at]}) in the "
            "input tensor"
        ) from None
    return view(input, (*shape[:at], *inner, *shape[at + 1 :]))


@primitive(view=True, vjp={"x": lambda g, axes: g.permute(_inverse(axes))})
def _permute(xp, x, *, axes):
    return x.transpose(axes)


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    inverse = [0] * len(axes)
    for at, axis in enumerate(axes):
        inverse[axis] = at
    return tuple(inverse)


def permute(input: Tensor, dims: Sequence[int]) -> Tensor:
    """Return a view of ``input`` with its dimensions in another order.

    >>> facula.permute(facula.zeros(2, 3, 4), (2, 0, 1)).shape
    facula.Size([4, 2, 3])
    """
    rank = input._array.ndim
    wanted = _sizes((dims,))
    if len(wanted) != rank:
        raise RuntimeError(
            "permute: number of dimensions in the tensor input does not match the length of the desired ordering of "
            f"dimensions i.e. input.dim() = {rank} is not equal to len(dims) = {len(wanted)}"
        )
    axes = tuple(wrap_dim(each, rank) for each in wanted)
    if len(set(axes)) != len(axes):
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return _permute(input, axes=axes)


def permute_method(input: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """Return a view with the dimensions in another order, given as one sequence or one by one."""
    given: Any = dims[0] if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return permute(input, given)


def transpose(input: Tensor, dim0: int, dim1: int) -> Tensor:
    """Return a view of ``input`` with two dimensions exchanged."""
    rank = input._array.ndim
    first, second = wrap_dim(dim0, rank), wrap_dim(dim1, rank)
    axes = list(range(rank))
    if rank:
        axes[first], axes[second] = second, first
    return _permute(input, axes=tuple(axes))


def t(input: Tensor) -> Tensor:
    """Return the transpose of a matrix; a tensor of fewer dimensions as it is."""
    if input.dim() > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.dim()}D")
    return _permute(input, axes=(1, 0)) if input.dim() == 2 else _view(input, shape=input._array.shape)


def reversed_dims(input: Tensor) -> Tensor:
    """Return a view of ``input`` with its dimensions in reverse order."""
    return _permute(input, axes=tuple(reversed(range(input.dim()))))


def matrix_transpose(input: Tensor) -> Tensor:
    """Return a view of ``input`` with its last two dimensions exchanged."""
    if input.dim() < 2:
        raise RuntimeError(
            f"tensor.mT is only supported on matrices or batches of matrices. Got {input.dim()}-D tensor."
        )
    return transpose(input, -2, -1)


def adjoint(input: Tensor) -> Tensor:
    """Return the conjugate of ``input`` with its last two dimensions exchanged."""
    return matrix_transpose(input).conj()


def conjugate_transpose(input: Tensor) -> Tensor:
    """Return the conjugate transpose of a matrix; a zero-dim tensor as it is."""
    if input.dim() not in (0, 2):
        raise RuntimeError(f"tensor.H is only supported on matrices (2-D tensors). Got {input.dim()}-D tensor.")
    return adjoint(input) if input.dim() else input.conj()


def movedim(input: Tensor, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """Return a view of ``input`` with some dimensions moved to other places, the others keeping their order."""
    rank = input.dim()
    sources = [wrap_dim(each, rank) for each in ((source,) if isinstance(source, int) else source)]
    places = [wrap_dim(each, rank) for each in ((destination,) if isinstance(destination, int) else destination)]
    if len(sources) != len(places):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({sources} dims) should contain the same number of dims "
            f"as destination ({places} dims)"
        )
    for name, each in (("source", sources), ("destination", places)):
        if len(set(each)) != len(each):
            raise RuntimeError(f"movedim: repeated dim in `{name}` ({each})")
    axes = [-1] * rank
    for origin, place in zip(sources, places):
        axes[place] = origin
    rest = iter(each for each in range(rank) if each not in sources)
    return _permute(input, axes=tuple(each if each >= 0 else next(rest) for each in axes)) if rank else input


def squeeze(input: Tensor, dim: int | Sequence[int] | None = None) -> Tensor:
    """Return a view of ``input`` without its dimensions of length 1, or without those named that have it."""
    shape = input._array.shape
    if dim is None:
        dropped = {at for at, length in enumerate(shape) if length == 1}
    else:
        named = (dim,) if not isinstance(dim, (tuple, list)) else dim
        wrapped = [wrap_dim(each, len(shape)) for each in named]
        if len(set(wrapped)) != len(wrapped):
            raise RuntimeError(f"dim {wrapped[0]} appears multiple times in the list of dims")
        dropped = {at for at in wrapped if shape and shape[at] == 1}
    return _view(input, shape=tuple(length for at, length in enumerate(shape) if at not in dropped))


def unsqueeze(input: Tensor, dim: int) -> Tensor:
    """Return a view of ``input`` with a new dimension of length 1 at ``dim``."""
    shape = input._array.shape
    at = wrap_dim(dim, len(shape) + 1)
    return _view(input, shape=(*shape[:at], 1, *shape[at:]))


@primitive(view=True, vjp={"x": lambda g, x_shape: g.sum_to_size(x_shape)})
def _expand(xp, x, *, shape):
    if xp is not np:
        return xp.broadcast_to(x, shape)
    # Zero strides along what is repeated; np.broadcast_to would make memory that cannot be written to.
    have, extra = x.shape, len(shape) - x.ndim
    strides = [0] * extra
    for length, wanted, stride in zip(have, shape[extra:], x.strides):
        strides.append(stride if length == wanted else 0)
    return np.lib.stride_tricks.as_strided(x, shape, strides)


def expand(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """Return a view of ``input`` with dimensions of length 1 repeated, and new ones in front; -1 keeps a length."""
    shape, wanted = input._array.shape, _sizes(size)
    if wanted == shape:
        return _expand(input, shape=shape)
    extra = len(wanted) - len(shape)
    if extra < 0:
        raise RuntimeError(
            f"expand({input.type()}{{{list(shape)}}}, size={list(wanted)}): the number of sizes provided ({len(wanted)}) "
            f"must be greater or equal to the number of dimensions in the tensor ({len(shape)})"
        )
    full = []
    for at, length in enumerate(wanted):
        have = shape[at - extra] if at >= extra else None
        if length == -1:
            if have is None:
                raise RuntimeError(
                    f"expand({input.type()}{{{list(shape)}}}, size={list(wanted)}): the expanded size of the tensor (-1) "
                    f"isn't allowed in a leading, non-existing dimension {at}"
                )
            length = have
        elif have not in (None, 1, length):
            raise RuntimeError(
                f"The expanded size of the tensor ({length}) must match the existing size ({have}) at non-singleton "
                f"dimension {at}.  Target sizes: {list(wanted)}.  Tensor sizes: {list(shape)}"
            )
        if length < 0:
            raise RuntimeError(f"expand: the requested shape has negative dimension {length}")
        full.append(length)
    return _expand(input, shape=tuple(full))


def expand_as(input: Tensor, other: Tensor) -> Tensor:
    """Return a view of ``input`` expanded to the shape of ``other``."""
    return expand(input, other._array.shape)


def broadcast_to(input: Tensor, size: Sequence[int]) -> Tensor:
    """Return a view of ``input`` expanded to ``size``."""
    return expand(input, size)


@primitive(
    view=True,
    vjp={"x": lambda g, x_shape, offset, dims: _put_diagonal(g, shape=x_shape, offset=offset, dims=dims)},
)
def _diagonal(xp, x, *, offset, dims):
    made = x.diagonal(offset, *dims)
    if xp is np and x.flags.writeable:
        made.setflags(write=True)  # NumPy marks diagonals read-only
    return made


@primitive(vjp={"x": lambda g, offset, dims: _diagonal(g, offset=offset, dims=dims)})
def _put_diagonal(xp, x, *, shape, offset, dims):
    result = xp.zeros(shape, x.dtype)
    if x.size:
        inner = result.diagonal(offset, *dims)
        if xp is np:
            inner.setflags(write=True)
        inner[...] = x
    return result


def diagonal(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return the view of the diagonal of two dimensions, as a last dimension."""
    rank = input.dim()
    dims = (wrap_dim(dim1, rank), wrap_dim(dim2, rank))
    if dims[0] == dims[1]:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return _diagonal(input, offset=offset, dims=dims)


def unfold(input: Tensor, dimension: int, size: int, step: int) -> Tensor:
    """Return the view of all windows of ``size`` every ``step`` along a dimension, as a last dimension."""
    rank = input.dim()
    at = wrap_dim(dimension, rank)
    length = input._array.shape[at] if rank else 1
    if size < 0 or size > length:
        raise RuntimeError(f"maximum size for tensor at dimension {at} is {length} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    strides = list(input.stride())
    shape = list(input._array.shape)
    if rank == 0:
        return as_strided(input, (size,), (1,))
    windows = (length - size) // step + 1
    inner = strides[at]
    shape[at], strides[at] = windows, inner * step
    return as_strided(input, (*shape, size), (*strides, inner), input.storage_offset())


def as_strided(input: Tensor, size: Sequence[int], stride: Sequence[int], storage_offset: int | None = None) -> Tensor:
    """Return a view of the memory of ``input`` with any shape, strides and offset, counted in elements."""
    array = input._array
    offset = input.storage_offset() if storage_offset is None else storage_offset
    reach = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
    available = owner(array).nbytes // max(array.itemsize, 1)
    if 0 not in size and reach > available:
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset} are out of bounds for "
            f"storage of {available} elements"
        )
    if any(step < 0 for step in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {list(stride)}")
    return _as_strided(input, size=tuple(size), stride=tuple(stride), start=offset - input.storage_offset())


@primitive(
    view=True,
    vjp={"x": lambda g, x, size, stride, start: _strided_gradient(g, x, size, stride, start)},
)
def _as_strided(xp, x, *, size, stride, start):
    strides = tuple(step * x.itemsize for step in stride)
    if xp is np and start:
        whole = x
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        origin = x.ctypes.data - whole.ctypes.data + start * x.itemsize
        return np.ndarray(size, x.dtype, whole, origin, strides)
    return xp.lib.stride_tricks.as_strided(x, size, strides)


def _strided_gradient(g: Tensor, x: Tensor, size: tuple[Any, ...], stride: tuple[Any, ...], start: int) -> Tensor:
    strides = tuple(step // x._array.itemsize for step in x._array.strides)
    return g._place_region(Geometry(x._array.shape, strides, size, stride, start))


swapaxes = swapdims = transpose
moveaxis = movedim
