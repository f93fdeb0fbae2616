"""Reading and writing parts of a tensor: ``x[…]``, masks, slices, flat indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from facula import dtypes, native
from facula.backend import Array
from facula.dimensions import wrap_dim
from facula.methods import assign, write
from facula.primitive import need_out, primitive, write_out
from facula.scattering import add_rows, check_range
from facula.tensor_base import TensorBase, storage_of, wrap
from facula.types import Number, Tensor, TensorLike

__all__ = ["argwhere", "diagonal_scatter", "index_copy", "index_fill", "index_put", "masked_fill", "masked_scatter"]
__all__ += ["masked_select", "nonzero", "put", "select_scatter", "slice_scatter", "take"]

Key = object


# x[key]. A key is brought to one canonical form: a tuple whose tensors are int64 or bool arrays, lists of numbers having
# become tensors. Without tensors it is basic, and the result a view.


def _canonical(key: Key) -> tuple[Any, ...]:
    if isinstance(key, list) and not _is_index_list(key):
        key = tuple(key)  # a list of slices and the like means a tuple
    parts = key if isinstance(key, tuple) else (key,)
    return tuple([_part(each) for each in parts])


def _is_index_list(key: list[Any]) -> bool:
    return (
        all(isinstance(each, (int, bool, list, tuple, np.integer)) or isinstance(each, TensorBase) for each in key)
        and bool(key)
        or key == []
    )


def _part(part: object) -> object:
    if part is None or part is Ellipsis or type(part) is int:
        return part
    if isinstance(part, slice):
        if part.step is not None and int(part.step) <= 0:
            raise ValueError("step must be greater than zero")
        return slice(*(None if each is None else each.__index__() for each in (part.start, part.stop, part.step)))
    if isinstance(part, TensorBase):
        return _index_array(part._array)
    if isinstance(part, (bool, np.bool_)):
        return np.asarray(part)
    if isinstance(part, np.ndarray):
        return _index_array(part)
    if isinstance(part, (list, tuple, range)):
        # A list may hold tensors of one element.
        array = np.array([each.tolist() if isinstance(each, Tensor) else each for each in part])
        return _index_array(array if array.size else array.astype(np.int64))
    if hasattr(part, "__index__"):
        return part.__index__()
    raise IndexError(
        "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
        f"{type(part).__name__})"
    )


def _index_array(array: Array) -> Array | int:
    kind = array.dtype.kind
    if kind == "b":
        return array
    if kind not in "iu":
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if array.dtype == np.uint8:
        return array.astype(bool)
    # A zero-dim integer tensor selects like an integer, but by a copy.
    return array.astype(np.int64, copy=False)


def _is_basic(key: tuple[Any, ...]) -> bool:
    return not any(isinstance(part, np.ndarray) or hasattr(part, "__cuda_array_interface__") for part in key)


def _check(shape: tuple[int, ...], key: tuple[Any, ...]) -> None:
    """Raise PyTorch's IndexError for what does not fit; NumPy's words would speak of arrays."""
    consumed = sum(part.ndim if _is_mask(part) else part is not None and part is not Ellipsis for part in key)
    if consumed > len(shape):
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    if sum(part is Ellipsis for part in key) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    axis = 0
    for part in key:
        if part is Ellipsis:
            axis = len(shape) - (consumed - axis)
        elif part is None:
            continue
        elif _is_mask(part):
            for offset, length in enumerate(part.shape):
                if shape[axis + offset] != length:
                    raise IndexError(
                        f"The shape of the mask {list(part.shape)} at index {offset} does not match the shape of the indexed "
                        f"tensor {list(shape)} at index {axis + offset}"
                    )
            axis += part.ndim
        else:
            size = shape[axis]
            if type(part) is int and not -size <= part < size:
                raise IndexError(f"index {part} is out of bounds for dimension {axis} with size {size}")
            axis += 1


def _is_mask(part: object) -> bool:
    return hasattr(part, "dtype") and part.dtype.kind == "b"


def getitem(input: Tensor, key: Key) -> Tensor:
    """Return the part of ``input`` a key names: a view for ints, slices, None and ``...``, a copy for tensors and lists.

    >>> facula.arange(6).reshape(2, 3)[:, 1]
    tensor([1, 4])
    """
    array = input._array
    if type(key) is int and array.ndim and -len(array) <= key < len(array):
        return input._slice((key,))  # what loops over rows do
    key = _canonical(key)
    _check(array.shape, key)
    if _is_basic(key):
        return input._slice(key)
    try:
        return _take_at(input, key=key)
    except IndexError as error:
        raise IndexError(_translated(error, array.shape)) from None


def _translated(error: IndexError, shape: tuple[int, ...]) -> str:
    text = str(error)
    if "shape mismatch" in text:
        return "shape mismatch: indexing tensors could not be broadcast together" + text.partition("together")[2]
    return text.replace("axis", "dimension")


@primitive(vjp={"x": lambda g, x_shape, key: _add_at(g, shape=x_shape, key=key)})
def _take_at(xp, x, *, key):
    if len(key) == 1 and xp is np and hasattr(key[0], "dtype") and key[0].dtype.kind == "i":
        return x.take(key[0], axis=0) if x.ndim else x[key]  # several times faster than x[key]
    result = x[key]
    # Results of advanced indexing may lie in another order in memory.
    return xp.ascontiguousarray(result).reshape(result.shape)


@_take_at.kernel("native")
def _take_at_native(x, *, key):
    if len(key) != 1 or not isinstance(key[0], np.ndarray):
        return NotImplemented
    if key[0].dtype == bool:
        return native.kernels.take_where(x, key[0])
    if key[0].ndim != 1 or not x.ndim:
        return NotImplemented
    return native.kernels.take_slices(x, key[0], 0)


@primitive(vjp={"x": lambda g, key: _take_at(g, key=key)})
def _add_at(xp, x, *, shape, key):
    """Return zeros of a shape with ``x`` added at the places a key names, as often as each is named."""
    result = xp.zeros(shape, x.dtype)
    if all(_is_mask(part) or not hasattr(part, "dtype") for part in key):
        result[key] = x  # a mask names no place twice
    elif len(key) == 1 and xp is np and x.dtype != np.float16:
        add_rows(xp, result, key[0], x)
    else:
        xp.add.at(result, key, x)
    return result


@_add_at.kernel("native")
def _add_at_native(x, *, shape, key):
    if len(key) != 1 or not isinstance(key[0], np.ndarray) or key[0].dtype == bool or not shape:
        return NotImplemented
    result = np.zeros(shape, x.dtype)
    return native.kernels.put_slices(result, key[0], np.ascontiguousarray(x), True)


def _written_in_place(array: Any, key: tuple[Any, ...], value: Any, add: bool) -> bool:
    """Write or add a value, which needs no broadcasting, into an array; False where that is not done here."""
    if not native.available or len(key) != 1 or not all(type(each) is np.ndarray for each in (array, key[0], value)):
        return False
    if value.ndim and np.may_share_memory(array, value):
        return False
    if key[0].dtype == bool:
        done = NotImplemented if add else native.kernels.put_where(array, key[0], value)
    else:
        done = native.kernels.put_slices(array, key[0], value, add)
    return done is not NotImplemented


def setitem(input: Tensor, key: Key, value: TensorLike) -> None:
    """Write ``value``, broadcast, into the part of ``input`` a key names."""
    key = _canonical(key)
    array = input._array
    _check(array.shape, key)
    if not isinstance(value, TensorBase):
        value = wrap(np.asarray(value)).to(device=input.device) if not isinstance(value, np.ndarray) else wrap(value)
    if value.dtype != input.dtype:
        value = value.to(input.dtype)
    if _is_basic(key):
        view = input._slice(key)
        write(view, _broadcast(value, view))
        return
    if value.requires_grad or input.requires_grad:
        shape = array[key].shape
        write(input, _put_at(input.clone(), _fit(value, shape), key=key))
        return
    if not _written_in_place(array, key, value._array, False):
        target_shape = array[key].shape
        array[key] = _fit(value, target_shape)._array
    storage_of(input).version += 1


def _fit(value: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the value expanded to a shape; leading dimensions of length 1 too many are dropped."""
    while value.dim() > len(shape) and value.shape[0] == 1:
        value = value.squeeze(0)
    if tuple(value.shape) == shape:
        return value
    try:
        np.broadcast_shapes(tuple(value.shape), shape)
        return value.expand(shape)
    except (ValueError, RuntimeError):
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(value.shape)} cannot be broadcast to indexing result of shape "
            f"{list(shape)}"
        ) from None


