"""The logarithm of the gamma function and its derivative."""

import math

import numpy as np
import pytest
from facula import special_functions
from facula.ops import elementary

EDGES = np.array([0.0, -0.0, 1, 2, -1, -7, 8, 0.5, -0.5, 1e-40, -1e-40, 3e38, -1e30, np.nan, np.inf], np.float32)


@pytest.mark.parametrize("bounds", [(1e-6, 3), (-12, 12), (0.999, 1.001), (-2.46, -2.45), (5, 100), (1e3, 1e30)])
def test_log_gamma_has_all_digits(held, bounds) -> None:
    x = np.random.default_rng(0).uniform(*bounds, 10_007).astype(np.float32)
    found = held(elementary._lgamma, x)
    exact = [math.lgamma(each) for each in x.astype(np.float64)]
    np.testing.assert_allclose(found, exact, rtol=1.2e-7, atol=1e-14)


@pytest.mark.parametrize("bounds", [(1e-6, 3), (-12, 12), (1.46, 1.4625), (5, 100), (1e3, 1e30)])
def test_digamma_has_all_digits(held, bounds) -> None:
    x = np.random.default_rng(0).uniform(*bounds, 10_007).astype(np.float32)
    found = held(elementary._polygamma, x, tolerance=1e-6, n=0)
    exact = special_functions.digamma(np, x.astype(np.float64))
    np.testing.assert_allclose(found, exact, rtol=1.3e-7, atol=1e-14)


def test_at_the_edges(held) -> None:
    with np.errstate(all="ignore"):
        held(elementary._lgamma, np.append(EDGES, np.float32(-np.inf)))
        found = held(elementary._polygamma, EDGES, n=0)
    assert found[0] == -np.inf and found[1] == np.inf


def test_other_types_are_left(held) -> None:
    held(elementary._lgamma, np.ones(3), accepts=False)
    held(elementary._polygamma, np.ones(3, np.float32), n=1, accepts=False)
