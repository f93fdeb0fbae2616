"""Linear systems with more equations than unknowns, or fewer, solved as well as can be."""

from typing import NamedTuple

import numpy as np

from facula import dtypes, native
from facula.matrices import guarded, need_matrix, written
from facula.primitive import primitive, promote
from facula.types import Tensor


class lstsq_result(NamedTuple):
    """The solution, the squared residuals, the rank and the singular values."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


def lstsq(
    A: Tensor,
    B: Tensor,
    rcond: float | None = None,
    *,
    driver: str | None = None,
    out: tuple[Tensor, Tensor, Tensor, Tensor] | None = None,
) -> lstsq_result:
    """Return X that minimises ``A @ X - B``, with residuals, rank and singular values as NumPy's LAPACK gives them.

    >>> facula.linalg.lstsq(facula.tensor([[1.0], [1.0]]), facula.tensor([[1.0], [3.0]])).solution
    tensor([[2.0000]])
    """
    need_matrix("linalg.lstsq", A)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(
            f"linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), but got {driver}"
        )
    vector = B.dim() == A.dim() - 1
    if not 0 <= A.dim() - B.dim() <= 1 or B.dim() == 0:
        raise RuntimeError(
            "torch.linalg.lstsq: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1"
        )
    right = B.unsqueeze(-1) if vector else B
    if right.shape[-2] != A.shape[-2]:
        raise RuntimeError("linalg.lstsq: input.size(-2) should match other.size(-2)")
    rows, columns = A.shape[-2:]
    ranks = None
    tolerance = _tolerance(A) if rcond is None else rcond
    if A.numel() and right.numel() and not (A.requires_grad or B.requires_grad):
        solution, ranks = _least_squares(A, right, rtol=tolerance, rank_rtol=_tolerance(A))
    else:
        solution = A.pinverse(tolerance) @ right
    real = A.dtype.to_real()
    residuals = A.reshape((A.numel(),)).narrow(0, 0, 0).abs()
    if rows > columns and driver != "gelsy":
        distance = A @ solution - right
        residuals = (distance.abs() ** 2).sum(-2)
    if driver == "gels":
        ranks = A.new_zeros((0,), dtype=dtypes.int64)
    rank = _rank(A.detach()) if ranks is None else ranks
    values = A.detach().svd(compute_uv=False).S if driver in ("gelsd", "gelss") else A.new_zeros((0,), dtype=real)
    found = (solution.squeeze(-1) if vector else solution, residuals, rank, values)
    return lstsq_result(*written(found, out, "linalg.lstsq"))


@primitive(dtype=promote("x", "other"))
def _least_squares(xp, x, other, *, rtol, rank_rtol):
    """Return ``pinv(x) @ other`` for this tolerance, and the rank for that one; without gradients."""
    u, values, vh = guarded(xp.linalg.svd, x, False)
    least = values[..., :1] * rtol
    reciprocal = xp.where(values > least, 1 / xp.where(values > least, values, 1), 0).astype(values.dtype)
    middle = reciprocal[..., None] * (xp.conj(xp.swapaxes(u, -1, -2)) @ other)
    rank = (values > values[..., :1] * rank_rtol).sum(-1)
    return xp.conj(xp.swapaxes(vh, -1, -2)) @ middle, xp.asarray(rank, np.int64)


@_least_squares.kernel("native")
def _least_squares_native(x, other, *, rtol, rank_rtol):
    """Return the same by a QR decomposition, where all columns are independent beyond doubt."""
    solution = native.kernels.least_squares(x, other, 2 * float(max(rtol, rank_rtol)))
    if solution is NotImplemented:
        return NotImplemented
    return solution, np.full(x.shape[:-2], x.shape[-1], np.int64)


def _rank(A: Tensor) -> Tensor:
    """Return how many singular values are above the rounding of the largest."""
    values = A.svd(compute_uv=False).S
    if not values.numel():
        return A.new_zeros(A.shape[:-2], dtype=dtypes.int64)
    return (values > values.amax(-1, True) * _tolerance(A)).sum(-1)


def _tolerance(A: Tensor) -> float:
    """Return how small next to the largest a singular value of ``A`` must be to count as zero."""
    return float(max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps)
