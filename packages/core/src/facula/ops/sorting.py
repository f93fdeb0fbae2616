"""Sorting, searching, sets and histograms."""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from facula import dtypes, native
from facula.dimensions import wrap_dim
from facula.primitive import primitive, promote, write_out
from facula.tensor_base import TensorBase
from facula.types import Tensor, TensorLike

__all__ = ["argsort", "bincount", "bucketize", "histc", "isin", "msort", "searchsorted", "sort", "topk", "unique"]
__all__ += ["unique_consecutive"]


class sort_result(NamedTuple):
    """The sorted elements, and where each one was."""

    values: Tensor
    indices: Tensor


class topk_result(NamedTuple):
    """The k extreme elements, and where each one was."""

    values: Tensor
    indices: Tensor


def _to_indices(g: Tensor, indices: Tensor, x_shape: tuple[int, ...], dim: int) -> Tensor:
    """Return the gradient of elements taken at ``indices``."""
    return g.new_zeros(x_shape).scatter(dim, indices, g) if x_shape else g


def _order(xp, x, dim, descending):
    """Return the indices that sort ``x``; equal elements keep their order, nan is larger than all."""
    if not descending:
        return xp.argsort(x, axis=dim, kind="stable")
    # Sorting the elements from behind and reading the result from behind keeps the order of equal ones.
    order = xp.flip(xp.argsort(xp.flip(x, dim), axis=dim, kind="stable"), dim)
    return x.shape[dim] - 1 - order


@primitive(vjp={"x": lambda g, x_shape, out_1, dim: _to_indices(g[0], out_1, x_shape, dim)})
def _sort(xp, x, *, dim, descending):
    if not x.ndim:
        return x.copy(), xp.zeros((), np.int64)
    order = _order(xp, x, dim, descending)
    return xp.take_along_axis(x, order, dim), order


@primitive()
def _argsort(xp, x, *, dim, descending):
    return _order(xp, x, dim, descending) if x.ndim else xp.zeros((), np.int64)


# The kernels sort along the last dimension, which no other is cheaper to sort along than by a copy.


@_sort.kernel("native")
def _sort_native(x, *, dim, descending):
    if not x.ndim:
        return NotImplemented
    found = native.kernels.sort(np.ascontiguousarray(np.moveaxis(x, dim, -1)), descending)
    if found is NotImplemented or dim == x.ndim - 1:
        return found
    return tuple(np.ascontiguousarray(np.moveaxis(each, -1, dim)) for each in found)


@_argsort.kernel("native")
def _argsort_native(x, *, dim, descending):
    if not x.ndim:
        return NotImplemented
    found = native.kernels.argsort(np.ascontiguousarray(np.moveaxis(x, dim, -1)), descending)
    return found if found is NotImplemented else np.ascontiguousarray(np.moveaxis(found, -1, dim))


def _refuse_complex(name: str, input: Tensor) -> None:
    if input.is_complex():
        raise RuntimeError(f"{name}(): complex tensors have no order")


def _written(results: tuple[Tensor, ...], out: Sequence[Tensor] | None, name: str) -> tuple[Tensor, ...]:
    if out is None:
        return results
    return tuple([write_out(result, each, name) for result, each in zip(results, out, strict=True)])


def sort(
    input: Tensor,
    dim: int = -1,
    descending: bool = False,
    stable: bool = False,
    *,
    out: tuple[Tensor, Tensor] | None = None,
) -> sort_result:
    """Return the elements sorted along ``dim``, and where each one was; equal ones keep their order.

    >>> facula.sort(facula.tensor([3, 1, 2])).values
    tensor([1, 2, 3])
    """
    _refuse_complex("sort", input)
    found = _sort(input, dim=wrap_dim(dim, input._array.ndim), descending=bool(descending))
    return sort_result(*_written(found, out, "sort"))


