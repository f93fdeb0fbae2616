"""Inverses, determinants, solutions of linear systems, powers."""

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from facula import dtypes, native
from facula.dimensions import wrap_dim
from facula.errors import LinAlgError
from facula.matrices import (
    check_factorized,
    conjugate_transpose,
    first_failures,
    guarded,
    identity,
    need_matrix,
    written,
)
from facula.primitive import primitive, promote, write_out
from facula.tensor_base import TensorBase
from facula.types import Tensor

__all__ = ["cross", "det", "inverse", "logdet", "matrix_power", "pinverse", "slogdet", "vander"]


class slogdet_result(NamedTuple):
    """The sign of a determinant, and the logarithm of its size."""

    sign: Tensor
    logabsdet: Tensor


class inv_ex_result(NamedTuple):
    """The inverse, and where it failed."""

    inverse: Tensor
    info: Tensor


# Inverses and linear systems.


@primitive(vjp={"x": lambda g, out: -(conjugate_transpose(out) @ g @ conjugate_transpose(out))})
def _inv(xp, x):
    return guarded(xp.linalg.inv, x)


_inv.native("inverse")


def inv(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of each square matrix; RuntimeError when one is singular.

    >>> facula.linalg.inv(facula.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor([[0.5000, 0.0000],
            [0.0000, 0.2500]])
    """
    need_matrix("linalg.inv", A, square=True)
    try:
        return _inv(A, out=out)
    except LinAlgError:
        check_factorized(_singular(A.detach()), "linalg.inv", _no_inverse)
        raise


@primitive()
def _singular(xp, x):
    """Return for each matrix 0, or the first column that depends on those before it, counted from 1."""
    return xp.asarray(first_failures(x, _invert_square_part, lambda matrix, count: matrix[:, :count]))


def _invert_square_part(part: np.ndarray) -> np.ndarray:
    """Return a number for columns that are independent, an inverse for a square matrix; fail for others."""
    if part.shape[0] == part.shape[1]:
        return np.linalg.inv(part)
    return np.asarray(1.0 if np.linalg.matrix_rank(part) == part.shape[1] else np.nan)


def _no_inverse(code: int) -> str:
    return (
        f"The diagonal element {code} is zero, the inversion could not be completed because the input matrix is "
        "singular."
    )


def _no_solution(code: int) -> str:
    return "The solver failed because the input matrix is singular."


def _regular(A: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return A with the identity for singular matrices, which matrices these are, and their ``info``."""
    info = _singular(A.detach())
    singular = (info != 0).unsqueeze(-1).unsqueeze(-1)
    return A.where(~singular, identity(A)), singular, info


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, out: -(_solve(conjugate_transpose(x), g) @ conjugate_transpose(out)),
        "other": lambda g, x: _solve(conjugate_transpose(x), g),
    },
)
def _solve(xp, x, other):
    return guarded(xp.linalg.solve, x, other)


_solve.native("solve")


def solve(A: Tensor, B: Tensor, *, left: bool = True, out: Tensor | None = None) -> Tensor:
    """Return X with ``A @ X = B``, or with ``X @ A = B`` unless ``left``; B may be a vector or a batch of them.

    >>> facula.linalg.solve(facula.tensor([[2.0, 0.0], [0.0, 4.0]]), facula.tensor([2.0, 4.0]))
    tensor([1., 1.])
    """
    result = _solution("linalg.solve", A, B, left, A)
    return result if out is None else write_out(result, out, "linalg.solve")


def _solution(name: str, A: Tensor, B: Tensor, left: bool, regular: Tensor) -> Tensor:
    """Return the solution for ``regular``, of the shape of ``A``; LinAlgError when it is singular."""
    need_matrix(name, A, square=True)
    if A.dtype is not B.dtype:
        raise RuntimeError(
            f"linalg.solve: Expected A and B to have the same dtype, but found A of type {A.dtype.name} and B of "
            f"type {B.dtype.name} instead"
        )
    vector = B.dim() == 1 or (B.dim() == A.dim() - 1 and B.shape == A.shape[:-1])
    if vector and not left:
        raise RuntimeError(
            "linalg.solve: Vector broadcasting of the left hand side is not supported for left=False. In this case "
            "linalg.solve is equivalent to B / A.squeeze(-1)"
        )
    right = B.unsqueeze(-1) if vector else B
    if right.shape[-2 if left else -1] != A.shape[-1]:
        raise RuntimeError(
            f"linalg.solve: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} "
            f"({A.shape[-2]}x{A.shape[-1]} and {right.shape[-2]}x{right.shape[-1]})"
        )
    try:
        if left:
            result = _solve(regular, right)
        else:
            result = _solve(regular.transpose(-2, -1), right.transpose(-2, -1)).transpose(-2, -1)
    except LinAlgError:
        check_factorized(_singular(regular.detach()), f"torch.{name}", _no_solution)
        raise
    return result.squeeze(-1) if vector else result


