"""Pairs of normal numbers from pairs of uniform ones.

Box and Muller, "A note on the generation of random normal deviates", Annals of Mathematical Statistics 29(2), 1958.
"""

import math
from collections.abc import Callable

import numpy as np

from facula.rng.rounding import fma_float32, fma_float64

_float32 = np.float32

# Moshier's Cephes polynomials (1984-1992) for logf, sinf and cosf, which PyTorch's vectorised kernel evaluates too.
_LOG = (
    *(7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
    *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
)
_LOG_2_LOW, _LOG_2_HIGH = -2.12194440e-4, 0.693359375
_SQRT_HALF = 0.707106781186547524
_SIN = (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
# Pi / 4 in three parts: the first two times a small integer are exact in float32.
_QUARTER_PI = (0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)


def libm(function: Callable[[float], float], x: np.ndarray) -> np.ndarray:
    """Return ``function``, one of ``math``'s, of each element, float64.

    NumPy's own vectorised functions may differ in the last bit from the C library's, which PyTorch calls.
    """
    return np.fromiter(map(function, x.tolist()), np.float64, x.size)


def normal16_float64(uniforms: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Return normal numbers, float64 of shape (rows, 16), from uniform ones in [0, 1) of the same shape.

    In a row the first eight give radii and the last eight angles; cosines come first, sines last.
    """
    log = libm(math.log, (1.0 - uniforms[:, :8]).ravel())
    radius = np.sqrt(-2.0 * log)
    theta = ((2.0 * math.pi) * uniforms[:, 8:]).ravel()
    result = np.empty_like(uniforms)
    result[:, :8] = fma_float64(radius * libm(math.cos, theta), std, mean).reshape(-1, 8)
    result[:, 8:] = fma_float64(radius * libm(math.sin, theta), std, mean).reshape(-1, 8)
    return result


def normal16_float32(uniforms: np.ndarray, mean: float, std: float) -> np.ndarray:
    """Return the same as ``normal16_float64`` in float32: bit for bit what PyTorch's AVX2 kernel computes."""
    radius = np.sqrt(_float32(-2.0) * _log_float32((_float32(1.0) - uniforms[:, :8]).ravel()))
    cosine, sine = _cos_sin_float32((_float32(2.0 * math.pi) * uniforms[:, 8:]).ravel())
    mean, std = float(_float32(mean)), float(_float32(std))
    result = np.empty_like(uniforms)
    result[:, :8] = fma_float32(radius * cosine, std, mean).reshape(-1, 8)
    result[:, 8:] = fma_float32(radius * sine, std, mean).reshape(-1, 8)
    return result


def _log_float32(x: np.ndarray) -> np.ndarray:
    """Return the natural logarithm of float32 values in (0, 1]."""
    fraction, exponent = np.frexp(x)
    below = fraction < _float32(_SQRT_HALF)
    exponent = exponent.astype(np.float32) - below
    reduced = (fraction - _float32(1.0)) + fraction * below
    square = reduced * reduced
    series = _horner(_LOG, reduced) * reduced
    series = _fused(series, square, exponent * _float32(_LOG_2_LOW))
    series -= _float32(0.5) * square
    return _fused(exponent, float(_float32(_LOG_2_HIGH)), reduced + series)


def _cos_sin_float32(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return cosine and sine of float32 angles in [0, 2 pi)."""
    octant = (theta * _float32(4.0 / math.pi)).astype(np.int32)
    octant += 1
    octant &= ~1
    turns = octant.astype(np.float32)
    angle = theta - turns * _float32(_QUARTER_PI[0])
    angle -= turns * _float32(_QUARTER_PI[1])
    angle = _fused(turns, -float(_float32(_QUARTER_PI[2])), angle)
    square = angle * angle
    cosine = _fused(_horner(_COS, square) * square, square, _float32(-0.5) * square)
    cosine += _float32(1.0)
    sine = _fused(_horner(_SIN, square) * square, angle, angle)
    # In every second octant the two change places. On the bits this is several times faster than ``where``.
    cosine_bits, sine_bits = cosine.view(np.int32), sine.view(np.int32)
    swap = cosine_bits ^ sine_bits
    swap &= -((octant >> 1) & 1)
    cosine_bits ^= swap
    cosine_bits ^= ((octant + 2) & 4) << 29
    sine_bits ^= swap
    sine_bits ^= (octant & 4) << 29
    return cosine, sine


def _horner(coefficients: tuple[float, ...], x: np.ndarray) -> np.ndarray:
    """Return a polynomial, highest power first, of float32 values, each step fused as in ``_fused``."""
    first, *others = (float(_float32(coefficient)) for coefficient in coefficients)
    wide_x = x.astype(np.float64)
    wide = np.full(x.shape, first)
    value = np.empty_like(x)
    for coefficient in others:
        wide *= wide_x
        wide += coefficient
        np.copyto(value, wide, casting="same_kind")
        np.copyto(wide, value)
    return value


def _fused(a: np.ndarray, b: np.ndarray | float, c: np.ndarray) -> np.ndarray:
    """Return a * b + c, float32, rounded once but for the sums that float64 rounds onto a tie.

    None of the 2**24 numbers that can be drawn meets such a sum in this file's polynomials, so the cheap way is exact.
    """
    wide = a.astype(np.float64)
    wide *= b
    wide += c
    return wide.astype(np.float32)
