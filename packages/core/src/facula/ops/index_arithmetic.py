"""Positions and what is done by them: flat positions as coordinates, reductions into rows, fixed numbers of non-zeros."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.arguments import need_slices
from facula.devices import device as Device
from facula.dimensions import wrap_dim
from facula.dtypes import bool_, int64
from facula.dtypes import dtype as DType
from facula.primitive import need_out, write_out
from facula.scattering import check_range
from facula.tensor_base import wrap
from facula.types import Number, Tensor

__all__ = [
    "_chunk_cat",
    "_unsafe_masked_index",
    "_unsafe_masked_index_put_accumulate",
    "fill",
    "index_reduce",
    "nonzero_static",
    "unravel_index",
]


def fill(input: Tensor, value: Tensor | Number) -> Tensor:
    """Return a tensor like ``input`` with every element set to ``value``, through which gradients reach a tensor.

    >>> facula.fill(facula.zeros(2), 3)
    tensor([3., 3.])
    """
    return input.clone().fill_(value)


def unravel_index(indices: Tensor, shape: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return the coordinates, one tensor for each dimension of ``shape``, of positions in a flat array of that shape.

    >>> facula.unravel_index(facula.tensor([1, 5]), (2, 3))
    (tensor([0, 1]), tensor([1, 2]))
    """
    if indices.is_floating_point() or indices.is_complex() or indices._array.dtype == np.bool_:
        raise ValueError(f"unravel_index(): 'indices' must have integer dtype, but got {indices.dtype}")
    sizes = (shape,) if isinstance(shape, int) else tuple(int(each) for each in shape)
    if any(size < 0 for size in sizes):
        raise ValueError(f"unravel_index(): 'shape' cannot have negative values, but got {sizes}")
    coordinates = []
    for index, size in enumerate(sizes):
        below = math.prod(sizes[index + 1 :])
        coordinates.append((indices.div(max(below, 1), rounding_mode="floor")) % max(size, 1))
    return tuple(coordinates)


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the first ``size`` positions of non-zero elements, int64 (size, dimensions), filled up with a value."""
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = input.nonzero()[:size]
    result = wrap(np.full((size, input.dim()), fill_value, int64.numpy)).to(input.device)
    result[: len(found)] = found
    return result if out is None else write_out(result, out, "nonzero_static")


_REDUCTIONS = ("prod", "mean", "amax", "amin")


def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with the slices of ``source`` reduced into those that ``index`` names along a dimension.

    ``reduce`` is "prod", "mean", "amax" or "amin"; without ``include_self`` the old values take no part.

    >>> facula.index_reduce(facula.ones(2), 0, facula.tensor([0, 0]), facula.tensor([2.0, 3.0]), "prod")
    tensor([6., 1.])
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    axis = wrap_dim(dim, input.dim())
    need_slices("index_reduce_", input, axis, index, source)
    need_out(out, input.dtype, index, source)
    if input.dtype is bool_:
        raise NotImplementedError("index_reduce_() is not implemented for bool")
    whole, parts = (each.reshape((1,)) if not each.dim() else each for each in (input, source))
    places = index.reshape(-1)
    check_range(places._array, whole.shape[axis])
    spread = places.long().reshape([-1 if each == axis else 1 for each in range(parts.dim())]).expand(parts.shape)
    result = whole.scatter_reduce(axis, spread, parts, reduce, include_self=include_self).reshape(input.shape)
    return result if out is None else write_out(result, out, "index_reduce")


def new_empty_strided(
    input: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return an uninitialised tensor of this shape and these strides, of the type and on the device of this one."""
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {len(stride)} and {len(size)}")
    reach = 0 if 0 in size else 1 + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    storage = input.new_empty((reach,), dtype=dtype, device=device)
    return storage.as_strided(size, stride).detach().requires_grad_(requires_grad)


def _chunk_cat(tensors: Sequence[Tensor], dim: int, num_chunks: int, *, out: Tensor | None = None) -> Tensor:
    """Return tensors, each cut into ``num_chunks`` parts along ``dim`` (filled up with zeros), side by side."""
    if not tensors:
        raise RuntimeError("_chunk_cat expects a non-empty input tensor list")
    if num_chunks < 1:
        raise RuntimeError("_chunk_cat expects positive num_chunks")
    first = tensors[0]
    if not -first.dim() <= dim < first.dim():
        raise RuntimeError(f"_chunk_cat expects dim in the range of the tensors' dimensions, got dim={dim}")
    dim %= first.dim()
    rows = []
    for each in tensors:
        if each.dtype != first.dtype:
            raise RuntimeError("_chunk_cat expects all input tensors with the same dtype")
        if each.shape[:dim] != first.shape[:dim]:
            raise RuntimeError("_chunk_cat expects same sizes of 0,...,dim-1 dimensions for all tensors")
        if not each.numel():
            raise RuntimeError("_chunk_cat expects non-empty tensor")
        missing = -each.shape[dim] % num_chunks
        if missing:
            rest = each.new_zeros((*each.shape[:dim], missing, *each.shape[dim + 1 :]))
            each = each._joined(rest, dim)
        rows.append(each.reshape((*each.shape[:dim], num_chunks, -1)))
    result = rows[0]
    for row in rows[1:]:
        result = result._joined(row, dim + 1)
    return result if out is None else write_out(result, out, "_chunk_cat")


def _unsafe_masked_index(input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], fill: Number) -> Tensor:
    """Return the elements that ``indices`` name where ``mask``, and ``fill`` elsewhere, where indices may be anything."""
    if not input.numel():
        return _named(input, mask, indices).masked_fill(~mask, fill)
    return input[_within(input, indices)].masked_fill(~mask, fill)


def _named(input: Tensor, mask: Tensor, indices: Sequence[Tensor | None]) -> Tensor:
    """Return zeros of the shape that indices name in a tensor without elements."""
    return input.new_zeros((*mask.shape, *input.shape[len(indices) :]))


def _unsafe_masked_index_put_accumulate(
    input: Tensor, mask: Tensor, indices: Sequence[Tensor | None], values: Tensor
) -> Tensor:
    """Return ``input`` with ``values`` added at what ``indices`` name where ``mask``."""
    if not input.numel():
        return input.clone()
    return input.index_put(_within(input, indices), values.masked_fill(~mask, 0), accumulate=True)


def _within(input: Tensor, indices: Sequence[Tensor | None]) -> tuple[Any, ...]:
    """Return indices brought into the range of their dimensions."""
    pairs = zip(indices, input.shape, strict=False)
    return tuple(slice(None) if each is None else each.clamp(-size, size - 1) for each, size in pairs)
