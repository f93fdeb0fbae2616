"""The regularised incomplete gamma functions, for arrays (NIST DLMF, chapter 8)."""

from types import ModuleType

from facula.backend import Array
from facula.special_functions import lgamma

#: Enough for both expansions near ``x = a``, where they need about six times the root of ``a`` terms.
_MOST_TERMS = 20_000


def gammainc(xp: ModuleType, a: Array, x: Array) -> Array:
    """Return P(a, x), the share of the gamma function's integral up to ``x``; nan where ``a`` or ``x`` is negative."""
    return _both(xp, a, x)[0]


def gammaincc(xp: ModuleType, a: Array, x: Array) -> Array:
    """Return Q(a, x) = 1 - P(a, x), also where it is tiny."""
    return _both(xp, a, x)[1]


def _both(xp: ModuleType, a: Array, x: Array) -> tuple[Array, Array]:
    a, x = xp.broadcast_arrays(a.astype(xp.float64), x.astype(xp.float64))
    usual = (a > 0) & (x > 0) & xp.isfinite(a) & xp.isfinite(x)
    safe_a, safe_x = xp.where(usual, a, 1.0), xp.where(usual, x, 1.0)
    below = safe_x < safe_a + 1
    # Each expansion is used where it converges fast, and computed for a harmless place elsewhere.
    front = xp.exp(safe_a * xp.log(safe_x) - safe_x - lgamma(xp, safe_a))
    lower = front * _series(xp, xp.where(below, safe_a, 1.0), xp.where(below, safe_x, 0.5))
    upper = front * _fraction(xp, xp.where(below, 1.0, safe_a), xp.where(below, 3.0, safe_x))
    p = xp.where(below, lower, 1 - upper)
    q = xp.where(below, 1 - lower, upper)
    # At the edges: nothing is below zero, everything is below infinity, and a = 0 has all of it at zero.
    at_zero, at_end = (x == 0) & (a > 0), xp.isinf(x) & (a >= 0) & xp.isfinite(a)
    none = at_zero | (xp.isinf(a) & (a > 0) & xp.isfinite(x) & (x >= 0))
    all_of_it = at_end | ((a == 0) & (x > 0))
    p = xp.where(usual, p, xp.where(none, 0.0, xp.where(all_of_it, 1.0, xp.nan)))
    q = xp.where(usual, q, xp.where(none, 1.0, xp.where(all_of_it, 0.0, xp.nan)))
    return p, q


def _series(xp: ModuleType, a: Array, x: Array) -> Array:
    """Return the sum of x^n / (a (a + 1) ... (a + n))."""
    term = 1 / a
    total = term.copy()
    place = a.copy()
    for _ in range(_MOST_TERMS):
        place = place + 1
        term = term * x / place
        total = total + term
        if bool(xp.all(term <= 1e-17 * total)):
            break
    return total


def _fraction(xp: ModuleType, a: Array, x: Array) -> Array:
    """Return the continued fraction of Q over its front factor, by Lentz's method."""
    tiny = 1e-300
    b = x + 1 - a
    c = xp.full_like(b, 1 / tiny)
    d = 1 / b
    total = d.copy()
    for n in range(1, _MOST_TERMS):
        factor = -n * (n - a)
        b = b + 2
        d = factor * d + b
        d = 1 / xp.where(xp.abs(d) < tiny, tiny, d)
        c = b + factor / c
        c = xp.where(xp.abs(c) < tiny, tiny, c)
        change = c * d
        total = total * change
        if bool(xp.all(xp.abs(change - 1) <= 1e-16)):
            break
    return total
