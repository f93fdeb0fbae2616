"""Special functions on arrays, to the last digits of float64, with no library behind them."""

from __future__ import annotations

import math
from types import ModuleType
from typing import Any

import numpy as np

from facula.backend import Array


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """Return the polynomial with these coefficients, highest power first, at x."""
    result = x * x.dtype.type(coefficients[0]) + x.dtype.type(coefficients[1])
    for each in coefficients[2:]:
        result *= x
        result += x.dtype.type(each)
    return result


# erf, W. J. Cody 1969, Rational Chebyshev approximations for the error function, Mathematics of Computation 23: three
# intervals, each a ratio of polynomials.
_ERF_SMALL = (
    (
        1.85777706184603153e-1,
        3.16112374387056560e0,
        1.13864154151050156e2,
        3.77485237685302021e2,
        3.20937758913846947e3,
    ),
    (
        1.0,
        2.36012909523441209e1,
        2.44024637934444173e2,
        1.28261652607737228e3,
        2.84423683343917062e3,
    ),
)
_ERF_MIDDLE = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594e0, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2, 1.62138957456669019e3,
     3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3, 1.23033935480374942e3),
)  # fmt: skip
_ERF_LARGE = (
    (1.63153871373020978e-2, 3.05326634961232344e-1, 3.60344899949804439e-1, 1.25781726111229246e-1,
     1.60837851487422766e-2, 6.58749161529837803e-4),
    (1.0, 2.56852019228982242e0, 1.87295284992346725e0, 5.27905102951428412e-1, 6.05183413124413191e-2,
     2.33520497626869185e-3),
)  # fmt: skip

# erf for float32 alone, after Abramowitz and Stegun's form with more terms would lose digits near zero, so one odd
# rational function over the whole range, limited to where erf is 1: 1 unit in the last place.
_ERF32_TOP = (-2.72614225801306e-10, 2.77068142495902e-08, -2.10102402082508e-06, -5.69250639462346e-05,
              -7.34990630326855e-04, -2.95459980854025e-03, -1.60960333262415e-02)  # fmt: skip
_ERF32_BOTTOM = (-1.45660718464996e-05, -2.13374055278905e-04, -1.68282697438203e-03, -7.37332916720468e-03,
                 -1.42647390514189e-02)  # fmt: skip


def erf(xp: ModuleType, x: Array) -> Array:
    """Return the error function."""
    x = xp.asarray(x)
    if x.dtype == np.float32:
        limited = xp.clip(x, np.float32(-4), np.float32(4))
        square = limited * limited
        return limited * _polynomial(_ERF32_TOP, square) / _polynomial(_ERF32_BOTTOM, square)
    size = xp.abs(x)
    square = x * x
    small = x * _ratio(_ERF_SMALL, square)
    return xp.where(size <= 0.46875, small, xp.sign(x) * (1 - _erfc_positive(xp, size)))


def erfc(xp: ModuleType, x: Array) -> Array:
    """Return 1 - erf, exact where that is small."""
    x = xp.asarray(x)
    wide = x.astype(np.float64)
    size = xp.abs(wide)
    tail = _erfc_positive(xp, size)
    near = 1 - wide * _ratio(_ERF_SMALL, wide * wide)
    return xp.where(size <= 0.46875, near, xp.where(wide < 0, 2 - tail, tail)).astype(x.dtype)


def _ratio(coefficients: tuple[tuple[float, ...], tuple[float, ...]], x: Array) -> Array:
    return _polynomial(coefficients[0], x) / _polynomial(coefficients[1], x)


def _erfc_positive(xp: ModuleType, x: Array) -> Array:
    """Return erfc for x above 0.46875."""
    safe = xp.clip(x, 0.46875, 28.0)
    # exp(-x * x) in two factors, since x * x is not exact.
    rounded = xp.trunc(safe * 16) / 16
    decay = xp.exp(-rounded * rounded) * xp.exp(-(safe - rounded) * (safe + rounded))
    inverse = 1 / (safe * safe)
    far = (1 / math.sqrt(math.pi) - inverse * _ratio(_ERF_LARGE, inverse)) / safe
    value = decay * xp.where(safe <= 4, _ratio(_ERF_MIDDLE, safe), far)
    return xp.where(xp.isnan(x), x, xp.where(x > 27.5, 0.0, value))