def _broadcast(value: Tensor, view: Tensor) -> Tensor:
    shape = tuple(view.shape)
    while value.dim() > len(shape) and value.shape[0] == 1:
        value = value.squeeze(0)
    return value if tuple(value.shape) == shape else value.expand(shape)


@primitive(
    vjp={
        "x": lambda g, key: _clear_at(g, key=key),
        "value": lambda g, key: _take_at(g, key=key),
    }
)
def _put_at(xp, x, value, *, key):
    """Return a copy of ``x`` with ``value`` at the places a key names."""
    result = x.copy()
    result[key] = value
    return result


@primitive(vjp={"x": lambda g, key: _clear_at(g, key=key)})
def _clear_at(xp, x, *, key):
    result = x.copy()
    result[key] = 0
    return result


def index_put(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """Return ``input`` with ``values`` written (or added, with ``accumulate``) at indices, one tensor for each dimension."""
    key = _key_of(input, indices, values)
    values = _fit(values, input._array[key].shape)
    return input + _add_at(values, shape=input._array.shape, key=key) if accumulate else _put_at(input, values, key=key)


def _key_of(input: Tensor, indices: Sequence[Tensor | None], values: Tensor) -> tuple[Any, ...]:
    if values.dtype != input.dtype:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {input.dtype.name.title()} for the destination and "
            f"{values.dtype.name.title()} for the source."
        )
    key = _canonical(tuple(slice(None) if each is None else each for each in indices))
    _check(input._array.shape, key)
    return key


