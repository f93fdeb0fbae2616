"""Copies in another shape: joining, repeating, turning, triangles."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, overload

import numpy as np

from facula import dtypes, native
from facula.devices import device as Device
from facula.dimensions import wrap_dim
from facula.dtypes import dtype as DType
from facula.overlap import refuse_any_overlap
from facula.primitive import primitive, promote
from facula.size import Size
from facula.tensor_base import TensorBase, wrap
from facula.types import Tensor

__all__ = ["atleast_1d", "atleast_2d", "atleast_3d", "block_diag", "broadcast_tensors", "cartesian_prod", "cat"]
__all__ += ["column_stack", "combinations", "concat", "concatenate", "diag", "diag_embed", "diagflat", "dstack", "flip"]
__all__ += ["fliplr", "flipud", "hstack", "meshgrid", "repeat_interleave", "roll", "rot90", "row_stack", "stack"]
__all__ += ["tile", "tril", "tril_indices", "triu", "triu_indices", "vstack", "broadcast_shapes", "trace"]


@primitive(dtype=promote, vjp={"tensors": lambda g, tensors_shape, dim: _cut(g, tensors_shape, dim)})
def _cat(xp, *tensors, dim):
    return xp.concatenate(tensors, axis=dim)


@_cat.kernel("native")
def _cat_native(*tensors, dim):
    return native.kernels.cat(dim % max(tensors[0].ndim, 1), *tensors)


def _cut(g: Tensor, shapes: list[tuple[int, ...]], dim: int) -> list[Tensor]:
    return list(g.split([shape[dim] for shape in shapes], dim))


def _is_legacy_empty(tensor: Tensor) -> bool:
    """Whether a tensor is of shape (0,), which joins tensors of any shape."""
    return tensor._array.shape == (0,)


def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return tensors joined along ``dim``; other dimensions must agree.

    >>> facula.cat([facula.tensor([1]), facula.tensor([2, 3])])
    tensor([1, 2, 3])
    """
    if isinstance(tensors, TensorBase):
        raise TypeError("cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor")
    tensors = tuple(tensors)
    if not tensors:
        raise ValueError("expected a non-empty list of Tensors")
    for position, each in enumerate(tensors):
        if not isinstance(each, TensorBase):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got {type(each).__name__}")
        if each._array.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {position}) cannot be concatenated")
    shaped = [each for each in tensors if not _is_legacy_empty(each)] or [tensors[0]]
    first = shaped[0]._array.shape
    at = wrap_dim(dim, len(first))
    for number, each in enumerate(shaped):
        shape = each._array.shape
        if len(shape) != len(first):
            raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}")
        for axis, (length, expected) in enumerate(zip(shape, first)):
            if axis != at and length != expected:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {at}. Expected size {expected} but got size {length} for "
                    f"tensor number {number} in the list."
                )
    if out is not None:
        refuse_any_overlap(out, *tensors)
    return _cat(*shaped, dim=at, out=out)


def joined(input: Tensor, other: Tensor, dim: int) -> Tensor:
    """Return two tensors joined along ``dim``."""
    return cat((input, other), dim)


@primitive(dtype=promote, vjp={"tensors": lambda g, dim: list(g.unbind(dim))})
def _stack(xp, *tensors, dim):
    return xp.stack(tensors, axis=dim)


def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return tensors of one shape joined along a new dimension."""
    tensors = tuple(tensors)
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0]._array.shape
    for number, each in enumerate(tensors):
        if each._array.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 and {list(each._array.shape)} at "
                f"entry {number}"
            )
    return _stack(*tensors, dim=wrap_dim(dim, len(first) + 1), out=out)


@overload
def atleast_1d(tensor: Tensor, /) -> Tensor: ...  # type: ignore[overload-overlap]
@overload
def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]: ...
def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Return tensors with at least one dimension."""
    return _each(tensors, lambda x: x.reshape(1) if x.dim() == 0 else x)


