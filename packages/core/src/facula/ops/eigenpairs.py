"""A few eigenvalues of large symmetric matrices: the locally optimal block preconditioned conjugate gradient method."""

import math
from typing import Any

import numpy as np

from facula.matrices import conjugate_transpose, need_matrix
from facula.primitive import primitive
from facula.types import Tensor

__all__ = ["lobpcg"]


@primitive(vjp={"x": lambda g, x, out: _eigenpairs_slope(g, x, out)})
def _lobpcg(xp, x, other, start, preconditioner, *, largest, niter, tol):
    length, count = start.shape[-2:]
    batch = x.shape[:-2]
    values = xp.empty((*batch, count), x.real.dtype)
    vectors = xp.empty((*batch, length, count), x.dtype)
    for at in np.ndindex(*batch):
        pencil = x[at], None if other is None else other[at]
        inverse = None if preconditioner is None else preconditioner[at]
        values[at], vectors[at] = _iterate(xp, pencil, start[at], inverse, largest, niter, tol)
    return values, vectors


def _iterate(xp, pencil, start, preconditioner, largest: bool, niter: int, tol: float):
    """Return the extreme eigenvalues and -vectors of one matrix. Knyazev 2001, SIAM J. Sci. Comput. 23(2).

    In each round the best vectors are sought in the span of the present ones, their residuals and the last step.
    """
    matrix, weight = pencil
    count = start.shape[-1]
    sizes = [1.0 if each is None else float(xp.sqrt((xp.abs(each) ** 2).sum())) for each in pencil]
    basis = _orthonormal(xp, start, [], weight)
    values, choice = _best(xp, basis, matrix, count, largest)
    vectors, step = basis @ choice, None
    done = 0
    while niter < 0 or done < niter:
        done += 1
        residual = matrix @ vectors - _weighted(weight, vectors) * values
        scale = xp.sqrt((xp.abs(vectors) ** 2).sum(0)) * (sizes[0] + xp.abs(values) * sizes[1])
        errors = xp.sqrt((xp.abs(residual) ** 2).sum(0)) / scale
        if not bool((errors > tol).any()):
            break
        parts = [vectors]
        for part in (residual if preconditioner is None else preconditioner @ residual, step):
            if part is not None:
                added = _orthonormal(xp, part, parts, weight)
                if added.shape[1]:
                    parts.append(added)
        if len(parts) == 1:
            break  # what is left of the residuals is rounding
        basis = xp.concatenate(parts, axis=1)
        values, choice = _best(xp, basis, matrix, count, largest)
        step = basis[:, count:] @ choice[count:]
        vectors = basis @ choice
    return values, vectors


def _weighted(weight, vectors):
    return vectors if weight is None else weight @ vectors


def _orthonormal(xp, vectors, before: list[Any], weight):
    """Return an orthonormal basis of what ``vectors`` add to the bases ``before``; directions lost in rounding go."""
    least = vectors.shape[0] * float(np.finfo(vectors.dtype).eps)
    for _ in range(2):
        # Twice is enough: the second round removes what rounding left of the first.
        for each in before:
            vectors = vectors - each @ (each.conj().T @ _weighted(weight, vectors))
        size = xp.sqrt(xp.abs((vectors.conj() * _weighted(weight, vectors)).sum(0)))
        vectors = vectors / xp.where(size > 0, size, 1)
        squares, turn = xp.linalg.eigh(vectors.conj().T @ _weighted(weight, vectors))
        kept = squares > least * xp.maximum(squares.max(), 1)
        vectors = (vectors @ turn[:, kept]) / xp.sqrt(squares[kept])
        if not vectors.shape[1]:
            break
    return vectors


def _best(xp, basis, matrix, count: int, largest: bool):
    """Return the extreme eigenvalues in the span of a basis, the most extreme first, and their vectors in it."""
    values, vectors = xp.linalg.eigh(basis.conj().T @ (matrix @ basis))
    if largest:
        return values[::-1][:count], vectors[:, ::-1][:, :count]
    return values[:count], vectors[:, :count]


