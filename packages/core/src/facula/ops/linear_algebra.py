"""Norms, decompositions, solutions of linear systems."""

import builtins
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facula import dtypes
from facula.dimensions import wrap_dim, wrap_dims
from facula.dtypes import dtype as DType
from facula.primitive import primitive, promote, to_float, write_out
from facula.tensor_base import TensorBase
from facula.types import Number, Tensor

__all__ = [
    *("cholesky", "cholesky_inverse", "cholesky_solve", "cond", "cross", "det", "dist", "eigh", "eigvalsh", "inv"),
    *("logdet", "lstsq", "matrix_norm", "matrix_power", "matrix_rank", "multi_dot", "norm", "pinv", "pinverse", "qr"),
    *("slogdet", "solve", "solve_triangular", "svd", "svdvals", "vander", "vecdot", "vector_norm"),
]


class slogdet_result(NamedTuple):  # noqa: N801  PyTorch's names
    """The sign of a determinant, and the logarithm of its size."""

    sign: Tensor
    logabsdet: Tensor


class eigh_result(NamedTuple):  # noqa: N801
    """Eigenvalues in ascending order, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class qr_result(NamedTuple):  # noqa: N801
    """An orthonormal and an upper triangular factor."""

    Q: Tensor
    R: Tensor


class svd_result(NamedTuple):  # noqa: N801
    """Left singular vectors, singular values in descending order, right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


class lstsq_result(NamedTuple):  # noqa: N801
    """The solution, the squared residuals, the rank and the singular values."""

    solution: Tensor
    residuals: Tensor
    rank: Tensor
    singular_values: Tensor


class LinAlgError(RuntimeError):
    """A matrix has no inverse, or is not positive definite."""


def _h(x: Tensor) -> Tensor:
    """Return the matrices of ``x`` transposed and conjugated."""
    swapped = x.transpose(-2, -1)
    return swapped.conj() if x.is_complex() else swapped


def _need_matrix(name: str, x: Tensor, square: bool = False) -> None:
    if x.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor A must have at least 2 dimensions.")
    if square and x.shape[-1] != x.shape[-2]:
        raise RuntimeError(f"{name}: A must be batches of square matrices, but they are {x.shape[-2]} by {x.shape[-1]} matrices")
    if not x.is_floating_point() and not x.is_complex():
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {x.dtype.name.title()}")
    if x.dtype in (dtypes.float16, dtypes.bfloat16):
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {x.dtype.name.title()}")


def _guarded(function, *arrays):
    """Call NumPy's linear algebra; what it cannot solve is a LinAlgError of ours."""
    try:
        return function(*arrays)
    except np.linalg.LinAlgError as error:
        raise LinAlgError(f"linalg: {error}") from None


def _written(results: Sequence[Tensor], out: Sequence[Tensor] | None, name: str) -> Sequence[Tensor]:
    if out is None:
        return results
    return [write_out(result, each, name) for result, each in zip(results, out, strict=True)]


# Inverses and linear systems.


@primitive(vjp={"x": lambda g, out: -(_h(out) @ g @ _h(out))})
def _inv(xp, x):
    return _guarded(xp.linalg.inv, x)


