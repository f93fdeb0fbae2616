"""Running sums, products and extremes along a dimension, differences and areas."""

from typing import Any, NamedTuple

import numpy as np

from facula import dtypes, native
from facula.dimensions import wrap_dim
from facula.dtypes import dtype as DType
from facula.primitive import primitive, promote, to_float, write_out
from facula.types import Number, Tensor

__all__ = ["cummax", "cummin", "cumprod", "cumsum", "cumulative_trapezoid", "diff", "logcumsumexp", "trapezoid"]
__all__ += ["trapz"]


class cummax_result(NamedTuple):
    """The largest elements so far along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


class cummin_result(NamedTuple):
    """The smallest elements so far along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


#: A long running sum in single precision would lose digits that the result has: it is kept in double precision.
_ACCUMULATED_IN = {"f": np.dtype(np.float64), "F": np.dtype(np.complex128)}


def _result_type(x: np.ndarray) -> np.dtype:
    return np.dtype(np.int64) if x.dtype.kind in "iub" else x.dtype


@primitive(
    dtype=promote,
    vjp={"x": lambda g, dim, backwards: _cumsum(g, dim=dim, backwards=not backwards)},
)
def _cumsum(xp, x, *, dim, backwards):
    result_type = _result_type(x)
    if not x.ndim:
        return x.astype(result_type)
    wide = _ACCUMULATED_IN.get(result_type.char, result_type)
    if backwards:
        sums = xp.flip(xp.cumsum(xp.flip(x, dim), axis=dim, dtype=wide), dim)
        return xp.ascontiguousarray(sums.astype(result_type, copy=False))
    return xp.cumsum(x, axis=dim, dtype=wide).astype(result_type, copy=False)


@_cumsum.kernel("native")
def _cumsum_native(x, *, dim, backwards):
    return native.kernels.cumsum(x, dim, backwards)


@primitive(dtype=promote, vjp={"x": lambda g, x, out, dim: _cumprod_slope(g, x, out, dim)})
def _cumprod(xp, x, *, dim):
    result_type = _result_type(x)
    if not x.ndim:
        return x.astype(result_type)
    wide = _ACCUMULATED_IN.get(result_type.char, result_type)
    return xp.cumprod(x, axis=dim, dtype=wide).astype(result_type, copy=False)


@_cumprod.kernel("native")
def _cumprod_native(x, *, dim):
    return native.kernels.cumprod(x, dim)


def _cumprod_slope(g: Tensor, x: Tensor, out: Tensor, dim: int) -> Tensor:
    if not x.dim() or x.shape[dim] == 1:
        return g
    if x.is_complex():
        x, out = x.conj(), out.conj()
    if not (x == 0).any():
        return _cumsum(g * out, dim=dim, backwards=True) / x
    # For each i and each j from i on, the product of the elements up to j without the i-th.
    along, g = x.transpose(dim, -1), g.transpose(dim, -1)
    length = along.shape[-1]
    upper = x.new_ones((length, length), dtype=dtypes.bool_).triu()
    without = along.unsqueeze(-2).where(~(upper & upper.transpose(0, 1)), 1.0).cumprod(-1)
    return (without * g.unsqueeze(-2)).where(upper, 0.0).sum(-1).transpose(dim, -1)


def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None, out: Tensor | None = None) -> Tensor:
    """Return the sums of the elements so far along ``dim``; of integers in int64.

    >>> facula.cumsum(facula.tensor([1, 2, 3]), 0)
    tensor([1, 3, 6])
    """
    dim = wrap_dim(dim, input._array.ndim)
    if dtype is not None:
        input = input.to(dtype)
    result = _cumsum(input, dim=dim, backwards=False)
    result = result if dtype is None else result.to(dtype)
    return result if out is None else write_out(result, out, "cumsum")


def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None, out: Tensor | None = None) -> Tensor:
    """Return the products of the elements so far along ``dim``; of integers in int64.

    >>> facula.cumprod(facula.tensor([1, 2, 3]), 0)
    tensor([1, 2, 6])
    """
    dim = wrap_dim(dim, input._array.ndim)
    if dtype is not None:
        input = input.to(dtype)
    result = _cumprod(input, dim=dim)
    result = result if dtype is None else result.to(dtype)
    return result if out is None else write_out(result, out, "cumprod")


