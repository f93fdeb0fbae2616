"""Exponentials, logarithms, circular and hyperbolic functions, element by element."""

import math

import numpy as np

from facula import dtypes, native, special_functions
from facula.arguments import need_tensor
from facula.primitive import primitive, promote, to_float, write_out
from facula.types import Tensor

__all__ = ["acos", "acosh", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctan2", "arctanh", "asin", "asinh"]
__all__ += ["atan", "atan2", "atanh", "cos", "cosh", "deg2rad", "digamma", "erf", "erfc", "erfinv", "exp", "exp2"]
__all__ += ["expm1", "lgamma", "log", "log1p", "log2", "log10", "logaddexp", "logaddexp2", "logit", "mvlgamma"]
__all__ += ["polygamma", "rad2deg", "sigmoid", "sin", "sinc", "sinh", "tan", "tanh"]


def _conj(x: Tensor) -> Tensor:
    return x.conj() if x.is_complex() else x


@primitive(dtype=to_float, vjp={"x": lambda g, out: g * _conj(out)})
def _exp(xp, x):
    return xp.exp(x)


_exp.kernel("cpu")(np.exp)
_exp.native("exp")


def exp(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return e raised to each element.

    >>> facula.exp(facula.tensor([0.0, 1.0]))
    tensor([1.0000, 2.7183])
    """
    return _exp(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: g * _conj(out) * math.log(2.0)})
def _exp2(xp, x):
    return xp.exp2(x)


_exp2.native("exp2")


def exp2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return 2 raised to each element."""
    return _exp2(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: g * _conj(out + 1)})
def _expm1(xp, x):
    return xp.expm1(x)


_expm1.native("expm1")


def expm1(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``exp(input) - 1``, exact near zero."""
    return _expm1(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj(x)})
def _log(xp, x):
    return xp.log(x)


_log.kernel("cpu")(np.log)
_log.native("log")


def log(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the natural logarithm."""
    return _log(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj(x * math.log(2.0))})
def _log2(xp, x):
    return xp.log2(x)


_log2.native("log2")


def log2(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm to base 2."""
    return _log2(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj(x * math.log(10.0))})
def _log10(xp, x):
    return xp.log10(x)


_log10.native("log10")


def log10(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm to base 10."""
    return _log10(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj(x + 1)})
def _log1p(xp, x):
    return xp.log1p(x)


_log1p.native("log1p")


def log1p(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``log(1 + input)``, exact near zero."""
    return _log1p(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g * _conj(x.cos())})
def _sin(xp, x):
    return xp.sin(x)


_sin.native("sin")


def sin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the sine of each angle in radians."""
    return _sin(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: -g * _conj(x.sin())})
def _cos(xp, x):
    return xp.cos(x)


_cos.native("cos")


def cos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the cosine of each angle in radians."""
    return _cos(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: g * _conj(1 + out * out)})
def _tan(xp, x):
    return xp.tan(x)


_tan.native("tan")


def tan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the tangent of each angle in radians."""
    return _tan(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g * _conj(x.cosh())})
def _sinh(xp, x):
    return xp.sinh(x)


def sinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the hyperbolic sine."""
    return _sinh(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g * _conj(x.sinh())})
def _cosh(xp, x):
    return xp.cosh(x)


def cosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the hyperbolic cosine."""
    return _cosh(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: _tanh_gradient(g, out)})
def _tanh(xp, x):
    return xp.tanh(x)


_tanh.kernel("cpu")(np.tanh)
_tanh.native("tanh")


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, out_of_tanh: _tanh_gradient(g, _conj(out_of_tanh)),
        "out_of_tanh": lambda g, received, out_of_tanh: _conj(g) * received * _conj(-2 * out_of_tanh),
    },
)
def _tanh_gradient(xp, received, out_of_tanh):
    return received * xp.conj(1 - out_of_tanh * out_of_tanh)


_tanh_gradient.native("tanh_gradient")


def tanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the hyperbolic tangent."""
    return _tanh(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj((1 - x * x).sqrt())})
def _asin(xp, x):
    return xp.arcsin(x)


_asin.native("asin")


def asin(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the angle whose sine is each element."""
    return _asin(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: -g / _conj((1 - x * x).sqrt())})
def _acos(xp, x):
    return xp.arccos(x)


_acos.native("acos")


def acos(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the angle whose cosine is each element."""
    return _acos(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj(x * x + 1)})
def _atan(xp, x):
    return xp.arctan(x)


_atan.native("atan")


def atan(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the angle whose tangent is each element."""
    return _atan(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj((x * x + 1).sqrt())})
def _asinh(xp, x):
    return xp.arcsinh(x)


def asinh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse hyperbolic sine."""
    return _asinh(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj((x - 1).sqrt() * (x + 1).sqrt())})
def _acosh(xp, x):
    return xp.arccosh(x)


def acosh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse hyperbolic cosine."""
    return _acosh(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g / _conj(1 - x * x)})
def _atanh(xp, x):
    return xp.arctanh(x)


def atanh(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the inverse hyperbolic tangent."""
    return _atanh(input, out=out)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, other: g * (other / (x * x + other * other)).where((x != 0) | (other != 0), 0.0),
        "other": lambda g, x, other: g * (-x / (x * x + other * other)).where((x != 0) | (other != 0), 0.0),
    },
)
def _atan2(xp, x, other):
    return xp.arctan2(x, other)


def atan2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the angle of the point (``other``, ``input``)."""
    need_tensor("atan2", input)
    need_tensor("atan2", other, "other")
    return _atan2(input, other, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: _sigmoid_gradient(g, out)})
