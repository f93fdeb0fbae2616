"""Sparse forms of operations element by element, in place, and on the shape."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.dimensions import wrap_dim
from facula.dtypes import dtype as DType
from facula.graph.modes import state
from facula.ops import joining, pointwise
from facula.sparse.tensor import (
    COMPRESSED,
    Pattern,
    SparseTensor,
    as_coordinates,
    coalesced,
    compress,
    coordinates,
    sparse,
    to_dense,
    values_at,
    values_of,
)
from facula.tensor import Tensor
from facula.tensor_base import storage_of, wrap
from facula.types import Number


def zero_preserving(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the sparse form of a function that is 0 at 0: of each value, once all are summed up."""

    def call(input: SparseTensor, *args: Any, **kwargs: Any) -> Tensor:
        whole = input if input.layout in COMPRESSED else coalesced(input)
        return sparse(whole._pattern, function(values_of(whole), *args, **kwargs))

    return call


def linear(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the sparse form of a linear function: of each value, summed up or not."""

    def call(input: SparseTensor, *args: Any, **kwargs: Any) -> Tensor:
        return sparse(input._pattern, function(values_of(input), *args, **kwargs))

    return call


def _same_size(input: Tensor, other: Tensor, name: str) -> None:
    if input.shape != other.shape:
        raise RuntimeError(
            f"{name}: expected 'self' and 'other' to have same size, but self has size {list(input.shape)} while other "
            f"has size {list(other.shape)}"
        )


def add(input: Tensor, other: Any, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
    """Return the sum of two sparse tensors, or of a dense one and a sparse one."""
    if not isinstance(other, Tensor):
        raise TypeError(f"add(): argument 'other' must be Tensor for sparse tensors, not {type(other).__name__}")
    if not isinstance(other, SparseTensor):
        # The sum of gradients may come in this order; it is dense in any case.
        return (
            to_dense(input).add(other, alpha=alpha)
            if isinstance(input, SparseTensor)
            else input.add(other, alpha=alpha)
        )
    _same_size(input, other, "add")
    if not isinstance(input, SparseTensor):
        return _dense_plus_sparse(input, other, alpha)
    left, right = values_of(input), values_of(other)
    right = right if alpha == 1 else right * alpha
    if input._pattern.is_same(other._pattern) and input.layout is other.layout:
        pattern = input._pattern
        both = pattern.coalesced and other._pattern.coalesced
        same = Pattern(pattern.layout, pattern.shape, pattern.indices, pattern.compressed, both)
        return sparse(same, left + right)
    first, second = as_coordinates(input)._pattern, as_coordinates(other)._pattern
    if first.sparse_dim != second.sparse_dim:
        raise RuntimeError(
            f"add: expected 'self' and 'other' to have same sparse_dim, got {first.sparse_dim} and {second.sparse_dim}"
        )
    union = coordinates(first.shape, np.concatenate([first.indices, second.indices], 1))
    total = sparse(union, joining.cat([left, right]))
    if first.coalesced and second.coalesced:
        total = coalesced(total)
    return compress(total, input.layout) if input.layout in COMPRESSED else total


def _dense_plus_sparse(dense: Tensor, other: SparseTensor, alpha: Number) -> Tensor:
    pattern, values = other._pattern, values_of(other)
    values = values if alpha == 1 else values * alpha
    common = pointwise.add(dense.new_zeros(()), values.new_zeros(1)).dtype
    places = dense.to(common).reshape(pattern.places(), *pattern.shape[pattern.sparse_dim :])
    return places.index_add(0, wrap(pattern.flat()), values.to(common)).reshape(pattern.shape)


def sub(input: Tensor, other: Any, *, alpha: Number = 1, out: Tensor | None = None) -> Tensor:
    """Return the difference of two sparse tensors, or of a dense one and a sparse one."""
    return add(input, other, alpha=-alpha)


def mul(input: Any, other: Any, *, out: Tensor | None = None) -> Tensor:
    """Return the product with a number, a sparse tensor or a dense one; it is sparse."""
    if not isinstance(input, SparseTensor):
        input, other = other, input
    if isinstance(other, Tensor) and not isinstance(other, SparseTensor) and other.dim() == 0 and input.dim() > 0:
        return sparse(input._pattern, values_of(input) * other)
    if not isinstance(other, Tensor):
        return sparse(input._pattern, values_of(input) * other)
    _same_size(input, other, "mul")
    if not isinstance(other, SparseTensor):
        return sparse(input._pattern, values_of(input) * values_at(other, input._pattern))
    if input._pattern.is_same(other._pattern) and len(np.unique(input._pattern.flat())) == input._pattern.count:
        return sparse(input._pattern, values_of(input) * values_of(other))
    left, right = coalesced(input), coalesced(other)
    _, mine, theirs = np.intersect1d(left._pattern.flat(), right._pattern.flat(), return_indices=True)
    values = values_of(left).index_select(0, wrap(mine)) * values_of(right).index_select(0, wrap(theirs))
    both = sparse(coordinates(left._pattern.shape, left._pattern.indices[:, mine], True), values)
    return compress(both, input.layout) if input.layout in COMPRESSED else both


def div(input: SparseTensor, other: Any, *, rounding_mode: str | None = None, out: Tensor | None = None) -> Tensor:
    """Return the quotient by a number or a tensor of one element."""
    if isinstance(other, SparseTensor) or (isinstance(other, Tensor) and other.dim() > 0):
        raise RuntimeError("Sparse division requires a scalar or zero-dim dense tensor divisor")
    if not isinstance(input, SparseTensor):
        raise NotImplementedError("a dense tensor cannot be divided by a sparse one")
    form = input if rounding_mode is None or input.layout in COMPRESSED else coalesced(input)
    return sparse(form._pattern, values_of(form).div(other, rounding_mode=rounding_mode))


def power(input: SparseTensor, exponent: Any, *, out: Tensor | None = None) -> Tensor:
    """Return each value to a positive power."""
    if isinstance(exponent, Tensor):
        raise NotImplementedError("pow() of a sparse tensor needs a number as exponent")
    if exponent == 0:
        raise RuntimeError("pow: cannot raise to zeroth power on sparse tensor")
    return zero_preserving(pointwise.pow)(input, exponent)


# In place.


def _replace(target: SparseTensor, value: SparseTensor) -> Tensor:
    """Make a sparse tensor what another one is."""
    if state.grad_enabled and (target.requires_grad or value.requires_grad):
        if target.is_leaf and target.requires_grad:
            raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
        target._node = value._node
    stored = value._stored.detach()
    target._pattern, target._stored = value._pattern, stored.to(target.dtype)
    storage_of(target).version += 1
    return target


def inplace(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return the in-place form: the result takes the place of a sparse tensor, or is written into a dense one."""

    def call(target: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        result = function(target, *args, **kwargs)
        if isinstance(target, SparseTensor):
            if not isinstance(result, SparseTensor):
                raise RuntimeError("a dense result cannot be written into a sparse tensor")
            return _replace(target, result)
        return target.copy_(to_dense(result) if isinstance(result, SparseTensor) else result)

    return call


def zero_(input: SparseTensor) -> Tensor:
    """Forget all elements."""
    return _replace(input, zeros_like(input))  # type: ignore[arg-type]  # of a sparse tensor it is one


def copy_(input: Tensor, source: Tensor, non_blocking: bool = False) -> Tensor:
    """Take over the elements of another tensor."""
    if not (isinstance(input, SparseTensor) and isinstance(source, SparseTensor)):
        raise RuntimeError("copy_() between dense and sparse Tensors is not implemented! Use src.to_dense()")
    return _replace(input, source)


def requires_grad_(input: SparseTensor, requires_grad: bool = True) -> Tensor:
    """Make the tensor a leaf whose gradient is wanted."""
    from facula.overrides import DisableTorchFunctionSubclass

    with DisableTorchFunctionSubclass():
        return Tensor.requires_grad_(input, requires_grad)


# Copies, types.


def detach(input: SparseTensor) -> Tensor:
    """Return the tensor without its history."""
    made = sparse(input._pattern, input._stored)
    made._node = None
    return made


def clone(input: SparseTensor, *, memory_format: object = None) -> Tensor:
    """Return a copy."""
    return sparse(input._pattern, values_of(input).clone())


def to(input: SparseTensor, *args: Any, **kwargs: Any) -> Tensor:
    """Return the tensor in another type."""
    given = [each.dtype if isinstance(each, SparseTensor) else each for each in args]
    return sparse(input._pattern, values_of(input).to(*given, **kwargs))


def converted(dtype: DType) -> Callable[..., Tensor]:
    """Return the method that converts to a type, such as ``double``."""

    def call(input: SparseTensor, memory_format: object = None) -> Tensor:
        return to(input, dtype)

    return call


def zeros_like(input: SparseTensor, *, dtype: DType | None = None, **kwargs: Any) -> Tensor:
    """Return a sparse tensor of the same size without elements."""
    pattern = input._pattern
    values = input._stored.new_zeros((0, *input._stored.shape[1:]), dtype=dtype)
    none = coordinates(pattern.shape, np.zeros((pattern.sparse_dim, 0), np.int64), True)
    made = sparse(none, values)
    return compress(made, input.layout) if input.layout in COMPRESSED else made


# Shape.


def transpose(input: SparseTensor, dim0: int, dim1: int) -> Tensor:
    """Return the tensor with two of its dimensions with indices exchanged."""
    pattern = input._pattern
    first, second = wrap_dim(dim0, len(pattern.shape)), wrap_dim(dim1, len(pattern.shape))
    if max(first, second) >= pattern.sparse_dim:
        raise RuntimeError("transpose(): only dimensions with indices can be exchanged")
    order = list(range(len(pattern.shape)))
    order[first], order[second] = order[second], order[first]
    shape = tuple(pattern.shape[each] for each in order)
    indices = pattern.indices[order[: pattern.sparse_dim]]
    if pattern.layout in COMPRESSED and first != second:
        other = COMPRESSED[1 - COMPRESSED.index(pattern.layout)]
        return sparse(Pattern(other, shape, indices, pattern.compressed, True), values_of(input))
    if pattern.layout in COMPRESSED:
        return sparse(pattern, values_of(input))
    return sparse(coordinates(shape, indices, pattern.coalesced and first == second), values_of(input))


def t(input: SparseTensor) -> Tensor:
    """Return the transpose of a matrix."""
    if input.dim() > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 sparse and 0 dense dimensions, but got {input.dim()}D")
    return transpose(input, 0, 1) if input.dim() == 2 else input


def unsqueeze(input: SparseTensor, dim: int) -> Tensor:
    """Return the tensor with one more dimension with indices, of length 1."""
    pattern = input._pattern
    at = wrap_dim(dim, len(pattern.shape) + 1)
    if at > pattern.sparse_dim:
        return sparse(
            coordinates((*pattern.shape[:at], 1, *pattern.shape[at:]), pattern.indices, pattern.coalesced),
            values_of(input).unsqueeze(at - pattern.sparse_dim + 1),
        )
    shape = (*pattern.shape[:at], 1, *pattern.shape[at:])
    return sparse(coordinates(shape, np.insert(pattern.indices, at, 0, axis=0), pattern.coalesced), values_of(input))


def select(input: SparseTensor, dim: int, index: int) -> Tensor:
    """Return the part at one index: dense where no dimension with indices is left."""
    whole = as_coordinates(input)
    pattern, values = whole._pattern, values_of(whole)
    at = wrap_dim(dim, len(pattern.shape))
    length = pattern.shape[at]
    if not -length <= index < length:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(pattern.shape)} at dimension {at}"
        )
    shape = pattern.shape[:at] + pattern.shape[at + 1 :]
    if at >= pattern.sparse_dim:
        part = values.select(at - pattern.sparse_dim + 1, index)
        return sparse(coordinates(shape, pattern.indices, pattern.coalesced), part)
    kept = np.flatnonzero(pattern.indices[at] == index % length)
    chosen = values.index_select(0, wrap(kept))
    if pattern.sparse_dim == 1:
        return chosen.sum(0)
    indices = np.delete(pattern.indices[:, kept], at, axis=0)
    return sparse(coordinates(shape, indices, pattern.coalesced), chosen)


