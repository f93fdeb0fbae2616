"""LDL factorization of symmetric and Hermitian matrices that need not be positive definite, and their systems."""

from typing import NamedTuple

import numpy as np

from facula import backend, dtypes
from facula.matrices import check_factorized, need_matrix, not_differentiable, stacked, written
from facula.primitive import primitive, write_out
from facula.types import Tensor

__all__: list[str] = []

#: Bunch and Kaufman 1977, Math. Comp. 31(137): the bound on growth is smallest for this ratio.
_RATIO = (1 + 17**0.5) / 8


class ldl_factor_result(NamedTuple):
    """Both factors in one matrix, and which rows were exchanged."""

    LD: Tensor
    pivots: Tensor


class ldl_factor_ex_result(NamedTuple):
    """Both factors in one matrix, which rows were exchanged, and the first singular block of D, or 0."""

    LD: Tensor
    pivots: Tensor
    info: Tensor


@primitive(vjp={"x": not_differentiable("linalg_ldl_factor_ex")})
def _ldl_factor(xp, x, *, hermitian):
    """Return LAPACK's ?sytrf or ?hetrf of the lower triangles: which steps are taken depends on values, so on the CPU."""
    matrices = stacked(np.tril(backend.to_numpy(x)))
    pivots = np.zeros(matrices.shape[:2], np.int32)
    info = np.zeros(len(matrices), np.int32)
    for at, matrix in enumerate(matrices):
        info[at] = _factor(matrix, pivots[at], hermitian and matrix.dtype.kind == "c")
    batch = x.shape[:-2]
    found = matrices.reshape(x.shape), pivots.reshape(x.shape[:-1]), info.reshape(batch)
    return [xp.asarray(each) for each in found]


def _size(values: np.ndarray) -> np.ndarray:
    """Return what LAPACK compares: the absolute value, of a complex number that of both parts added up."""
    return np.abs(values.real) + np.abs(values.imag) if values.dtype.kind == "c" else np.abs(values)


def _factor(a: np.ndarray, pivots: np.ndarray, hermitian: bool) -> int:
    """Factorize the lower triangle of one matrix in place; return the first zero column, counted from 1, or 0."""
    length = len(a)
    info = 0
    at = 0
    while at < length:
        if hermitian:
            a[at, at] = a[at, at].real
        here = float(_size(a[at, at]))
        below = _size(a[at + 1 :, at])
        largest = int(np.argmax(below)) + at + 1 if below.size else at
        largest_size = float(below.max()) if below.size else 0.0
        step, chosen = 1, at
        if max(here, largest_size) == 0 or here != here:
            info = info or at + 1
        else:
            if here < _RATIO * largest_size:
                step, chosen = _pivot(a, at, largest, here, largest_size, hermitian)
            _exchange(a, at, at + step - 1, chosen, hermitian)
            (_eliminate_one if step == 1 else _eliminate_two)(a, at, hermitian)
        pivots[at : at + step] = chosen + 1 if step == 1 else -(chosen + 1)
        at += step
    return info


def _pivot(a: np.ndarray, at: int, largest: int, here: float, largest_size: float, hermitian: bool) -> tuple[int, int]:
    """Return whether to take one column or two, and the row to exchange with its last."""
    row = np.concatenate([_size(a[largest, at:largest]), _size(a[largest + 1 :, largest])])
    row_size = float(row.max())
    if here >= _RATIO * largest_size * (largest_size / row_size):
        return 1, at
    diagonal = a[largest, largest].real if hermitian else a[largest, largest]
    if float(_size(diagonal)) >= _RATIO * row_size:
        return 1, largest
    return 2, largest


def _exchange(a: np.ndarray, at: int, place: int, chosen: int, hermitian: bool) -> None:
    """Exchange rows and columns ``place`` and ``chosen`` of what is left from ``at``, in the lower triangle."""
    if place == chosen:
        return
    a[chosen + 1 :, [place, chosen]] = a[chosen + 1 :, [chosen, place]]
    between = slice(place + 1, chosen)
    column, row = a[between, place].copy(), a[chosen, between].copy()
    a[between, place] = row.conj() if hermitian else row
    a[chosen, between] = column.conj() if hermitian else column
    if hermitian:
        a[chosen, place] = a[chosen, place].conj()
    a[place, place], a[chosen, chosen] = a[chosen, chosen], a[place, place]
    if place > at:
        a[place, at], a[chosen, at] = a[chosen, at], a[place, at]


def _eliminate_one(a: np.ndarray, at: int, hermitian: bool) -> None:
    column = a[at + 1 :, at]
    scaled = column / a[at, at]
    a[at + 1 :, at + 1 :] -= np.tril(np.outer(scaled, column.conj() if hermitian else column))
    a[at + 1 :, at] = scaled


def _eliminate_two(a: np.ndarray, at: int, hermitian: bool) -> None:
    block = _block(a, at, hermitian)
    columns = a[at + 2 :, at : at + 2]
    scaled = columns @ _inverse_of_two(block)
    a[at + 2 :, at + 2 :] -= np.tril(scaled @ (columns.conj().T if hermitian else columns.T))
    a[at + 2 :, at : at + 2] = scaled


def _block(a: np.ndarray, at: int, hermitian: bool) -> np.ndarray:
    """Return the block of D of two rows and columns at a place."""
    beside = a[at + 1, at]
    return np.array([[a[at, at], beside.conj() if hermitian else beside], [beside, a[at + 1, at + 1]]], a.dtype)