def index_put_(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """Write (or add) ``values`` at indices into this tensor, and return it."""
    if not (input.requires_grad or values.requires_grad):
        key = _key_of(input, indices, values)
        if _written_in_place(input._array, key, values._array, accumulate):
            storage_of(input).version += 1
            return input
    return assign(input, index_put(input.clone(), indices, values, accumulate))


def _check_copied(input: Tensor, axis: int, index: Tensor, source: Tensor) -> None:
    if source.dtype != input.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.name.title()} and (source) {source.dtype.name.title()}"
        )
    if index.dim() > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.dim()})")
    if index.dtype is not dtypes.int64:
        raise RuntimeError(f"index_copy_(): Expected a long tensor for index, but got {index.dtype.name.title()}")
    shape = list(source.shape)
    count = shape.pop(axis) if axis < len(shape) else 1
    wanted = [length for at, length in enumerate(input.shape) if at != axis]
    if shape != wanted:
        raise RuntimeError(
            "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
            f"{wanted} at dimension {axis} and source slice shape: {shape} at dimension {axis}."
        )
    if count != index.numel():
        raise IndexError(
            f"index_copy_(): Number of indices ({index.numel()}) should be equal to source.size(dim) ({count})"
        )


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with slices of ``source`` written at the indices of a vector along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    _check_copied(input, axis, index, source)
    need_out(out, input.dtype, index, source)
    if input.dim() == 0:
        result = _put_at(input.reshape(1), source.reshape(1), key=(index._array.reshape(-1),)).reshape(())
        return result if out is None else write_out(result, out, "index_copy")
    check_range(index._array, input.shape[axis])
    key = (slice(None),) * axis + (index._array.reshape(-1),)
    return _put_at(input, source.reshape(input._array[key].shape), key=key, out=out)