def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of each square matrix; RuntimeError when one is singular.

    >>> facula.linalg.inv(facula.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    _need_matrix("linalg.inv", A, square=True)
    return _inv(A, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, out: -(_solve(_h(x), g) @ _h(out)),
        "other": lambda g, x: _solve(_h(x), g),
    },
)
def _solve(xp, x, other):
    return _guarded(xp.linalg.solve, x, other)


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """Return X with ``A @ X = B``, or with ``X @ A = B`` unless ``left``; B may be a vector or a batch of them.

    >>> facula.linalg.solve(facula.tensor([[2.0, 0.0], [0.0, 4.0]]), facula.tensor([2.0, 4.0]))
    tensor([1., 1.])
    """
    _need_matrix("linalg.solve", A, square=True)
    if A.dtype is not B.dtype:
        raise RuntimeError(f"linalg.solve: Expected A and B to have the same dtype, but found A of type {A.dtype.name} and B of type {B.dtype.name} instead")
    vector = B.dim() == 1 or (B.dim() == A.dim() - 1 and B.shape == A.shape[:-1])
    if vector and not left:
        raise RuntimeError("linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case linalg.solve is equivalent to B / A.squeeze(-1)")
    right = B.unsqueeze(-1) if vector else B
    if right.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and {right.shape[-2]}x{right.shape[-1]})")
    if left:
        result = _solve(A, right)
    else:
        result = _solve(A.transpose(-2, -1), right.transpose(-2, -1)).transpose(-2, -1)
    if vector:
        result = result.squeeze(-1)
    return result if out is None else write_out(result, out, "linalg.solve")


def solve_triangular(
    A: Tensor, B: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False, out: Tensor | None = None
) -> Tensor:
    """Return X with ``A @ X = B``, of A only the ``upper`` or lower triangle being looked at.

    >>> facula.linalg.solve_triangular(facula.tensor([[2.0]]), facula.tensor([[4.0]]), upper=True)
    tensor([[2.]])
    """
    _need_matrix("linalg.solve_triangular", A, square=True)
    triangle = A.triu(1 if unitriangular else 0) if upper else A.tril(-1 if unitriangular else 0)
    if unitriangular:
        triangle = triangle + _identity(A)
    return solve(triangle, B if B.dim() > 1 else B.unsqueeze(-1), left=left, out=out)


def _identity(x: Tensor) -> Tensor:
    """Return the identity matrix of the size and type of the matrices of ``x``."""
    length = x.shape[-1]
    return x.detach().new_ones((length, length)).tril().triu()


def lstsq(
    A: Tensor, B: Tensor, rcond: float | None = None, *, driver: str | None = None
) -> lstsq_result:
    """Return X that minimises ``A @ X - B``, with residuals, rank and singular values as NumPy's LAPACK gives them.

    >>> facula.linalg.lstsq(facula.tensor([[1.0], [1.0]]), facula.tensor([[1.0], [3.0]])).solution
    tensor([[2.]])
    """
    _need_matrix("linalg.lstsq", A)
    if driver not in (None, "gels", "gelsy", "gelsd", "gelss"):
        raise RuntimeError(f"linalg.lstsq: parameter `driver` should be one of (gels, gelsy, gelsd, gelss), but got {driver}")
    vector = B.dim() == A.dim() - 1
    right = B.unsqueeze(-1) if vector else B
    if right.shape[-2] != A.shape[-2]:
        raise RuntimeError("linalg.lstsq: input.size(-2) should match other.size(-2)")
    solution = pinv(A, rtol=rcond) @ right
    rows, columns = A.shape[-2:]
    residuals = A.new_zeros((0,))
    if rows > columns and driver != "gelsy":
        distance = A @ solution - right
        residuals = (distance * (distance.conj() if distance.is_complex() else distance)).sum(-2)
    rank = A.new_zeros((0,), dtype=dtypes.int64) if driver == "gels" else matrix_rank(A.detach())
    values = svdvals(A.detach()) if driver in ("gelsd", "gelss") else A.new_zeros((0,))
    return lstsq_result(solution.squeeze(-1) if vector else solution, residuals.detach(), rank, values)


# Determinants.


@primitive(vjp={"x": lambda g, x, out: _determinant_slope(g, x, out)})
def _det(xp, x):
    return xp.linalg.det(x).astype(x.dtype)


