"""Norms and distances of vectors and matrices, and what singular values tell."""

import builtins
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula import dtypes, native
from facula.dimensions import count_along, kept_shape, wrap_dim, wrap_dims
from facula.dtypes import dtype as DType
from facula.primitive import primitive, promote, write_out
from facula.types import Tensor

__all__ = ["cdist", "dist", "norm", "renorm"]

Dims = int | Sequence[int] | None


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x, out, order, dims, keepdim: _vector_slope(g, x, out, order, dims, keepdim)},
)
def _vector_norm(xp, x, *, order, dims, keepdim):
    if order == 2:
        square = x.real * x.real + x.imag * x.imag if x.dtype.kind == "c" else x * x
        return xp.sqrt(xp.sum(square, axis=dims, keepdims=keepdim))
    size = xp.abs(x)
    if order == 1:
        return xp.sum(size, axis=dims, keepdims=keepdim)
    if order == 0:
        return xp.sum(size != 0, axis=dims, keepdims=keepdim, dtype=size.dtype)
    if order == math.inf:
        return xp.max(size, axis=dims, keepdims=keepdim, initial=0)
    if order == -math.inf:
        return xp.min(size, axis=dims, keepdims=keepdim)
    return xp.sum(size**order, axis=dims, keepdims=keepdim) ** (1.0 / order)


@_vector_norm.kernel("native")
def _vector_norm_native(x, *, order, dims, keepdim):
    whole = order == 2 and not keepdim and (dims is None or len(dims) == x.ndim)
    found = native.kernels.square_norm(x) if whole else NotImplemented
    return native.kernels.vector_norm(x, dims, keepdim, order) if found is NotImplemented else found


def _vector_slope(
    g: Tensor, x: Tensor, out: Tensor, order: float, dims: tuple[Any, ...] | None, keepdim: bool
) -> Tensor:
    """Return the gradient of a norm; 0 where the norm or, below order 2, the element is 0."""
    if not keepdim:
        shape = kept_shape(x.shape, dims)
        g, out = g.reshape(shape), out.reshape(shape)
    if order == 0:
        return x * 0
    if order == 1:
        return g * x.sgn()
    if order == 2:
        # Put so, the second derivative where the norm is 0 is nan, as there is none.
        return g * (x / out).where(out != 0, 0.0)
    size = x.abs()
    if builtins.abs(order) == math.inf:
        hit = (size == out) | (size.isnan() & out.isnan())
        return x.sgn() * (g / hit.sum(dims, True)).where(hit, 0.0)
    # As in PyTorch, only gradients are made 0: what divides by 0 on the way makes second derivatives there nan.
    if order < 1:
        return x.sgn() * size.pow(order - 1).where(x != 0, 0.0) * g * out.pow(1 - order)
    direction = x.sgn() * size.pow(order - 1) if order < 2 else x * size.pow(order - 2)
    return direction * (g / out.pow(order - 1)).where(out != 0, 0.0)


def _as_floats(name: str, x: Tensor, dtype: DType | None) -> Tensor:
    if not x.is_floating_point() and not x.is_complex():
        raise RuntimeError(f"{name}: Expected a floating point or complex tensor as input. Got {x.dtype.name.title()}")
    if dtype is None:
        return x
    if dtype.category < dtypes.FLOATING:
        raise RuntimeError(f"{name}: dtype should be floating point or complex, but got {dtype.name.title()}")
    if dtype.is_complex != x.is_complex():
        raise RuntimeError(
            f"{name}: dtype should be {'complex' if x.is_complex() else 'real'} for {x.dtype.name.title()} inputs, "
            f"but got {dtype.name.title()}"
        )
    return x.to(dtype)