@overload
def atleast_2d(tensor: Tensor, /) -> Tensor: ...  # type: ignore[overload-overlap]
@overload
def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]: ...
def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Return tensors with at least two dimensions; new ones are in front."""
    return _each(tensors, lambda x: x.reshape(1, -1) if x.dim() < 2 else x)


@overload
def atleast_3d(tensor: Tensor, /) -> Tensor: ...  # type: ignore[overload-overlap]
@overload
def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]: ...
def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """Return tensors with at least three dimensions: (n) becomes (1, n, 1) and (m, n) becomes (m, n, 1)."""
    return _each(tensors, lambda x: x.reshape(1, -1, 1) if x.dim() < 2 else x.unsqueeze(-1) if x.dim() == 2 else x)


def _each(tensors: tuple[Any, ...], change: Callable[[Tensor], Tensor]) -> Any:
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        return tuple(change(each) for each in tensors[0])
    changed = tuple(change(each) for each in tensors)
    return changed[0] if len(changed) == 1 else changed


def hstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return tensors joined along their second dimension (their first when they have only one)."""
    tensors = [atleast_1d(each) for each in tensors]
    if not tensors:
        raise RuntimeError("hstack expects a non-empty TensorList")
    return cat(tensors, 0 if tensors[0].dim() == 1 else 1, out=out)


def vstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return tensors joined along their first dimension, vectors as rows."""
    if not tensors:
        raise RuntimeError("vstack expects a non-empty TensorList")
    return cat([atleast_2d(each) for each in tensors], 0, out=out)


def dstack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return tensors joined along their third dimension."""
    if not tensors:
        raise RuntimeError("dstack expects a non-empty TensorList")
    return cat([atleast_3d(each) for each in tensors], 2, out=out)


def column_stack(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return tensors joined along their second dimension, vectors as columns."""
    if not tensors:
        raise RuntimeError("column_stack expects a non-empty TensorList")
    return cat([each.reshape(-1, 1) if each.dim() < 2 else each for each in tensors], 1, out=out)


def repeat(input: Tensor, *repeats: int | Sequence[int]) -> Tensor:
    """Return ``input`` repeated so many times along each dimension; more numbers than dimensions add some in front."""
    times: tuple[Any, ...] = (
        tuple(repeats[0]) if len(repeats) == 1 and isinstance(repeats[0], (tuple, list)) else repeats
    )
    times = tuple(int(each) for each in times)
    shape = input._array.shape
    extra = len(times) - len(shape)
    if extra < 0:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor, got "
            f"{len(times)} and {len(shape)}"
        )
    if any(each < 0 for each in times):
        raise RuntimeError(f"Trying to create tensor with negative dimension: repeats are {list(times)}")
    full = (1,) * extra + shape
    # Each length becomes (times, length): a view that one copy makes the result.
    pairs = tuple(length for pair in zip((1,) * len(full), full) for length in pair)
    wide = tuple(length for pair in zip(times, full) for length in pair)
    return input.reshape(pairs).expand(wide).reshape(tuple(a * b for a, b in zip(times, full))).clone()


def tile(input: Tensor, *dims: int | Sequence[int]) -> Tensor:
    """Return ``input`` repeated along its last dimensions; fewer numbers than dimensions count from the last."""
    times: tuple[Any, ...] = tuple(dims[0]) if len(dims) == 1 and isinstance(dims[0], (tuple, list)) else dims
    return repeat(input, (1,) * (input.dim() - len(times)) + tuple(times))


def repeat_interleave(
    input: Tensor, repeats: int | Tensor | None = None, dim: int | None = None, *, output_size: int | None = None
) -> Tensor:
    """Return each element repeated, next to itself, along ``dim``; of the flattened tensor without one.

    With one argument, a tensor of counts, return index i as often as count i says.
    """
    if repeats is None:
        return wrap(np.repeat(np.arange(input.numel()), input._array))
    if dim is None:
        input, dim = input.reshape(-1), 0
    at = wrap_dim(dim, input.dim())
    length = input.shape[at] if input.dim() else 1
    if isinstance(repeats, TensorBase) and repeats.numel() == 1:
        repeats = int(repeats.item())
    if isinstance(repeats, int):
        if repeats < 0:
            raise RuntimeError("repeats can not be negative")
        index = np.repeat(np.arange(length), repeats)
    else:
        counts = repeats._array
        if counts.dtype.kind not in "iu":
            raise RuntimeError("repeats has to be Long or Int tensor")
        if len(counts) != length:
            raise RuntimeError(
                f"repeats must have the same size as input along dim, but got repeats.size(0) = {len(counts)} and input.size({at}) = {length}"
            )
        index = np.repeat(np.arange(length), counts)
    return (input if input.dim() else input.reshape(1)).index_select(at, wrap(index))


@primitive(vjp={"x": lambda g, axes: _flip(g, axes=axes)})
def _flip(xp, x, *, axes):
    return xp.flip(x, axes).copy() if x.ndim else x.copy()


def flip(input: Tensor, *positional: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Return a copy of ``input`` with the order along the given dimensions reversed."""
    given: tuple[Any, ...] = positional if dims is None else (dims,)
    named = tuple(given[0]) if len(given) == 1 and isinstance(given[0], (tuple, list)) else given
    axes = tuple(wrap_dim(each, input.dim()) for each in named)
    if len(set(axes)) != len(axes):
        raise RuntimeError(f"dim {axes[0]} appears multiple times in the list of dims")
    return _flip(input, axes=axes)


def fliplr(input: Tensor) -> Tensor:
    """Return ``input`` with its second dimension reversed."""
    if input.dim() < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, 1)