def _to_indices(g: list[Any], out: tuple[Any, ...], x_shape: tuple[Any, ...], dim: int) -> Tensor:
    return g[0].new_zeros(x_shape).scatter_add(dim, out[1], g[0]) if x_shape else g[0]


def _running(xp, x, dim, accumulate, better):
    """Return the running extremes and the last index at which each was met; nan stays once it is met."""
    if not x.ndim:
        return x.copy(), xp.zeros((), np.int64)
    values = accumulate(x, axis=dim)
    hit = better(x, values)
    if x.dtype.kind == "f":
        hit |= xp.isnan(x)
    places = xp.arange(x.shape[dim]).reshape([-1 if at == dim else 1 for at in range(x.ndim)])
    return values, xp.maximum.accumulate(xp.where(hit, places, 0), axis=dim)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out, dim: _to_indices(g, out, x_shape, dim)},
)
def _cummax(xp, x, *, dim):
    return _running(xp, x, dim, xp.maximum.accumulate, xp.greater_equal)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out, dim: _to_indices(g, out, x_shape, dim)},
)
def _cummin(xp, x, *, dim):
    return _running(xp, x, dim, xp.minimum.accumulate, xp.less_equal)


@_cummax.kernel("native")
def _cummax_native(x, *, dim):
    return native.kernels.running_extreme(x, dim, False)


@_cummin.kernel("native")
def _cummin_native(x, *, dim):
    return native.kernels.running_extreme(x, dim, True)


def _written(results: tuple[Tensor, ...], out: tuple[Tensor, ...] | None, name: str) -> tuple[Tensor, ...]:
    if out is None:
        return results
    return tuple([write_out(result, each, name) for result, each in zip(results, out, strict=True)])


def cummax(input: Tensor, dim: int, *, out: tuple[Tensor, Tensor] | None = None) -> cummax_result:
    """Return the largest elements so far along ``dim``, and their indices.

    >>> facula.cummax(facula.tensor([1, 3, 2]), 0).values
    tensor([1, 3, 3])
    """
    return cummax_result(*_written(_cummax(input, dim=wrap_dim(dim, input._array.ndim)), out, "cummax"))


def cummin(input: Tensor, dim: int, *, out: tuple[Tensor, Tensor] | None = None) -> cummin_result:
    """Return the smallest elements so far along ``dim``, and their indices.

    >>> facula.cummin(facula.tensor([2, 1, 3]), 0).values
    tensor([2, 1, 1])
    """
    return cummin_result(*_written(_cummin(input, dim=wrap_dim(dim, input._array.ndim)), out, "cummin"))


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x, out, dim, backwards: _logcumsumexp_slope(g, x, out, dim, backwards)},
)
def _logcumsumexp(xp, x, *, dim, backwards):
    if not x.ndim or not x.size:
        return x.copy()
    turned = xp.flip(x, dim) if backwards else x
    if x.dtype.kind == "c":
        result = _complex_running_logsumexp(xp, xp.moveaxis(turned, dim, 0))
        result = xp.moveaxis(result, 0, dim)
    else:
        result = xp.logaddexp.accumulate(turned, axis=dim)
    return xp.ascontiguousarray(xp.flip(result, dim)) if backwards else result


def _complex_running_logsumexp(xp, x):
    """Return the running sums along the first dimension; the imaginary part goes on from that of the larger term."""
    result = xp.empty_like(x)
    total = result[0] = x[0]
    for at in range(1, x.shape[0]):
        first = total.real >= x[at].real
        high, low = xp.where(first, total, x[at]), xp.where(first, x[at], total)
        total = result[at] = high + xp.log1p(xp.exp(low - high))
    return result


def _logcumsumexp_slope(g: Tensor, x: Tensor, out: Tensor, dim: int, backwards: bool) -> Tensor:
    """Return ``exp(x)`` times the sum of ``g / exp(out)`` from each element on, in logarithms for stability."""
    if not x.dim():
        return g
    if x.is_complex():
        return (x.exp() * _cumsum((g.conj() * (-out).exp()), dim=dim, backwards=not backwards)).conj()
    total: Any = None
    for sign in (1.0, -1.0):
        chosen = g * sign > 0
        size = (g * sign).where(chosen, 1.0).log().where(chosen, dtypes.finfo(g.dtype).min)
        part = sign * (_logcumsumexp(size - out, dim=dim, backwards=not backwards) + x).exp()
        total = part if total is None else total + part
    return total


