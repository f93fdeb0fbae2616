"""Modified Bessel functions on arrays, by numerical quadrature of their integrals."""

from __future__ import annotations

import math
from types import ModuleType

import numpy as np

from facula.backend import Array

#: Points of the trapezoidal rule: for a periodic analytic integrand its error falls faster than any power, and these
#: reach float64's last digits up to the argument where the asymptotic series takes over.
_POINTS = 40
_FAR = 30.0
_TERMS = 24


def _scaled(xp: ModuleType, x: Array, order: int) -> Array:
    """Return ``exp(-|x|) * I_order(|x|)``, in float64."""
    size = xp.abs(xp.asarray(x).astype(np.float64))
    near = xp.minimum(size, _FAR)
    total = xp.zeros_like(near)
    for point in range(_POINTS):
        angle = math.pi * (point + 0.5) / _POINTS
        total = total + xp.exp(near * (math.cos(angle) - 1.0)) * math.cos(order * angle)
    total = total / _POINTS
    far = xp.maximum(size, _FAR)
    term = xp.ones_like(far)
    series = xp.ones_like(far)
    for k in range(1, _TERMS):
        term = term * -(4.0 * order * order - (2 * k - 1) ** 2) / (k * 8.0 * far)
        series = series + term
    result = xp.where(size < _FAR, total, series / xp.sqrt(2 * math.pi * far))
    return xp.where(xp.isnan(size), size, result)


def i0e(xp: ModuleType, x: Array) -> Array:
    """Return the scaled function of order 0."""
    return _scaled(xp, x, 0).astype(x.dtype)


def i1e(xp: ModuleType, x: Array) -> Array:
    """Return the scaled function of order 1."""
    return (xp.sign(x) * _scaled(xp, x, 1)).astype(x.dtype)


def i0(xp: ModuleType, x: Array) -> Array:
    """Return the function of order 0."""
    return (_scaled(xp, x, 0) * xp.exp(xp.abs(x.astype(np.float64)))).astype(x.dtype)


def i1(xp: ModuleType, x: Array) -> Array:
    """Return the function of order 1."""
    return (xp.sign(x) * _scaled(xp, x, 1) * xp.exp(xp.abs(x.astype(np.float64)))).astype(x.dtype)


# Bessel functions of the first and second kind, and modified ones of the second: near zero by quadrature of Bessel's
# and Schlaefli's integrals, far from it by Hankel's asymptotic expansions (NIST DLMF 10.9, 10.17).

_HANKEL_FROM = 25.0
_CIRCLE = 96
_NODES = 240
_EULER = 0.57721566490153286060


def _first_kind_near(xp: ModuleType, x: Array, order: int) -> Array:
    total = xp.zeros_like(x)
    for point in range(_CIRCLE):
        angle = 2 * math.pi * point / _CIRCLE
        total = total + xp.cos(x * math.sin(angle) - order * angle)
    return total / _CIRCLE


def _second_kind_near(xp: ModuleType, x: Array, order: int) -> Array:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    total = xp.zeros_like(x)
    end = xp.arcsinh(60.0 / x)
    for node, weight in zip(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), strict=True):
        angle = math.pi * node
        total = total + weight * xp.sin(x * math.sin(angle) - order * angle)
        t = end * node
        growth = 2.0 if order == 0 else xp.exp(t) - xp.exp(-t)
        total = total - weight * end / math.pi * growth * xp.exp(-x * xp.sinh(t))
    return total


def _hankel(xp: ModuleType, x: Array, order: int) -> tuple[Array, Array]:
    """Return J and Y far from zero."""
    p, q, term = xp.ones_like(x), xp.zeros_like(x), xp.ones_like(x)
    for k in range(1, 22):
        term = term * (4 * order * order - (2 * k - 1) ** 2) / (k * 8 * x)
        if k % 2:
            q = q + (1 if k % 4 == 1 else -1) * term
        else:
            p = p + (-1 if k % 4 == 2 else 1) * term
    phase = x - (order / 2 + 0.25) * math.pi
    size = xp.sqrt(2 / (math.pi * x))
    return size * (p * xp.cos(phase) - q * xp.sin(phase)), size * (p * xp.sin(phase) + q * xp.cos(phase))


def _first_kind(xp: ModuleType, x: Array, order: int) -> Array:
    wide = x.astype(np.float64)
    size = xp.abs(wide)
    near = _first_kind_near(xp, xp.minimum(size, _HANKEL_FROM), order)
    far = _hankel(xp, xp.maximum(size, _HANKEL_FROM), order)[0]
    result = xp.where(size < _HANKEL_FROM, near, far)
    result = xp.where(xp.isinf(size), 0.0, xp.where(xp.isnan(wide), xp.nan, result))
    return (result if order == 0 else xp.where(wide < 0, -result, result)).astype(x.dtype)


