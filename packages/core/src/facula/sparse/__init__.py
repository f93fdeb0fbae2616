"""Sparse tensors: COO, CSR and CSC layouts, and the operations that have a sparse form."""

from facula.sparse.construction import (
    check_sparse_tensor_invariants as check_sparse_tensor_invariants,
    sparse_compressed_tensor as sparse_compressed_tensor,
    sparse_coo_tensor as sparse_coo_tensor,
    sparse_csc_tensor as sparse_csc_tensor,
    sparse_csr_tensor as sparse_csr_tensor,
)
from facula.sparse.products import (
    addmm as addmm,
    log_softmax as log_softmax,
    mm as mm,
    sampled_addmm as sampled_addmm,
    smm as smm,
    softmax as softmax,
    sum as sum,
)
from facula.sparse.tensor import SparseTensor as SparseTensor

__all__ = ["addmm", "check_sparse_tensor_invariants", "log_softmax", "mm", "sampled_addmm", "softmax", "sum"]
