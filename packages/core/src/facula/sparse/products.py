"""Products with sparse matrices, sums over sparse tensors, and softmax over their elements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.dimensions import wrap_dim
from facula.dtypes import dtype as DType
from facula.sparse.elementwise import add, t
from facula.sparse.tensor import (
    COMPRESSED,
    SparseTensor,
    as_coordinates,
    coalesced,
    compress,
    coordinates,
    sparse,
    to_dense,
    values_of,
)
from facula.tensor import Tensor
from facula.tensor_base import wrap
from facula.types import Number


def _check_sizes(left: Tensor, right: Tensor) -> None:
    if left.dim() != 2 or right.dim() != 2:
        raise RuntimeError(f"mm: expected matrices, got {left.dim()}D and {right.dim()}D tensors")
    if left.shape[1] != right.shape[0]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({left.shape[0]}x{left.shape[1]} and "
            f"{right.shape[0]}x{right.shape[1]})"
        )


def _rows_times(left: SparseTensor, right: Tensor) -> Tensor:
    """Return a sparse matrix times a dense one."""
    rows, columns = as_coordinates(left)._pattern.indices
    products = values_of(left).unsqueeze(1) * right.index_select(0, wrap(columns))
    return products.new_zeros((left.shape[0], right.shape[1])).index_add(0, wrap(rows), products)


def _sparse_times_sparse(left: SparseTensor, right: SparseTensor) -> Tensor:
    """Return the product of two sparse matrices, sparse: each element of one meets a row of the other."""
    first, second = coalesced(left), coalesced(right)
    rows, middles = first._pattern.indices
    begins = np.concatenate([[0], np.cumsum(np.bincount(second._pattern.indices[0], minlength=right.shape[0]))])
    counts = np.diff(begins)[middles]
    mine = np.repeat(np.arange(len(rows)), counts)
    within = np.arange(len(mine)) - np.repeat(np.cumsum(counts) - counts, counts)
    theirs = begins[middles][mine] + within
    values = values_of(first).index_select(0, wrap(mine)) * values_of(second).index_select(0, wrap(theirs))
    indices = np.stack([rows[mine], second._pattern.indices[1][theirs]]).astype(np.int64)
    total = coalesced(sparse(coordinates((left.shape[0], right.shape[1]), indices), values))
    return compress(total, left.layout) if left.layout in COMPRESSED else total


def mm(input: Tensor, mat2: Tensor, reduce: str | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the product of two matrices of which one at least is sparse.

    The product with a dense matrix is dense, of two sparse ones sparse. ``reduce`` takes "mean", "amax" or "amin" of the
    products that meet in an element where the usual product takes their "sum".

    >>> matrix = facula.sparse_coo_tensor([[0, 1], [1, 0]], [2.0, 3.0], (2, 2))
    >>> facula.sparse.mm(matrix, facula.ones(2, 1))
    tensor([[2.],
            [3.]])
    """
    _check_sizes(input, mat2)
    if reduce is not None:
        return _reduced(input, mat2, reduce)
    if isinstance(input, SparseTensor):
        return _sparse_times_sparse(input, mat2) if isinstance(mat2, SparseTensor) else _rows_times(input, mat2)
    if not isinstance(mat2, SparseTensor):
        return input.mm(mat2)
    turned = t(mat2)
    assert isinstance(turned, SparseTensor)
    return _rows_times(turned, input.t()).t()


def _reduced(input: Tensor, mat2: Tensor, reduce: str) -> Tensor:
    if not isinstance(input, SparseTensor) or not input.is_sparse_csr or isinstance(mat2, SparseTensor):
        raise RuntimeError("mm(reduce=): expected a CSR matrix and a dense one")
    if reduce not in ("sum", "mean", "amax", "amin"):
        raise ValueError(f"mm(reduce=): expected sum, mean, amax or amin, got {reduce!r}")
    rows, columns = input._pattern.indices
    products = values_of(input).unsqueeze(1) * mat2.index_select(0, wrap(columns))
    start = products.new_zeros((input.shape[0], mat2.shape[1]))
    index = wrap(rows).unsqueeze(1).expand(products.shape)
    return start.scatter_reduce(0, index, products, reduce, include_self=False)


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the product of two matrices, or of a matrix and a vector."""
    if input.dim() == 2 and other.dim() == 1:
        return mm(input, other.unsqueeze(1)).squeeze(1)
    if input.dim() == 1 and other.dim() == 2:
        return mm(input.unsqueeze(0), other).squeeze(0)
    return mm(input, other)


def addmm(
    input: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    *,
    beta: Number = 1,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * (mat1 @ mat2)`` for a sparse ``mat1``."""
    product = mm(mat1, mat2)
    product = product if alpha == 1 else product * alpha
    start = input if beta == 1 else input * beta
    if isinstance(start, SparseTensor) and not isinstance(product, SparseTensor):
        return add(product, start)
    return start + product