def _inverse_of_two(block: np.ndarray) -> np.ndarray:
    (a, b), (c, d) = block / block[1, 0]
    return np.array([[d, -b], [-c, a]], block.dtype) / ((a * d - b * c) * block[1, 0])


@primitive(vjp={("factors", "other"): not_differentiable("linalg_ldl_solve")})
def _ldl_solve(xp, factors, pivots, other, *, hermitian):
    """Return X of ``P L D L^H P^T X = other`` with the exchanges and blocks of D as LAPACK keeps them."""
    batch = np.broadcast_shapes(factors.shape[:-2], other.shape[:-2])
    length = factors.shape[-1]
    matrices = np.broadcast_to(backend.to_numpy(factors), (*batch, length, length))
    exchanges = np.broadcast_to(backend.to_numpy(pivots), (*batch, length))
    solutions = np.broadcast_to(backend.to_numpy(other), (*batch, *other.shape[-2:])).copy()
    for at in np.ndindex(*batch):
        _solve(matrices[at], exchanges[at], solutions[at], hermitian and factors.dtype.kind == "c")
    return xp.asarray(solutions)


def _solve(a: np.ndarray, pivots: np.ndarray, x: np.ndarray, hermitian: bool) -> None:
    length = len(a)
    starts = []
    at = 0
    while at < length:
        step = 1 if pivots[at] > 0 else 2
        starts.append((at, step))
        place, chosen = at + step - 1, abs(int(pivots[at])) - 1
        x[[place, chosen]] = x[[chosen, place]]
        x[at + step :] -= a[at + step :, at : at + step] @ x[at : at + step]
        if step == 1:
            x[at] /= a[at, at].real if hermitian else a[at, at]
        else:
            x[at : at + 2] = _inverse_of_two(_block(a, at, hermitian)) @ x[at : at + 2]
        at += step
    for at, step in reversed(starts):
        below = a[at + step :, at : at + step].T
        x[at : at + step] -= (below.conj() if hermitian else below) @ x[at + step :]
        place, chosen = at + step - 1, abs(int(pivots[at])) - 1
        x[[place, chosen]] = x[[chosen, place]]


def ldl_factor_ex(
    A: Tensor,
    *,
    hermitian: bool = False,
    check_errors: bool = False,
    out: tuple[Tensor, Tensor, Tensor] | None = None,
) -> ldl_factor_ex_result:
    """Return `ldl_factor`'s results, and for each matrix 0 or which block of D, counted from 1, is the first zero.

    >>> facula.linalg.ldl_factor_ex(facula.zeros(1, 1)).info
    tensor(1, dtype=facula.int32)
    """
    need_matrix("torch.linalg.ldl_factor_ex", A, square=True)
    found = _ldl_factor(A, hermitian=hermitian)
    if check_errors:
        check_factorized(found[2], "torch.linalg.ldl_factor_ex", _zero_block)
    return ldl_factor_ex_result(*written(found, out, "linalg.ldl_factor_ex"))


def _zero_block(code: int) -> str:
    return f"D[{code},{code}] is zero, and using it in ldl_solve would result in a division by zero."


def ldl_factor(A: Tensor, *, hermitian: bool = False, out: tuple[Tensor, Tensor] | None = None) -> ldl_factor_result:
    """Return ``A = P L D L^T P^T`` of symmetric (``hermitian``: L^H) matrices, whose lower triangle alone is looked at.

    L is unit lower triangular, D has blocks of 1 or 2 rows on its diagonal; both lie in one matrix, as LAPACK's
    ?sytrf and ?hetrf leave them, with P in ``pivots``. There is no derivative.

    >>> facula.linalg.ldl_factor(facula.tensor([[4.0, 2.0], [2.0, 2.0]])).LD.tril()
    tensor([[4.0000, 0.0000],
            [0.5000, 1.0000]])
    """
    factors, pivots, info = ldl_factor_ex(A, hermitian=hermitian)
    check_factorized(info, "torch.linalg.ldl_factor", _zero_block)
    return ldl_factor_result(*written((factors, pivots), out, "linalg.ldl_factor"))


def ldl_solve(LD: Tensor, pivots: Tensor, B: Tensor, *, hermitian: bool = False, out: Tensor | None = None) -> Tensor:
    """Return X with ``A @ X = B`` for the A that `ldl_factor` gave the factors of.

    >>> facula.linalg.ldl_solve(*facula.linalg.ldl_factor(facula.tensor([[4.0]])), facula.tensor([[8.0]]))
    tensor([[2.]])
    """
    name = "torch.linalg.ldl_solve"
    need_matrix(name, LD, square=True)
    if B.dim() < 2:
        raise RuntimeError(f"{name}: Expected B to have at least 2 dimensions, but it has {B.dim()} dimensions instead")
    if LD.shape[:-1] != pivots.shape:
        raise RuntimeError(
            f"{name}: Expected LD.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    if pivots.is_floating_point() or pivots.is_complex() or pivots.dtype is dtypes.bool_:
        raise RuntimeError(f"{name}: Expected pivots to be integers. Got {pivots.dtype.name.title()}")
    if LD.dtype is not B.dtype:
        raise RuntimeError(
            f"Expected b and A to have the same dtype, but found b of type {B.dtype.name.title()} and A of type "
            f"{LD.dtype.name.title()} instead."
        )
    if LD.shape[-1] != B.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for {name}: each A matrix is {LD.shape[-1]} by {LD.shape[-1]} but each b matrix "
            f"is {B.shape[-2]} by {B.shape[-1]}"
        )
    result = _ldl_solve(LD, pivots, B, hermitian=hermitian)
    return result if out is None else write_out(result, out, "linalg.ldl_solve")
