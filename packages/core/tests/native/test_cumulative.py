"""Running sums and products."""

import numpy as np
import pytest
from facula.ops import cumulative

CASES = [
    ((1,), 0),
    ((7,), 0),
    ((5, 1001), 1),
    ((1001, 5), 0),
    ((60, 700), 0),
    ((3, 40, 9), 1),
    ((40, 8), 1),
    ((2, 3, 4), 2),
]


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize(("shape", "dim"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_and_products(held, shape, dim, dtype) -> None:
    x = numbers(*shape, dtype=dtype)
    tolerance = 2e-7 if dtype is np.float32 else 1e-14
    held(cumulative._cumsum, x, dim=dim, backwards=False, tolerance=tolerance)
    held(cumulative._cumsum, x, dim=dim, backwards=True, tolerance=tolerance)
    near_one = (1 + x / 100).astype(dtype)
    held(cumulative._cumprod, near_one, dim=dim, tolerance=tolerance)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_that_are_not_finite(held, dim) -> None:
    x = numbers(50, 50)
    x[3, 5], x[7, 30], x[7, 40], x[20, 20], x[33, 7] = np.nan, np.inf, -np.inf, -np.inf, 0.0
    held(cumulative._cumsum, x, dim=dim, backwards=False)
    held(cumulative._cumsum, x, dim=dim, backwards=True)
    held(cumulative._cumprod, x, dim=dim)


def test_nothing_overflows_on_the_way(held) -> None:
    large = np.array([-1e308, 1e308, 1e308, -1e308, 1, 2, 3, 4, 5])
    held(cumulative._cumsum, large, dim=0, backwards=False)
    held(cumulative._cumprod, np.array([1e-200, 1e200, 1e200, 1e-100, 1, 2, 3, 4, 5]), dim=0)


def test_strides(held) -> None:
    held(cumulative._cumsum, numbers(60, 50).T[::2], dim=0, backwards=True)


def test_what_is_declined(held) -> None:
    held(cumulative._cumsum, np.ones((3, 3), np.int32), dim=0, backwards=False, accepts=False)
    held(cumulative._cumsum, np.float32(3) * np.ones((), np.float32), dim=0, backwards=False, accepts=False)
    held(cumulative._cumprod, numbers(0, 3), dim=0, accepts=False)
