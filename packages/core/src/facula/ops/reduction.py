"""Sums, means and spreads along dimensions, and tests of all elements."""

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import dtypes, native
from facula.dimensions import count_along, kept_shape, wrap_dims
from facula.dtypes import dtype as DType
from facula.primitive import primitive, promote, to_float, write_out
from facula.types import Number, Tensor

__all__ = ["all", "any", "count_nonzero", "logsumexp", "mean", "nanmean", "nansum", "prod", "std", "std_mean", "sum"]
__all__ += ["var", "var_mean"]

Dims = int | Sequence[int] | None


def _spread(g: Tensor, x_shape: tuple[Any, ...], dims: tuple[Any, ...] | None, keepdim: bool) -> Tensor:
    """Return a reduction's gradient with the reduced dimensions back, as length 1."""
    return g if keepdim or dims is None else g.reshape(kept_shape(x_shape, dims))


def _wide(x: np.ndarray) -> np.dtype | None:
    """Return int64 for what is summed in it, else None."""
    return np.dtype(np.int64) if x.dtype.kind in "iub" else None


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, dims, keepdim: _spread(g, x_shape, dims, keepdim).expand(x_shape)},
)
def _sum(xp, x, *, dims, keepdim):
    return xp.sum(x, axis=dims, keepdims=keepdim, dtype=_wide(x))


@_sum.kernel("cpu")
def _sum_on_cpu(x, *, dims, keepdim):
    # What np.sum calls in the end, after a few Python functions.
    return np.add.reduce(x, axis=dims, keepdims=keepdim, dtype=_wide(x))


@_sum.kernel("native")
def _sum_native(x, *, dims, keepdim):
    return native.kernels.sum(x, dims, keepdim)


def sum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the sum of all elements, or along ``dim``; integers and booleans are summed in int64.

    >>> facula.sum(facula.ones(2, 3), dim=1)
    tensor([3., 3.])
    """
    if dtype is not None:
        input = input.to(dtype)
    result = _sum(input, dims=wrap_dims(dim, input._array.ndim), keepdim=keepdim)
    if dtype is not None and result.dtype is not dtype:
        result = result.to(dtype)
    return result if out is None else write_out(result, out, "sum")


@primitive(vjp={"x": lambda g, x_shape: g.expand(x_shape)})
def _sum_to_size(xp, x, *, shape):
    over = _summed(x.shape, shape)
    if x.dtype.kind == "V" or x.dtype == np.float16:
        # Rounded once: a sum of many numbers of 16 bits soon no longer grows.
        return xp.sum(x.astype(np.float32), axis=over).reshape(shape).astype(x.dtype)
    return xp.sum(x, axis=over, dtype=x.dtype).reshape(shape)


@_sum_to_size.kernel("native")
def _sum_to_size_native(x, *, shape):
    result = native.kernels.sum(x, _summed(x.shape, shape), False)
    return result if result is NotImplemented else result.reshape(shape)


def _summed(have: tuple[int, ...], want: tuple[int, ...]) -> tuple[int, ...]:
    """Return the dimensions of ``have`` that are summed on the way to ``want``."""
    extra = len(have) - len(want)
    return (*range(extra), *(at for at in range(extra, len(have)) if want[at - extra] == 1 and have[at] != 1))


def sum_to_size(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """Return ``input`` summed to a shape that broadcasts to its own."""
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else tuple(size)
    if shape == input._array.shape and shape:
        return input
    have = input._array.shape
    extra = len(have) - len(shape)
    if extra < 0 or not _fits(shape, have[extra:]):
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(have)}}}.")
    if input._array.dtype.kind in "iub":
        input = input.to(dtypes.int64)
    return _sum_to_size(input, shape=shape)


def _fits(shape: tuple[Any, ...], have: tuple[Any, ...]) -> bool:
    return not [1 for want, length in zip(shape, have, strict=True) if want not in (1, length)]


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x_shape, dims, keepdim: (_spread(g, x_shape, dims, keepdim) / count_along(x_shape, dims)).expand(
            x_shape
        )
    },
)
def _mean(xp, x, *, dims, keepdim):
    total = xp.sum(x, axis=dims, keepdims=keepdim)
    count = x.size if dims is None else count_along(x.shape, dims)
    return total / total.dtype.type(count)


@_mean.kernel("native")
def _mean_native(x, *, dims, keepdim):
    return native.kernels.mean(x, dims, keepdim)


def _refuse_integers(name: str, input: Tensor, dtype: DType | None = None) -> None:
    kind = input.dtype if dtype is None else dtype
    if kind.category < dtypes.FLOATING:
        raise RuntimeError(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. "
            f"Got: {kind.name.title()}"
        )


def mean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the mean of all elements, or along ``dim``; RuntimeError for integers without ``dtype``.

    >>> facula.mean(facula.tensor([1.0, 3.0]))
    tensor(2.)
    """
    _refuse_integers("mean", input, dtype)
    if dtype is not None:
        input = input.to(dtype)
    return _mean(input, dims=wrap_dims(dim, input._array.ndim), keepdim=keepdim, out=out)


