"""Decompositions of matrices: Cholesky, QR, eigenvalues, singular values."""

from typing import Any, NamedTuple

import numpy as np

from facula import dtypes, native
from facula.arguments import need_tensor
from facula.backend import device_index
from facula.errors import LinAlgError
from facula.graph.modes import state
from facula.matrices import (
    check_factorized,
    conjugate_transpose,
    first_failures,
    guarded,
    identity,
    need_matrix,
    written,
)
from facula.primitive import primitive, write_out
from facula.substitution import substituted
from facula.types import Tensor

__all__ = ["cholesky", "cholesky_inverse", "cholesky_solve", "qr", "svd"]


class eigh_result(NamedTuple):
    """Eigenvalues in ascending order, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


class qr_result(NamedTuple):
    """An orthonormal and an upper triangular factor."""

    Q: Tensor
    R: Tensor


class svd_result(NamedTuple):
    """Left singular vectors, singular values in descending order, right singular vectors as rows."""

    U: Tensor
    S: Tensor
    Vh: Tensor


@primitive(vjp={"x": lambda g, out: _cholesky_slope(g, out)})
def _cholesky(xp, x):
    result = guarded(xp.linalg.cholesky, x)
    if xp.isnan(xp.diagonal(result, axis1=-2, axis2=-1)).any():
        raise LinAlgError("linalg.cholesky: the input is not positive-definite, it contains nan")
    return result


_cholesky.native("cholesky")


@primitive()
def _indefinite(xp, x):
    """Return for each matrix 0, or the order of the first leading minor that is not positive definite."""
    return xp.asarray(first_failures(x, np.linalg.cholesky, lambda matrix, count: matrix[:count, :count]))


def _not_positive(code: int) -> str:
    return (
        "The factorization could not be completed because the input is not positive-definite (the leading minor of "
        f"order {code} is not positive-definite)."
    )


def _half_diagonal(x: Tensor) -> Tensor:
    return x.tril() - x.tril().triu() / 2


def _cholesky_slope(g: Tensor, out: Tensor) -> Tensor:
    inverse = out.inverse()
    middle = _half_diagonal(conjugate_transpose(out) @ g)
    slope = conjugate_transpose(inverse) @ middle @ inverse
    return (slope + conjugate_transpose(slope)) / 2


def linalg_cholesky(A: Tensor, *, upper: bool = False, out: Tensor | None = None) -> Tensor:
    """Return the lower triangular L with ``A = L @ L^H`` of each positive definite matrix, or ``upper``, L^H.

    RuntimeError when a matrix is not positive definite.

    >>> facula.linalg.cholesky(facula.tensor([[4.0]]))
    tensor([[2.]])
    """
    need_matrix("linalg.cholesky", A, square=True)
    try:
        result = _factor(A, upper)
    except LinAlgError:
        check_factorized(_indefinite_of(A, upper), "linalg.cholesky", _not_positive)
        raise
    return result if out is None else write_out(result, out, "linalg.cholesky")


def _factor(A: Tensor, upper: bool) -> Tensor:
    return conjugate_transpose(_cholesky(conjugate_transpose(A))) if upper else _cholesky(A)


def _indefinite_of(A: Tensor, upper: bool) -> Tensor:
    return _indefinite(conjugate_transpose(A.detach()) if upper else A.detach())


@primitive(
    vjp={
        "x": lambda g, other, upper: _cholesky_solve(g, other, upper=upper),
        "other": lambda g, other, out, upper: _factor_slope(g, other, out, upper),
    },
)
def _cholesky_solve(xp, x, other, *, upper):
    turned = xp.conj(xp.swapaxes(other, -1, -2))
    lower, higher = (turned, other) if upper else (other, turned)
    return substituted(xp, higher, substituted(xp, lower, x, False, False), True, False)


@_cholesky_solve.kernel("native")
def _cholesky_solve_native(x, other, *, upper):
    turned = np.swapaxes(other, -1, -2)
    lower, higher = (turned, other) if upper else (other, turned)
    middle = native.kernels.solve_triangular(lower, x, False, False)
    return middle if middle is NotImplemented else native.kernels.solve_triangular(higher, middle, True, False)


def _factor_slope(g: Tensor, factor: Tensor, out: Tensor, upper: bool) -> Tensor:
    """Return the gradient of both triangles, as if the product of the whole matrix with its transpose were inverted."""
    change = _cholesky_solve(g, factor, upper=upper) @ conjugate_transpose(out)
    change = change + conjugate_transpose(change)
    return -(factor @ change) if upper else -(change @ factor)


def cholesky_solve(B: Tensor, L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return X with ``A @ X = B`` for ``A = L @ L^H``, or ``L^H @ L`` when ``upper``.

    >>> facula.cholesky_solve(facula.tensor([[8.0]]), facula.tensor([[2.0]]))
    tensor([[2.]])
    """
    for argument, each in (("b", B), ("u", L)):
        need_tensor("cholesky_solve", each, argument)
        if each.dim() < 2:
            raise RuntimeError(f"{argument} should have at least 2 dimensions, but has {each.dim()} dimensions instead")
    need_matrix("cholesky_solve", L, square=True)
    if B.dtype is not L.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {B.dtype.name.title()} and A of type "
            f"{L.dtype.name.title()} instead."
        )
    if B.shape[-2] != L.shape[-1]:
        raise RuntimeError(
            f"Incompatible matrix sizes for cholesky_solve: each A matrix is {L.shape[-1]} by {L.shape[-1]} but each b "
            f"matrix is {B.shape[-2]} by {B.shape[-1]}"
        )
    return _cholesky_solve(B, L, upper=upper, out=out)


