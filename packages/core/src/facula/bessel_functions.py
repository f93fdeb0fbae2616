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