def nansum(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the sum of the elements that are not nan.

    >>> facula.nansum(facula.tensor([1.0, float("nan"), 2.0]))
    tensor(3.)
    """
    if input.is_complex():
        raise RuntimeError("nansum does not support complex inputs")
    numbers = input.where(~input.isnan(), 0.0) if input.is_floating_point() else input
    return sum(numbers, dim, keepdim, dtype=dtype, out=out)


def nanmean(
    input: Tensor,
    dim: Dims = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the mean of the elements that are not nan; RuntimeError for integers.

    >>> facula.nanmean(facula.tensor([1.0, float("nan"), 2.0]))
    tensor(1.5000)
    """
    if not input.is_floating_point() and not input.is_complex():
        raise RuntimeError(
            f"nanmean(): expected input to have floating point or complex dtype but got {input.dtype.name.title()}"
        )
    present = ~input.isnan()
    total = sum(input.where(present, 0.0), dim, keepdim, dtype=dtype)
    result = total / sum(present, dim, keepdim)
    return result if out is None else write_out(result, out, "nanmean")


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x, out, dims, keepdim: _product_slope(g, x, out, dims, keepdim)},
)
def _prod(xp, x, *, dims, keepdim):
    return xp.prod(x, axis=dims, keepdims=keepdim, dtype=_wide(x))


@_prod.kernel("native")
def _prod_native(x, *, dims, keepdim):
    return native.kernels.prod(x, dims, keepdim)


def _product_slope(g: Tensor, x: Tensor, out: Tensor, dims: tuple[Any, ...] | None, keepdim: bool) -> Tensor:
    """Return the gradient of a product: for each element, the product of the others."""
    if not x.dim():
        return g
    if x.is_complex():
        x, out = x.conj(), out.conj()
    if not (x == 0).any():
        return _spread(g * out, x.shape, dims, keepdim) / x
    if dims is None:
        return g * _others(x.reshape(-1)).reshape(x.shape)
    along = x.transpose(dims[0], -1)
    return _spread(g, x.shape, dims, keepdim) * _others(along).transpose(dims[0], -1)


def _others(x: Tensor) -> Tensor:
    """Return for each element along the last dimension the product of the others, without dividing."""
    length = x.shape[-1]
    same = x.new_ones((length, length), dtype=dtypes.bool_).tril().triu()
    return x.unsqueeze(-2).where(~same, 1.0).prod(-1)


