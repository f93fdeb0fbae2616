"""Orthogonal polynomials of arrays, by their recurrences (NIST DLMF, chapter 18)."""

from collections.abc import Callable
from types import ModuleType

from facula.backend import Array

#: The next polynomial from its number, x, the one before it, and the one before that.
Step = Callable[[int, Array, Array, Array], Array]


def _evaluated(xp: ModuleType, x: Array, n: Array, first: Array, step: Step) -> Array:
    """Return the polynomial of degree ``n`` at ``x``: 0 for a negative degree, nan at nan."""
    x, n, before = xp.broadcast_arrays(x, xp.trunc(n), xp.asarray(first))
    before, current = xp.ones_like(x), before
    result = xp.where(n < 0, xp.zeros_like(x), xp.ones_like(x))
    highest = int(n.max()) if n.size else 0
    for degree in range(1, highest + 1):
        result = xp.where(n == degree, current, result)
        before, current = current, step(degree, x, current, before)
    return xp.where(xp.isnan(x) & (n >= 0), x, result)


def _chebyshev(degree: int, x: Array, current: Array, before: Array) -> Array:
    return 2 * x * current - before


def chebyshev_t(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Chebyshev's polynomial of the first kind."""
    return _evaluated(xp, x, n, x, _chebyshev)


def chebyshev_u(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Chebyshev's polynomial of the second kind."""
    return _evaluated(xp, x, n, 2 * x, _chebyshev)


def chebyshev_v(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Chebyshev's polynomial of the third kind."""
    return _evaluated(xp, x, n, 2 * x - 1, _chebyshev)


def chebyshev_w(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Chebyshev's polynomial of the fourth kind."""
    return _evaluated(xp, x, n, 2 * x + 1, _chebyshev)


def hermite_h(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Hermite's polynomial of the physicists."""
    return _evaluated(xp, x, n, 2 * x, lambda k, x, current, before: 2 * (x * current - k * before))


def hermite_he(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Hermite's polynomial of the statisticians."""
    return _evaluated(xp, x, n, x, lambda k, x, current, before: x * current - k * before)


def laguerre_l(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Laguerre's polynomial."""
    return _evaluated(xp, x, n, 1 - x, lambda k, x, current, before: ((2 * k + 1 - x) * current - k * before) / (k + 1))


def legendre_p(xp: ModuleType, x: Array, n: Array) -> Array:
    """Return Legendre's polynomial."""
    return _evaluated(xp, x, n, x, lambda k, x, current, before: ((2 * k + 1) * x * current - k * before) / (k + 1))
