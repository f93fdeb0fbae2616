"""Exponentials and what is made of them."""

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


def test_powers(held) -> None:
    x = np.concatenate([SPECIAL, np.random.default_rng(0).standard_normal(1001).astype(np.float32)])
    for exponent in (2, 3, 0.5, 2.0):
        with np.errstate(all="ignore"):
            held(pointwise._pow, np.abs(x), exponent, tolerance=3e-7)
    held(pointwise._pow, x, 2.5, accepts=False)
    with np.errstate(all="ignore"):
        held(pointwise._rsqrt, np.abs(x[12:]), tolerance=3e-7)
        held(pointwise._rsqrt, np.array([0.0, 1.0, -1.0, np.inf, np.nan], np.float32))