def index_fill(input: Tensor, dim: int, index: Tensor, value: TensorLike) -> Tensor:
    """Return ``input`` with one value at the indices of a vector along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    if index.dim() > 1:
        raise IndexError("index_fill_(): Index is supposed to be a vector")
    if index.dtype is not dtypes.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    filler = value if isinstance(value, TensorBase) else input.new_full((), value)
    if filler.dim():
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {filler.dim()} dimension(s)."
        )
    # A mask, so that an index named twice counts once in the gradient of the value.
    size = input.shape[axis] if input.dim() else 1
    flags = input.new_zeros(size, dtype=dtypes.bool_)
    try:
        flags._array[index._array.reshape(-1)] = True
    except IndexError:
        wrong = next(each for each in index.reshape(-1).tolist() if not -size <= each < size)
        raise IndexError(f"index {wrong} is out of bounds for dimension {axis} with size {size}") from None
    return input.masked_fill(
        flags.reshape([-1, *[1] * (input.dim() - axis - 1)][: input.dim()]), filler.to(input.dtype)
    )


# Masks.


@primitive(
    vjp={
        "x": lambda g, mask: g.masked_fill(mask, 0.0),
        "value": lambda g, mask: g.where(mask, 0.0).sum(),
    }
)
def _masked_fill(xp, x, mask, value):
    return xp.where(mask, x.dtype.type(value) if not hasattr(value, "dtype") else value.astype(x.dtype), x)


@_masked_fill.kernel("native")
def _masked_fill_native(x, mask, value):
    return native.kernels.where(mask, value, x) if x.shape == mask.shape else NotImplemented


def _converted(value: TensorLike, target: dtypes.dtype) -> Number:
    """Return a number as one of a type, without its fraction where the type has none; RuntimeError if it is too large."""
    number: Any = value.item() if isinstance(value, Tensor) else value
    if target is dtypes.bool_:
        return number != 0
    fits = target.is_complex or not isinstance(number, complex)
    if fits and target.category == dtypes.INTEGRAL:
        limits = dtypes.iinfo(target)
        fits = number == number and min(limits.min, -limits.max) <= number <= limits.max
        number = np.asarray(int(number)).astype(target.numpy).item() if fits else number
    elif fits and target.category == dtypes.FLOATING and math.isfinite(number):
        fits = abs(number) <= dtypes.finfo(target).max
    if not fits:
        raise RuntimeError(f"value cannot be converted to type {target.name} without overflow")
    return number


def masked_fill(input: Tensor, mask: Tensor, value: TensorLike) -> Tensor:
    """Return ``input`` with ``value`` where ``mask``, the two broadcast.

    >>> facula.tensor([1, 2]).masked_fill(facula.tensor([True, False]), 0)
    tensor([0, 2])
    """
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError(f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}")
    if isinstance(value, TensorBase) and value.dim():
        raise RuntimeError(
            f"masked_fill_ only supports a 0-dimensional value tensor, but got tensor with {value.dim()} dimension(s)."
        )
    if not isinstance(value, TensorBase) or value.dtype.category > input.dtype.category:
        value = input.new_full((), _converted(value, input.dtype))
    return _masked_fill(input, mask, value)


def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the elements where ``mask``, the two broadcast, as a vector."""
    if mask.dtype not in (dtypes.bool_, dtypes.uint8):
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, but got {mask.dtype}")
    need_out(out, input.dtype, input, mask)
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    flags = mask.bool().expand(shape)._array
    return _take_at(input.expand(shape), key=(flags,), out=out)


def masked_scatter(input: Tensor, mask: Tensor, source: Tensor) -> Tensor:
    """Return ``input`` with elements of ``source``, in order, where ``mask``."""
    if mask.dtype is not dtypes.bool_:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype " + str(mask.dtype))
    if source.dtype != input.dtype:
        raise RuntimeError(
            f"masked_scatter: expected self and source to have same dtypes but got {input.dtype} and {source.dtype}"
        )
    shape = np.broadcast_shapes(tuple(input.shape), tuple(mask.shape))
    flags = mask.expand(shape)._array
    count = int(flags.sum())
    if count > source.numel():
        raise RuntimeError("Number of elements of source < number of ones in mask")
    return _put_at(input.expand(shape), source.reshape(-1)[:count], key=(flags,))


