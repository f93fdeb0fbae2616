"""What a tensor says of its layout, and conversions to sparse ones: the methods that lead to ``facula.sparse``.

That module is imported when a sparse tensor is first asked for; a dense tensor answers here.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from facula.dtypes import dtype as DType
from facula.ops.conversion import layout as Layout
from facula.ops.conversion import sparse_coo, sparse_csc, sparse_csr
from facula.types import Tensor

__all__ = ["smm", "spmm"]


def _construction() -> Any:
    return import_module("facula.sparse.construction")


def to_dense(input: Tensor, dtype: DType | None = None, *, masked_grad: bool | None = None) -> Tensor:
    """Return the tensor with all its elements: a dense one itself."""
    return input if dtype is None else input.to(dtype)


def to_sparse(
    input: Tensor,
    sparse_dim: int | None = None,
    *,
    layout: Layout | None = None,
    blocksize: Any = None,
    dense_dim: int | None = None,
) -> Tensor:
    """Return the tensor in a sparse layout, COO by default, with indices for its first ``sparse_dim`` dimensions.

    >>> facula.tensor([[0.0, 3.0], [0.0, 0.0]]).to_sparse().indices()
    tensor([[0],
            [1]])
    """
    return _construction().to_sparse(input, sparse_dim, layout=layout, blocksize=blocksize, dense_dim=dense_dim)


def to_sparse_coo(input: Tensor) -> Tensor:
    """Return the tensor in COO."""
    return input.to_sparse(layout=sparse_coo)


def to_sparse_csr(input: Tensor, dense_dim: int | None = None) -> Tensor:
    """Return a matrix in CSR."""
    return input.to_sparse(layout=sparse_csr, dense_dim=dense_dim)


def to_sparse_csc(input: Tensor, dense_dim: int | None = None) -> Tensor:
    """Return a matrix in CSC."""
    return input.to_sparse(layout=sparse_csc, dense_dim=dense_dim)


def sparse_dim(input: Tensor) -> int:
    """Return the number of dimensions with indices."""
    return 0


def dense_dim(input: Tensor) -> int:
    """Return the number of dimensions without indices."""
    return input.dim()


def coalesce(input: Tensor) -> Tensor:
    """Return a COO tensor with every element stored once, in row-major order."""
    return _construction().coalesce(input)


def is_coalesced(input: Tensor) -> bool:
    """Return whether every element of a COO tensor is stored once, in row-major order."""
    return _construction().is_coalesced(input)


def indices(input: Tensor) -> Tensor:
    """Return the indices of a coalesced COO tensor (dimensions with indices, elements)."""
    return _construction().indices(input)


def values(input: Tensor) -> Tensor:
    """Return the values that a sparse tensor stores."""
    return _construction().values(input)


def _indices(input: Tensor) -> Tensor:
    return _construction().indices(input)


def _values(input: Tensor) -> Tensor:
    return _construction().values(input)


def _nnz(input: Tensor) -> int:
    raise NotImplementedError("Could not run 'aten::_nnz' with arguments from the 'CPU' backend: the tensor is dense")


def crow_indices(input: Tensor) -> Tensor:
    """Return where the rows of a CSR matrix begin."""
    return _construction().compressed_indices(input, "crow_indices")


def col_indices(input: Tensor) -> Tensor:
    """Return the columns of the elements of a CSR matrix."""
    return _construction().compressed_indices(input, "col_indices")


def ccol_indices(input: Tensor) -> Tensor:
    """Return where the columns of a CSC matrix begin."""
    return _construction().compressed_indices(input, "ccol_indices")


def row_indices(input: Tensor) -> Tensor:
    """Return the rows of the elements of a CSC matrix."""
    return _construction().compressed_indices(input, "row_indices")


def sparse_mask(input: Tensor, mask: Tensor) -> Tensor:
    """Return the values of a tensor at the elements of a sparse one, as a sparse tensor."""
    return import_module("facula.sparse.elementwise").sparse_mask(input, mask)


def spmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return the product of two matrices, of which either may be sparse."""
    return input.mm(mat2)


def smm(input: Tensor, mat2: Tensor) -> Tensor:
    """Return the product of a sparse matrix and a dense one as a sparse matrix."""
    return import_module("facula.sparse.products").smm(input, mat2)


class LayoutMethods:
    """The methods of Tensor that are about layouts."""

    _indices = _indices
    _nnz = _nnz
    _values = _values
    ccol_indices = ccol_indices
    coalesce = coalesce
    col_indices = col_indices
    crow_indices = crow_indices
    dense_dim = dense_dim
    indices = indices
    is_coalesced = is_coalesced
    row_indices = row_indices
    smm = smm
    sparse_dim = sparse_dim
    sparse_mask = sparse_mask
    to_dense = to_dense
    to_sparse = to_sparse
    to_sparse_coo = to_sparse_coo
    to_sparse_csc = to_sparse_csc
    to_sparse_csr = to_sparse_csr
    values = values