def _sigmoid(xp, x):
    # exp of a large -x overflows to inf, and 1 / inf is the right 0.
    result = xp.exp(-x)
    result += 1
    return xp.reciprocal(result, out=result) if result.ndim else 1 / result


_sigmoid.native("sigmoid")


@primitive(
    dtype=promote,
    vjp={
        "received": lambda g, gate: _sigmoid_gradient(g, _conj(gate)),
        "gate": lambda g, received, gate: _conj(g) * received * _conj(1 - 2 * gate),
    },
)
def _sigmoid_gradient(xp, received, gate):
    return received * xp.conj(gate * (1 - gate))


_sigmoid_gradient.native("sigmoid_gradient")


def sigmoid(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``1 / (1 + exp(-input))``.

    >>> facula.sigmoid(facula.tensor([0.0]))
    tensor([0.5000])
    """
    return _sigmoid(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: (g / (x * (1 - x))).where((x >= 0) & (x <= 1), math.nan)})
def _logit(xp, x):
    return xp.log(x / (1 - x))


def logit(input: Tensor, eps: float | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return ``log(x / (1 - x))``, with x first limited to [eps, 1 - eps] when ``eps`` is given."""
    if eps is not None:
        input = (input if input.is_floating_point() else input.to(dtypes.get_default_dtype())).clamp(eps, 1 - eps)
    return _logit(input, out=out)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, other: g / _conj(1 + (other - x).exp()),
        "other": lambda g, x, other: g / _conj(1 + (x - other).exp()),
    },
)
def _logaddexp(xp, x, other):
    if x.dtype.kind != "c":
        return xp.logaddexp(x, other)
    first = x.real >= other.real
    high, low = xp.where(first, x, other), xp.where(first, other, x)
    return high + xp.log1p(xp.exp(low - high))


_logaddexp.native("logaddexp")


def logaddexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``log(exp(input) + exp(other))`` without overflow."""
    need_tensor("logaddexp", input)
    need_tensor("logaddexp", other, "other")
    return _logaddexp(input, other, out=out)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, other: g / (1 + (other - x).exp2()),
        "other": lambda g, x, other: g / (1 + (x - other).exp2()),
    },
)
def _logaddexp2(xp, x, other):
    return xp.logaddexp2(x, other)


def logaddexp2(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``log2(2 ** input + 2 ** other)`` without overflow."""
    need_tensor("logaddexp2", input)
    need_tensor("logaddexp2", other, "other")
    return _logaddexp2(input, other, out=out)


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x, out: g * _conj(((math.pi * x).cos() - out).where(x != 0, 0.0) / x.where(x != 0, 1.0))},
)
def _sinc(xp, x):
    return xp.sinc(x)


def sinc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``sin(pi x) / (pi x)``, 1 at zero."""
    return _sinc(input, out=out)


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x: g * ((2.0 / math.sqrt(math.pi)) * (-x * x).exp())},
)
def _erf(xp, x):
    return special_functions.erf(xp, x)


_erf.native("erf")


def erf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the error function of each element."""
    return _erf(input, out=out)


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x: g * ((-2.0 / math.sqrt(math.pi)) * (-x * x).exp())},
)
def _erfc(xp, x):
    return special_functions.erfc(xp, x)


_erfc.native("erfc")


def erfc(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``1 - erf(input)``, exact for large elements."""
    return _erfc(input, out=out)


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, out: g * ((math.sqrt(math.pi) / 2) * (out * out).exp())},
)
def _erfinv(xp, x):
    return special_functions.erfinv(xp, x)


_erfinv.native("erfinv")


def erfinv(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the number whose error function is each element of (-1, 1)."""
    return _erfinv(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x: g * x.digamma()})
def _lgamma(xp, x):
    return special_functions.lgamma(xp, x)


_lgamma.native("lgamma")


def lgamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the absolute value of the gamma function."""
    return _lgamma(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, x, n: g * _polygamma(x, n=n + 1)})
def _polygamma(xp, x, *, n):
    return special_functions.polygamma(xp, n, x)


@_polygamma.kernel("native")
def _polygamma_native(x, *, n):
    return native.kernels.digamma(x) if n == 0 else NotImplemented


def digamma(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithmic derivative of the gamma function."""
    return _polygamma(input, n=0, out=out)


def polygamma(n: int, input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the ``n``-th derivative of `digamma`; RuntimeError for a negative ``n``.

    >>> facula.polygamma(1, facula.tensor([1.0]))
    tensor([1.6449])
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return _polygamma(input, n=n, out=out)


def polygamma_method(input: Tensor, n: int) -> Tensor:
    """Return the ``n``-th derivative of `digamma` of this tensor."""
    return polygamma(n, input)


def mvlgamma(input: Tensor, p: int, *, out: Tensor | None = None) -> Tensor:
    """Return the logarithm of the multivariate gamma function of dimension ``p``.

    >>> facula.mvlgamma(facula.tensor([3.0]), 1)
    tensor([0.6931])
    """
    if p < 1:
        raise RuntimeError("p has to be greater than or equal to 1")
    if input.is_complex():
        raise RuntimeError("mvlgamma is not implemented for complex tensors")
    result = input.lgamma()
    for at in range(1, p):
        result = result + (input - at / 2.0).lgamma()
    result = result + (p * (p - 1) / 4.0) * math.log(math.pi)
    return result if out is None else write_out(result, out, "mvlgamma")


def deg2rad(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return angles in degrees as radians."""
    return input.mul(math.pi / 180.0, out=out)


def rad2deg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return angles in radians as degrees."""
    return input.mul(180.0 / math.pi, out=out)


arccos, arccosh, arcsin, arcsinh, arctan, arctan2, arctanh = (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
)