def erfinv(xp: ModuleType, x: Array) -> Array:
    """Return the inverse of erf: Giles' approximation (GPU Computing Gems 2, 2010), then two steps of Newton."""
    x = xp.asarray(x)
    wide = x.astype(np.float64)
    w = -xp.log((1 - wide) * (1 + wide))
    central = _polynomial(
        (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
         -0.00417768164, 0.246640727, 1.50140941), w - 2.5)  # fmt: skip
    tail = _polynomial(
        (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047,
         1.00167406, 2.83297682), xp.sqrt(xp.maximum(w, 5)) - 3)  # fmt: skip
    y = wide * xp.where(w < 5, central, tail)
    for _ in range(2):
        # By erfc of the size, which keeps its digits where erf is nearly 1.
        error = xp.where(
            xp.abs(wide) < 0.5,
            erf(xp, y) - wide,
            xp.sign(wide) * ((1 - xp.abs(wide)) - erfc(xp, xp.abs(y))),
        )
        y = y - error / (2 / math.sqrt(math.pi) * xp.exp(-y * y))
    y = xp.where(xp.abs(wide) == 1, wide * np.inf, y)
    return xp.where(wide == 0, wide, y).astype(x.dtype)


# Stirling's series, after the argument was moved above 8 by the recurrence; coefficients are Bernoulli numbers.
_STIRLING = tuple(
    number / (2 * k * (2 * k - 1))
    for k, number in enumerate(
        (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510),
        start=1,
    )
)
_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)
_SHIFT = 8


def lgamma(xp: ModuleType, x: Array) -> Array:
    """Return the logarithm of the absolute value of the gamma function."""
    x = xp.asarray(x)
    wide = x.astype(np.float64)
    reflected = wide < 0.5
    argument = xp.where(reflected, 1 - wide, wide)
    low = argument < _SHIFT
    product = xp.ones_like(argument)
    shifted = argument.copy()
    for _ in range(_SHIFT):
        step = shifted < _SHIFT
        product = xp.where(step, product * shifted, product)
        shifted = xp.where(step, shifted + 1, shifted)
    inverse = 1 / shifted
    series = _polynomial(tuple(reversed(_STIRLING)), inverse * inverse) * inverse
    result = (shifted - 0.5) * xp.log(shifted) - shifted + 0.5 * math.log(2 * math.pi) + series
    result = xp.where(low, result - xp.log(product), result)
    result = xp.where((argument == 1) | (argument == 2), 0.0, result)
    sine = xp.abs(xp.sin(math.pi * (wide - xp.round(wide))))
    result = xp.where(reflected, math.log(math.pi) - xp.log(sine) - result, result)
    return xp.where(xp.isinf(wide), np.inf, result).astype(x.dtype)


def digamma(xp: ModuleType, x: Array) -> Array:
    """Return the logarithmic derivative of the gamma function; nan at negative integers, -inf at 0."""
    x = xp.asarray(x)
    wide = x.astype(np.float64)
    reflected = wide < 0
    argument = xp.where(reflected, 1 - wide, wide)
    total = xp.zeros_like(argument)
    for _ in range(_SHIFT):
        step = argument < _SHIFT
        total = xp.where(step, total - 1 / argument, total)
        argument = xp.where(step, argument + 1, argument)
    inverse = 1 / (argument * argument)
    terms = tuple(number / (2 * k) for k, number in reversed(list(enumerate(_BERNOULLI, start=1))))
    result = total + xp.log(argument) - 0.5 / argument - inverse * _polynomial(terms, inverse)
    fraction = wide - xp.round(wide)
    result = xp.where(reflected, result - math.pi / xp.tan(math.pi * fraction), result)
    result = xp.where(reflected & (fraction == 0), np.nan, result)
    return xp.where(wide == 0, -xp.copysign(np.inf, wide), result).astype(x.dtype)


