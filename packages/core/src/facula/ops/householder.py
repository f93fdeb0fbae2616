"""QR factorization kept as Householder reflections, and products with their orthogonal matrix."""

from typing import NamedTuple

from facula import dtypes
from facula.arguments import need_tensor
from facula.matrices import conjugate_transpose, identity, not_differentiable, stacked, written
from facula.primitive import primitive, write_out
from facula.types import Tensor

__all__ = ["geqrf", "orgqr", "ormqr"]

# The product of reflections H_i = I - tau_i v_i v_i^H is I - V T V^H with T^-1 = striu(V^H V) + diag(1 / tau), where striu
# is what is above the diagonal (Walker 1988, SIAM J. Sci. Stat. Comput. 9(1); Joffrain et al. 2006, ACM TOMS 32(2)). With
# both sides multiplied by diag(tau) it holds for tau = 0 too. So all of these are matrix products and one triangular
# system, and so are their derivatives.


class geqrf_result(NamedTuple):
    """Reflections below the diagonal with R on and above it, and the reflections' factors."""

    a: Tensor
    tau: Tensor


@primitive(vjp={"x": not_differentiable("geqrf")})
def _geqrf(xp, x):
    rows, columns = x.shape[-2:]
    count = min(rows, columns)
    if not x.size:
        return x.copy(), xp.zeros((*x.shape[:-2], count), x.dtype)
    matrices = stacked(x)
    factors = xp.empty((len(matrices), count), x.dtype)
    for at, matrix in enumerate(matrices):
        raw, factors[at] = xp.linalg.qr(matrix, mode="raw")
        matrices[at] = raw.T
    return matrices.reshape(x.shape), factors.reshape((*x.shape[:-2], count))


def geqrf(input: Tensor, *, out: tuple[Tensor, Tensor] | None = None) -> geqrf_result:
    """Return LAPACK's QR factorization of each matrix: R, below it the reflections that make Q, and their factors tau.

    `facula.linalg.householder_product` makes Q of both. It has no derivative; `facula.linalg.qr` has one.

    >>> facula.geqrf(facula.tensor([[3.0], [4.0]])).a[0].abs()
    tensor([5.])
    """
    need_tensor("geqrf", input)
    if input.dim() < 2:
        raise RuntimeError("torch.geqrf: input must have at least 2 dimensions.")
    if not (input.is_floating_point() or input.is_complex()) or input.dtype.numpy in dtypes.REDUCED:
        raise NotImplementedError(f'"geqrf_cpu" not implemented for {input.dtype.name.title()!r}')
    return geqrf_result(*written(_geqrf(input), out, "geqrf"))


def _reflections(input: Tensor, count: int) -> Tensor:
    """Return the vectors of the first ``count`` reflections: 1 on the diagonal, 0 above it."""
    rows = input.shape[-2]
    below = input.narrow(-1, 0, count).tril(-1)
    return below + input.detach().new_ones((rows, count)).tril().triu()


def _applied(vectors: Tensor, tau: Tensor, other: Tensor, turned: bool) -> Tensor:
    """Return the product of all reflections, ``turned`` its conjugate transpose, with ``other``."""
    adjoint = conjugate_transpose(vectors)
    triangle = (tau.unsqueeze(-1) * (adjoint @ vectors)).triu(1) + identity(tau)
    if turned:
        # T^H = (diag(tau) U)^H with U the inverse of the triangle.
        inner = conjugate_transpose(triangle)._solve_triangular(adjoint @ other, upper=False, unitriangular=True)
        inner = (tau.conj() if tau.is_complex() else tau).unsqueeze(-1) * inner
    else:
        inner = triangle._solve_triangular(tau.unsqueeze(-1) * (adjoint @ other), upper=True, unitriangular=True)
    return other - vectors @ inner