# Determinants.


@primitive(vjp={"x": lambda g, x, out: _determinant_slope(g, x, out)})
def _det(xp, x):
    return xp.linalg.det(x).astype(x.dtype)


_det.native("determinant")


def _determinant_slope(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    """Return ``g * det * inverse^H``; through singular values where a matrix has no inverse."""
    if x.shape[-1] == 1:
        return g.unsqueeze(-1).unsqueeze(-1)
    scale = g * (out.conj() if out.is_complex() else out)
    if not (out == 0).any():
        return scale.unsqueeze(-1).unsqueeze(-1) * conjugate_transpose(_inv(x))
    u, s, v = x.svd()
    vh = conjugate_transpose(v)
    others = s.unsqueeze(-2).where(~identity(s.unsqueeze(-1) * s.unsqueeze(-2)).bool(), 1.0).prod(-1)
    turn = det(u) * det(vh)
    inner = conjugate_transpose(vh) * (
        others * (turn * g.conj() if g.is_complex() else turn * g).unsqueeze(-1)
    ).unsqueeze(-2)
    return conjugate_transpose(inner @ conjugate_transpose(u))


def det(A: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the determinant of each square matrix.

    >>> facula.linalg.det(facula.tensor([[2.0, 0.0], [0.0, 4.0]]))
    tensor(8.)
    """
    need_matrix("linalg.det", A, square=True)
    return _det(A, out=out)


@primitive(vjp={"x": lambda g, x, out: _logarithm_slope(g, x, out)})
def _slogdet(xp, x):
    sign, size = xp.linalg.slogdet(x)
    return sign.astype(x.dtype), size.astype(x.real.dtype)


_slogdet.native("log_determinant")


def _logarithm_slope(g: list[Any], x: Tensor, out: tuple[Any, ...]) -> Tensor:
    sign = out[0]
    total = g[1]
    if x.is_complex() and g[0] is not None:
        # The sign turns with the imaginary part of the logarithm.
        turning = g[0].conj() * sign
        turn = (turning - turning.conj()) / 2
        total = -turn if total is None else total - turn
    if total is None:
        return x * 0
    return total.unsqueeze(-1).unsqueeze(-1) * conjugate_transpose(_inv(x))


def slogdet(A: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> slogdet_result:
    """Return the sign of each determinant, and the logarithm of its size.

    >>> facula.linalg.slogdet(facula.tensor([[1.0, 0.0], [0.0, -1.0]])).sign
    tensor(-1.)
    """
    need_matrix("linalg.slogdet", A, square=True)
    return slogdet_result(*written(_slogdet(A), out, "linalg.slogdet"))


def logdet(input: Tensor) -> Tensor:
    """Return the logarithm of each determinant: nan where that is negative, -inf where it is 0.

    >>> facula.logdet(facula.tensor([[1.0, 0.0], [0.0, 1.0]]))
    tensor(0.)
    """
    need_matrix("logdet", input, square=True)
    sign, size = slogdet(input)
    if input.is_complex():
        return sign.log() + size
    return size.where(sign != -1.0, float("nan"))


# Made of these.


def pinv(
    A: Tensor,
    *,
    atol: float | Tensor | None = None,
    rtol: float | Tensor | None = None,
    hermitian: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return the pseudoinverse of each matrix; singular values below ``max(atol, rtol * largest)`` count as zero.

    >>> facula.linalg.pinv(facula.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    need_matrix("linalg.pinv", A, square=hermitian)
    if A.numel() == 0:
        result = (A * 0).transpose(-2, -1)
        return result if out is None else write_out(result, out, "linalg.pinv")
    result = _pinv(A, *_tolerances(A, atol, rtol), hermitian=hermitian)
    return result if out is None else write_out(result, out, "linalg.pinv")


@primitive(vjp={"x": lambda g, x, out: _pinv_slope(g, x, out)})
def _pinv(xp, x, atol, rtol, *, hermitian):
    if hermitian:
        values, u = guarded(xp.linalg.eigh, x)
        return _inverted_but_small(xp, u, values, u, atol, rtol)
    u, values, vh = guarded(xp.linalg.svd, x, False)
    return _inverted_but_small(xp, u, values, xp.conj(xp.swapaxes(vh, -1, -2)), atol, rtol)


@_pinv.kernel("native")
def _pinv_native(x, atol, rtol, *, hermitian):
    found = native.kernels.eigh(x, True) if hermitian else native.kernels.svd(x, False)
    if found is NotImplemented:
        return NotImplemented
    if hermitian:
        return _inverted_but_small(np, found[1], found[0], found[1], atol, rtol)
    return _inverted_but_small(np, found[0], found[1], np.swapaxes(found[2], -1, -2), atol, rtol)


def _inverted_but_small(xp, u, values, v, atol, rtol):
    """Return ``v / values @ u^H`` without values that count as zero."""
    sizes = xp.abs(values)
    least = xp.maximum(
        xp.asarray(atol)[..., None],
        xp.asarray(rtol)[..., None] * sizes.max(-1, keepdims=True),
    )
    kept = sizes > least
    reciprocal = xp.where(kept, 1 / xp.where(kept, values, 1), 0).astype(values.dtype)
    return (v * reciprocal[..., None, :]) @ xp.conj(xp.swapaxes(u, -1, -2))


def _pinv_slope(g: Tensor, x: Tensor, out: Tensor) -> Tensor:
    """Return the gradient of the pseudoinverse at constant rank. Golub and Pereyra 1973, SIAM J. Numer. Anal. 10(2)."""
    back, adjoint = conjugate_transpose(g), conjugate_transpose(out)
    if x.shape[-2] <= x.shape[-1]:
        along = back @ out
        beside = along @ adjoint
        return beside - conjugate_transpose(out @ along) - (x @ out) @ beside + (adjoint @ out) @ (back - along @ x)
    along = out @ back
    beside = adjoint @ along
    return beside - conjugate_transpose(along @ out) + ((back - x @ along) @ out) @ adjoint - (beside @ out) @ x


def _tolerances(
    A: Tensor, atol: float | Tensor | None, rtol: float | Tensor | None
) -> tuple[float | Tensor, float | Tensor]:
    """Return how small, absolutely and next to the largest, a singular value of ``A`` must be to count as zero."""
    if rtol is None:
        default = builtins.max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps
        if isinstance(atol, TensorBase):
            rtol = (atol == 0) * default
        else:
            rtol = 0.0 if atol else default
    return (0.0 if atol is None else atol), rtol


def pinverse(input: Tensor, rcond: float = 1e-15) -> Tensor:
    """Return the pseudoinverse; singular values below ``rcond`` times the largest count as zero.

    >>> facula.pinverse(facula.tensor([[2.0], [0.0]]))
    tensor([[0.5000, 0.0000]])
    """
    return pinv(input, rtol=rcond)


def inv_ex(A: Tensor, *, check_errors: bool = False, out: tuple[Tensor, Tensor] | None = None) -> inv_ex_result:
    """Return the inverse of each matrix, and 0, or for a singular one nan and the first column that makes it so.

    >>> facula.linalg.inv_ex(facula.tensor([[2.0]])).info
    tensor(0, dtype=facula.int32)
    """
    need_matrix("linalg.inv_ex", A, square=True)
    try:
        inverse, info = _inv(A), A.new_zeros(A.shape[:-2], dtype=dtypes.int32)
    except LinAlgError:
        regular, singular, info = _regular(A)
        if check_errors:
            check_factorized(info, "linalg.inv_ex", _no_inverse)
        inverse = _inv(regular).where(~singular, float("nan"))
    return inv_ex_result(*written((inverse, info), out, "linalg.inv_ex"))


class solve_ex_result(NamedTuple):
    """The solution, and an integer that is 0 where there is one."""

    result: Tensor
    info: Tensor


def solve_ex(
    A: Tensor,
    B: Tensor,
    *,
    left: bool = True,
    check_errors: bool = False,
    out: tuple[Tensor, Tensor] | None = None,
) -> solve_ex_result:
    """Return the solution of each linear system, and 0, or for a singular matrix nan and the column that makes it so.

    >>> facula.linalg.solve_ex(facula.tensor([[2.0]]), facula.tensor([4.0])).result
    tensor([2.])
    """
    try:
        result = _solution("linalg.solve_ex", A, B, left, A)
        info = A.new_zeros(A.shape[:-2], dtype=dtypes.int32)
    except LinAlgError:
        if check_errors:
            raise
        regular, singular, info = _regular(A)
        result = _solution("linalg.solve_ex", A, B, left, regular)
        lost = singular.squeeze(-1) if result.dim() < max(A.dim(), B.dim(), 2) else singular
        result = result.where(~lost, float("nan"))
    return solve_ex_result(*written((result, info), out, "linalg.solve_ex"))


def tensorinv(A: Tensor, ind: int = 2, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse of ``A`` taken as a matrix with its first ``ind`` dimensions as rows.

    >>> facula.linalg.tensorinv(facula.eye(4).reshape(2, 2, 4), ind=2).shape
    facula.Size([4, 2, 2])
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind', but got {ind}")
    rows = math.prod(A.shape[:ind])
    columns = math.prod(A.shape[ind:])
    if rows != columns:
        raise RuntimeError(
            f"Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{columns} != {rows}"
        )
    result = inv(A.reshape((rows, columns))).reshape((*A.shape[ind:], *A.shape[:ind]))
    return result if out is None else write_out(result, out, "linalg.tensorinv")


def tensorsolve(
    A: Tensor,
    B: Tensor,
    dims: Sequence[int] | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return X with ``tensordot(A, X, X.dim()) = B``, after the dimensions ``dims`` of A were moved to its end.

    >>> facula.linalg.tensorsolve(facula.eye(4).reshape(2, 2, 4), facula.ones(2, 2)).shape
    facula.Size([4])
    """
    if dims is not None:
        A = A.movedim(tuple(dims), tuple(range(A.dim() - len(dims), A.dim())))
    shape = A.shape[B.dim() :]
    if math.prod(shape) != B.numel() or math.prod(A.shape[: B.dim()]) != B.numel():
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {list(A.shape)} for other of shape {list(B.shape)}"
        )
    result = solve(A.reshape((B.numel(), B.numel())), B.reshape((B.numel(),))).reshape(shape)
    return result if out is None else write_out(result, out, "linalg.tensorsolve")


def matrix_power(input: Tensor, n: int, *, out: Tensor | None = None) -> Tensor:
    """Return each square matrix multiplied ``n`` times with itself; of the inverse for a negative ``n``.

    >>> facula.matrix_power(facula.tensor([[2.0]]), 3)
    tensor([[8.]])
    """
    if input.dim() < 2 or input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            f"linalg.matrix_power: A must be batches of square matrices, but they are of shape {list(input.shape)}"
        )
    base = inv(input) if n < 0 else input
    exponent = -n if n < 0 else n
    result = None
    while exponent:
        if exponent & 1:
            result = base if result is None else result @ base
        exponent >>= 1
        if exponent:
            base = base @ base
    if result is None:
        result = input * 0 + identity(input)
    elif result is input:
        result = input.clone()
    return result if out is None else write_out(result, out, "linalg.matrix_power")


