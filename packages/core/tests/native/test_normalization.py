"""Norms over rows and over channels, and their gradients."""

import numpy as np
import pytest
from facula.ops import normalization

ROWS = [
    ((1,), (0,)),
    ((9,), (0,)),
    ((3, 5), (0, 1)),
    ((5, 7), (1,)),
    ((3, 4, 32), (2,)),
    ((3, 4, 5), (1, 2)),
    ((700, 50), (1,)),
    ((1, 1000), (1,)),
]
CHANNELS = [
    ((5, 3), (0,)),
    ((4, 3, 7), (0, 2)),
    ((2, 5, 6, 7), (0, 2, 3)),
    ((8, 16, 30, 31), (0, 2, 3)),
    ((1, 4, 33), (0, 2)),
]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return (2 + np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


@pytest.mark.parametrize(("shape", "dims"), ROWS + CHANNELS)
@pytest.mark.parametrize("scaled", [True, False])
def test_norm_and_gradients(held, shape, dims, scaled) -> None:
    x, received = numbers(*shape), numbers(*shape, seed=1) - 2
    if dims == tuple(range(len(shape) - len(dims), len(shape))):
        wide = shape[len(shape) - len(dims) :]
    else:
        wide = (1, shape[1], *[1] * (len(shape) - 2))
    weight, bias = (numbers(*wide, seed=2), numbers(*wide, seed=3)) if scaled else (None, None)
    _, mean, rate = held(normalization._norm, x, weight, bias, dims=dims, eps=1e-5, tolerance=1e-5)
    held(normalization._norm_gradients, received, x, weight, mean, rate, dims=dims, tolerance=1e-5)


def test_a_large_mean_costs_no_accuracy(held) -> None:
    x = numbers(64, 500) + 1000
    found = held(normalization._norm, x, None, None, dims=(1,), eps=1e-5, tolerance=1.0)[0]
    exact = x.astype(np.float64)
    exact = (exact - exact.mean(1, keepdims=True)) / np.sqrt(exact.var(1, keepdims=True) + 1e-5)
    np.testing.assert_allclose(found, exact, atol=5e-4)


def test_what_is_declined(held) -> None:
    held(normalization._norm, np.ones((3, 4)), None, None, dims=(1,), eps=1e-5, accepts=False)
    held(normalization._norm, numbers(3, 4, 5), None, None, dims=(1,), eps=1e-5, accepts=False)
    held(normalization._norm, numbers(4, 3).T, None, None, dims=(1,), eps=1e-5, accepts=False)
