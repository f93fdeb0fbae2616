"""Special functions beyond the elementary ones: entropies, Bessel functions, the normal distribution, zeta."""

import math

import numpy as np

from facula import bessel_functions, incomplete_gamma, special_functions
from facula.arguments import need_tensor
from facula.primitive import primitive, to_float
from facula.tensor_base import TensorBase
from facula.types import Tensor, TensorLike

__all__ = ["i0", "igamma", "igammac"]


# Modified Bessel functions of the first kind; the scaled ones are times exp(-|x|).


@primitive(dtype=to_float, vjp={"x": lambda g, x: g * _i1(x)})
def _i0(xp, x):
    return bessel_functions.i0(xp, x)


@primitive(dtype=to_float, vjp={"x": lambda g, x, out: g * (_i1e(x) - x.sgn() * out)})
def _i0e(xp, x):
    return bessel_functions.i0e(xp, x)


@primitive(dtype=to_float, vjp={"x": lambda g, x, out: g * (_i0(x) - _over(out, x, 0.5))})
def _i1(xp, x):
    return bessel_functions.i1(xp, x)


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x, out: g * (_i0e(x) - x.sgn() * out - _over(out, x, 0.5))},
)
def _i1e(xp, x):
    return bessel_functions.i1e(xp, x)


def _over(value: Tensor, x: Tensor, at_zero: float) -> Tensor:
    """Return ``value / x``, and its limit where x is 0."""
    return (value / x.where(x != 0, 1.0)).where(x != 0, at_zero)


def i0(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the modified Bessel function of the first kind and order 0.

    >>> facula.i0(facula.tensor([0.0, 1.0]))
    tensor([1.0000, 1.2661])
    """
    return _i0(input, out=out)


def i0e(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``i0(input) * exp(-abs(input))``."""
    return _i0e(input, out=out)


def i1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the modified Bessel function of the first kind and order 1."""
    return _i1(input, out=out)


def i1e(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``i1(input) * exp(-abs(input))``."""
    return _i1e(input, out=out)


# The normal distribution and what erfc scales to.


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x: g * (x * x * -0.5).exp() * (1.0 / math.sqrt(2.0 * math.pi))},
)
def _ndtr(xp, x):
    return special_functions.erfc(xp, -x / x.dtype.type(math.sqrt(2.0))) / 2


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, out: g * (out * out * 0.5).exp() * math.sqrt(2.0 * math.pi)},
)
def _ndtri(xp, x):
    return special_functions.erfinv(xp, 2 * x - 1) * x.dtype.type(math.sqrt(2.0))


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x, out: g * (2.0 * x * out - 2.0 / math.sqrt(math.pi))},
)
def _erfcx(xp, x):
    return special_functions.erfcx(xp, x)


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x: g * math.sqrt(2.0 / math.pi) / _erfcx(x * (-1.0 / math.sqrt(2.0)))},
)
def _log_ndtr(xp, x):
    # For negative x, where ndtr vanishes, by the scaled complement of erf.
    below = xp.minimum(x, 0)
    root = below.dtype.type(math.sqrt(0.5))
    left = xp.log(special_functions.erfcx(xp, -below * root) / 2) - below * below / 2
    right = xp.log1p(-special_functions.erfc(xp, x * root) / 2)
    return xp.where(x < 0, left, right)


def ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the probability that a standard normal number is below each element."""
    return _ndtr(input, out=out)


def ndtri(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the number below which a standard normal number is with each probability."""
    return _ndtri(input, out=out)


def log_ndtr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of `ndtr`, exact for very negative elements."""
    return _log_ndtr(input, out=out)


def erfcx(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``exp(input ** 2) * erfc(input)``."""
    return _erfcx(input, out=out)


# Logarithms that vanish with their factor.


@primitive(dtype=to_float, vjp={"x": lambda g, x: g * (-x.log() - 1)})
def _entr(xp, x):
    size = xp.where(x > 0, x, x.dtype.type(1))
    return xp.where(
        xp.isnan(x),
        x,
        xp.where(x < 0, x.dtype.type(-math.inf), -xp.where(x > 0, x * xp.log(size), 0 * size)),
    )


def entr(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``-input * log(input)``: 0 at 0, -inf below."""
    return _entr(input, out=out)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, other: g * (other.log1p() if isinstance(other, Tensor) else math.log1p(other)),
        "other": lambda g, x, other: g * x / (other + 1),
    },
)
def _xlog1py(xp, x, other):
    # The logarithm of a number stays a number of Python, so that it has no say in the type.
    result = x * (xp.log1p(other) if hasattr(other, "dtype") else float(np.log1p(other)))
    return xp.where((xp.asarray(x) == 0) & ~xp.isnan(other), result.dtype.type(0), result)


def xlog1py(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return ``input * log(1 + other)``, 0 where ``input`` is 0."""
    return _xlog1py(input, other, out=out)


def _no_derivative(g: Tensor) -> Tensor:
    raise NotImplementedError("the derivative for 'zeta' is not implemented.")


@primitive(dtype=to_float, vjp={"x": _no_derivative, "other": lambda g, x, other: g * (-x) * _zeta(x + 1, other)})
def _zeta(xp, x, other):
    kind = (x if isinstance(x, xp.ndarray) else other).dtype
    return special_functions.zeta(xp, x, other).astype(kind)


def zeta(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return Hurwitz' zeta function of order ``input`` at ``other``; only the latter has a gradient."""
    if not isinstance(input, TensorBase):
        need_tensor("zeta", other, "other")
    return _zeta(input, other, out=out)


# Incomplete gamma functions. As in PyTorch, there is no gradient in the first input.


def _no_gradient(g: Tensor) -> Tensor:
    raise NotImplementedError("the derivative for 'input' of igamma is not implemented")


@primitive(
    dtype=to_float,
    vjp={"input": _no_gradient, "other": lambda g, input, other: g * _gamma_density(input, other)},
)
def _igamma(xp, input, other):
    return incomplete_gamma.gammainc(xp, input, other).astype(input.dtype)


@primitive(
    dtype=to_float,
    vjp={"input": _no_gradient, "other": lambda g, input, other: -g * _gamma_density(input, other)},
)
def _igammac(xp, input, other):
    return incomplete_gamma.gammaincc(xp, input, other).astype(input.dtype)


def _gamma_density(a: Tensor, x: Tensor) -> Tensor:
    return ((a - 1) * x.log() - x - a.lgamma()).exp()


def igamma(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the regularised lower incomplete gamma function P(input, other), elementwise.

    >>> facula.igamma(facula.tensor([1.0]), facula.tensor([2.0]))
    tensor([0.8647])
    """
    need_tensor("igamma", input, "input")
    need_tensor("igamma", other, "other")
    _need_floating("igamma", input, other)
    return _igamma(input, other, out=out)


def igammac(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the regularised upper incomplete gamma function Q(input, other), elementwise.

    >>> facula.igammac(facula.tensor([1.0]), facula.tensor([2.0]))
    tensor([0.1353])
    """
    need_tensor("igammac", input, "input")
    need_tensor("igammac", other, "other")
    _need_floating("igammac", input, other)
    return _igammac(input, other, out=out)


def _need_floating(name: str, *tensors: Tensor) -> None:
    for each in tensors:
        if not each.is_floating_point():
            raise RuntimeError(f"\"{name}_cpu\" not implemented for '{each.dtype.name.title()}'")