def prod(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    dtype: DType | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the product of all elements, or along ``dim``; of integers and booleans in int64.

    >>> facula.prod(facula.tensor([2, 3, 4]))
    tensor(24)
    """
    if dtype is not None:
        input = input.to(dtype)
    result = _prod(input, dims=wrap_dims(dim, input._array.ndim), keepdim=keepdim)
    if dtype is not None and result.dtype is not dtype:
        result = result.to(dtype)
    return result if out is None else write_out(result, out, "prod")


# Variance and standard deviation.


def _variance(xp, x, dims, keepdim, correction):
    count = count_along(x.shape, dims)
    distance = x - xp.sum(x, axis=dims, keepdims=True) / x.dtype.type(count)
    if x.dtype.kind == "c":
        square = distance.real**2
        square += distance.imag**2
    else:
        square = xp.multiply(distance, distance, out=distance) if distance.ndim else distance * distance
    total = xp.sum(square, axis=dims, keepdims=keepdim)
    return total / total.dtype.type(builtins.max(count - correction, 0))


def _variance_slope(x: Tensor, dims: tuple[Any, ...] | None, correction: float) -> Tensor:
    freedom = count_along(x.shape, dims) - correction
    scale = 2.0 / freedom if freedom > 0 else (math.inf if freedom == 0 else math.nan)
    return (x - x.mean(dims, True)) * scale


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, dims, keepdim, correction: (
            _spread(g, x.shape, dims, keepdim) * _variance_slope(x, dims, correction)
        )
    },
)
def _var(xp, x, *, dims, keepdim, correction):
    return _variance(xp, x, dims, keepdim, correction)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, out, dims, keepdim, correction: (
            _spread((g / (out * 2)).where(out != 0, 0.0), x.shape, dims, keepdim) * _variance_slope(x, dims, correction)
        )
    },
)
def _std(xp, x, *, dims, keepdim, correction):
    return xp.sqrt(_variance(xp, x, dims, keepdim, correction))


def _spread_arguments(
    name: str,
    input: Tensor,
    dim: "Dims | bool",
    unbiased: bool | None,
    correction: Number | None,
) -> tuple[tuple[Any, ...] | None, Number]:
    """Return the dimensions and the correction that the overloads of `var` and `std` name."""
    if input.dtype.category < dtypes.FLOATING:
        raise RuntimeError(f"{name} only support floating point and complex dtypes")
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return wrap_dims(dim, input._array.ndim), correction


def var(
    input: Tensor,
    dim: "Dims | bool" = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the variance of all elements, or along ``dim``: squared distances over n - ``correction`` (1).

    >>> facula.var(facula.tensor([1.0, 3.0]))
    tensor(2.)
    """
    dims, correction = _spread_arguments("std and var", input, dim, unbiased, correction)
    return _var(input, dims=dims, keepdim=keepdim, correction=correction, out=out)


def std(
    input: Tensor,
    dim: "Dims | bool" = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return the standard deviation of all elements, or along ``dim``, with n - ``correction`` (1) below.

    >>> facula.std(facula.tensor([1.0, 3.0]))
    tensor(1.4142)
    """
    dims, correction = _spread_arguments("std and var", input, dim, unbiased, correction)
    return _std(input, dims=dims, keepdim=keepdim, correction=correction, out=out)


def var_mean(
    input: Tensor,
    dim: "Dims | bool" = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean.

    >>> facula.var_mean(facula.tensor([1.0, 3.0]))
    (tensor(2.), tensor(2.))
    """
    dims, correction = _spread_arguments("std_mean and var_mean", input, dim, unbiased, correction)
    return _var(input, dims=dims, keepdim=keepdim, correction=correction), _mean(input, dims=dims, keepdim=keepdim)


def std_mean(
    input: Tensor,
    dim: "Dims | bool" = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: Number | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the standard deviation and the mean.

    >>> facula.std_mean(facula.tensor([1.0, 3.0]))
    (tensor(1.4142), tensor(2.))
    """
    dims, correction = _spread_arguments("std_mean and var_mean", input, dim, unbiased, correction)
    return _std(input, dims=dims, keepdim=keepdim, correction=correction), _mean(input, dims=dims, keepdim=keepdim)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, out, dims, keepdim: (
            _spread(g, x.shape, dims, keepdim) * (x - _spread(out, x.shape, dims, keepdim)).exp().conj()
        )
    },
)
def _logsumexp(xp, x, *, dims, keepdim):
    if not x.size:
        return xp.log(xp.sum(x, axis=dims, keepdims=keepdim))
    top = xp.max(x.real, axis=dims, keepdims=True)
    top = xp.where(xp.isfinite(top), top, top.dtype.type(0))
    total = xp.log(xp.sum(xp.exp(x - top), axis=dims, keepdims=True)) + top
    return total if keepdim else total.reshape(xp.sum(x, axis=dims).shape) if dims is None else xp.squeeze(total, dims)


@_logsumexp.kernel("native")
def _logsumexp_native(x, *, dims, keepdim):
    one = x.ndim == 1 if dims is None else len(dims) == 1
    return native.kernels.logsumexp(x, 0 if dims is None else dims[0], keepdim) if one else NotImplemented


def logsumexp(
    input: Tensor,
    dim: int | Sequence[int],
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the sum of exponentials along ``dim``, without overflow.

    >>> facula.logsumexp(facula.zeros(4), 0)
    tensor(1.3863)
    """
    return _logsumexp(input, dims=wrap_dims(dim, input._array.ndim), keepdim=keepdim, out=out)


# Tests of all elements.


@primitive()
def _all(xp, x, *, dims, keepdim):
    result = xp.all(x, axis=dims, keepdims=keepdim)
    return result.astype(np.uint8) if x.dtype == np.uint8 else result


@primitive()
def _any(xp, x, *, dims, keepdim):
    result = xp.any(x, axis=dims, keepdims=keepdim)
    return result.astype(np.uint8) if x.dtype == np.uint8 else result


@primitive()
def _count_nonzero(xp, x, *, dims):
    return xp.count_nonzero(x, axis=dims)


def all(input: Tensor, dim: Dims = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return whether all elements are not zero, over everything or along ``dim``.

    >>> facula.all(facula.tensor([True, False]))
    tensor(False)
    """
    return _all(input, dims=_test_dims(dim, input), keepdim=keepdim, out=out)


def any(input: Tensor, dim: Dims = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return whether an element is not zero, over everything or along ``dim``.

    >>> facula.any(facula.tensor([True, False]))
    tensor(True)
    """
    return _any(input, dims=_test_dims(dim, input), keepdim=keepdim, out=out)


def _test_dims(dim: Dims, input: Tensor) -> tuple[int, ...] | None:
    # Unlike sums, these take an empty tuple of dimensions for none at all.
    return () if isinstance(dim, (tuple, list)) and not dim else wrap_dims(dim, input._array.ndim)


def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """Return how many elements are not zero, over everything or along ``dim``.

    >>> facula.count_nonzero(facula.tensor([0, 3, 5]))
    tensor(2)
    """
    return _count_nonzero(input, dims=wrap_dims(dim, input._array.ndim))
