"""Linear algebra under PyTorch's names: ``facula.linalg``."""

from facula.errors import LinAlgError
from facula.ops.decompositions import cholesky_ex, eig, eigh, eigvals, eigvalsh, svdvals
from facula.ops.decompositions import linalg_cholesky as cholesky
from facula.ops.decompositions import linalg_qr as qr
from facula.ops.decompositions import linalg_svd as svd
from facula.ops.householder import householder_product
from facula.ops.ldl_factorization import ldl_factor, ldl_factor_ex, ldl_solve
from facula.ops.least_squares import lstsq
from facula.ops.linear_algebra import (
    det,
    inv,
    inv_ex,
    matrix_power,
    multi_dot,
    pinv,
    slogdet,
    solve,
    solve_ex,
    tensorinv,
    tensorsolve,
    vecdot,
)
from facula.ops.linear_algebra import linalg_cross as cross
from facula.ops.linear_algebra import linalg_vander as vander
from facula.ops.lu_factorization import linalg_lu as lu
from facula.ops.lu_factorization import linalg_lu_solve as lu_solve
from facula.ops.lu_factorization import lu_factor, lu_factor_ex, solve_triangular
from facula.ops.matmul import matmul
from facula.ops.matrix_functions import matrix_exp
from facula.ops.norms import cond, matrix_norm, matrix_rank, vector_norm
from facula.ops.norms import linalg_norm as norm
from facula.ops.shape import diagonal as _diagonal
from facula.types import Tensor

__all__ = ["LinAlgError", "cholesky", "cholesky_ex", "cond", "cross", "det", "diagonal", "eig", "eigh", "eigvals"]
__all__ += ["eigvalsh", "householder_product", "inv", "inv_ex", "ldl_factor", "ldl_factor_ex", "ldl_solve", "lstsq"]
__all__ += ["lu", "lu_factor", "lu_factor_ex", "lu_solve", "matmul", "matrix_exp", "matrix_norm", "matrix_power"]
__all__ += ["matrix_rank", "multi_dot", "norm", "pinv", "qr", "slogdet", "solve", "solve_ex", "solve_triangular"]
__all__ += ["svd", "svdvals", "tensorinv", "tensorsolve", "vander", "vecdot", "vector_norm"]


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Return a view of the diagonals of matrices.

    >>> facula.linalg.diagonal(facula.tensor([[1, 2], [3, 4]]))
    tensor([1, 4])
    """
    return _diagonal(A, offset, dim1, dim2)