def smm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return the product of a sparse matrix and a dense one as a sparse matrix, every element of it stored."""
    product = mm(input, mat2)
    if isinstance(product, SparseTensor):
        return product
    filled = np.flatnonzero(np.bincount(as_coordinates(input)._pattern.indices[0], minlength=input.shape[0]))  # type: ignore[arg-type]
    grid = np.meshgrid(filled, np.arange(mat2.shape[1]), indexing="ij")
    indices = np.stack([each.reshape(-1) for each in grid]).astype(np.int64)
    values = product.index_select(0, wrap(filled)).reshape(-1)
    return sparse(coordinates(tuple(product.shape), indices), values)


def sampled_addmm(
    input: Tensor,
    mat1: Tensor,
    mat2: Tensor,
    *,
    beta: Number = 1.0,
    alpha: Number = 1.0,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``beta * input + alpha * (mat1 @ mat2)`` at the elements of a CSR ``input`` only."""
    if not isinstance(input, SparseTensor) or not input.is_sparse_csr:
        raise RuntimeError(f"Expected input to have sparse csr layout, but got {input.layout}.")
    for name, each in (("mat1", mat1), ("mat2", mat2)):
        if isinstance(each, SparseTensor):
            raise RuntimeError(f"Expected {name} to have strided layout, but got {each.layout}.")
    _check_sizes(mat1, mat2)
    if (mat1.shape[0], mat2.shape[1]) != tuple(input.shape):
        raise RuntimeError(
            f"sampled_addmm: Expected self.shape to be {(mat1.shape[0], mat2.shape[1])}, but got {tuple(input.shape)}"
        )
    rows, columns = input._pattern.indices
    products = (mat1.index_select(0, wrap(rows)) * mat2.t().index_select(0, wrap(columns))).sum(1)
    start = values_of(input)
    values = products * alpha + start * beta if beta != 0 else products * alpha
    result = sparse(input._pattern, values)
    if out is None:
        return result
    assert isinstance(out, SparseTensor)
    out._pattern, out._stored = result._pattern, result._stored
    return out


def sum(input: Tensor, dim: int | Sequence[int] | None = None, dtype: DType | None = None) -> Tensor:
    """Return the sum over all elements, or over dimensions; sparse where a dimension with indices is left.

    >>> facula.sparse.sum(facula.sparse_coo_tensor([[0, 1], [1, 0]], [2.0, 3.0], (2, 2)))
    tensor(5.)
    """
    if not isinstance(input, SparseTensor):
        raise RuntimeError(f"sparse.sum(): expected a sparse tensor, got {input.layout}")
    whole = as_coordinates(input)
    values = values_of(whole) if dtype is None else values_of(whole).to(dtype)
    if dim is None:
        return values.sum()
    pattern = whole._pattern
    dims = {wrap_dim(each, input.dim()) for each in ((dim,) if isinstance(dim, int) else dim)}
    inner = [each - pattern.sparse_dim + 1 for each in dims if each >= pattern.sparse_dim]
    if inner:
        values = values.sum(inner)
    left = [each for each in range(pattern.sparse_dim) if each not in dims]
    shape = tuple(size for each, size in enumerate(pattern.shape) if each not in dims)
    if not left:
        return values.sum(0)
    if len(left) == pattern.sparse_dim:
        return sparse(coordinates(shape, pattern.indices, pattern.coalesced), values)
    return coalesced(sparse(coordinates(shape, pattern.indices[left]), values))


def reduced_sum(
    input: SparseTensor,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the sum as a method: all elements where no dimension is named."""
    if dim is None or (not isinstance(dim, int) and not len(dim)):
        return sum(input, dtype=dtype)
    found = sum(input, dim, dtype)
    if keepdim:
        for each in sorted(wrap_dim(each, input.dim()) for each in ((dim,) if isinstance(dim, int) else dim)):
            found = found.unsqueeze(each)
    return found


def norm(input: SparseTensor, p: Any = "fro", dim: None = None, keepdim: bool = False, **kwargs: Any) -> Tensor:
    """Return the norm of all elements."""
    if dim is not None:
        raise NotImplementedError("norms of sparse tensors along a dimension")
    return values_of(coalesced(input)).norm(2 if p in ("fro", None) else p)


def sum_to_size(input: SparseTensor, *size: Any) -> Tensor:
    """Return the sum to a shape that the tensor is broadcast from."""
    return to_dense(input).sum_to_size(*size)


def _by_fibre(input: Tensor, dim: int, dtype: DType | None) -> tuple[SparseTensor, Tensor, Tensor, int]:
    """Return the coalesced tensor, its values, and for each the number of the line along ``dim`` it lies on."""
    if not isinstance(input, SparseTensor) or not input.is_sparse:
        raise RuntimeError(f"softmax(): expected a COO tensor, got {input.layout}")
    whole = coalesced(input)
    at = wrap_dim(dim, input.dim())
    if at >= whole._pattern.sparse_dim:
        raise NotImplementedError("softmax over a dimension without indices")
    others = np.delete(whole._pattern.indices, at, axis=0)
    lines, line = np.unique(others, axis=1, return_inverse=True) if len(others) else (None, None)
    number = np.zeros(whole._pattern.count, np.int64) if line is None else line.reshape(-1)
    values = values_of(whole) if dtype is None else values_of(whole).to(dtype)
    return whole, values, wrap(number), 1 if lines is None else lines.shape[1]


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Return exponentials over their sums along a dimension, of the elements that are stored."""
    result = log_softmax(input, dim, dtype=dtype)
    assert isinstance(result, SparseTensor)
    return sparse(result._pattern, values_of(result).exp())


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None) -> Tensor:
    """Return the logarithm of `softmax`."""
    whole, values, line, lines = _by_fibre(input, dim, dtype)
    index = line.reshape(-1, *[1] * (values.dim() - 1)).expand(values.shape)
    start = values.new_zeros((lines, *values.shape[1:]))
    highest = start.scatter_reduce(0, index, values.detach(), "amax", include_self=False)
    moved = values - highest.index_select(0, line)
    total = start.index_add(0, line, moved.exp())
    return sparse(whole._pattern, moved - total.log().index_select(0, line))
