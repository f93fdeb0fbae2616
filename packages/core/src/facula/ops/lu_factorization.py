"""Triangular systems, LU factorization with row exchanges, and the systems it solves."""

from typing import Any, NamedTuple

import numpy as np

from facula import dtypes, native
from facula.arguments import need_tensor
from facula.backend import device_index
from facula.matrices import check_factorized, conjugate_transpose, identity, need_matrix, stacked, written
from facula.primitive import primitive, promote, write_out
from facula.substitution import substituted
from facula.types import Tensor

__all__ = ["lu", "lu_solve", "lu_unpack", "triangular_solve"]

#: Columns factorized at a time: within a block one by one, between blocks by matrix products.
_BLOCK = 32


class triangular_solve_result(NamedTuple):
    """The solution, and the matrix it is for."""

    solution: Tensor
    cloned_coefficient: Tensor


class lu_factor_result(NamedTuple):
    """Both factors in one matrix, and the row each was exchanged with, counted from 1."""

    LU: Tensor
    pivots: Tensor


class lu_factor_ex_result(NamedTuple):
    """Both factors in one matrix, the exchanged rows, and the first zero on the diagonal of U, or 0."""

    LU: Tensor
    pivots: Tensor
    info: Tensor


class lu_result(NamedTuple):
    """The permutation, the unit lower triangular factor and the upper triangular one."""

    P: Tensor
    L: Tensor
    U: Tensor


# Triangular systems.


@primitive(
    dtype=promote("x", "other"),
    vjp={
        "x": lambda g, x, out, upper, unit: _triangle_slope(g, x, out, upper, unit),
        "other": lambda g, x, upper, unit: _solve_triangular(conjugate_transpose(x), g, upper=not upper, unit=unit),
    },
)
def _solve_triangular(xp, x, other, *, upper, unit):
    return substituted(xp, x, other, upper, unit)


@_solve_triangular.kernel("native")
def _solve_triangular_native(x, other, *, upper, unit):
    return native.kernels.solve_triangular(x, other, upper, unit)


def _triangle_slope(g: Tensor, x: Tensor, out: Tensor, upper: bool, unit: bool) -> Tensor:
    slope = -_solve_triangular(conjugate_transpose(x), g, upper=not upper, unit=unit) @ conjugate_transpose(out)
    diagonal = 1 if unit else 0
    return slope.triu(diagonal) if upper else slope.tril(-diagonal)


def _check_system(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    need_tensor(name, B, "B")
    if B.dim() < 2:
        raise RuntimeError(f"{name}: The input tensor B must have at least 2 dimensions.")
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
        )