def _second_kind(xp: ModuleType, x: Array, order: int) -> Array:
    wide = x.astype(np.float64)
    near = _second_kind_near(xp, xp.clip(wide, 1e-8, _HANKEL_FROM), order)
    far = _hankel(xp, xp.maximum(wide, _HANKEL_FROM), order)[1]
    tiny = xp.clip(wide, 1e-300, 1e-8)
    at_zero = 2 / math.pi * (xp.log(tiny / 2) + _EULER) if order == 0 else -2 / (math.pi * tiny)
    result = xp.where(wide < 1e-8, at_zero, xp.where(wide < _HANKEL_FROM, near, far))
    result = xp.where(wide == 0, -xp.inf, xp.where(xp.isinf(wide), 0.0, result))
    return xp.where((wide < 0) | xp.isnan(wide), xp.nan, result).astype(x.dtype)


def j0(xp: ModuleType, x: Array) -> Array:
    """Return the function of the first kind of order 0."""
    return _first_kind(xp, x, 0)


def j1(xp: ModuleType, x: Array) -> Array:
    """Return the function of the first kind of order 1."""
    return _first_kind(xp, x, 1)


def y0(xp: ModuleType, x: Array) -> Array:
    """Return the function of the second kind of order 0; nan below zero."""
    return _second_kind(xp, x, 0)


def y1(xp: ModuleType, x: Array) -> Array:
    """Return the function of the second kind of order 1; nan below zero."""
    return _second_kind(xp, x, 1)


def _modified_second_kind(xp: ModuleType, x: Array, order: float) -> Array:
    """Return ``exp(x)`` times the integral of ``exp(-x cosh t) cosh(order t)`` over t > 0, for positive x."""
    safe = xp.maximum(x, 1e-8)
    end = xp.arccosh(1 + 80.0 / safe)
    step = end / _NODES
    total = 0.5 * xp.ones_like(x)
    for point in range(1, _NODES + 1):
        t = step * point
        total = total + xp.exp(-safe * (xp.cosh(t) - 1)) * xp.cosh(order * t)
    return total * step


def _k(xp: ModuleType, x: Array, order: int, scaled: bool) -> Array:
    wide = x.astype(np.float64)
    tiny = xp.clip(wide, 1e-300, 1e-8)
    at_zero = -xp.log(tiny / 2) - _EULER if order == 0 else 1 / tiny
    result = xp.where(wide < 1e-8, at_zero * xp.exp(tiny), _modified_second_kind(xp, wide, order))
    result = result if scaled else xp.where(wide < 1e-8, at_zero, result * xp.exp(-xp.maximum(wide, 0.0)))
    result = xp.where(wide == 0, xp.inf, xp.where(xp.isinf(wide), 0.0, result))
    return xp.where((wide < 0) | xp.isnan(wide), xp.nan, result).astype(x.dtype)


def k0(xp: ModuleType, x: Array) -> Array:
    """Return the modified function of the second kind of order 0; nan below zero."""
    return _k(xp, x, 0, False)


def k1(xp: ModuleType, x: Array) -> Array:
    """Return the modified function of the second kind of order 1; nan below zero."""
    return _k(xp, x, 1, False)


def k0e(xp: ModuleType, x: Array) -> Array:
    """Return ``exp(x)`` times the modified function of the second kind of order 0."""
    return _k(xp, x, 0, True)


def k1e(xp: ModuleType, x: Array) -> Array:
    """Return ``exp(x)`` times the modified function of the second kind of order 1."""
    return _k(xp, x, 1, True)


# Airy's function: its power series near zero, Bessel's K of order one third to the right, an asymptotic series to the
# left (NIST DLMF 9.4, 9.6, 9.7).

_AI, _AI_SLOPE = 0.355028053887817239260, 0.258819403792806798405


def airy_ai(xp: ModuleType, x: Array) -> Array:
    """Return Airy's function Ai."""
    wide = x.astype(np.float64)
    near = xp.clip(wide, -7.0, 1.0)
    cube = near**3
    even, odd = xp.ones_like(near), near.copy()
    first, second = even, odd
    for k in range(1, 60):
        first = first * cube / ((3 * k - 1) * 3 * k)
        second = second * cube / (3 * k * (3 * k + 1))
        even, odd = even + first, odd + second
    series = _AI * even - _AI_SLOPE * odd
    right = xp.maximum(wide, 1.0)
    z = 2 / 3 * right**1.5
    to_the_right = xp.sqrt(right / 3) / math.pi * _modified_second_kind(xp, z, 1 / 3) * xp.exp(-z)
    left = xp.maximum(-wide, 7.0)
    z = 2 / 3 * left**1.5
    p, q, term = xp.ones_like(z), xp.zeros_like(z), xp.ones_like(z)
    for k in range(1, 18):
        term = term * (6 * k - 5) * (6 * k - 3) * (6 * k - 1) / (216 * k * (2 * k - 1)) / z
        if k % 2:
            q = q + (1 if k % 4 == 1 else -1) * term
        else:
            p = p + (-1 if k % 4 == 2 else 1) * term
    phase = z - math.pi / 4
    to_the_left = (xp.cos(phase) * p + xp.sin(phase) * q) / (math.sqrt(math.pi) * left**0.25)
    result = xp.where(wide > 1, to_the_right, xp.where(wide < -7, to_the_left, series))
    return xp.where(xp.isnan(wide), wide, result).astype(x.dtype)
