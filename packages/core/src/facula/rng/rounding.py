"""Multiply-add with one rounding, as the fused instruction does it, out of ordinary additions and multiplications.

The method is Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to
odd", IEEE Transactions on Computers 57(4), 2008.
"""

import numpy as np

_VELTKAMP = 134217729.0  # 2**27 + 1 cuts a float64 into two halves whose products are exact


def fma_float32(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """Return a * b + c, float32, for float32 values."""
    if c == 0.0:
        return _without_negative_zeros(a * np.float32(b), a, b)
    # A product of two float32 is exact in float64, and so is most often the sum.
    return _sum_to_odd(np.multiply(a, b, dtype=np.float64), np.asarray(c, np.float64)).astype(np.float32)


def fma_float64(a: np.ndarray, b: float, c: float) -> np.ndarray:
    """Return a * b + c, float64, for float64 values whose product neither overflows nor underflows."""
    product = a * np.float64(b)
    if c == 0.0:
        return _without_negative_zeros(product, a, b)
    a_high, a_low = _halves(a)
    b_high, b_low = _halves(np.asarray(b, np.float64))
    product_error = a_low * b_low - (((product - a_high * b_high) - a_low * b_high) - a_high * b_low)
    small, small_error = _two_sum(np.asarray(c, np.float64), product_error)
    total, total_error = _two_sum(product, small)
    return total + _sum_to_odd(small_error, total_error)


def _halves(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    scaled = x * _VELTKAMP
    high = scaled - (scaled - x)
    return high, x - high


def _without_negative_zeros(product: np.ndarray, a: np.ndarray, b: float) -> np.ndarray:
    """Return the product plus zero; one that only underflowed keeps its sign."""
    if b == 0.0:
        return np.zeros_like(product)
    product[a == 0.0] = 0.0
    return product


def _two_sum(a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rounded sum and, exactly, what rounding took away (Knuth's two-sum)."""
    total = a + b
    b_part = total - a
    return total, (a - (total - b_part)) + (b - b_part)


def _sum_to_odd(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return a + b rounded to odd: when inexact, the neighbour whose last bit is set."""
    total, error = _two_sum(a, b)
    bits = total.view(np.int64)
    to_fix = np.flatnonzero((error != 0.0) & ((bits & 1) == 0))
    if to_fix.size:
        away_from_zero = (error[to_fix] > 0) == (total[to_fix] > 0)
        bits[to_fix] += np.where(away_from_zero, 1, -1)
    return total