def flipud(input: Tensor) -> Tensor:
    """Return ``input`` with its first dimension reversed."""
    if input.dim() < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, 0)


@primitive(vjp={"x": lambda g, shifts, axes: _roll(g, shifts=tuple(-each for each in shifts), axes=axes)})
def _roll(xp, x, *, shifts, axes):
    return xp.roll(x, shifts, axes)


def roll(input: Tensor, shifts: int | Sequence[int], dims: int | Sequence[int] | None = None) -> Tensor:
    """Return ``input`` with elements moved along dimensions, those that leave at one end coming in at the other."""
    moves = (shifts,) if isinstance(shifts, int) else tuple(shifts)
    if dims is None or dims == ():
        if len(moves) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(moves)}, dims:0")
        return _roll(input.reshape(-1), shifts=moves, axes=(0,)).reshape(input.shape)
    axes = (dims,) if isinstance(dims, int) else tuple(dims)
    if len(axes) != len(moves):
        raise RuntimeError(f"shifts and dimensions must align. shifts: {len(moves)}, dims:{len(axes)}")
    return _roll(input, shifts=moves, axes=tuple(wrap_dim(each, input.dim()) for each in axes))


def rot90(input: Tensor, k: int = 1, dims: Sequence[int] = (0, 1)) -> Tensor:
    """Return ``input`` turned by ``k`` right angles in the plane of two dimensions, from the first to the second."""
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if input.dim() < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.dim()}")
    first, second = (wrap_dim(each, input.dim()) for each in dims)
    if first == second:
        raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
    turns = k % 4
    if turns == 0:
        return input.clone()
    if turns == 2:
        return flip(input, first, second)
    return flip(input, second).transpose(first, second) if turns == 1 else flip(input.transpose(first, second), second)


@primitive(vjp={"x": lambda g, diagonal: _tril(g, diagonal=diagonal)})
def _tril(xp, x, *, diagonal):
    return xp.tril(x, diagonal)


@primitive(vjp={"x": lambda g, diagonal: _triu(g, diagonal=diagonal)})
def _triu(xp, x, *, diagonal):
    return xp.triu(x, diagonal)


def _matrix(input: Tensor, name: str) -> None:
    if input.dim() < 2:
        raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")


def tril(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return matrices with zeros above a diagonal."""
    _matrix(input, "tril")
    return _tril(input, diagonal=diagonal, out=out)


def triu(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return matrices with zeros below a diagonal."""
    _matrix(input, "triu")
    return _triu(input, diagonal=diagonal, out=out)


def tril_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    layout: object = None,
) -> Tensor:
    """Return the row and column numbers (2, N) of the lower triangle of a matrix."""
    return wrap(np.stack(np.tril_indices(row, offset, col)).astype((dtype or dtypes.int64).numpy)).to(device=device)


def triu_indices(
    row: int,
    col: int,
    offset: int = 0,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    layout: object = None,
) -> Tensor:
    """Return the row and column numbers (2, N) of the upper triangle of a matrix."""
    return wrap(np.stack(np.triu_indices(row, offset, col)).astype((dtype or dtypes.int64).numpy)).to(device=device)


def diag_embed(input: Tensor, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return matrices with the last dimension of ``input`` on a diagonal of two new dimensions, zeros elsewhere."""
    rank = input.dim() + 1
    first, second = wrap_dim(dim1, rank), wrap_dim(dim2, rank)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    size = input.shape[-1] + abs(offset)
    lengths = iter(input.shape[:-1])
    shape = tuple(size if at in (first, second) else next(lengths) for at in range(rank))
    return _embed(input, shape=shape, offset=offset, dims=(first, second))


@primitive(vjp={"x": lambda g, offset, dims: g.diagonal(offset, *dims)})
def _embed(xp, x, *, shape, offset, dims):
    result = xp.zeros(shape, x.dtype)
    if x.size:
        inner = result.diagonal(offset, *dims)
        if xp is np:
            inner.setflags(write=True)  # NumPy marks diagonals read-only
        inner[...] = x
    return result


def diag(input: Tensor, diagonal: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return a matrix with a vector on its diagonal, or the diagonal of a matrix as a vector."""
    if input.dim() == 1:
        result = diag_embed(input, diagonal)
    elif input.dim() == 2:
        result = input.diagonal(diagonal).clone()
    else:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.dim()}D")
    if out is None:
        return result
    return _copy_out(result, out)


