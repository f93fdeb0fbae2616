"""Exponentials and what is made of them."""

import math

import numpy as np
import pytest
from facula.ops import elementary, pointwise

SPECIAL = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -1e-40, 88.72, 88.73, -87.4, -103.9, -104.5], np.float32)


@pytest.mark.parametrize("size", [0, 1, 7, 16, 100003])
def test_exp(held, size) -> None:
    values = np.random.default_rng(0).uniform(-80, 80, size).astype(np.float32)
    for at in range(0, size, 1000):
        part = values[at : at + 1000]
        exact = np.exp(part.astype(np.float64))
        np.testing.assert_allclose(held(elementary._exp, part, tolerance=1.0), exact, rtol=1.2e-7)
    held(elementary._exp, values)


def test_exp_at_the_edges(held) -> None:
    found = held(elementary._exp, SPECIAL)
    exact = np.exp(SPECIAL.astype(np.float64)).astype(np.float32)
    np.testing.assert_array_equal(np.isfinite(found), np.isfinite(exact))
    np.testing.assert_array_equal(found == 0, exact == 0)


def test_exp_declines_other_types_and_strides(held) -> None:
    held(elementary._exp, np.ones(3), accepts=False)
    held(elementary._exp, np.ones((4, 4), np.float32)[:, ::2], accepts=False)


@pytest.mark.parametrize("name", ["_sin", "_cos"])
def test_sines(held, name) -> None:
    function = {"_sin": np.sin, "_cos": np.cos}[name]
    random = np.random.default_rng(0)
    for largest in (0.01, 3.0, 100.0, 19000.0, 1e7):
        x = random.uniform(-largest, largest, 10_007).astype(np.float32)
        found = held(getattr(elementary, name), x, tolerance=3e-7)
        np.testing.assert_allclose(found, function(x.astype(np.float64)), rtol=0, atol=1.3e-7)
    with np.errstate(all="ignore"):
        found = held(getattr(elementary, name), SPECIAL)
        expected = function(SPECIAL)
    np.testing.assert_array_equal(np.signbit(found[:2]), np.signbit(expected[:2]))


#: Functions in double precision, where arguments are, and how far off results may be, relative to each.
FUNCTIONS = {
    "_tan": (np.tan, [(-1e-3, 1e-3), (-10, 10), (-1e4, 1e4), (-1e7, 1e7)], 3e-7),
    "_asin": (np.arcsin, [(-1e-3, 1e-3), (-1, 1), (0.9999, 1)], 4e-7),
    "_acos": (np.arccos, [(-1, 1), (0.9999, 1)], 3e-7),
    "_atan": (np.arctan, [(-0.1, 0.1), (-4, 4), (-1e6, 1e6)], 3e-7),
    "_exp2": (np.exp2, [(-1, 1), (-126, 127)], 1.5e-7),
    "_log": (np.log, [(1e-38, 1e-30), (0.9, 1.1), (0.1, 10), (1e10, 1e38)], 1.5e-7),
    "_log2": (np.log2, [(1e-38, 1e-30), (0.9, 1.1), (0.1, 10), (1e10, 1e38)], 2e-7),
    "_log10": (np.log10, [(1e-38, 1e-30), (0.9, 1.1), (0.1, 10), (1e10, 1e38)], 2e-7),
    "_log1p": (np.log1p, [(-1, 1), (-1e-3, 1e-3), (-1e-12, 1e-12), (1, 1e6), (1e30, 3e38)], 2e-7),
    "_expm1": (np.expm1, [(-1, 1), (-1e-3, 1e-3), (-1e-35, 1e-35), (-100, 88), (88.3, 88.7)], 2.5e-7),
    "_erfc": (np.vectorize(math.erfc), [(-0.1, 0.1), (-1, 3), (3, 9)], 6e-7),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_other_functions(held, name) -> None:
    function, ranges, tolerance = FUNCTIONS[name]
    random = np.random.default_rng(0)
    for low, high in ranges:
        x = random.uniform(low, high, 10_007).astype(np.float32)
        found = held(getattr(elementary, name), x, tolerance=1e-6)
        np.testing.assert_allclose(found, function(x.astype(np.float64)), rtol=tolerance)
    with np.errstate(all="ignore"):
        edges = np.concatenate([SPECIAL, np.array([1, -1, 1.5, 150, -150, 1e30], np.float32)])
        found = held(getattr(elementary, name), edges)
        expected = getattr(elementary, name).forward(np, edges)
    np.testing.assert_array_equal(np.signbit(found[:2]), np.signbit(expected[:2]))


def test_the_inverse_of_the_error_function(held) -> None:
    x = np.random.default_rng(0).uniform(-4, 4, 10_007)
    y = np.vectorize(math.erf)(x)
    near = y.astype(np.float32)
    found = held(elementary._erfinv, near[np.abs(near) < 1], tolerance=2e-6)
    slope = 2 / math.sqrt(math.pi) * np.exp(-np.square(found.astype(np.float64)))
    # To as many digits as the argument has, of which few tell numbers near 1 apart.
    error = np.abs(np.vectorize(math.erf)(found.astype(np.float64)) - near[np.abs(near) < 1])
    assert (error < 4e-7 * np.abs(found) * slope + 1e-12).all()
    edges = np.array([0.0, -0.0, 1.0, -1.0, 1.5, np.nan, np.inf, 1e-40], np.float32)
    with np.errstate(all="ignore"):
        held(elementary._erfinv, edges)


def test_powers_of_two_are_exact(held) -> None:
    whole = np.arange(-149, 128, dtype=np.float32)
    np.testing.assert_array_equal(held(elementary._exp2, whole, tolerance=1.0), np.ldexp(1.0, whole.astype(int)))


def test_powers(held) -> None:
    x = np.concatenate([SPECIAL, np.random.default_rng(0).standard_normal(1001).astype(np.float32)])
    for exponent in (2, 3, 0.5, 2.0):
        with np.errstate(all="ignore"):
            held(pointwise._pow, np.abs(x), exponent, tolerance=3e-7)
    held(pointwise._pow, x, 2.5, accepts=False)
    with np.errstate(all="ignore"):
        held(pointwise._rsqrt, np.abs(x[12:]), tolerance=3e-7)
        held(pointwise._rsqrt, np.array([0.0, 1.0, -1.0, np.inf, np.nan], np.float32))


def test_logarithms_of_whole_powers_are_exact(held) -> None:
    whole = np.arange(-149, 128, dtype=np.float32)
    np.testing.assert_array_equal(held(elementary._log2, np.ldexp(np.float32(1), whole.astype(int))), whole)
    tens = np.arange(11)
    np.testing.assert_array_equal(held(elementary._log10, np.float32(10) ** tens.astype(np.float32)), tens)


def test_complex_powers_of_e(held) -> None:
    random = np.random.default_rng(0)
    for size in (1, 7, 16, 10_007):
        x = (random.uniform(-5, 5, size) + 1j * random.uniform(-50, 50, size)).astype(np.complex64)
        exact = np.exp(x.astype(np.complex128))
        found = held(elementary._exp, x, tolerance=1e-6)
        assert (np.abs(found - exact) < 4e-7 * np.abs(exact)).all()
    edges = np.array([0, 100, -200, 88.5 + 1j, 1 + 1e6j, complex(-np.inf, 1), complex(1, -0.0)], np.complex64)
    with np.errstate(all="ignore"):
        held(elementary._exp, edges)
    held(elementary._exp, edges.astype(np.complex128), accepts=False)