def solve_triangular(
    A: Tensor,
    B: Tensor,
    *,
    upper: bool,
    left: bool = True,
    unitriangular: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return X with ``A @ X = B``, or ``X @ A = B`` unless ``left``, of A only one triangle being looked at.

    With ``unitriangular`` its diagonal is taken for ones. A zero on the diagonal gives inf or nan.

    >>> facula.linalg.solve_triangular(facula.tensor([[2.0]]), facula.tensor([[4.0]]), upper=True)
    tensor([[2.]])
    """
    need_matrix("linalg.solve_triangular", A, square=True)
    _check_system("linalg.solve_triangular", A, B, left)
    if left:
        result = _solve_triangular(A, B, upper=upper, unit=unitriangular)
    else:
        turned = _solve_triangular(A.transpose(-2, -1), B.transpose(-2, -1), upper=not upper, unit=unitriangular)
        result = turned.transpose(-2, -1)
    return result if out is None else write_out(result, out, "linalg.solve_triangular")


def triangular_solve(
    b: Tensor,
    A: Tensor,
    upper: bool = True,
    transpose: bool = False,
    unitriangular: bool = False,
    *,
    out: tuple[Tensor, Tensor] | None = None,
) -> triangular_solve_result:
    """Return X with ``A @ X = b``, or ``A.mT @ X = b``, and A as broadcast; see `facula.linalg.solve_triangular`.

    >>> facula.triangular_solve(facula.tensor([[4.0]]), facula.tensor([[2.0]])).solution
    tensor([[2.]])
    """
    for argument, each in (("b", b), ("A", A)):
        need_tensor("triangular_solve", each, argument)
        if each.dim() < 2:
            raise RuntimeError(
                f"torch.triangular_solve: Expected {argument} to have at least 2 dimensions, but it has {each.dim()} "
                "dimensions instead"
            )
    need_matrix("triangular_solve", A, square=True)
    if A.shape[-1] != b.shape[-2]:
        raise RuntimeError(
            f"Incompatible matrix sizes for triangular_solve: each A matrix is {A.shape[-1]} by {A.shape[-1]} but each "
            f"b matrix is {b.shape[-2]} by {b.shape[-1]}"
        )
    matrix = A.transpose(-2, -1) if transpose else A
    solution = _solve_triangular(matrix, b, upper=upper is not transpose, unit=unitriangular)
    broadcast = A.expand((*solution.shape[:-2], *A.shape[-2:])).clone()
    return triangular_solve_result(*written((solution, broadcast), out, "triangular_solve"))


# Factorization.


@primitive(vjp={"x": lambda g, x_shape, out: _lu_slope(g[0], x_shape, out[0], out[1])})
def _lu_factor(xp, x, *, pivot):
    """Return both factors in one matrix, the exchanged rows as LAPACK counts them, and the first zero pivot."""
    rows, columns = x.shape[-2:]
    matrices = stacked(x)
    count = min(rows, columns)
    pivots = xp.empty((len(matrices), count), np.int32)
    pivots[...] = xp.arange(1, count + 1, dtype=np.int32)
    info = xp.zeros(len(matrices), np.int32)
    for start in range(0, count, _BLOCK):
        stop = min(start + _BLOCK, count)
        _factor_columns(xp, matrices, start, stop, pivots, info, pivot)
        if stop < columns:
            corner = matrices[:, start:stop, start:stop]
            above = substituted(xp, corner, matrices[:, start:stop, stop:], False, True)
            matrices[:, start:stop, stop:] = above
            matrices[:, stop:, stop:] -= matrices[:, stop:, start:stop] @ above
    batch = x.shape[:-2]
    return matrices.reshape(x.shape), pivots.reshape((*batch, count)), info.reshape(batch)


@_lu_factor.kernel("native")
def _lu_factor_native(x, *, pivot):
    found = native.kernels.lu_factor(x) if pivot else NotImplemented
    return NotImplemented if found is NotImplemented else (*found, np.zeros(x.shape[:-2], np.int32))


def _factor_columns(xp, matrices, start: int, stop: int, pivots, info, pivot: bool) -> None:
    """Factorize the columns from ``start`` to ``stop``, exchanging whole rows."""
    each = xp.arange(len(matrices))
    for column in range(start, stop):
        if pivot:
            below = matrices[:, column:, column]
            # LAPACK compares |real| + |imag| in place of the absolute value.
            size = xp.abs(below.real) + xp.abs(below.imag) if below.dtype.kind == "c" else xp.abs(below)
            chosen = column + xp.argmax(size, axis=1)
            pivots[:, column] = chosen + 1
            kept = matrices[:, column].copy()
            matrices[:, column] = matrices[each, chosen]
            matrices[each, chosen] = kept
        head = matrices[:, column, column]
        zero = head == 0
        info[...] = xp.where((info == 0) & zero, column + 1, info)
        matrices[:, column + 1 :, column] /= xp.where(zero, 1, head)[:, None]
        rest = slice(column + 1, stop)
        matrices[:, column + 1 :, rest] -= (
            matrices[:, column + 1 :, column, None] * matrices[:, column, rest][:, None, :]
        )


def _lu_slope(g: Tensor, x_shape: tuple[Any, ...], factors: Tensor, pivots: Tensor) -> Tensor:
    """Return the gradient of an LU factorization, for square, wide and tall matrices.

    With ``P^T A = L U`` and X = L^-1 P^T dA U^-1 for the square part: dL = L tril(X, -1) and dU = triu(X) U.
    """
    rows, columns = x_shape[-2:]
    count = min(rows, columns)
    square = factors.narrow(-2, 0, count).narrow(-1, 0, count)
    lower = square.tril(-1) + identity(square)
    upper = square.triu()
    back = g.narrow(-2, 0, count).narrow(-1, 0, count)
    below = conjugate_transpose(lower) @ back.tril(-1)
    above = back.triu() @ conjugate_transpose(upper)
    beside = None
    if columns > rows:
        beside = g.narrow(-1, count, columns - count)
        below = below - beside @ conjugate_transpose(factors.narrow(-1, count, columns - count))
    elif rows > columns:
        under = g.narrow(-2, count, rows - count)
        above = above - conjugate_transpose(factors.narrow(-2, count, rows - count)) @ under
    middle = below.tril(-1) + above.triu()
    # middle @ U^-H, by the transposed system
    slope = conjugate_transpose(_solve_triangular(upper, conjugate_transpose(middle), upper=True, unit=False))
    if beside is not None:
        slope = slope._joined(beside, -1)
    slope = _solve_triangular(conjugate_transpose(lower), slope, upper=True, unit=True)
    if rows > columns:
        slope = slope._joined(
            conjugate_transpose(_solve_triangular(upper, conjugate_transpose(under), upper=True, unit=False)), -2
        )
    return _exchange_rows(slope, pivots, back=True)


@primitive(vjp={"x": lambda g, pivots, back: _exchange_rows(g, pivots, back=not back)})
def _exchange_rows(xp, x, pivots, *, back):
    """Return the rows of each matrix in the order of the factors, or from that ``back`` in their own."""
    batch = np.broadcast_shapes(x.shape[:-2], pivots.shape[:-1])
    order = _order(xp, pivots, x.shape[-2])
    if back:
        order = xp.argsort(order, axis=-1)
    order = xp.broadcast_to(order, (*batch, x.shape[-2]))
    return xp.take_along_axis(xp.broadcast_to(x, (*batch, *x.shape[-2:])), order[..., None], axis=-2)


def _order(xp, pivots, rows: int):
    """Return which row of the matrix each row of the factors is."""
    exchanged = pivots.reshape((int(np.prod(pivots.shape[:-1])), pivots.shape[-1])) - 1
    order = xp.empty((len(exchanged), rows), np.int64)
    order[...] = xp.arange(rows)
    each = xp.arange(len(exchanged))
    for column in range(exchanged.shape[1]):
        chosen = exchanged[:, column]
        kept = order[:, column].copy()
        order[:, column] = order[each, chosen]
        order[each, chosen] = kept
    return order.reshape((*pivots.shape[:-1], rows))


def _factorized(name: str, A: Tensor, pivot: bool) -> tuple[Tensor, Tensor, Tensor]:
    need_tensor(name, A, "A")
    if A.dim() < 2:
        raise RuntimeError(f"{name}: Expected tensor with 2 or more dimensions. Got size: {list(A.shape)} instead")
    if not (A.is_floating_point() or A.is_complex()) or A.dtype.numpy in dtypes.REDUCED:
        raise NotImplementedError(f'"lu_cpu" not implemented for {A.dtype.name.title()!r}')
    if not pivot and device_index(A._array) is None:
        raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU")
    return _lu_factor(A, pivot=pivot)


def _zero_pivot(code: int) -> str:
    return (
        f"U[{code},{code}] is zero and using it on lu_solve would result in a division by zero. If you still want to "
        "perform the factorization, consider calling linalg.lu(A, pivot) or linalg.lu_factor_ex(A, pivot)"
    )


def lu_factor_ex(
    A: Tensor,
    *,
    pivot: bool = True,
    check_errors: bool = False,
    out: tuple[Tensor, Tensor, Tensor] | None = None,
) -> lu_factor_ex_result:
    """Return `lu_factor`'s results, and for each matrix 0 or the place of the first zero on the diagonal of U.

    >>> facula.linalg.lu_factor_ex(facula.zeros(1, 1)).info
    tensor(1, dtype=facula.int32)
    """
    found = _factorized("torch.linalg.lu_factor", A, pivot)
    if check_errors:
        check_factorized(found[2], "torch.linalg.lu_factor_ex", _zero_pivot)
    return lu_factor_ex_result(*written(found, out, "linalg.lu_factor_ex"))


def lu_factor(A: Tensor, *, pivot: bool = True, out: tuple[Tensor, Tensor] | None = None) -> lu_factor_result:
    """Return the factors of each matrix (…, m, n) in one, U on and above the diagonal, and the exchanged rows.

    Row i was exchanged with row ``pivots[i] - 1``, in this order. RuntimeError when U has a zero on its diagonal.

    >>> facula.linalg.lu_factor(facula.tensor([[1.0, 2.0], [4.0, 4.0]])).LU
    tensor([[4.0000, 4.0000],
            [0.2500, 1.0000]])
    """
    factors, pivots, info = _factorized("torch.linalg.lu_factor", A, pivot)
    check_factorized(info, "torch.linalg.lu_factor", _zero_pivot)
    return lu_factor_result(*written((factors, pivots), out, "linalg.lu_factor"))


@primitive()
def _permutation(xp, factors, pivots, *, rows):
    """Return the matrix that brings the rows of the factors back in order, in the type of ``factors``."""
    order = _order(xp, pivots, rows)
    return (xp.arange(rows)[:, None] == order[..., None, :]).astype(factors.dtype)


def _triangles(factors: Tensor) -> tuple[Tensor, Tensor]:
    """Return the unit lower and the upper triangle that share a matrix."""
    rows, columns = factors.shape[-2:]
    count = min(rows, columns)
    lower = factors.narrow(-1, 0, count).tril(-1) + factors.new_ones((rows, count)).tril().triu()
    return lower, factors.narrow(-2, 0, count).triu()


def linalg_lu(A: Tensor, *, pivot: bool = True, out: tuple[Tensor, Tensor, Tensor] | None = None) -> lu_result:
    """Return P, L, U with ``A = P @ L @ U``: a permutation, a unit lower and an upper triangular matrix.

    >>> facula.linalg.lu(facula.tensor([[1.0, 2.0], [4.0, 4.0]])).U
    tensor([[4., 4.],
            [0., 1.]])
    """
    factors, pivots, _ = _factorized("linalg.lu", A, pivot)
    permutation = _permutation(factors, pivots, rows=A.shape[-2]) if pivot else factors.new_zeros((0,))
    return lu_result(*written((permutation, *_triangles(factors)), out, "linalg.lu"))


def lu_unpack(
    LU_data: Tensor,
    LU_pivots: Tensor,
    unpack_data: bool = True,
    unpack_pivots: bool = True,
    *,
    out: tuple[Tensor, Tensor, Tensor] | None = None,
) -> lu_result:
    """Return P, L, U of what `facula.linalg.lu_factor` gave; empty tensors for those not wanted.

    >>> facula.lu_unpack(*facula.linalg.lu_factor(facula.tensor([[1.0, 2.0], [4.0, 4.0]]))).P
    tensor([[0., 1.],
            [1., 0.]])
    """
    need_tensor("lu_unpack", LU_data, "LU_data")
    need_tensor("lu_unpack", LU_pivots, "LU_pivots")
    if LU_data.dim() < 2:
        raise RuntimeError(
            f"torch.lu_unpack: Expected tensor with 2 or more dimensions. Got size: {list(LU_data.shape)} instead"
        )
    if unpack_pivots and LU_pivots.dtype is not dtypes.int32:
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype.\n"
            "Note: this function is intended to be used with the output produced by torch.linalg.lu_factor"
        )
    none = LU_data.detach().new_zeros((0,))
    permutation = _permutation(LU_data.detach(), LU_pivots, rows=LU_data.shape[-2]) if unpack_pivots else none
    lower, upper = _triangles(LU_data) if unpack_data else (none, none)
    return lu_result(*written((permutation, lower, upper), out, "lu_unpack"))


def lu(
    A: Tensor, pivot: bool = True, get_infos: bool = False, *, out: tuple[Tensor, ...] | None = None
) -> tuple[Tensor, ...]:
    """Return `facula.linalg.lu_factor`'s factors and pivots, and with ``get_infos`` where U has its first zero.

    >>> facula.lu(facula.tensor([[2.0]]))[0]
    tensor([[2.]])
    """
    found = _factorized("torch.lu_factor", A, pivot)
    return tuple(written(found if get_infos else found[:2], out, "lu"))


# Systems.


def linalg_lu_solve(
    LU: Tensor,
    pivots: Tensor,
    B: Tensor,
    *,
    left: bool = True,
    adjoint: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return X with ``A @ X = B`` (``X @ A = B`` unless ``left``) for the A that `lu_factor` gave the factors of.

    With ``adjoint`` the conjugate transpose of A stands in its place.

    >>> facula.linalg.lu_solve(*facula.linalg.lu_factor(facula.tensor([[2.0]])), facula.tensor([[4.0]]))
    tensor([[2.]])
    """
    need_matrix("linalg.lu_solve", LU, square=True)
    _check_system("linalg.lu_solve", LU, B, left)
    if LU.dtype is not B.dtype:
        raise RuntimeError(
            "linalg.lu_solve: Expected LU and B to have the same dtype, but found LU of type "
            f"{LU.dtype.name.title()} and B of type {B.dtype.name.title()} instead"
        )
    if pivots.dtype is not dtypes.int32:
        raise RuntimeError("linalg.lu_solve: pivots should be a Tensor of scalar type torch.int32")
    if pivots.shape[-1] != LU.shape[-1]:
        raise RuntimeError("linalg.lu_solve: Number of pivots per batch should be same as the dimension of the matrix")
    if pivots.shape[:-1] != LU.shape[:-2]:
        raise RuntimeError(
            "linalg.lu_solve: Expected LU.shape[:-1] and pivots.shape to be the same, but got pivots with shape "
            f"{list(pivots.shape)} instead"
        )
    if left:
        result = _solved(LU, pivots, B, adjoint)
    else:
        result = conjugate_transpose(_solved(LU, pivots, conjugate_transpose(B), not adjoint))
    return result if out is None else write_out(result, out, "linalg.lu_solve")


def _solved(LU: Tensor, pivots: Tensor, right: Tensor, turned: bool) -> Tensor:
    if turned:
        matrix = conjugate_transpose(LU)
        within = _solve_triangular(matrix, right, upper=False, unit=False)
        return _exchange_rows(_solve_triangular(matrix, within, upper=True, unit=True), pivots, back=True)
    within = _solve_triangular(LU, _exchange_rows(right, pivots, back=False), upper=False, unit=True)
    return _solve_triangular(LU, within, upper=True, unit=False)


def lu_solve(b: Tensor, LU_data: Tensor, LU_pivots: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return X with ``A @ X = b``; see `facula.linalg.lu_solve`.

    >>> facula.lu_solve(facula.tensor([[4.0]]), *facula.linalg.lu_factor(facula.tensor([[2.0]])))
    tensor([[2.]])
    """
    return linalg_lu_solve(LU_data, LU_pivots, b, out=out)