def _eigenpairs_slope(g: list[Any], x: Tensor, out: tuple[Any, ...]) -> Tensor:
    """Return the gradient of some eigenvalues and -vectors of a symmetric matrix.

    An eigenvector turns towards the others that were found, and into their complement, where (A - value) is invertible.
    """
    values, vectors = out
    adjoint = conjugate_transpose(vectors)
    if g[1] is None:
        return (vectors * g[0].unsqueeze(-2)) @ adjoint
    back = adjoint @ g[1]
    one = values.detach().new_ones((values.shape[-1],)).diag_embed()
    gaps = (values.unsqueeze(-2) - values.unsqueeze(-1)).where(one == 0, math.inf)
    middle = back / gaps
    if g[0] is not None:
        middle = middle + g[0].diag_embed()
    slope = vectors @ middle @ adjoint
    # For each eigenvector a system in the complement, the identity standing for the rest.
    within = vectors @ adjoint
    whole = x.detach().new_ones((x.shape[-1],)).diag_embed()
    beside = whole - within
    shifted = x.unsqueeze(-3) - values.unsqueeze(-1).unsqueeze(-1) * whole
    system = beside.unsqueeze(-3) @ shifted @ beside.unsqueeze(-3) + within.unsqueeze(-3)
    right = (beside @ g[1]).transpose(-2, -1).unsqueeze(-1)
    turned = -(system.inverse() @ right).squeeze(-1).transpose(-2, -1)
    return slope + turned @ adjoint


def lobpcg(
    A: Tensor,
    k: int | None = None,
    B: Tensor | None = None,
    X: Tensor | None = None,
    n: int | None = None,
    iK: Tensor | None = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: object = None,
    ortho_iparams: dict[str, int] | None = None,
    ortho_fparams: dict[str, float] | None = None,
    ortho_bparams: dict[str, bool] | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the ``k`` largest (or smallest) eigenvalues of symmetric matrices (…, m, m), and eigenvectors (…, m, k).

    With ``B``, positive definite, of ``A @ x = value * B @ x``. ``X`` (…, m, n) is a first guess, random by default;
    ``iK`` an approximate inverse of A that speeds it up. It stops after ``niter`` rounds (1000; -1: without end) or when
    residuals are below ``tol``. Both methods, "basic" and "ortho", are one here, with an orthonormal basis. Gradients
    pass to ``A`` when ``B`` is not given.

    >>> facula.lobpcg(facula.tensor([1.0, 4.0, 2.0]).diag())[0].round(decimals=3)
    tensor([4.])
    """
    need_matrix("lobpcg", A, square=True)
    if method not in (None, "basic", "ortho"):
        raise ValueError(f"lobpcg(): method must be 'basic' or 'ortho', got {method!r}")
    if tracker is not None:
        raise NotImplementedError("lobpcg(): argument 'tracker' is not supported")
    if B is not None and (A.requires_grad or B.requires_grad):
        raise ValueError(
            "lobpcg.backward does not support gradients of the generalized eigenproblem: 'B' must be None when 'A' "
            "requires grad"
        )
    length = A.shape[-1]
    k = (1 if X is None else X.shape[-1]) if k is None else k
    count = (k if n is None else n) if X is None else X.shape[-1]
    if length < 3 * count:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={length}) is smaller than 3 x the number "
            f"of requested eigenpairs (={count})"
        )
    if not 1 <= k <= count:
        raise ValueError(f"lobpcg(): k must be between 1 and the number of vectors {count}, got {k}")
    tol = float(np.finfo(A.dtype.numpy).eps) ** 0.5 if tol is None else tol
    batch = A.shape[:-2]
    if X is None:
        start = A.detach().new_empty((math.prod(batch), length, count))
        for at in range(start.shape[0]):
            start[at].normal_()
        X = start.reshape((*batch, length, count))
    symmetric = (A + conjugate_transpose(A)) / 2
    values, vectors = _lobpcg(
        symmetric,
        None if B is None else B.expand(A.shape),
        X.detach().expand((*batch, length, count)),
        None if iK is None else iK.detach().expand(A.shape),
        largest=largest is None or largest,
        niter=1000 if niter is None else niter,
        tol=tol,
    )
    return values.narrow(-1, 0, k), vectors.narrow(-1, 0, k)