def _check(name: str, input: Tensor, tau: Tensor) -> None:
    if input.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if tau.dim() != input.dim() - 1:
        raise RuntimeError(
            f"{name}: Expected tau to have one dimension less than input, but got tau.ndim equal to {tau.dim()} and "
            f"input.ndim is equal to {input.dim()}"
        )
    if tau.shape[:-1] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of tau to be equal to input.shape[:-2], but got {list(tau.shape[:-1])}"
        )
    if not (input.is_floating_point() or input.is_complex()) or input.dtype.numpy in dtypes.REDUCED:
        raise NotImplementedError(f'"{name}" not implemented for {input.dtype.name.title()!r}')


def householder_product(input: Tensor, tau: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the first n columns (…, m, n) of the product of the reflections below the diagonal of ``input`` (…, m, n).

    >>> facula.linalg.householder_product(facula.tensor([[0.0], [1.0]]), facula.tensor([1.0]))
    tensor([[ 0.],
            [-1.]])
    """
    name = "torch.linalg.householder_product"
    for argument, each in (("input", input), ("tau", tau)):
        need_tensor("linalg_householder_product", each, argument)
    if input.dim() >= 2 and input.shape[-2] < input.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-2] must be greater than or equal to input.shape[-1]")
    if input.dim() >= 2 and tau.dim() and input.shape[-1] < tau.shape[-1]:
        raise RuntimeError(f"{name}: input.shape[-1] must be greater than or equal to tau.shape[-1]")
    _check(name, input, tau)
    if tau.dtype is not input.dtype:
        raise RuntimeError(
            f"{name}: tau dtype {tau.dtype.name.title()} does not match input dtype {input.dtype.name.title()}"
        )
    columns = input.detach().new_ones(input.shape[-2:]).tril().triu()
    result = _applied(_reflections(input, tau.shape[-1]), tau, columns, False)
    return result if out is None else write_out(result, out, "linalg.householder_product")


def orgqr(input: Tensor, input2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the first columns of the product of reflections; see `facula.linalg.householder_product`."""
    return householder_product(input, input2, out=out)


def ormqr(
    input: Tensor,
    tau: Tensor,
    other: Tensor,
    left: bool = True,
    transpose: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``Q @ other``, or ``other @ Q`` unless ``left``, for Q the product of all reflections of `geqrf`.

    With ``transpose`` the conjugate transpose of Q stands in its place.

    >>> facula.ormqr(facula.tensor([[0.0], [1.0]]), facula.tensor([1.0]), facula.ones(2, 1))
    tensor([[-1.],
            [-1.]])
    """
    name = "torch.ormqr"
    for argument, each in (("input", input), ("tau", tau), ("other", other)):
        need_tensor("ormqr", each, argument)
    if input.dim() < 2:
        raise RuntimeError(f"{name}: input must have at least 2 dimensions.")
    if other.dim() < 2:
        raise RuntimeError(f"{name}: other must have at least 2 dimensions.")
    side = -2 if left else -1
    if tau.dim() and tau.shape[-1] != min(other.shape[side], input.shape[-1]):
        raise RuntimeError(f"{name}: tau.shape[-1] must be equal to min(other.shape[{side}], input.shape[-1])")
    if other.shape[side] != input.shape[-2]:
        raise RuntimeError(f"{name}: other.shape[{side}] must be equal to input.shape[-2]")
    _check(name, input, tau)
    if other.shape[:-2] != input.shape[:-2]:
        raise RuntimeError(
            f"{name}: Expected batch dimensions of other to be equal to input.shape[:-2], but got "
            f"{list(other.shape[:-2])}"
        )
    for argument, each in (("tau", tau), ("other", other)):
        if each.dtype is not input.dtype:
            raise RuntimeError(
                f"{name}: Expected input and {argument} to have the same dtype, but input has dtype "
                f"{input.dtype.name.title()} and {argument} has dtype {each.dtype.name.title()}"
            )
    vectors = _reflections(input, tau.shape[-1])
    if left:
        result = _applied(vectors, tau, other, transpose)
    else:
        result = conjugate_transpose(_applied(vectors, tau, conjugate_transpose(other), not transpose))
    return result if out is None else write_out(result, out, "ormqr")
