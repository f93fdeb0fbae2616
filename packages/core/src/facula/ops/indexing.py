"""Reading and writing parts of a tensor: ``x[…]``, gather and scatter, masks."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facula import dtypes
from facula.backend import Array
from facula.dimensions import wrap_dim
from facula.methods import assign, write
from facula.primitive import primitive
from facula.tensor_base import TensorBase, storage_of, wrap
from facula.types import Number, Tensor, TensorLike

__all__ = [
    *("argwhere", "gather", "index_add", "index_copy", "index_fill", "index_put", "index_select", "masked_fill"),
    *("masked_scatter", "masked_select", "nonzero", "put", "scatter", "scatter_add", "scatter_reduce", "take"),
    *("take_along_dim", "select_scatter", "slice_scatter", "diagonal_scatter"),
]

Key = object


# x[key]. A key is brought to one canonical form: a tuple whose tensors are int64 or bool arrays, lists of numbers having
# become tensors. Without tensors it is basic, and the result a view.


def _canonical(key: Key) -> tuple:
    if isinstance(key, list) and not _is_index_list(key):
        key = tuple(key)  # a list of slices and the like means a tuple
    parts = key if isinstance(key, tuple) else (key,)
    return tuple([_part(each) for each in parts])


def _is_index_list(key: list) -> bool:
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
        array = np.array([each.tolist() if isinstance(each, TensorBase) else each for each in part])
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


def _is_basic(key: tuple) -> bool:
    return not any(isinstance(part, np.ndarray) or hasattr(part, "__cuda_array_interface__") for part in key)


def _check(shape: tuple[int, ...], key: tuple) -> None:
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
    key = _canonical(key)
    array = input._array
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
    if len(key) == 1 and key[0].dtype.kind == "i" and xp is np:
        return x.take(key[0], axis=0) if x.ndim else x[key]  # several times faster than x[key]
    result = x[key]
    # Results of advanced indexing may lie in another order in memory.
    return xp.ascontiguousarray(result).reshape(result.shape)


@primitive(vjp={"x": lambda g, key: _take_at(g, key=key)})
def _add_at(xp, x, *, shape, key):
    """Return zeros of a shape with ``x`` added at the places a key names, as often as each is named."""
    result = xp.zeros(shape, x.dtype)
    if all(_is_mask(part) or not hasattr(part, "dtype") for part in key):
        result[key] = x  # a mask names no place twice
    elif len(key) == 1 and xp is np and x.dtype != np.float16:
        _add_rows(result, key[0], x)
    else:
        xp.add.at(result, key, x)
    return result


def _add_rows(result: np.ndarray, index: np.ndarray, rows: np.ndarray) -> None:
    """Add rows at indices along the first dimension, by sorting: many times faster than ``numpy.add.at``."""
    flat = index.reshape(-1) % max(len(result), 1)
    rows = rows.reshape(flat.size, -1)
    if flat.size == 0 or rows.size == 0:
        return
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    result.reshape(len(result), -1)[ordered[starts]] = np.add.reduceat(rows[order], starts, axis=0)


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
    if values.dtype != input.dtype:
        raise RuntimeError(
            f"Index put requires the source and destination dtypes match, got {input.dtype.name.title()} for the destination and "
            f"{values.dtype.name.title()} for the source."
        )
    key = _canonical(tuple(slice(None) if each is None else each for each in indices))
    _check(input._array.shape, key)
    values = _fit(values, input._array[key].shape)
    return input + _add_at(values, shape=input._array.shape, key=key) if accumulate else _put_at(input, values, key=key)


def index_put_(input: Tensor, indices: Sequence[Tensor | None], values: Tensor, accumulate: bool = False) -> Tensor:
    """Write (or add) ``values`` at indices into this tensor, and return it."""
    return assign(input, index_put(input.clone(), indices, values, accumulate))


# Along a dimension.


def _index_for(input: Tensor, index: Tensor, name: str, like: str = "input") -> None:
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError(f"{name}(): Expected dtype int64 for index")


def _bounds(index: Array, size: int, name: str, dim: int) -> None:
    """Refuse indices outside [0, size): PyTorch's gather and scatter take no negative ones."""
    if isinstance(index, np.ndarray) and index.size:
        low, high = index.min(), index.max()
        if low < 0 or high >= size:
            wrong = low if low < 0 else high
            raise RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