def cholesky_inverse(L: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of A for ``A = L @ L^H``, or ``L^H @ L`` when ``upper``.

    >>> facula.cholesky_inverse(facula.tensor([[2.0]]))
    tensor([[0.2500]])
    """
    need_matrix("cholesky_inverse", L, square=True)
    inverse = (conjugate_transpose(L.triu()) if upper else L.tril()).inverse()
    result = conjugate_transpose(inverse) @ inverse
    return result if out is None else write_out(result, out, "cholesky_inverse")


@primitive(vjp={"x": lambda g, out, mode: _qr_slope(g, out, mode)})
def _qr(xp, x, *, mode):
    q, r = xp.linalg.qr(x, mode=mode)
    return q, r


@_qr.kernel("native")
def _qr_native(x, *, mode):
    return native.kernels.qr(x, mode == "complete")


def _qr_slope(g: list[Any], out: tuple[Any, ...], mode: str) -> Tensor:
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
        first = first + (q @ rest) @ conjugate_transpose(g_rest)
        # dV enters through V = Q^H Y: the gradient of Y, and of Q through Y.
        other = q @ g_rest
    slope = _tall_qr_slope(first, g_square, q, square)
    if other is None:
        other = q.new_zeros((*q.shape[:-1], columns - rows))
    return slope._joined(other, -1)


def _tall_qr_slope(gq: Tensor | None, gr: Tensor | None, q: Tensor, r: Tensor) -> Tensor:
    middle: Any = None
    if gr is not None:
        middle = r @ conjugate_transpose(gr)
    if gq is not None:
        back = conjugate_transpose(gq) @ q
        middle = -back if middle is None else middle - back
    middle = middle.tril()
    diagonal = middle.triu()
    # The lower triangle is copied to the upper one; the diagonal of R is real.
    middle = (
        middle + conjugate_transpose(middle - diagonal)
        if not middle.is_complex()
        else middle + conjugate_transpose(middle) - _real_part(diagonal)
    )
    if middle.is_complex():
        middle = middle - (diagonal - conjugate_transpose(diagonal)) / 2 * 0
    right = q @ middle
    if gq is not None:
        right = gq + right
    return right @ conjugate_transpose(r.inverse())


def _real_part(x: Tensor) -> Tensor:
    return (x + x.conj()) / 2


def linalg_qr(A: Tensor, mode: str = "reduced", *, out: tuple[Tensor, Tensor] | None = None) -> qr_result:
    """Return orthonormal Q and upper triangular R with ``A = Q @ R``; ``mode`` is reduced, complete or r.

    >>> facula.linalg.qr(facula.tensor([[3.0], [4.0]])).R.abs()
    tensor([[5.]])
    """
    need_matrix("linalg.qr", A)
    if mode not in ("reduced", "complete", "r"):
        raise RuntimeError(
            f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
        )
    if mode == "r":
        if A.requires_grad:
            raise RuntimeError("The derivative of linalg.qr is not implemented when mode='r'")
        found = (A.new_zeros((0,)), _qr(A, mode="reduced")[1])
    else:
        found = _qr(A, mode=mode)
    return qr_result(*written(found, out, "linalg.qr"))


@primitive(vjp={"x": lambda g, out: _eigh_slope(g, out)})
def _eigh(xp, x, *, lower):
    values, vectors = guarded(xp.linalg.eigh, x, "L" if lower else "U")
    return values, vectors


@_eigh.kernel("native")
def _eigh_native(x, *, lower):
    return native.kernels.eigh(x, lower)


@primitive()
def _eigvalsh(xp, x, *, lower):
    return guarded(xp.linalg.eigvalsh, x, "L" if lower else "U")


@_eigvalsh.kernel("native")
def _eigvalsh_native(x, *, lower):
    return native.kernels.eigvalsh(x, lower)


def _eigh_slope(g: list[Any], out: tuple[Any, ...]) -> Tensor:
    values, vectors = out
    middle: Any = None if g[0] is None else g[0].diag_embed()
    if g[1] is not None:
        difference = values.unsqueeze(-2) - values.unsqueeze(-1)
        safe = difference.where(~identity(difference).bool(), float("inf"))
        turn = (conjugate_transpose(vectors) @ g[1]) / safe
        middle = turn if middle is None else middle.to(turn.dtype) + turn
    elif vectors.is_complex():
        middle = middle.to(vectors.dtype)
    return vectors @ middle @ conjugate_transpose(vectors)


def eigh(A: Tensor, UPLO: str = "L", *, out: tuple[Tensor, Tensor] | None = None) -> eigh_result:
    """Return the eigenvalues, ascending, and the eigenvectors of each symmetric or Hermitian matrix.

    Only the lower triangle is looked at, or the upper one with ``UPLO="U"``.

    >>> facula.linalg.eigh(facula.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([1., 2.])
    """
    need_matrix("linalg.eigh", A, square=True)
    if UPLO.upper() not in ("L", "U"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return eigh_result(*written(_eigh(A, lower=UPLO.upper() == "L"), out, "linalg.eigh"))


def eigvalsh(A: Tensor, UPLO: str = "L", *, out: Tensor | None = None) -> Tensor:
    """Return the eigenvalues, ascending, of each symmetric or Hermitian matrix.

    >>> facula.linalg.eigvalsh(facula.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([1., 2.])
    """
    need_matrix("linalg.eigvalsh", A, square=True)
    if UPLO.upper() in ("L", "U") and not _is_recorded(A):
        return _eigvalsh(A, lower=UPLO.upper() == "L", out=out)
    values = eigh(A, UPLO).eigenvalues
    return values if out is None else write_out(values, out, "linalg.eigvalsh")


def _is_recorded(x: Tensor) -> bool:
    """Return whether gradients of ``x`` may be wanted, for which eigenvalues need their vectors."""
    return x.requires_grad or bool(state.interceptors)


@primitive(vjp={"x": lambda g, out: _svd_slope(g, out)})
def _svd(xp, x, *, full):
    u, s, vh = guarded(xp.linalg.svd, x, full)
    return u, s, vh


@_svd.kernel("cpu")
def _svd_with_signs(x, *, full):
    """Return singular vectors with the signs that PyTorch gives them.

    Signs are arbitrary, and follow from the way LAPACK takes. PyTorch's takes that of a triangular factor for all matrices
    that are wide, bringing it to lower bidiagonal form, and for tall ones from a ratio of 3:2 on; NumPy's for both from
    11:6 on, to upper bidiagonal form. A column of zeros makes it take the lower one.
    """
    rows, columns = x.shape[-2:]
    wide, tall = _other_signs(x)
    if x.dtype.kind == "c" or not (wide or tall) or not x.size:
        return NotImplemented
    count = min(rows, columns)
    q, r = _plain_qr(np.swapaxes(x, -1, -2) if wide else x, full)
    rest, q, r = q[..., count:], q[..., :count], r[..., :count, :]
    if not wide:
        u, s, vh = _plain_svd(r)
        return np.concatenate([q @ u, rest], axis=-1), s, vh
    lower = np.swapaxes(r, -1, -2)
    if rows == 2:
        # Two rows are in that form already: a rotation takes the place of a reflection, the first row's sign differs.
        turned = np.array([[-1], [1]], x.dtype)
        u, s, vh = _plain_svd(lower * turned)
        u = u * turned
    else:
        padded = np.concatenate([lower, np.zeros((*lower.shape[:-1], 1), x.dtype)], axis=-1)
        u, s, vh = _plain_svd(padded)
        if vh[..., rows:].any():
            return NotImplemented  # a LAPACK that goes another way
        vh = vh[..., :rows]
    return u, s, np.concatenate([vh @ np.swapaxes(q, -1, -2), np.swapaxes(rest, -1, -2)], axis=-2)


def _other_signs(x: np.ndarray) -> tuple[bool, bool]:
    """Return whether matrices are of a shape, wide or tall, for which PyTorch's signs are not those of LAPACK."""
    rows, columns = x.shape[-2:]
    return columns >= 11 * rows // 6 and columns > rows > 1, 3 * columns // 2 <= rows < 11 * columns // 6


def _plain_qr(x: np.ndarray, complete: bool) -> tuple[np.ndarray, np.ndarray]:
    found: Any = native.kernels.qr(x, complete) if native.available else NotImplemented
    if found is NotImplemented:
        found = np.linalg.qr(x, mode="complete" if complete else "reduced")
    return found[0], found[1]


def _plain_svd(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    found: Any = native.kernels.svd(x, False) if native.available else NotImplemented
    if found is NotImplemented:
        found = guarded(np.linalg.svd, x, False)
    return found[0], found[1], found[2]


@_svd.kernel("native")
def _svd_native(x, *, full):
    return NotImplemented if any(_other_signs(x)) else native.kernels.svd(x, full)


@primitive()
def _svdvals(xp, x):
    return guarded(xp.linalg.svd, x, False, False)


_svdvals.native("svdvals")


def _svd_slope(g: list[Any], out: tuple[Any, ...]) -> Tensor:
    """Return the gradient of a singular value decomposition. Townsend 2016, Differentiating the SVD."""
    (gu, gs, gv), (u, s, vh) = g, out
    count = s.shape[-1]
    if u.shape[-1] > count:
        u = u.narrow(-1, 0, count)
        gu = None if gu is None else gu.narrow(-1, 0, count)
    if vh.shape[-2] > count:
        vh = vh.narrow(-2, 0, count)
        gv = None if gv is None else gv.narrow(-2, 0, count)
    v = conjugate_transpose(vh)
    middle = None if gs is None else gs.diag_embed().to(u.dtype)
    if gu is None and gv is None:
        return u @ middle @ vh
    same = identity(s.unsqueeze(-1) * s.unsqueeze(-2)).bool()
    gaps = (s.unsqueeze(-2) - s.unsqueeze(-1)) * (s.unsqueeze(-2) + s.unsqueeze(-1))
    gaps = gaps.where(~same, float("inf"))
    total = None
    if gu is not None:
        back = conjugate_transpose(u) @ gu
        turn = ((back - conjugate_transpose(back)) / gaps) * s.unsqueeze(-2)
        if u.is_complex():
            turn = turn + _phase(back, s)
        total = turn
    if gv is not None:
        back = vh @ conjugate_transpose(gv)
        turn = s.unsqueeze(-1) * ((back - conjugate_transpose(back)) / gaps)
        total = turn if total is None else total + turn
    middle = total if middle is None else middle + total
    result = u @ middle @ vh
    if gu is not None and u.shape[-2] > count:
        outside = gu / s.unsqueeze(-2)
        result = result + (outside - u @ (conjugate_transpose(u) @ outside)) @ vh
    if gv is not None and v.shape[-2] > count:
        outside = gv / s.unsqueeze(-1)
        result = result + u @ (outside - (outside @ v) @ vh)
    return result


def _phase(back: Tensor, s: Tensor) -> Tensor:
    """Return the part of the gradient from the imaginary diagonal, which a change of phase leaves alone."""
    diagonal = back.diagonal(0, -2, -1)
    return ((diagonal - diagonal.conj()) / 2 / s).diag_embed()


def linalg_svd(
    A: Tensor,
    full_matrices: bool = True,
    *,
    driver: str | None = None,
    out: tuple[Any, ...] | None = None,
) -> svd_result:
    """Return U, S, Vh with ``A = U @ diag(S) @ Vh``, the singular values S descending.

    >>> facula.linalg.svd(facula.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    need_matrix("linalg.svd", A)
    _check_driver("linalg.svd", A, driver)
    return svd_result(*written(_svd(A, full=full_matrices), out, "linalg.svd"))


def _check_driver(name: str, A: Tensor, driver: str | None) -> None:
    if driver is not None and device_index(A._array) is None:
        raise RuntimeError(f"torch.{name}: keyword argument `driver=` is only supported on CUDA inputs.")


def svdvals(A: Tensor, *, driver: str | None = None, out: Tensor | None = None) -> Tensor:
    """Return the singular values of each matrix, descending.

    >>> facula.linalg.svdvals(facula.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor([4., 3.])
    """
    need_matrix("linalg.svdvals", A)
    _check_driver("linalg.svdvals", A, driver)
    if not _is_recorded(A):
        return _svdvals(A, out=out)
    values = linalg_svd(A, False).S
    return values if out is None else write_out(values, out, "linalg.svdvals")


class eig_result(NamedTuple):
    """Complex eigenvalues, in no order, and the eigenvectors as columns."""

    eigenvalues: Tensor
    eigenvectors: Tensor


@primitive(vjp={"x": lambda g, out: _eig_slope(g, out)})
def _eig(xp, x):
    values, vectors = guarded(xp.linalg.eig, x)
    kind = np.complex64 if x.dtype.itemsize // (2 if x.dtype.kind == "c" else 1) == 4 else np.complex128
    return values.astype(kind), vectors.astype(kind)


def _eig_slope(g: list[Any], out: tuple[Any, ...]) -> Tensor:
    """Return the gradient of eigenvalues and of eigenvectors of norm 1. Boeddeker et al. 2017, arXiv 1701.00392."""
    values, vectors = out
    middle: Any = None if g[0] is None else g[0].diag_embed()
    if g[1] is not None:
        gaps = (values.unsqueeze(-2) - values.unsqueeze(-1)).conj()
        back = conjugate_transpose(vectors) @ g[1]
        # What only changes the length of an eigenvector is taken out.
        lengths = back.diagonal(0, -2, -1).real.unsqueeze(-2)
        turn = (back - (conjugate_transpose(vectors) @ vectors) * lengths) / gaps.where(
            ~identity(gaps).bool(), float("inf")
        )
        middle = turn if middle is None else middle + turn
    adjoint = conjugate_transpose(vectors)
    return adjoint.inverse() @ middle @ adjoint


def eig(A: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> eig_result:
    """Return the complex eigenvalues and eigenvectors of each square matrix.

    >>> facula.linalg.eig(facula.tensor([[2.0, 0.0], [0.0, 1.0]])).eigenvalues
    tensor([2.+0.j, 1.+0.j])
    """
    need_matrix("linalg.eig", A, square=True)
    return eig_result(*written(_eig(A), out, "linalg.eig"))


def eigvals(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex eigenvalues of each square matrix.

    >>> facula.linalg.eigvals(facula.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor([2.+0.j, 1.+0.j])
    """
    need_matrix("linalg.eigvals", A, square=True)
    values = eig(A).eigenvalues
    return values if out is None else write_out(values, out, "linalg.eigvals")


class cholesky_ex_result(NamedTuple):
    """The Cholesky factor, and an integer that is 0 where that succeeded."""

    L: Tensor
    info: Tensor


def cholesky_ex(
    A: Tensor,
    *,
    upper: bool = False,
    check_errors: bool = False,
    out: tuple[Tensor, Tensor] | None = None,
) -> cholesky_ex_result:
    """Return the Cholesky factor of each matrix, and 0, or nan and the order of its first minor that is not positive.

    >>> facula.linalg.cholesky_ex(facula.tensor([[4.0]])).L
    tensor([[2.]])
    """
    need_matrix("linalg.cholesky_ex", A, square=True)
    try:
        factor, info = _factor(A, upper), A.new_zeros(A.shape[:-2], dtype=dtypes.int32)
    except LinAlgError:
        info = _indefinite_of(A, upper)
        if check_errors:
            check_factorized(info, "linalg.cholesky_ex", _not_positive)
        failed = (info != 0).unsqueeze(-1).unsqueeze(-1)
        factor = _factor(A.where(~failed, identity(A)), upper).where(~failed, float("nan"))
    return cholesky_ex_result(*written((factor, info), out, "linalg.cholesky_ex"))


# The names of before facula.linalg, with their own conventions.


class old_svd_result(NamedTuple):
    """Left singular vectors, singular values, and right singular vectors as columns."""

    U: Tensor
    S: Tensor
    V: Tensor


def cholesky(input: Tensor, upper: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the Cholesky factor of each positive definite matrix; see `facula.linalg.cholesky`."""
    return linalg_cholesky(input, upper=upper, out=out)


def qr(input: Tensor, some: bool = True, *, out: tuple[Tensor, Tensor] | None = None) -> qr_result:
    """Return the QR decomposition, reduced when ``some``, else complete; see `facula.linalg.qr`."""
    return linalg_qr(input, "reduced" if some else "complete", out=out)


def svd(
    input: Tensor,
    some: bool = True,
    compute_uv: bool = True,
    *,
    out: tuple[Tensor, Tensor, Tensor] | None = None,
) -> old_svd_result:
    """Return U, S and V with ``input = U @ diag(S) @ V^H``; zeros for U and V unless ``compute_uv``.

    >>> facula.svd(facula.tensor([[3.0, 0.0], [0.0, 4.0]])).S
    tensor([4., 3.])
    """
    if not compute_uv:
        rows, columns = input.shape[-2:]
        batch = input.shape[:-2]
        found = (
            input.new_zeros((*batch, rows, rows)),
            svdvals(input),
            input.new_zeros((*batch, columns, columns)),
        )
    else:
        u, s, vh = linalg_svd(input, not some)
        found = (u, s, conjugate_transpose(vh))
    return old_svd_result(*written(found, out, "svd"))