@primitive()
def _nonzero(xp, x):
    return xp.argwhere(x) if x.ndim else xp.zeros((int(bool(x)), 0), np.int64)


@_nonzero.kernel("native")
def _nonzero_native(x):
    return native.kernels.nonzero(x if x.dtype == bool else x != 0)


@overload
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: Literal[False] = False) -> Tensor: ...
@overload
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: Literal[True]) -> tuple[Tensor, ...]: ...
def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Return the indices (N, dimensions) of elements that are not zero; as a tuple, one vector for each dimension."""
    need_out(out, dtypes.int64, input)
    if as_tuple:
        found = _nonzero(input if input.dim() else input.reshape(1))
        return tuple(column.clone() for column in found.unbind(1))
    return _nonzero(input, out=out)


def argwhere(input: Tensor) -> Tensor:
    """Return the indices (N, dimensions) of elements that are not zero."""
    return _nonzero(input)


# Flat indices.


def take(input: Tensor, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return elements of the flattened tensor at indices, which may be negative, in the shape of ``index``."""
    need_out(out, input.dtype, input, index)
    _check_flat("take", index, input.numel())
    return _take_at(input.reshape(-1), key=(index._array,), out=out)


def _check_flat(function: str, index: Tensor, count: int) -> None:
    if index.dtype is not dtypes.int64:
        raise RuntimeError(f"{function}(): Expected a long tensor for index, but got {index.dtype.name.title()}")
    if index.numel() and not count:
        raise IndexError(
            f"{function}(): tried to {function} {'from' if function == 'take' else 'into'} an empty tensor"
        )
    outside = (index < -count) | (index >= count)
    if bool(outside.any()):
        wrong = index.masked_select(outside)[0].item()
        raise IndexError(f"out of range: tried to access index {wrong} on a tensor of {count} elements.")


def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """Return ``input`` with elements of ``source`` written (or added) at flat indices."""
    if source.dtype != input.dtype:
        raise RuntimeError(
            f"put_(): self and source expected to have the same dtype, but got self.dtype = {input.dtype} and source.dtype = {source.dtype}"
        )
    if index.numel() != source.numel():
        raise RuntimeError(
            f"put_(): Expected source and index to have the same number of elements, but got source.numel() = {source.numel()}, index.numel() = {index.numel()}"
        )
    _check_flat("put_", index, input.numel())
    flat = index_put(input.reshape(-1), (index.reshape(-1),), source.reshape(-1), accumulate)
    return flat.reshape(input.shape)


# Writing a view of a copy.


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with ``src`` written at one index along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    size = input.shape[axis] if input.dim() else 0
    if not -size <= int(index) < size:
        raise IndexError(
            f"select(): index {int(index)} out of range for tensor of size {list(input.shape)} at dimension {axis}"
        )
    return _embedded(input, src, (slice(None),) * axis + (int(index),), out, "select_scatter")


def slice_scatter(
    input: Tensor,
    src: Tensor,
    dim: int = 0,
    start: int | None = None,
    end: int | None = None,
    step: int = 1,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with ``src`` written into a slice along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    if step <= 0:
        raise RuntimeError("slice step must be positive")
    return _embedded(input, src, (slice(None),) * axis + (slice(start, end, step),), out, "slice_scatter")


def _embedded(input: Tensor, src: Tensor, key: tuple[Any, ...], out: Tensor | None, name: str) -> Tensor:
    shape = input._array[key].shape
    if tuple(src.shape) != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = {list(shape)}"
        )
    result = _put_at(input, src.to(input.dtype), key=key)
    return result if out is None else write_out(result, out, name)


def diagonal_scatter(
    input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Tensor | None = None
) -> Tensor:
    """Return ``input`` with ``src`` written on a diagonal."""
    made = input.clone()
    part = made.diagonal(offset, dim1, dim2)
    if part.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(part.shape)}"
        )
    part.copy_(src)
    return made if out is None else write_out(made, out, "diagonal_scatter")
