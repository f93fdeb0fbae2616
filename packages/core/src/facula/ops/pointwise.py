"""Arithmetic, element by element, with broadcasting."""

import builtins
import math
from typing import Any

import numpy as np

from facula import dtypes, native
from facula.arguments import need_tensor
from facula.dtype_rules import kind_of
from facula.primitive import primitive, promote, to_float
from facula.tensor_base import TensorBase
from facula.types import Number, Tensor, TensorLike

__all__ = ["abs", "absolute", "add", "addcdiv", "addcmul", "div", "divide", "float_power", "floor_divide", "fmod"]
__all__ += ["gcd", "hypot", "lcm", "ldexp", "lerp", "mul", "multiply", "neg", "negative", "nextafter", "positive"]
__all__ += ["pow", "reciprocal", "remainder", "rsqrt", "rsub", "sqrt", "square", "sub", "subtract", "true_divide"]
__all__ += ["xlogy"]

_FLOAT32 = dtypes.float32.numpy


def _is_integral(value: TensorLike) -> bool:
    """Whether a tensor or number is an integer or boolean."""
    if isinstance(value, TensorBase):
        return value._array.dtype.kind in "iub"
    return isinstance(value, int)


def _is_boolean(value: TensorLike) -> bool:
    return value._array.dtype.kind == "b" if isinstance(value, TensorBase) else isinstance(value, bool)


def _conj(x: Any) -> Any:
    """Return the conjugate that gradients of holomorphic functions need; a real tensor as it is."""
    try:
        dtype = x._array.dtype
    except AttributeError:
        return x.conjugate()  # a number
    return x if dtype is _FLOAT32 or dtype.kind != "c" else x.conj()


def _no_slope(g: Tensor) -> Tensor:
    """Return the gradient of a step function: zero."""
    return g.new_zeros(g.shape)


@primitive(dtype=promote, vjp={"x": lambda g: g, "other": lambda g: g})
def _add(xp, x, other):
    return xp.add(x, other)


_add.kernel("cpu")(np.add)
_add.native("add", low_precision=True)


@primitive(dtype=promote, vjp={"x": lambda g: g, "other": lambda g: -g})
def _sub(xp, x, other):
    return xp.subtract(x, other)


_sub.kernel("cpu")(np.subtract)
_sub.native("sub", low_precision=True)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, other: _mul(g, _conj(other)), "other": lambda g, x: _mul(g, _conj(x))},
)
def _mul(xp, x, other):
    return xp.multiply(x, other)


_mul.kernel("cpu")(np.multiply)
_mul.native("mul", low_precision=True)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, other: g / _conj(other),
        "other": lambda g, x, other: -g * _conj((x / other) / other),
    },
)
def _div(xp, x, other):
    return xp.true_divide(x, other)


_div.kernel("cpu")(np.true_divide)
_div.native("div", low_precision=True)


def _scaled(other: TensorLike, alpha: Number, input: TensorLike) -> TensorLike:
    if isinstance(alpha, bool) and not _is_boolean(other):
        raise RuntimeError("Boolean alpha only supported for Boolean results.")
    if isinstance(alpha, float) and _is_integral(input) and _is_integral(other):
        raise RuntimeError("For integral input tensors, argument alpha must not be a floating point number.")
    return _mul(other, alpha) if isinstance(other, TensorBase) else other * alpha