def argsort(
    input: Tensor,
    dim: int = -1,
    descending: bool = False,
    stable: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the indices that sort ``input`` along ``dim``; equal elements keep their order.

    >>> facula.argsort(facula.tensor([3, 1, 2]))
    tensor([1, 2, 0])
    """
    _refuse_complex("argsort", input)
    return _argsort(
        input,
        dim=wrap_dim(dim, input._array.ndim),
        descending=bool(descending),
        out=out,
    )


def msort(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` sorted along its first dimension.

    >>> facula.msort(facula.tensor([3, 1, 2]))
    tensor([1, 2, 3])
    """
    values = sort(input, 0).values
    return values if out is None else write_out(values, out, "msort")


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out_1, dim: _to_indices(g[0], out_1, x_shape, dim)},
)
def _topk(xp, x, *, k, dim, largest):
    if not x.ndim:
        indices = xp.zeros((), np.int64)
        return (x.copy(), indices) if k else (x.reshape(1)[:0], indices.reshape(1)[:0])
    length = x.shape[dim]
    chosen: Any = [slice(None)] * x.ndim
    chosen[dim] = slice(length - k, None) if largest else slice(None, k)
    chosen = tuple(chosen)
    if 0 < k < length:
        part = xp.argpartition(x, length - k if largest else k - 1, axis=dim)[chosen]
        inner = _order(xp, xp.take_along_axis(x, part, dim), dim, largest)
        order = xp.take_along_axis(part, inner, dim)
    else:
        chosen = tuple([slice(None, k) if at == dim else slice(None) for at in range(x.ndim)])
        order = xp.ascontiguousarray(_order(xp, x, dim, largest)[chosen])
    return xp.take_along_axis(x, order, dim), order


@_topk.kernel("native")
def _topk_native(x, *, k, dim, largest):
    if dim == x.ndim - 1:
        return native.kernels.topk(x, k, largest)
    found = native.kernels.topk(np.ascontiguousarray(np.moveaxis(x, dim, -1)), k, largest) if x.ndim else NotImplemented
    return found if found is NotImplemented else tuple([np.moveaxis(each, -1, dim) for each in found])


def topk(
    input: Tensor,
    k: int,
    dim: int = -1,
    largest: bool = True,
    sorted: bool = True,
    *,
    out: tuple[Tensor, Tensor] | None = None,
) -> topk_result:
    """Return the ``k`` largest (or smallest) elements along ``dim``, best first, and where each one was.

    >>> facula.topk(facula.tensor([1.0, 5.0, 3.0]), 2).values
    tensor([5., 3.])
    """
    _refuse_complex("topk", input)
    dim = wrap_dim(dim, input._array.ndim)
    k = k.__index__()
    if not 0 <= k <= (input._array.shape[dim] if input._array.ndim else 1):
        raise RuntimeError("selected index k out of range")
    return topk_result(*_written(_topk(input, k=k, dim=dim, largest=bool(largest)), out, "topk"))


# Sets. How many elements are distinct is not known before: results depend on values.


@primitive()
def _unique(xp, x, *, dim):
    values, inverse, counts = xp.unique(x, return_inverse=True, return_counts=True, axis=dim)
    return values, inverse.reshape(x.shape if dim is None else (x.shape[dim],)), counts