def index_select(input: SparseTensor, dim: int, index: Tensor) -> Tensor:
    """Return the parts at several indices."""
    parts: list[Any] = []
    at = wrap_dim(dim, input.dim())
    whole = as_coordinates(input)
    pattern, values = whole._pattern, values_of(whole)
    shape = (*pattern.shape[:at], index.numel(), *pattern.shape[at + 1 :])
    if at >= pattern.sparse_dim:
        chosen = values.index_select(at - pattern.sparse_dim + 1, index)
        return sparse(coordinates(shape, pattern.indices, pattern.coalesced), chosen)
    for place, wanted in enumerate(index._array.reshape(-1).tolist()):
        kept = np.flatnonzero(pattern.indices[at] == wanted)
        moved = pattern.indices[:, kept].copy()
        moved[at] = place
        parts.append((kept, moved))
    kept = np.concatenate([each[0] for each in parts]) if parts else np.zeros(0, np.int64)
    moved = np.concatenate([each[1] for each in parts], 1) if parts else pattern.indices[:, :0]
    return sparse(coordinates(shape, moved, pattern.coalesced and at == 0), values.index_select(0, wrap(kept)))


def getitem(input: SparseTensor, index: Any) -> Tensor:
    """Return ``input[index]``, for integers."""
    found: Tensor = input
    for each in index if isinstance(index, tuple) else (index,):
        if not isinstance(each, int):
            raise NotImplementedError("sparse tensors are indexed by integers only; use index_select")
        found = found.select(0, each)
    return found