def _places(xp, index: Array, axis: int) -> tuple:
    """Return the key that pairs an index along one dimension with its own position along the others."""
    key = []
    for at, length in enumerate(index.shape):
        shape = [1] * index.ndim
        shape[at] = length
        key.append(index if at == axis else xp.arange(length).reshape(shape))
    return tuple(key)


@primitive(vjp={"x": lambda g, index, x_shape, axis: _scatter_sum(g, index, shape=x_shape, axis=axis)})
def _gather(xp, x, index, *, axis):
    if all(have == wanted for at, (have, wanted) in enumerate(zip(x.shape, index.shape)) if at != axis):
        return xp.take_along_axis(x, index, axis=axis)
    return x[_places(xp, index, axis)]


@primitive(vjp={"x": lambda g, index, axis: _gather(g, index, axis=axis)})
def _scatter_sum(xp, x, index, *, shape, axis):
    """Return zeros of a shape with elements of ``x`` added where ``index`` says along an axis."""
    result = xp.zeros(shape, x.dtype)
    part = x[tuple(slice(length) for length in index.shape)]
    xp.add.at(result, _places(xp, index, axis), part)
    return result


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """Return, for each place of ``index``, the element of ``input`` at that index along ``dim`` and that place otherwise.

    >>> facula.gather(facula.tensor([[1, 2], [3, 4]]), 1, facula.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    _index_for(input, index, "gather")
    axis = wrap_dim(dim, input.dim())
    if index.numel() == 0:
        return input.new_empty(index.shape)
    if max(input.dim(), 1) != max(index.dim(), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for at in range(index.dim()):
        if at != axis and index.shape[at] > input.shape[at]:
            raise RuntimeError(
                f"Size does not match at dimension {at} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {axis}"
            )
    if input.dim() == 0 or index.dim() == 0:
        _bounds(index._array, input.numel(), "gather", 0)
        return _gather(input.reshape(-1), index.reshape(-1), axis=0, out=out).reshape(index.shape)
    _bounds(index._array, input.shape[axis], "gather", axis)
    return _gather(input, index, axis=axis, out=out)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return elements of ``input`` at ``indices`` along ``dim``, the two broadcast; of the flattened one without ``dim``."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1), out=out)
    if input.dim() != indices.dim():
        raise RuntimeError(
            f"take_along_dim(): input and indices should have the same number of dimensions, but got {input.dim()} dimensions for "
            f"input, and {indices.dim()} dimensions for indices"
        )
    axis = wrap_dim(dim, input.dim())
    shape = list(
        np.broadcast_shapes(
            *(tuple(1 if at == axis else n for at, n in enumerate(each.shape)) for each in (input, indices))
        )
    )
    wide = [*shape[:axis], input.shape[axis], *shape[axis + 1 :]]
    shape[axis] = indices.shape[axis]
    return gather(input.expand(wide), axis, indices.expand(shape), out=out)


def _scatter_arguments(input: Tensor, dim: int, index: Tensor, source: TensorLike, name: str) -> int:
    _index_for(input, index, name)
    axis = wrap_dim(dim, input.dim())
    if index.numel() == 0:
        return axis
    if max(input.dim(), 1) != max(index.dim(), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if isinstance(source, TensorBase):
        if source.dtype != input.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
        if max(source.dim(), 1) != max(index.dim(), 1):
            raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    for at in range(index.dim()):
        too_large = at != axis and index.shape[at] > input.shape[at]
        if too_large or (isinstance(source, TensorBase) and index.shape[at] > source.shape[at]):
            raise RuntimeError(
                f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension {axis} and "
                f"to be no larger size than src {list(source.shape) if isinstance(source, TensorBase) else ''}"
            )
    _bounds(index._array, input.shape[axis] if input.dim() else 1, name, axis)
    return axis


@primitive(
    vjp={
        "x": lambda g, index, axis: _scatter(g, index, 0.0, axis=axis),
        "source": lambda g, index, source_shape, axis: _padded(_gather(g, index, axis=axis), source_shape),
    }
)
def _scatter(xp, x, index, source, *, axis):
    result = x.copy()
    part = (
        source[tuple(slice(length) for length in index.shape)] if hasattr(source, "shape") and source.ndim else source
    )
    result[_places(xp, index, axis)] = part
    return result


def _padded(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a gradient with zeros for the part of the source that the index did not use."""
    if tuple(g.shape) == tuple(shape) or not shape:
        return g
    return g._put_slice(shape, tuple(slice(length) for length in g.shape))


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: TensorLike | None = None,
    *,
    value: Number | None = None,
    reduce: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with elements of ``src`` written where ``index`` says along ``dim``; or added or multiplied."""
    source = value if src is None else src
    axis = _scatter_arguments(input, dim, index, source, "scatter")
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        if not isinstance(source, TensorBase):
            source = input.new_full(index.shape, source)
        return scatter_reduce(input, dim, index, source, "sum" if reduce == "add" else "prod")
    if input.dim() == 0 or index.numel() == 0:
        filled = input.reshape(1).clone() if index.numel() else input.clone()
        if index.numel():
            first = source.reshape(-1)[:1] if isinstance(source, TensorBase) else source
            return _scatter(filled, index.reshape(-1), first, axis=0, out=out).reshape(input.shape)
        return filled
    return _scatter(input, index, source, axis=axis, out=out)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with elements of ``src`` added where ``index`` says along ``dim``."""
    axis = _scatter_arguments(input, dim, index, src, "scatter")
    if index.numel() == 0:
        return input.clone()
    if input.dim() == 0:
        return input + src.reshape(-1)[: index.numel()].sum()
    return input.add(_sum_parts(src, index, shape=tuple(input.shape), axis=axis), out=out)