def logcumsumexp(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithms of the sums of exponentials so far along ``dim``.

    >>> facula.logcumsumexp(facula.zeros(2), 0)
    tensor([0.0000, 0.6931])
    """
    if input.dtype.category < dtypes.FLOATING:
        raise RuntimeError(f"\"logcumsumexp_out_cpu\" not implemented for '{input.dtype.name.title()}'")
    return _logcumsumexp(input, dim=wrap_dim(dim, input._array.ndim), backwards=False, out=out)


# Differences and areas.


def _joined(parts: list[Tensor], dim: int) -> Tensor:
    first, *others = parts
    for each in others:
        first = first._joined(each, dim)
    return first


def diff(
    input: Tensor,
    n: int = 1,
    dim: int = -1,
    prepend: Tensor | None = None,
    append: Tensor | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the ``n``-th differences of neighbours along ``dim``, after joining ``prepend`` and ``append`` to it.

    >>> facula.diff(facula.tensor([1, 4, 9]))
    tensor([3, 5])
    """
    if not input.dim():
        raise RuntimeError("diff expects input to be at least one-dimensional")
    if n < 0:
        raise RuntimeError(f"order must be non-negative but got {n}")
    dim = wrap_dim(dim, input.dim())
    for each in (prepend, append):
        if each is not None and each.dim() != input.dim():
            raise RuntimeError("diff expects prepend or append to be the same dimension as input")
    result = _joined([each for each in (prepend, input, append) if each is not None], dim) if n else input
    for _ in range(min(n, result.shape[dim])):
        length = result.shape[dim] - 1
        high, low = result.narrow(dim, 1, length), result.narrow(dim, 0, length)
        result = high.logical_xor(low) if result.dtype is dtypes.bool_ else high - low
    if not n:
        result = result.clone()
    return result if out is None else write_out(result, out, "diff")


def _panels(y: Tensor, x: Tensor | None, dx: Number, dim: int) -> Tensor:
    """Return the area between each two neighbours."""
    length = max(y.shape[dim] - 1, 0)
    if length == 0:
        return y.narrow(dim, 0, 0) * 1.0
    height = (y.narrow(dim, 1, length) + y.narrow(dim, 0, length)) / 2
    if x is None:
        return height * dx
    if x.dim() == 1:
        if x.shape[0] != y.shape[dim]:
            raise RuntimeError(
                f"trapezoid: There must be one `x` value for each sample point, got {x.shape[0]} for {y.shape[dim]}"
            )
        return height * (x[1:] - x[:-1]).reshape([-1 if at == dim else 1 for at in range(y.dim())])
    x = x.reshape((1,) * (y.dim() - x.dim()) + tuple(x.shape))
    along = x.shape[dim] - 1
    return height * (x.narrow(dim, 1, along) - x.narrow(dim, 0, along))


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """Return the area under the points ``y`` along ``dim``, at places ``x`` or ``dx`` apart, by trapezoids.

    >>> facula.trapezoid(facula.tensor([1.0, 5.0, 10.0]))
    tensor(10.5000)
    """
    _refuse_booleans("trapezoid", y, x)
    dim = wrap_dim(dim, y.dim())
    return _panels(y, x, dx, dim).sum(dim)


def cumulative_trapezoid(y: Tensor, x: Tensor | None = None, *, dx: Number = 1, dim: int = -1) -> Tensor:
    """Return the areas under the points ``y`` up to each point but the first.

    >>> facula.cumulative_trapezoid(facula.tensor([1.0, 5.0, 10.0]))
    tensor([ 3.0000, 10.5000])
    """
    _refuse_booleans("cumulative_trapezoid", y, x)
    dim = wrap_dim(dim, y.dim())
    return _panels(y, x, dx, dim).cumsum(dim)


def _refuse_booleans(name: str, *values: Tensor | None) -> None:
    if any(each is not None and each.dtype is dtypes.bool_ for each in values):
        raise RuntimeError(f"{name}: received a bool input for `x` or `y`, but bool is not supported")


trapz = trapezoid