def unique(
    input: Tensor,
    sorted: bool = True,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """Return the distinct elements, sorted, or the distinct slices along ``dim``.

    ``return_inverse`` adds where each element of the input is in the result, ``return_counts`` how often each occurs.

    >>> facula.unique(facula.tensor([2, 1, 2]))
    tensor([1, 2])
    """
    _refuse_complex("unique", input)
    if dim is not None:
        dim = wrap_dim(dim, input._array.ndim)
        _refuse_empty_slices("unique_dim", input, dim)
    values, inverse, counts = _unique(input, dim=dim if input._array.ndim else None)
    return _chosen(values, inverse, counts, return_inverse, return_counts)


def _refuse_empty_slices(name: str, input: Tensor, dim: int) -> None:
    others = [length for at, length in enumerate(input._array.shape) if at != dim]
    if 0 in others:
        raise RuntimeError(
            f"{name}: There are 0 sized dimensions, and they aren't selected, so unique cannot be applied"
        )


def _chosen(
    values: Tensor,
    inverse: Tensor,
    counts: Tensor,
    return_inverse: bool,
    return_counts: bool,
) -> Tensor | tuple[Tensor, ...]:
    if not return_inverse and not return_counts:
        return values
    return (
        values,
        *((inverse,) if return_inverse else ()),
        *((counts,) if return_counts else ()),
    )


@primitive()
def _unique_consecutive(xp, x, *, dim):
    shape = x.shape
    rows = x.reshape(-1, 1) if dim is None else xp.moveaxis(x, dim, 0).reshape(shape[dim], x.size // max(shape[dim], 1))
    first = xp.ones(rows.shape[0], bool)
    first[1:] = (rows[1:] != rows[:-1]).any(axis=1)
    starts = xp.flatnonzero(first)
    inverse = xp.cumsum(first) - 1
    counts = xp.diff(xp.append(starts, rows.shape[0]))
    values = x.reshape(-1)[starts] if dim is None else xp.take(x, starts, axis=dim)
    return values, inverse.reshape(shape) if dim is None else inverse, counts


def unique_consecutive(
    input: Tensor,
    return_inverse: bool = False,
    return_counts: bool = False,
    dim: int | None = None,
) -> Tensor | tuple[Tensor, ...]:
    """Return ``input`` flattened (or its slices along ``dim``) with each run of equals as one.

    >>> facula.unique_consecutive(facula.tensor([1, 1, 2, 1]))
    tensor([1, 2, 1])
    """
    if dim is not None:
        dim = wrap_dim(dim, input._array.ndim)
        _refuse_empty_slices("unique_consecutive", input, dim)
    values, inverse, counts = _unique_consecutive(input, dim=dim if input._array.ndim else None)
    return _chosen(values, inverse, counts, return_inverse, return_counts)


@primitive(dtype=promote)
def _isin(xp, elements, test_elements, *, invert):
    return xp.isin(elements, test_elements, invert=invert)


def isin(
    elements: TensorLike,
    test_elements: TensorLike,
    *,
    assume_unique: bool = False,
    invert: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return whether each of ``elements`` is among ``test_elements``.

    >>> facula.isin(facula.tensor([1, 2, 3]), facula.tensor([2, 5]))
    tensor([False,  True, False])
    """
    return _isin(elements, test_elements, invert=invert, out=out)


# Searching in sorted elements.


@primitive(dtype=promote("sorted_sequence", "values"))
def _searchsorted(xp, sorted_sequence, values, sorter, *, right, out_int32):
    side = "right" if right else "left"
    kind = np.int32 if out_int32 else np.int64
    if sorter is not None:
        sorted_sequence = xp.take_along_axis(sorted_sequence, sorter, -1)
    if sorted_sequence.ndim == 1:
        return xp.searchsorted(sorted_sequence, values, side=side).astype(kind)
    count = math.prod(values.shape[:-1])
    rows = sorted_sequence.reshape(count, sorted_sequence.shape[-1])
    wanted = values.reshape(count, values.shape[-1])
    found = xp.empty(wanted.shape, kind)
    for row in range(count):
        found[row] = xp.searchsorted(rows[row], wanted[row], side=side)
    return found.reshape(values.shape)


def searchsorted(
    sorted_sequence: Tensor,
    input: TensorLike,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the places, in each row of ``sorted_sequence``, before which ``input`` is to be inserted.

    Among equal elements that is the first place, or with ``right`` the place after the last.

    >>> facula.searchsorted(facula.tensor([1, 3, 5]), facula.tensor([3, 4]))
    tensor([1, 2])
    """
    if side is not None and side not in ("left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}".replace("torch.", "")
        )
    if side == "left" and right:
        raise RuntimeError(
            "searchsorted(): side and right can't be set to opposites, got side of left while right was True"
        )
    values = input if isinstance(input, TensorBase) else sorted_sequence.new_full((), input)
    if isinstance(input, TensorBase) and input.dtype is not sorted_sequence.dtype:
        raise RuntimeError(
            "searchsorted(): boundary tensor and input value tensor should have same dtype, but got boundary tensor "
            "dtype "
            f"{sorted_sequence.dtype.name} and input value tensor dtype {input.dtype.name}"
        )
    if not sorted_sequence.dim():
        raise RuntimeError("searchsorted(): boundary tensor should have positive dimension, but got 0 dimension")
    if sorted_sequence.dim() > 1 and sorted_sequence.shape[:-1] != values.shape[:-1]:
        raise RuntimeError(
            "searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            "tensor and "
            f"input value tensor must match, but we got boundaries tensor {list(sorted_sequence.shape)} and input "
            "value "
            f"tensor {list(values.shape)}"
        )
    if sorter is not None:
        if sorter.dtype is not dtypes.int64:
            raise RuntimeError(
                f"searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter.dtype.name}"
            )
        if sorter.shape != sorted_sequence.shape:
            raise RuntimeError(
                "searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
                f"{list(sorted_sequence.shape)} and got sorter tensor {list(sorter.shape)}"
            )
        if sorter.numel() and not bool(((sorter >= 0) & (sorter < sorted_sequence.shape[-1])).all()):
            raise RuntimeError("searchsorted(): sorter index out of range")
    if out is not None and out.dtype is not (dtypes.int32 if out_int32 else dtypes.int64):
        raise RuntimeError(
            "searchsorted(): output tensor's dtype is wrong, it can only be Int(int32) or Long(int64) depending on "
            "whether "
            f"out_int32 flag is True, but we got output tensor's dtype {out.dtype.name} and out_int32 flag is "
            f"{out_int32}"
        )
    return _searchsorted(
        sorted_sequence,
        values,
        sorter,
        right=right or side == "right",
        out_int32=out_int32,
        out=out,
    )


def bucketize(
    input: TensorLike,
    boundaries: Tensor,
    *,
    out_int32: bool = False,
    right: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return the index of the bucket, between the sorted ``boundaries``, each element lies in.

    >>> facula.bucketize(facula.tensor([3, 6]), facula.tensor([1, 3, 5]))
    tensor([1, 3])
    """
    if boundaries.dim() != 1:
        raise RuntimeError(f"bucketize(): boundaries tensor must be 1 dimension, but got dim({boundaries.dim()})")
    values = input if isinstance(input, TensorBase) else boundaries.new_full((), input)
    return _searchsorted(boundaries, values, None, right=right, out_int32=out_int32, out=out)


# Histograms.


@primitive()
def _bincount(xp, x, weights, *, minlength):
    counts = xp.bincount(x.astype(np.int64), weights, minlength)
    return counts if weights is None or weights.dtype != np.float32 else counts.astype(np.float32)


def bincount(input: Tensor, weights: Tensor | None = None, minlength: int = 0) -> Tensor:
    """Return how often each of 0, 1, 2, … occurs, or the sum of the ``weights`` where it does.

    >>> facula.bincount(facula.tensor([0, 2, 2]))
    tensor([1, 0, 2])
    """
    if input.dtype.category != dtypes.INTEGRAL:
        raise RuntimeError(f"\"bincount_cpu\" not implemented for '{input.dtype.name.title()}'")
    if minlength < 0:
        raise RuntimeError(f"minlength should be >= 0, got {minlength}")
    if input.dim() != 1 or (input.numel() and bool((input < 0).any())):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    if weights is not None and weights.shape != input.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    return _bincount(input, weights, minlength=minlength)


@primitive(dtype=promote)
def _histc(xp, x, *, bins, low, high):
    flat = x.reshape(-1)
    kind = x.dtype.type if x.dtype.kind == "f" else np.float64
    low, high = kind(low), kind(high)
    flat = flat[(flat >= low) & (flat <= high)]
    places = ((flat - low) * kind(bins) / (high - low)).astype(np.int64)
    return xp.bincount(xp.minimum(places, bins - 1), minlength=bins).astype(x.dtype)


def histc(
    input: Tensor,
    bins: int = 100,
    min: float = 0,
    max: float = 0,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return how many elements lie in each of ``bins`` equal parts of [min, max]; of their range when both are 0.

    >>> facula.histc(facula.tensor([1.0, 2.0, 1.0]), bins=4, min=0, max=3)
    tensor([0., 2., 1., 0.])
    """
    if input.is_complex() or input.dtype is dtypes.bool_:
        raise RuntimeError(f"\"histogram_cpu\" not implemented for '{input.dtype.name.title()}'")
    if bins <= 0:
        raise RuntimeError(f"bins must be > 0, but got {bins} for dimension 0")
    if min == max and input.numel():
        min, max = input.amin().item(), input.amax().item()
    if min == max:
        min, max = min - 1, max + 1
    if not np.isfinite(min) or not np.isfinite(max):
        raise RuntimeError(f"histc: range of [{min}, {max}] is not finite")
    if min > max:
        raise RuntimeError("histc: max must be larger than min")
    return _histc(input, bins=bins, low=min, high=max, out=out)