@primitive(vjp={"x": lambda g, index, x_shape, axis: _padded(_gather(g, index, axis=axis), x_shape)})
def _sum_parts(xp, x, index, *, shape, axis):
    result = xp.zeros(shape, x.dtype)
    xp.add.at(result, _places(xp, index, axis), x[tuple(slice(length) for length in index.shape)])
    return result


def scatter_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with elements of ``src`` combined where ``index`` says: "sum", "prod", "mean", "amax" or "amin"."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    axis = _scatter_arguments(input, dim, index, src, "scatter")
    if index.numel() == 0:
        return input.clone()
    if input.dim() == 0:
        flat = scatter_reduce(
            input.reshape(1), 0, index.reshape(-1), src.reshape(-1), reduce, include_self=include_self
        )
        return flat.reshape(())
    part = src._slice(tuple(slice(length) for length in index.shape)) if tuple(src.shape) != tuple(index.shape) else src
    named = input.new_zeros(input.shape).to(dtypes.int64).scatter_add(axis, index, index.new_ones(index.shape))
    base = input
    if not include_self:
        start = {"sum": 0, "mean": 0, "prod": 1, "amax": _lowest(input), "amin": _highest(input)}[reduce]
        base = input.where(named == 0, start)
    if reduce == "sum":
        result = scatter_add(base, axis, index, part)
    elif reduce == "mean":
        count = (named + int(include_self)).clamp_min(1)
        total = scatter_add(base, axis, index, part)
        result = total / count if input.is_floating_point() else total.div(count, rounding_mode="floor")
    elif reduce == "prod":
        result = _scatter_product(base, part, index, axis=axis)
    else:
        result = _scatter_extreme(base, part, index, axis=axis, largest=reduce == "amax")
    return result if out is None else _copied(result, out=out)


@primitive()
def _copied(xp, x):
    return x


def _lowest(input: Tensor) -> Number:
    return (
        -math.inf
        if input.is_floating_point()
        else (False if input.dtype is dtypes.bool_ else dtypes.iinfo(input.dtype).min)
    )