def cross(input: Tensor, other: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the vector product of vectors of length 3 along ``dim``, the first such dimension by default.

    >>> facula.cross(facula.tensor([1, 0, 0]), facula.tensor([0, 1, 0]))
    tensor([0, 0, 1])
    """
    if dim is None:
        found = [at for at, length in enumerate(input.shape) if length == 3]
        if not found:
            raise RuntimeError(f"no dimension of size 3 in input of shape {list(input.shape)}")
        dim = found[0]
    return linalg_cross(input, other, dim=dim, out=out)


def linalg_cross(input: Tensor, other: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the vector product of vectors of length 3 along ``dim``."""
    if input.dim() != other.dim():
        raise RuntimeError(
            f"linalg.cross: inputs must have the same number of dimensions, got {input.dim()} and {other.dim()}"
        )
    dim = wrap_dim(dim, input.dim())
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {input.shape[dim]} and {other.shape[dim]}"
        )
    x, y = (
        [input.select(dim, at) for at in range(3)],
        [other.select(dim, at) for at in range(3)],
    )
    parts = [x[(at + 1) % 3] * y[(at + 2) % 3] - x[(at + 2) % 3] * y[(at + 1) % 3] for at in range(3)]
    joined = parts[0].unsqueeze(dim)._joined(parts[1].unsqueeze(dim), dim)._joined(parts[2].unsqueeze(dim), dim)
    return joined if out is None else write_out(joined, out, "linalg.cross")


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Return the powers of a vector's elements as the columns of a matrix, falling unless ``increasing``.

    >>> facula.vander(facula.tensor([1, 2, 3]), 2)
    tensor([[1, 1],
            [2, 1],
            [3, 1]])
    """
    if x.dim() != 1:
        raise RuntimeError(f"x must be a one-dimensional tensor, got {x.dim()} dimensions")
    if N is not None and N < 0:
        raise RuntimeError("N must be non-negative.")
    rising = linalg_vander(x, N=N)
    return rising if increasing else rising.flip(-1)


def linalg_vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """Return the powers 0, 1, 2, … of the elements along a new last dimension."""
    count = (x.shape[-1] if x.dim() else 1) if N is None else N
    if x.dtype is dtypes.bool_:
        x = x.long()
    if not x.dim():
        x = x.unsqueeze(0)
    ones = x.new_ones((*x.shape, builtins.min(count, 1)))
    if count <= 1:
        return ones
    return ones._joined(x.unsqueeze(-1).expand((*x.shape, count - 1)).cumprod(-1), -1)


def multi_dot(tensors: Sequence[Tensor], *, out: Tensor | None = None) -> Tensor:
    """Return the product of matrices (the first and the last may be vectors) in the cheapest order.

    >>> facula.linalg.multi_dot([facula.ones(2, 3), facula.ones(3, 4), facula.ones(4)]).shape
    facula.Size([2])
    """
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    matrices = list(tensors)
    for at, each in enumerate(matrices):
        ends = at in (0, len(matrices) - 1)
        if each.dim() not in ((1, 2) if ends else (2,)):
            kind = "1D or 2D" if ends else "2D"
            raise RuntimeError(f"multi_dot(): tensor {at} must be {kind} but got {each.dim()}D")
        if each.dtype is not matrices[0].dtype:
            raise RuntimeError(
                f"multi_dot(): all tensors must have the same dtype but got {each.dtype.name} for tensor {at}"
            )
    first, last = matrices[0].dim() == 1, matrices[-1].dim() == 1
    if first:
        matrices[0] = matrices[0].unsqueeze(0)
    if last:
        matrices[-1] = matrices[-1].unsqueeze(-1)
    for at, (left, right) in enumerate(zip(matrices, matrices[1:])):
        if left.shape[1] != right.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {at} and {at + 1} with shapes {list(left.shape)} and {list(right.shape)} cannot be "
                "multiplied"
            )
    result = matrices[0]._chained(*matrices[1:])
    if first:
        result = result.squeeze(0)
    if last:
        result = result.squeeze(-1)
    return result if out is None else write_out(result, out, "multi_dot")


def vecdot(x: Tensor, y: Tensor, *, dim: int = -1, out: Tensor | None = None) -> Tensor:
    """Return the dot products of vectors along ``dim``, those of ``x`` conjugated.

    >>> facula.linalg.vecdot(facula.ones(2, 3), facula.ones(2, 3))
    tensor([3., 3.])
    """
    if not x.is_floating_point() and not x.is_complex():
        raise RuntimeError(
            f"linalg.vecdot: Expected a floating point or complex tensor as input. Got {x.dtype.name.title()}"
        )
    if x.dtype is not y.dtype:
        raise RuntimeError(
            f"linalg.vecdot: Expected x and y to have the same dtype, got {x.dtype.name} and {y.dtype.name}"
        )
    result = ((x.conj() if x.is_complex() else x) * y).sum(dim)
    return result if out is None else write_out(result, out, "linalg.vecdot")


inverse: Callable[..., Tensor] = inv