def cat(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return sparse tensors one after the other along a dimension with indices."""
    parts = [as_coordinates(each) for each in tensors if isinstance(each, SparseTensor)]
    if len(parts) != len(tensors):
        raise RuntimeError("cat(): all tensors must be sparse")
    pattern = parts[0]._pattern
    at = wrap_dim(dim, len(pattern.shape))
    if at >= pattern.sparse_dim:
        raise NotImplementedError("cat() of sparse tensors along a dimension without indices")
    total, moved = 0, []
    for each in parts:
        indices = each._pattern.indices.copy()
        indices[at] += total
        total += each._pattern.shape[at]
        moved.append(indices)
    shape = (*pattern.shape[:at], total, *pattern.shape[at + 1 :])
    return sparse(coordinates(shape, np.concatenate(moved, 1)), joining.cat([values_of(each) for each in parts]))


def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """Return sparse tensors along a new dimension."""
    return cat([each.unsqueeze(dim) for each in tensors], dim)


def sparse_mask(input: Tensor, mask: Tensor) -> Tensor:
    """Return the values of a tensor at the elements of a sparse one."""
    if not isinstance(mask, SparseTensor):
        raise RuntimeError(f"sparse_mask(): expected mask to be sparse, got {mask.layout}")
    _same_size(input, mask, "sparse_mask")
    return sparse(mask._pattern, values_at(input, mask._pattern))