def _highest(input: Tensor) -> Number:
    return (
        math.inf
        if input.is_floating_point()
        else (True if input.dtype is dtypes.bool_ else dtypes.iinfo(input.dtype).max)
    )


@primitive(
    vjp={
        "x": lambda g, x, out: g * (out / x),
        "source": lambda g, source, index, out, axis: _gather(g * out, index, axis=axis) / source,
    }
)
def _scatter_product(xp, x, source, index, *, axis):
    result = x.copy()
    xp.multiply.at(result, _places(xp, index, axis), source)
    return result


@primitive(vjp={("x", "source"): lambda g, x, source, index, out, axis: _share_extreme(g, x, source, index, out, axis)})
def _scatter_extreme(xp, x, source, index, *, axis, largest):
    result = x.copy()
    (xp.maximum if largest else xp.minimum).at(result, _places(xp, index, axis), source)
    return result


def _share_extreme(
    g: Tensor, x: Tensor, source: Tensor, index: Tensor, out: Tensor, axis: int
) -> tuple[Tensor, Tensor]:
    mine = (x == out).to(g.dtype)
    theirs = (source == _gather(out, index, axis=axis)).to(g.dtype)
    share = g / scatter_add(mine, axis, index, theirs)
    return share * mine, _gather(share, index, axis=axis) * theirs


def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the slices of ``input`` at the indices of a vector along ``dim``."""
    if index.dim() > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    axis = wrap_dim(dim, input.dim())
    if input.dim() == 0:
        return input.clone()
    _range(index._array, input.shape[axis])
    return _take_slices(input, index.reshape(-1), axis=axis, out=out)


def _range(index: Array, size: int) -> None:
    if isinstance(index, np.ndarray) and index.size and (index.min() < 0 or index.max() >= size):
        raise IndexError(f"index out of range in self: expected 0 to {size - 1}, got {index.min()} to {index.max()}")


@primitive(vjp={"x": lambda g, index, x_shape, axis: _sum_slices(g, index, shape=x_shape, axis=axis)})
def _take_slices(xp, x, index, *, axis):
    return xp.take(x, index, axis=axis)


@primitive(vjp={"x": lambda g, index, axis: _take_slices(g, index, axis=axis)})
def _sum_slices(xp, x, index, *, shape, axis):
    result = xp.zeros(shape, x.dtype)
    if xp is np and axis == 0:
        _add_rows(result, index, x)
    else:
        xp.add.at(result, (slice(None),) * axis + (index,), x)
    return result


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """Return ``input`` with slices of ``source``, times ``alpha``, added at the indices of a vector along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    if index.dim() > 1:
        raise IndexError("index_add_(): Index is supposed to be a vector")
    if source.dtype != input.dtype:
        raise RuntimeError(
            "index_add_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.name.title()} and (source) {source.dtype.name.title()}"
        )
    scaled = source if alpha == 1 else source * alpha
    if input.dim() == 0:
        return input + scaled.sum()
    if source.shape[axis] != index.numel():
        raise IndexError(
            f"index_add_(): Number of indices ({index.numel()}) should be equal to source.size(dim): ({source.shape[axis]}), for dim: {axis}"
        )
    _range(index._array, input.shape[axis])
    return input.add(_sum_slices(scaled, index.reshape(-1), shape=tuple(input.shape), axis=axis), out=out)


def index_copy(input: Tensor, dim: int, index: Tensor, source: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with slices of ``source`` written at the indices of a vector along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    if source.dtype != input.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{input.dtype.name.title()} and (source) {source.dtype.name.title()}"
        )
    if index.dim() > 1:
        raise IndexError(f"index_copy_(): Index should have dimension 1 or 0 (got {index.dim()})")
    if input.dim() == 0:
        return _put_at(input.reshape(1), source.reshape(1), key=(index._array.reshape(-1),), out=out).reshape(())
    _range(index._array, input.shape[axis])
    key = (slice(None),) * axis + (index._array.reshape(-1),)
    return _put_at(input, source.reshape(input._array[key].shape), key=key, out=out)