def trigamma(xp: ModuleType, x: Array) -> Array:
    """Return the second logarithmic derivative of the gamma function."""
    x = xp.asarray(x)
    wide = x.astype(np.float64)
    reflected = wide < 0.5
    argument = xp.where(reflected, 1 - wide, wide)
    total = xp.zeros_like(argument)
    for _ in range(_SHIFT):
        step = argument < _SHIFT
        total = xp.where(step, total + 1 / (argument * argument), total)
        argument = xp.where(step, argument + 1, argument)
    inverse = 1 / (argument * argument)
    series = _polynomial(tuple(reversed(_BERNOULLI)), inverse) * inverse / argument
    result = total + 1 / argument + 0.5 * inverse + series
    sine = xp.sin(math.pi * (wide - xp.round(wide)))
    return xp.where(reflected, math.pi**2 / (sine * sine) - result, result).astype(x.dtype)


def zeta(xp: ModuleType, order: Array | np.floating[Any], x: Array) -> Array:
    """Return Hurwitz' zeta function, the sum of (x + k) ** -order over k from 0: Euler and Maclaurin's formula.

    inf at order 1 and at integers x up to 0; nan for an order below 1, and for a negative x with a broken order.
    """
    order, x = xp.broadcast_arrays(xp.asarray(order, np.float64), xp.asarray(x, np.float64))
    shifted = xp.array(x)
    total = xp.zeros_like(shifted)
    finite = xp.where(xp.isfinite(shifted), shifted, np.float64(_SHIFT))
    steps = int(_SHIFT + 2 - min(float(finite.min()), 0.0)) if finite.size else 0
    for _ in range(min(steps, 10_000)):
        low = shifted < _SHIFT + 2
        total = xp.where(low, total + shifted**-order, total)
        shifted = xp.where(low, shifted + 1, shifted)
    power = shifted**-order
    result = total + shifted * power / (order - 1) + 0.5 * power
    factor = order * power / shifted
    factorial = 2.0
    for k, number in enumerate(_BERNOULLI, start=1):
        result = result + number / factorial * factor
        factor = factor * (order + 2 * k - 1) * (order + 2 * k) / (shifted * shifted)
        factorial *= (2 * k + 1) * (2 * k + 2)
    result = xp.where((x <= 0) & (x == xp.floor(x)), np.inf, result)
    result = xp.where((x < 0) & (x != xp.floor(x)) & (order != xp.floor(order)), np.nan, result)
    return xp.where(order < 1, np.nan, xp.where(order == 1, np.inf, result))


def polygamma(xp: ModuleType, n: int, x: Array) -> Array:
    """Return the n-th derivative of digamma."""
    x = xp.asarray(x)
    if n == 0:
        return digamma(xp, x)
    if n == 1:
        return trigamma(xp, x)
    sign = 1.0 if n % 2 else -1.0
    return (sign * math.gamma(n + 1) * zeta(xp, np.float64(n + 1), x.astype(np.float64))).astype(x.dtype)


def erfcx(xp: ModuleType, x: Array) -> Array:
    """Return ``exp(x * x) * erfc(x)`` without overflow for positive x."""
    x = xp.asarray(x)
    wide = x.astype(np.float64)
    size = xp.clip(xp.abs(wide), 0.46875, None)
    inverse = 1 / (size * size)
    far = (1 / math.sqrt(math.pi) - inverse * _ratio(_ERF_LARGE, inverse)) / size
    positive = xp.where(size <= 4, _ratio(_ERF_MIDDLE, xp.minimum(size, 4.0)), far)
    square = xp.exp(wide * wide)
    near = square * (1 - wide * _ratio(_ERF_SMALL, wide * wide))
    result = xp.where(wide < 0, 2 * square - positive, positive)
    result = xp.where(xp.abs(wide) <= 0.46875, near, result)
    return xp.where(xp.isnan(wide), wide, result).astype(x.dtype)