@primitive()
def _same(xp, x):
    return x


def _copy_out(result: Tensor, out: Tensor) -> Tensor:
    return _same(result, out=out)


def diagflat(input: Tensor, offset: int = 0) -> Tensor:
    """Return a matrix with all elements of ``input`` on a diagonal."""
    return diag_embed(input.reshape(-1), offset)


def trace(input: Tensor) -> Tensor:
    """Return the sum of the diagonal of a matrix."""
    if input.dim() != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.dim()}")
    return input.diagonal().sum()


def block_diag(*tensors: Tensor) -> Tensor:
    """Return a matrix with the given matrices along its diagonal; vectors count as rows."""
    blocks = [atleast_2d(each) for each in tensors] or [wrap(np.empty((1, 0), np.float32))]
    for each in blocks:
        if each.dim() > 2:
            raise RuntimeError(
                f"block_diag: Input tensors must have 2 or fewer dimensions. Input has {each.dim()} dimensions"
            )
    columns = sum(each.shape[1] for each in blocks)
    rows, before = [], 0
    for each in blocks:
        left = each.new_zeros((each.shape[0], before))
        right = each.new_zeros((each.shape[0], columns - before - each.shape[1]))
        rows.append(cat([left, each, right], 1))
        before += each.shape[1]
    return cat(rows, 0)


def broadcast_shapes(*shapes: Sequence[int] | int) -> Size:
    """Return the shape that the given ones are broadcast to."""
    given = [(each,) if isinstance(each, int) else tuple(each) for each in shapes]
    try:
        return Size(np.broadcast_shapes(*given))
    except ValueError:
        raise RuntimeError(f"Shape mismatch: objects cannot be broadcast to a single shape: {given}") from None


def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Return views of tensors, all expanded to their common shape."""
    given: tuple[Any, ...] = tensors
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    shape = broadcast_shapes(*(each._array.shape for each in given))
    return tuple(each.expand(shape) for each in given)


def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: str | None = None) -> tuple[Tensor, ...]:
    """Return the coordinates of a grid along each of its dimensions, from vectors; ``indexing`` is "ij" or "xy"."""
    given: tuple[Any, ...] = tensors
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    if indexing not in (None, "ij", "xy"):
        raise RuntimeError(f'meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    if len({each.dtype for each in given}) > 1:
        raise RuntimeError("meshgrid expects all tensors to have the same dtype")
    if any(each.dim() > 1 for each in given):
        raise RuntimeError(f"Expected 0D or 1D tensor in the tensor list but got: {max(each.dim() for each in given)}D")
    swapped = indexing == "xy" and len(given) >= 2
    ordered = (given[1], given[0], *given[2:]) if swapped else given
    shape = tuple(each.numel() for each in ordered)
    grids = []
    for at, each in enumerate(ordered):
        place = tuple(-1 if axis == at else 1 for axis in range(len(ordered)))
        grids.append(each.reshape(place).expand(shape))
    if swapped:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


def cartesian_prod(*tensors: Tensor) -> Tensor:
    """Return all combinations (N, len(tensors)) of elements, one of each vector."""
    if any(each.dim() != 1 for each in tensors):
        raise RuntimeError("cartesian_prod: Expect a 1D vector, but got shape " + str(list(tensors[0].shape)))
    if len(tensors) == 1:
        return tensors[0]
    return stack([each.reshape(-1) for each in meshgrid(*tensors, indexing="ij")], 1)


def combinations(input: Tensor, r: int = 2, with_replacement: bool = False) -> Tensor:
    """Return all combinations (N, r) of elements of a vector."""
    if input.dim() != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    chosen = list(choose(range(input.numel()), r))
    if r == 0:
        return input.new_empty((0,))
    return input[wrap(np.array(chosen, np.int64).reshape((len(chosen), r)))]


concat = concatenate = cat
row_stack = vstack