def add(
    input: TensorLike,
    other: TensorLike,
    *,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input + alpha * other``.

    >>> facula.add(facula.tensor([1, 2]), 10)
    tensor([11, 12])
    """
    return _add(input, other if alpha == 1 else _scaled(other, alpha, input), out=out)


def sub(
    input: TensorLike,
    other: TensorLike,
    *,
    alpha: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input - alpha * other``."""
    if _is_boolean(input) and _is_boolean(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` or `logical_xor()` "
            "operator "
            "instead."
        )
    if _is_boolean(input) or _is_boolean(other):
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to invert a mask, "
            "use "
            "the `~` or `logical_not()` operator instead."
        )
    return _sub(input, other if alpha == 1 else _scaled(other, alpha, input), out=out)


def rsub(input: Tensor, other: TensorLike, *, alpha: Number = 1) -> Tensor:
    """Return ``other - alpha * input``."""
    need_tensor("rsub", input)
    return sub(other, input, alpha=alpha)


def mul(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return ``input * other``.

    >>> facula.mul(facula.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return _mul(input, other, out=out)


def div(
    input: TensorLike,
    other: TensorLike,
    *,
    rounding_mode: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input / other``; with ``rounding_mode`` ``"trunc"`` or ``"floor"`` the quotient rounded so.

    >>> facula.div(facula.tensor([7, -7]), 2, rounding_mode="floor")
    tensor([ 3, -4])
    """
    if rounding_mode is None:
        return _div(input, other, out=out)
    if rounding_mode == "floor":
        return _floor_divide(input, other, out=out)
    if rounding_mode == "trunc":
        return _trunc_divide(input, other, out=out)
    raise RuntimeError(f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'")


def _refuse_integer_zero(x: np.ndarray, other: object) -> None:
    if np.asarray(x).dtype.kind in "iub" and np.any(np.asarray(other) == 0):
        raise RuntimeError("ZeroDivisionError")


@primitive(dtype=promote, vjp={"x": _no_slope, "other": _no_slope})
def _floor_divide(xp, x, other):
    if xp is np:
        _refuse_integer_zero(x, other)
    quotient = xp.floor_divide(x, other)
    if quotient.dtype.kind == "f":
        # NumPy gives nan for x / 0; the quotient of two floats is infinite there, or nan for 0 / 0.
        quotient = xp.where(other == 0, x / other, quotient)
    return quotient


_floor_divide.native("floor_divide")


@primitive(dtype=promote, vjp={"x": _no_slope, "other": _no_slope})
def _trunc_divide(xp, x, other):
    if xp is np:
        _refuse_integer_zero(x, other)
    if np.result_type(x, other).kind in "iub":
        quotient = xp.floor_divide(x, other)
        inexact = xp.multiply(quotient, other) != x
        return quotient + (inexact & ((xp.asarray(x) < 0) != (xp.asarray(other) < 0))).astype(quotient.dtype)
    return xp.trunc(xp.true_divide(x, other))


def floor_divide(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the quotient rounded down."""
    return _floor_divide(input, other, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g: g,
        "other": lambda g, x, other: -g * div(x, other, rounding_mode="floor"),
    },
)
def _remainder(xp, x, other):
    if xp is np:
        _refuse_integer_zero(x, other)
    return xp.remainder(x, other)


_remainder.native("remainder")


def remainder(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the remainder of the division rounded down; its sign is that of ``other``."""
    return _remainder(input, other, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g: g,
        "other": lambda g, x, other: -g * div(x, other, rounding_mode="trunc"),
    },
)
def _fmod(xp, x, other):
    if xp is np:
        _refuse_integer_zero(x, other)
    return xp.fmod(x, other)


_fmod.native("fmod")


def fmod(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the remainder of the division rounded towards zero; its sign is that of ``input``."""
    need_tensor("fmod", input)
    return _fmod(input, other, out=out)


@primitive(dtype=promote, vjp={"x": lambda g: -g})
def _neg(xp, x):
    return xp.negative(x)


_neg.native("neg")


def neg(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``-input``."""
    if _is_boolean(input):
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert a mask, use "
            "the `~` "
            "or `logical_not()` operator instead."
        )
    return _neg(input, out=out)


def positive(input: Tensor) -> Tensor:
    """Return ``input``; RuntimeError for booleans."""
    if _is_boolean(input):
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


@primitive(dtype=promote, vjp={"x": lambda g, x: g * x.sgn()})
def _abs(xp, x):
    return xp.abs(x)


_abs.native("abs")


def abs(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the absolute value; the gradient at 0 is 0."""
    return _abs(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: -g * _conj(out * out)})
def _reciprocal(xp, x):
    return xp.reciprocal(x)


_reciprocal.native("reciprocal")


def reciprocal(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``1 / input``."""
    return _reciprocal(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: g / (2 * _conj(out))})
def _sqrt(xp, x):
    return xp.sqrt(x)


_sqrt.native("sqrt")


def sqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the square root; nan for negative elements."""
    return _sqrt(input, out=out)


@primitive(dtype=to_float, vjp={"x": lambda g, out: g * (-0.5 * _conj(out * out * out))})
def _rsqrt(xp, x):
    return 1 / xp.sqrt(x)


_rsqrt.native("rsqrt")


def rsqrt(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``1 / sqrt(input)``."""
    return _rsqrt(input, out=out)


def square(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input ** 2``."""
    return pow(input, 2, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, exponent: _pow_slope_of_base(g, x, exponent),
        "exponent": lambda g, x, exponent, out: _pow_slope_of_exponent(g, x, exponent, out),
    },
)
def _pow(xp, x, exponent):
    # The usual exponents are much cheaper as products.
    if isinstance(exponent, (int, float)):
        if exponent == 2:
            return xp.multiply(x, x)
        if exponent == 0.5 and x.dtype.kind == "f":
            return xp.sqrt(x)
        if exponent == 3:
            return x * x * x
    return xp.power(x, exponent)


@_pow.kernel("native")
def _pow_native(x, exponent):
    if isinstance(exponent, (int, float)) and isinstance(x, np.ndarray):
        if exponent == 2:
            return native.kernels.square(x)
        if exponent == 3:
            return native.kernels.cube(x)
        if exponent == 0.5:
            return native.kernels.sqrt(x)
    return NotImplemented


def _pow_slope_of_base(g: Tensor, x: Tensor, exponent: TensorLike) -> Tensor:
    if not isinstance(exponent, TensorBase):
        if exponent == 0:
            return g * 0
        return g * _conj(exponent * (x if exponent == 2 else pow(x, exponent - 1)))
    slope = exponent * pow(x, exponent - 1)
    return g * _conj(slope).where(exponent != 0, 0.0)


def _pow_slope_of_exponent(g: Tensor, x: TensorLike, exponent: Tensor, out: Tensor) -> Tensor:
    base = x if isinstance(x, TensorBase) else exponent.detach().new_full((), x, dtype=None)
    # 0 ** y is constant for y > 0, and log 0 must not spoil that.
    flat = (base == 0) & ((exponent.real if exponent.is_complex() else exponent) >= 0)
    slope = out * base.to(out.dtype).where(~flat, 1.0).log()
    return g * _conj(slope).where(~flat, 0.0)


def pow(input: TensorLike, exponent: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return ``input ** exponent``; RuntimeError for an integer to a negative integer number."""
    if not isinstance(exponent, TensorBase):
        need_tensor("pow", input)
    if isinstance(exponent, int) and exponent < 0 and _is_integral(input):
        raise RuntimeError("Integers to negative integer powers are not allowed.")
    if isinstance(exponent, TensorBase) and _is_integral(exponent) and _is_integral(input):
        return _integer_pow(input, exponent, out=out)
    return _pow(input, exponent, out=out)


@primitive(dtype=promote)
def _integer_pow(xp, x, exponent):
    # A negative power of an integer is 1, -1 or rounds to 0.
    x, exponent = xp.asarray(x), xp.asarray(exponent)
    if exponent.dtype.kind == "b":
        return xp.logical_or(x, ~exponent)
    negative = exponent < 0
    power = xp.power(x, xp.where(negative, exponent & 1, exponent))
    return xp.where(negative & (xp.abs(x) != 1), 0, power).astype(power.dtype)


def float_power(input: TensorLike, exponent: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return ``input ** exponent`` in float64 or complex128."""

    def widen(value: TensorLike) -> TensorLike:
        if not isinstance(value, TensorBase):
            return complex(value) if isinstance(value, complex) else float(value)
        return value.to(dtypes.complex128 if value.is_complex() else dtypes.float64)

    if not isinstance(input, TensorBase):
        need_tensor("float_power", exponent, "exponent")
    input, exponent = widen(input), widen(exponent)
    if not isinstance(input, Tensor) and isinstance(exponent, Tensor):
        input = exponent.detach().new_full((), input, dtype=dtypes.complex128 if isinstance(input, complex) else None)
    return pow(input, exponent, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x, out: g * (x / out),
        "other": lambda g, other, out: g * (other / out),
    },
)
def _hypot(xp, x, other):
    return xp.hypot(x, other)


_hypot.native("hypot")


def hypot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``sqrt(input ** 2 + other ** 2)`` without overflow."""
    need_tensor("hypot", input)
    need_tensor("hypot", other, "other")
    return _hypot(input, other, out=out)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, other: (
            g * other.to(g.dtype).log().where(~((x == 0) & (other <= 0)), 0.0)
            if isinstance(other, Tensor)
            else g * _number_log(other)
        ),
        "other": lambda g, x, other: g * x / other,
    },
)
def _xlogy(xp, x, other):
    # The logarithm of a number stays a number of Python, so that it has no say in the type.
    result = x * (xp.log(other) if hasattr(other, "dtype") else _number_log(other))
    return xp.where((xp.asarray(x) == 0) & ~xp.isnan(other), result.dtype.type(0), result)


def _number_log(value: float) -> float:
    return math.log(value) if value > 0 else (-math.inf if value == 0 else math.nan)


def xlogy(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return ``input * log(other)``, 0 where ``input`` is 0."""
    return _xlogy(input, other, out=out)


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, weight: g * _conj(1 - weight),
        "end": lambda g, weight: g * _conj(weight),
        "weight": lambda g, x, end: g * _conj(end - x),
    },
)
def _lerp(xp, x, end, weight):
    # From the nearer side, so that a weight of 1 gives `end` itself.
    distance = end - x
    near = builtins.abs(weight) < 0.5
    if isinstance(near, bool):
        return x + weight * distance if near else end - distance * (1 - weight)
    return xp.where(near, x + weight * distance, end - distance * (1 - weight))


def lerp(input: Tensor, end: Tensor, weight: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return ``input + weight * (end - input)``."""
    if input.dtype != end.dtype:
        raise RuntimeError(f"expected dtype {input.dtype} for `end` but got dtype {end.dtype}")
    if isinstance(weight, TensorBase) and weight.dtype != input.dtype:
        raise RuntimeError(f"expected dtype {input.dtype} for `weight` but got dtype {weight.dtype}")
    return _lerp(input, end, weight, out=out)


def addcmul(
    input: Tensor,
    tensor1: Tensor,
    tensor2: Tensor,
    *,
    value: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input + value * tensor1 * tensor2``."""
    product = tensor1 * tensor2
    return add(input, product if value == 1 else product * value, out=out)


def addcdiv(
    input: Tensor,
    tensor1: Tensor,
    tensor2: Tensor,
    *,
    value: Number = 1,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input + value * tensor1 / tensor2``; RuntimeError for integers."""
    if _is_integral(tensor1) and _is_integral(tensor2):
        raise RuntimeError("Integer division with addcdiv is no longer supported.")
    quotient = tensor1 / tensor2
    return add(input, quotient if value == 1 else quotient * value, out=out)


@primitive(dtype=promote)
def _gcd(xp, x, other):
    return xp.gcd(x, other)


@primitive(dtype=promote)
def _lcm(xp, x, other):
    return xp.lcm(x, other)


def gcd(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the greatest common divisor of each pair of integers."""
    need_tensor("gcd", input)
    need_tensor("gcd", other, "other")
    return _gcd(input, other, out=out)


def lcm(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the least common multiple of each pair of integers."""
    need_tensor("lcm", input)
    need_tensor("lcm", other, "other")
    return _lcm(input, other, out=out)


def ldexp(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input * 2 ** other``.

    >>> facula.ldexp(facula.tensor([1.0]), facula.tensor([3]))
    tensor([8.])
    """
    need_tensor("ldexp", input)
    need_tensor("ldexp", other, "other")
    if _is_integral(other):
        return _ldexp(input, other, out=out)
    return mul(input, pow(2.0, other), out=out)


@primitive(
    dtype=to_float("x"),
    vjp={"x": lambda g, other: _ldexp(g, other), "other": lambda g, out, other: g * out * math.log(2.0)},
)
def _ldexp(xp, x, other):
    if x.dtype.kind == "c":
        return x * xp.exp2(other.astype(x.real.dtype))
    # Beyond these every number is 0 or infinite.
    return xp.ldexp(x, xp.clip(other, -5000, 5000).astype(np.int32))


# In the type as it is: the next number of float32, rounded to 16 bits, would be the number itself.
@primitive(vjp={"x": lambda g, x, other: g.where(x != other, 0.0), "other": lambda g: g.new_zeros(g.shape)})
def _nextafter(xp, x, other):
    return xp.nextafter(x, other)


def nextafter(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the number next to each element on the way to ``other``.

    >>> facula.nextafter(facula.tensor([1.0]), facula.tensor([2.0])) > 1
    tensor([True])
    """
    need_tensor("nextafter", input)
    need_tensor("nextafter", other, "other")
    common = promote.resolve([kind_of(input, True), kind_of(other, True)])
    if not common.is_floating_point:
        raise NotImplementedError(f"nextafter: expected floating point tensors, got {input.dtype} and {other.dtype}")
    return _nextafter(input.to(common), other.to(common), out=out)


absolute = abs
divide = true_divide = div
multiply = mul
negative = neg
subtract = sub