def _determinant_slope(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    """Return ``g * det * inverse^H``; through singular values where a matrix has no inverse."""
    scale = g * (out.conj() if out.is_complex() else out)
    if not (out == 0).any():
        return scale.unsqueeze(-1).unsqueeze(-1) * _h(_inv(x))
    u, s, vh = svd(x, False)
    others = s.unsqueeze(-2).where(~_identity(s.unsqueeze(-1) * s.unsqueeze(-2)).bool(), 1.0).prod(-1)
    turn = det(u) * det(vh)
    inner = _h(vh) * (others * (turn * g.conj() if g.is_complex() else turn * g).unsqueeze(-1)).unsqueeze(-2)
    return _h(inner @ _h(u))


def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the determinant of each square matrix.

    >>> facula.linalg.det(facula.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    _need_matrix("linalg.det", A, square=True)
    return _det(A, out=out)


@primitive(vjp={"x": lambda g, x, out: _logarithm_slope(g, x, out)})
def _slogdet(xp, x):
    sign, size = xp.linalg.slogdet(x)
    return sign.astype(x.dtype), size.astype(x.real.dtype)


def _logarithm_slope(g: list, x: Tensor, out: tuple) -> Tensor:
    sign = out[0]
    total = g[1]
    if x.is_complex() and g[0] is not None:
        # The sign turns with the imaginary part of the logarithm.
        turning = g[0].conj() * sign
        turn = (turning - turning.conj()) / 2
        total = -turn if total is None else total - turn
    if total is None:
        return x * 0
    return total.unsqueeze(-1).unsqueeze(-1) * _h(_inv(x))


def slogdet(A: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> slogdet_result:
    """Return the sign of each determinant, and the logarithm of its size.

    >>> facula.linalg.slogdet(facula.tensor([[1.0, 0.0], [0.0, -1.0]])).sign
    tensor(-1.)
    """
    _need_matrix("linalg.slogdet", A, square=True)
    return slogdet_result(*_written(_slogdet(A), out, "linalg.slogdet"))


def logdet(input: Tensor) -> Tensor:
    """Return the logarithm of each determinant: nan where that is negative, -inf where it is 0.

    >>> facula.logdet(facula.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor(0.)
    """
    sign, size = slogdet(input)
    if input.is_complex():
        return sign.log() + size
    return size.where(sign != -1.0, float("nan"))


# Decompositions.


@primitive(vjp={"x": lambda g, out: _cholesky_slope(g, out)})
def _cholesky(xp, x):
    return _guarded(xp.linalg.cholesky, x)


def _half_diagonal(x: Tensor) -> Tensor:
    return x.tril() - x.tril().triu() / 2


def _cholesky_slope(g: Tensor, out: Tensor) -> Tensor:
    inverse = _inv(out)
    middle = _half_diagonal(_h(out) @ g)
    slope = _h(inverse) @ middle @ inverse
    return (slope + _h(slope)) / 2


def cholesky(A: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the lower triangular L with ``A = L @ L^H`` of each positive definite matrix, or ``upper``, L^H.

    RuntimeError when a matrix is not positive definite.

    >>> facula.linalg.cholesky(facula.tensor([[4.0]]))
    tensor([[2.]])
    """
    _need_matrix("linalg.cholesky", A, square=True)
    result = _h(_cholesky(_h(A))) if upper else _cholesky(A)
    return result if out is None else write_out(result, out, "linalg.cholesky")


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return X with ``A @ X = B`` for ``A = L @ L^H``.

    >>> facula.cholesky_solve(facula.tensor([[8.0]]), facula.tensor([[2.0]]))
    tensor([[2.]])
    """
    if B.dim() < 2 or L.dim() < 2:
        raise RuntimeError(f"b should have at least 2 dimensions, but has {B.dim()} dimensions instead")
    _need_matrix("cholesky_solve", L, square=True)
    factor = _h(L.triu()) if upper else L.tril()
    result = _solve(_h(factor), _solve(factor, B))
    return result if out is None else write_out(result, out, "cholesky_solve")


def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of A for ``A = L @ L^H``.

    >>> facula.cholesky_inverse(facula.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    _need_matrix("cholesky_inverse", L, square=True)
    inverse = _inv(_h(L.triu()) if upper else L.tril())
    result = _h(inverse) @ inverse
    return result if out is None else write_out(result, out, "cholesky_inverse")


@primitive(vjp={"x": lambda g, out, mode: _qr_slope(g, out, mode)})
def _qr(xp, x, *, mode):
    return xp.linalg.qr(x, mode=mode)


def _qr_slope(g: list, out: tuple, mode: str) -> Tensor:
    """Return the gradient of a QR decomposition. Seeger et al. 2017, arXiv 1710.08717; extended to wide matrices."""
    q, r = out
    gq, gr = g
    rows, columns = q.shape[-2], r.shape[-1]
    if mode == "complete" and rows > columns:
        raise RuntimeError("The QR decomposition is not differentiable when mode='complete' and nrows > ncols")
    if rows >= columns:
        return _tall_qr_slope(gq, gr, q, r)
    # Wide: the first columns X decompose as QU, the others are Q @ V.
    square, rest = r.narrow(-1, 0, rows), r.narrow(-1, rows, columns - rows)
    first = q * 0 if gq is None else gq
    g_square = None
    other = None
    if gr is not None:
        g_square = gr.narrow(-1, 0, rows)
        g_rest = gr.narrow(-1, rows, columns - rows)
        first = first + (q @ rest) @ _h(g_rest)
        # dV enters through V = Q^H Y: the gradient of Y, and of Q through Y.
        other = q @ g_rest
    slope = _tall_qr_slope(first, g_square, q, square)
    if other is None:
        other = q.new_zeros((*q.shape[:-1], columns - rows))
    return slope._joined(other, -1)


def _tall_qr_slope(gq: Tensor | None, gr: Tensor | None, q: Tensor, r: Tensor) -> Tensor:
    middle = None
    if gr is not None:
        middle = r @ _h(gr)
    if gq is not None:
        back = _h(gq) @ q
        middle = -back if middle is None else middle - back
    middle = middle.tril()
    diagonal = middle.triu()
    # The lower triangle is copied to the upper one; the diagonal of R is real.
    middle = middle + _h(middle - diagonal) if not middle.is_complex() else middle + _h(middle) - _real_part(diagonal)
    if middle.is_complex():
        middle = middle - (diagonal - _h(diagonal)) / 2 * 0
    right = q @ middle
    if gq is not None:
        right = gq + right
    return _solve(r, _h(right)).transpose(-2, -1).conj() if right.is_complex() else _solve(r, right.transpose(-2, -1)).transpose(-2, -1)


def _real_part(x: Tensor) -> Tensor:
    return (x + x.conj()) / 2


def qr(A: Tensor, mode: str = "reduced", *, out: tuple[Tensor, Tensor] | None = None) -> qr_result:
    """Return orthonormal Q and upper triangular R with ``A = Q @ R``; ``mode`` is reduced, complete or r.

    >>> facula.linalg.qr(facula.tensor([[3.0], [4.0]])).R.abs()
    tensor([[5.]])
    """
    _need_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'")
    if mode == "r":
        if A.requires_grad:
            raise RuntimeError("The derivative of linalg.qr is not implemented when mode='r'")
        found = (A.new_zeros((0,)), _qr(A, mode="reduced")[1])
    else:
        found = _qr(A, mode=mode)
    return qr_result(*_written(found, out, "linalg.qr"))


@primitive(vjp={"x": lambda g, out: _eigh_slope(g, out)})
def _eigh(xp, x, *, lower):
    values, vectors = _guarded(xp.linalg.eigh, x, "L" if lower else "U")
    return values, vectors


def _eigh_slope(g: list, out: tuple) -> Tensor:
    values, vectors = out
    middle = None if g[0] is None else g[0].diag_embed()
    if g[1] is not None:
        difference = values.unsqueeze(-2) - values.unsqueeze(-1)
        safe = difference.where(~_identity(difference).bool(), float("inf"))
        turn = (_h(vectors) @ g[1]) / safe
        middle = turn if middle is None else middle.to(turn.dtype) + turn
    elif vectors.is_complex():
        middle = middle.to(vectors.dtype)
    return vectors @ middle @ _h(vectors)


def eigh(A: Tensor, UPLO: str = "L", *, out: tuple[Tensor, Tensor] | None = None) -> eigh_result:
    """Return the eigenvalues, ascending, and the eigenvectors of each symmetric or Hermitian matrix.

    Only the lower triangle is looked at, or the upper one with ``UPLO="U"``.

    >>> facula.linalg.eigh(facula.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    _need_matrix("linalg.eigh", A, square=True)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return eigh_result(*_written(_eigh(A, lower=UPLO.upper() == "L"), out, "linalg.eigh"))


def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Return the eigenvalues, ascending, of each symmetric or Hermitian matrix.

    >>> facula.linalg.eigvalsh(facula.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    values = eigh(A, UPLO).eigenvalues
    return values if out is None else write_out(values, out, "linalg.eigvalsh")


@primitive(vjp={"x": lambda g, out: _svd_slope(g, out)})
def _svd(xp, x, *, full):
    return _guarded(xp.linalg.svd, x, full)


def _svd_slope(g: list, out: tuple) -> Tensor:
    """Return the gradient of a singular value decomposition. Townsend 2016, Differentiating the SVD."""
    (gu, gs, gv), (u, s, vh) = g, out
    count = s.shape[-1]
    if u.shape[-1] > count:
        u = u.narrow(-1, 0, count)
        gu = None if gu is None else gu.narrow(-1, 0, count)
    if vh.shape[-2] > count:
        vh = vh.narrow(-2, 0, count)
        gv = None if gv is None else gv.narrow(-2, 0, count)
    v = _h(vh)
    middle = None if gs is None else gs.diag_embed().to(u.dtype)
    if gu is None and gv is None:
        return u @ middle @ vh
    same = _identity(s.unsqueeze(-1) * s.unsqueeze(-2)).bool()
    gaps = (s.unsqueeze(-2) - s.unsqueeze(-1)) * (s.unsqueeze(-2) + s.unsqueeze(-1))
    gaps = gaps.where(~same, float("inf"))
    total = None
    if gu is not None:
        back = _h(u) @ gu
        turn = ((back - _h(back)) / gaps) * s.unsqueeze(-2)
        if u.is_complex():
            turn = turn + _phase(back, s)
        total = turn
    if gv is not None:
        back = vh @ _h(gv)
        turn = s.unsqueeze(-1) * ((back - _h(back)) / gaps)
        total = turn if total is None else total + turn
    middle = total if middle is None else middle + total
    result = u @ middle @ vh
    if gu is not None and u.shape[-2] > count:
        outside = gu / s.unsqueeze(-2)
        result = result + (outside - u @ (_h(u) @ outside)) @ vh
    if gv is not None and v.shape[-2] > count:
        outside = gv / s.unsqueeze(-1)
        result = result + u @ (outside - (outside @ v) @ vh)
    return result


def _phase(back: Tensor, s: Tensor) -> Tensor:
    """Return the part of the gradient from the imaginary diagonal, which a change of phase leaves alone."""
    diagonal = back.diagonal(0, -2, -1)
    return ((diagonal - diagonal.conj()) / 2 / s).diag_embed()


def svd(
    A: Tensor, full_matrices: bool = True, *, driver: str | None = None, out: tuple | None = None
) -> svd_result:
    """Return U, S, Vh with ``A = U @ diag(S) @ Vh``, the singular values S descending.

    >>> facula.linalg.svd(facula.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    _need_matrix("linalg.svd", A)
    return svd_result(*_written(_svd(A, full=full_matrices), out, "linalg.svd"))


def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Return the singular values of each matrix, descending.

    >>> facula.linalg.svdvals(facula.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    values = svd(A, False).S
    return values if out is None else write_out(values, out, "linalg.svdvals")