def vector_norm(
    x: Tensor,
    ord: float = 2,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``(sum |x| ** ord) ** (1 / ord)`` of all elements, or along ``dim``.

    ``ord`` 0 counts elements that are not zero; inf and -inf are the largest and the smallest size.

    >>> facula.linalg.vector_norm(facula.tensor([3.0, 4.0]))
    tensor(5.)
    """
    x = _as_floats("linalg.vector_norm", x, dtype)
    dims = wrap_dims(dim, x._array.ndim)
    order = builtins.float(ord)
    empty = count_along(x.shape, dims) == 0 if x._array.ndim else False
    if empty and (order < 0 or order == math.inf) and (dims is None or order < 0 or 0 in [x.shape[at] for at in dims]):
        raise RuntimeError(
            f"linalg.vector_norm cannot compute the {ord} norm on an empty tensor because the operation does not "
            "have an identity"
        )
    return _vector_norm(x, order=order, dims=dims, keepdim=keepdim, out=out)


def matrix_norm(
    A: Tensor,
    ord: float | str = "fro",
    dim: tuple[int, int] = (-2, -1),
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the norm of each matrix: fro, nuc, or 1, -1, inf, -inf (sums of sizes), 2, -2 (singular values).

    >>> facula.linalg.matrix_norm(facula.tensor([[3.0, 0.0], [0.0, 4.0]]))
    tensor(5.)
    """
    if A.dim() < 2:
        raise RuntimeError("linalg.matrix_norm: The input tensor A must have at least 2 dimensions.")
    A = _as_floats("linalg.matrix_norm", A, dtype)
    if isinstance(dim, builtins.int) or len(dim) != 2:
        raise RuntimeError("linalg.matrix_norm: dim must be a 2-tuple of ints")
    rows, columns = (wrap_dim(each, A.dim()) for each in dim)
    if rows == columns:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got {tuple(dim)}")
    if ord == "fro":
        return _vector_norm(A, order=2.0, dims=(rows, columns), keepdim=keepdim, out=out)
    if ord == "nuc" or ord in (2, -2):
        values = A.movedim((rows, columns), (-2, -1)).svd(compute_uv=False).S
        if ord == "nuc":
            found = values.sum(-1)
        else:
            empty = ord == 2 and not values.shape[-1]
            found = values.sum(-1) if empty else values.amax(-1) if ord == 2 else values.amin(-1)
        if keepdim:
            found = found.reshape(kept_shape(A.shape, (rows, columns)))
    elif not isinstance(ord, str) and builtins.abs(ord) in (1, math.inf):
        # Along one dimension sizes are summed, along the other the extreme sum is taken.
        summed, taken = (rows, columns) if builtins.abs(ord) == 1 else (columns, rows)
        totals = _vector_norm(A, order=1.0, dims=(summed,), keepdim=True)
        if ord > 0 and not totals.shape[taken]:
            found = totals.sum(taken, True)  # the largest of no sums is 0
        else:
            found = totals.amax(taken, True) if ord > 0 else totals.amin(taken, True)
        if not keepdim:
            found = found.squeeze(builtins.max(rows, columns)).squeeze(builtins.min(rows, columns))
    else:
        raise RuntimeError(f"linalg.matrix_norm: Order {ord} not supported.")
    return found if out is None else write_out(found, out, "linalg.matrix_norm")


def linalg_norm(
    A: Tensor,
    ord: float | str | None = None,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
) -> Tensor:
    """Return a norm of the vectors along one ``dim`` or of the matrices along two; of everything by default.

    >>> facula.linalg.norm(facula.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if ord is None:
        return vector_norm(A, 2, dim, keepdim, dtype=dtype, out=out)
    if dim is None:
        if A.dim() not in (1, 2):
            raise RuntimeError(
                f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.dim()}D."
            )
        dim = (0,) if A.dim() == 1 else (0, 1)
    if isinstance(dim, builtins.int) or len(dim) == 1:
        if isinstance(ord, str):
            raise RuntimeError(f"linalg.norm: Order {ord} is not supported for vectors")
        return vector_norm(A, ord, dim, keepdim, dtype=dtype, out=out)
    both: Any = tuple(dim)  # two: `matrix_norm` says so
    return matrix_norm(A, ord, both, keepdim, dtype=dtype, out=out)


def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    out: Tensor | None = None,
    dtype: DType | None = None,
) -> Tensor:
    """Return the norm of all elements, or along ``dim``; ``p`` is a number, fro or nuc.

    >>> facula.norm(facula.tensor([3.0, 4.0]))
    tensor(5.)
    """
    if p == "nuc":
        if dim is None and input.dim() != 2:
            raise RuntimeError(f"linalg.matrix_norm: nuclear norm needs 2 dimensions, got {input.dim()}")
        both: Any = (-2, -1) if dim is None else dim  # two: `matrix_norm` says so
        return matrix_norm(input, "nuc", both, keepdim, dtype=dtype, out=out)
    if isinstance(p, str) and p != "fro":
        raise RuntimeError(f"norm(): order {p} is not supported")
    return vector_norm(input, 2 if p is None or isinstance(p, str) else p, dim, keepdim, dtype=dtype, out=out)


def dist(input: Tensor, other: Tensor, p: float = 2) -> Tensor:
    """Return the ``p``-norm of the difference.

    >>> facula.dist(facula.tensor([0.0, 0.0]), facula.tensor([3.0, 4.0]))
    tensor(5.)
    """
    return vector_norm(input - other, p)


def cdist(
    x1: Tensor,
    x2: Tensor,
    p: float = 2.0,
    compute_mode: str = "use_mm_for_euclid_dist_if_necessary",
) -> Tensor:
    """Return the ``p``-norm distances between each row of ``x1`` (…, P, M) and each of ``x2`` (…, R, M): (…, P, R).

    >>> facula.cdist(facula.tensor([[0.0, 0.0]]), facula.tensor([[3.0, 4.0]]))
    tensor([[5.]])
    """
    for name, each in (("X1", x1), ("X2", x2)):
        if not each.is_floating_point():
            raise RuntimeError(f"cdist only supports floating-point dtypes, {name} got: {each.dtype.name.title()}")
        if each.dim() < 2:
            raise RuntimeError(f"cdist only supports at least 2D tensors, {name} got: {each.dim()}D")
    if x1.shape[-1] != x2.shape[-1]:
        raise RuntimeError(f"X1 and X2 must have the same number of columns. X1: {x1.shape[-1]} X2: {x2.shape[-1]}")
    if p < 0:
        raise RuntimeError("cdist only supports non-negative p values")
    if compute_mode not in (
        "use_mm_for_euclid_dist_if_necessary",
        "use_mm_for_euclid_dist",
        "donot_use_mm_for_euclid_dist",
    ):
        raise ValueError(f"{compute_mode} is not a valid value for compute_mode")
    by_products = compute_mode == "use_mm_for_euclid_dist" or (
        compute_mode == "use_mm_for_euclid_dist_if_necessary" and builtins.max(x1.shape[-2], x2.shape[-2]) > 25
    )
    if p == 2 and x1.numel() and x2.numel():
        return _euclidean(x1, x2) if by_products else _euclidean_apart(x1, x2)
    return _vector_norm(
        x1.unsqueeze(-2) - x2.unsqueeze(-3),
        order=builtins.float(p),
        dims=_last(x1, x2),
        keepdim=False,
    )


_gradients_of_distances: dict[str | tuple[str, ...], Callable[..., Any]] = {
    "x": lambda g, x, other, out: _apart(g / out, x, other, out),
    "other": lambda g, x, other, out: _apart((g / out).mT, other, x, out.mT),
}


@primitive(dtype=promote, vjp=_gradients_of_distances)
def _euclidean(xp, x, other):
    """Return the distances of rows by ``|x|^2 - 2 x y + |y|^2``, as PyTorch has them where there are many."""
    return _from_products(xp, x, other, x @ xp.swapaxes(other, -1, -2))


@_euclidean.kernel("native")
def _euclidean_native(x, other):
    products = native.kernels.mm_nt(x, other) if x.ndim == other.ndim == 2 else NotImplemented
    if products is NotImplemented:
        products = x @ np.swapaxes(other, -1, -2)
    found = native.kernels.distances_of_products(x, other, products)
    return _from_products(np, x, other, products) if found is NotImplemented else found


@primitive(dtype=promote, vjp=_gradients_of_distances)
def _euclidean_apart(xp, x, other):
    """Return the same by differences, which is exact for rows that lie close together."""
    difference = x[..., :, None, :] - other[..., None, :, :]
    difference *= difference
    return xp.sqrt(difference.sum(-1))


_euclidean_apart.native("distances")


def _from_products(xp, x, other, products):
    products *= -2
    products += (x * x).sum(-1)[..., :, None]
    products += (other * other).sum(-1)[..., None, :]
    xp.maximum(products, 0, out=products)
    return xp.sqrt(products, out=products)


def _apart(share: Tensor, x: Tensor, other: Tensor, out: Tensor) -> Tensor:
    """Return the sums of ``share * (x - other)`` over the rows of ``other``; what is at the same place counts for nothing."""
    share = share.where(out != 0, 0.0)
    return share.sum(-1, keepdim=True) * x - share @ other


def _last(x1: Tensor, x2: Tensor) -> tuple[int]:
    return (builtins.max(x1.dim(), x2.dim()),)


def renorm(input: Tensor, p: float, dim: int, maxnorm: float, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with each slice along ``dim`` scaled down to a ``p``-norm of at most ``maxnorm``.

    >>> facula.renorm(facula.tensor([[3.0, 4.0], [0.3, 0.4]]), 2, 0, 1.0)
    tensor([[0.6000, 0.8000],
            [0.3000, 0.4000]])
    """
    if input.dim() < 2:
        raise RuntimeError(f"renorm: input needs at least 2 dimensions, got {input.dim()} dimensions")
    if p <= 0:
        raise RuntimeError("renorm: non-positive-norm not supported")
    if maxnorm < 0:
        raise RuntimeError(f"renorm: expected maxnorm to be >= 0 but got {maxnorm}")
    dim = wrap_dim(dim, input.dim())
    over = tuple(at for at in range(input.dim()) if at != dim)
    norms = _vector_norm(input, order=builtins.float(p), dims=over, keepdim=True)
    # 1e-7 keeps the result's norm below the limit in spite of rounding.
    result = input * (maxnorm / (norms + 1e-7)).where(norms > maxnorm, 1.0)
    return result if out is None else write_out(result, out, "renorm")


def matrix_rank(
    A: Tensor,
    *,
    atol: float | Tensor | None = None,
    rtol: float | Tensor | None = None,
    hermitian: bool = False,
    tol: float | Tensor | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return how many singular values of each matrix are above ``max(atol, rtol * largest)``.

    >>> facula.linalg.matrix_rank(facula.tensor([[1.0, 0.0], [0.0, 0.0]]))
    tensor(1)
    """
    if A.dim() < 2:
        raise RuntimeError("linalg.matrix_rank: The input tensor A must have at least 2 dimensions.")
    A = A.detach()
    if A.numel() == 0:
        found = A.new_zeros(A.shape[:-2], dtype=dtypes.int64)
        return found if out is None else write_out(found, out, "linalg.matrix_rank")
    sizes = A._eigh()[0].abs() if hermitian else A.svd(compute_uv=False).S
    atol = tol if tol is not None else atol
    if tol is not None:
        rtol = 0.0
    eps = builtins.max(A.shape[-2:]) * dtypes.finfo(A.dtype).eps
    if rtol is None:
        if atol is None:
            rtol = eps
        else:
            rtol = (atol == 0) * eps if isinstance(atol, Tensor) else (eps if atol == 0 else 0.0)
    least = sizes.amax(-1) * rtol
    if atol is not None:
        least = (least * 0 + atol).maximum(least)
    found = (sizes > least.unsqueeze(-1)).sum(-1)
    return found if out is None else write_out(found, out, "linalg.matrix_rank")


def cond(A: Tensor, p: float | str | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return the condition number of each matrix: its norm times that of its inverse, by singular values for p 2.

    >>> facula.linalg.cond(facula.tensor([[2.0, 0.0], [0.0, 1.0]]))
    tensor(2.)
    """
    if A.dim() < 2:
        raise RuntimeError("linalg.cond: The input tensor A must have at least 2 dimensions.")
    if A._array.size == 0:
        found = A.detach().new_zeros(A.shape[:-2], dtype=A.dtype.to_real())
    elif p is None or p in (2, -2):
        values = A.svd(compute_uv=False).S
        high, low = values.select(-1, 0), values.select(-1, -1)
        found = low / high if p == -2 else high / low
    else:
        if A.shape[-1] != A.shape[-2]:
            raise RuntimeError(
                f"linalg.cond: A must be batches of square matrices, but they are {A.shape[-2]} by {A.shape[-1]} "
                "matrices"
            )
        found = matrix_norm(A, p) * matrix_norm(A.inverse(), p)
    return found if out is None else write_out(found, out, "linalg.cond")