def index_fill(input: Tensor, dim: int, index: Tensor, value: TensorLike) -> Tensor:
    """Return ``input`` with one value at the indices of a vector along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    if index.dim() > 1:
        raise IndexError("index_fill_(): Index is supposed to be a vector")
    filler = value if isinstance(value, TensorBase) else input.new_full((), value)
    if filler.dim():
        raise RuntimeError(
            f"index_fill_ only supports a 0-dimensional value tensor, but got tensor with {filler.dim()} dimension(s)."
        )
    if input.dim() == 0:
        return filler.to(input.dtype).expand(()).clone() if index.numel() else input.clone()
    key = (slice(None),) * axis + (index._array.reshape(-1),)
    return _put_at(input, filler.to(input.dtype).expand(input._array[key].shape), key=key)


# Masks.


@primitive(
    vjp={
        "x": lambda g, mask: g.masked_fill(mask, 0.0),
        "value": lambda g, mask: g.where(mask, 0.0).sum(),
    }
)
def _masked_fill(xp, x, mask, value):
    return xp.where(mask, x.dtype.type(value) if not hasattr(value, "dtype") else value.astype(x.dtype), x)


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
    kind = value.dtype if isinstance(value, TensorBase) else dtypes.of_scalar(value)
    if kind.category > input.dtype.category and not (
        kind.category == dtypes.FLOATING and input.dtype.category == dtypes.FLOATING
    ):
        raise RuntimeError(f"value cannot be converted to type {input.dtype.name} without overflow")
    return _masked_fill(input, mask, value)


def masked_select(input: Tensor, mask: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the elements where ``mask``, the two broadcast, as a vector."""
    if mask.dtype not in (dtypes.bool_, dtypes.uint8):
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, but got {mask.dtype}")
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


def nonzero(input: Tensor, *, out: Tensor | None = None, as_tuple: bool = False) -> Tensor | tuple[Tensor, ...]:
    """Return the indices (N, dimensions) of elements that are not zero; as a tuple, one vector for each dimension."""
    if as_tuple:
        found = _nonzero(input if input.dim() else input.reshape(1))
        return tuple(column.clone() for column in found.unbind(1))
    return _nonzero(input, out=out)


def argwhere(input: Tensor) -> Tensor:
    """Return the indices (N, dimensions) of elements that are not zero."""
    return _nonzero(input)


# Flat indices.


def take(input: Tensor, index: Tensor) -> Tensor:
    """Return elements of the flattened tensor at indices, which may be negative, in the shape of ``index``."""
    if index.dtype is not dtypes.int64:
        raise RuntimeError(f"take(): Expected a long tensor for index, but got {index.dtype.name.title()}")
    count = input.numel()
    array = index._array
    if array.size and (array.min() < -count or array.max() >= count):
        raise IndexError(f"out of range: tried to access index {array.max()} on a tensor of {count} elements.")
    return _take_at(input.reshape(-1), key=(array,))


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
    flat = index_put(input.reshape(-1), (index.reshape(-1),), source.reshape(-1), accumulate)
    return flat.reshape(input.shape)


# Writing a view of a copy.


def select_scatter(input: Tensor, src: Tensor, dim: int, index: int) -> Tensor:
    """Return ``input`` with ``src`` written at one index along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    return _embedded(input, src, (slice(None),) * axis + (int(index),))


def slice_scatter(
    input: Tensor, src: Tensor, dim: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """Return ``input`` with ``src`` written into a slice along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    return _embedded(input, src, (slice(None),) * axis + (slice(start, end, step),))


def _embedded(input: Tensor, src: Tensor, key: tuple) -> Tensor:
    shape = input._array[key].shape
    if tuple(src.shape) != shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = {list(shape)}"
        )
    return _put_at(input, src.to(input.dtype), key=key)


def diagonal_scatter(input: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """Return ``input`` with ``src`` written on a diagonal."""
    made = input.clone()
    made.diagonal(offset, dim1, dim2).copy_(src)
    return made
