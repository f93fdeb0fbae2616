"""Sorting."""

import numpy as np
import pytest
from facula.ops import sorting

#: Rows sorted by comparing and by digits, several of them, and dimensions that are not the last.
CASES = [((1,), 0), ((7,), 0), ((5, 200), 1), ((3, 300), 1), ((5000,), 0), ((2000, 3), 0), ((4, 257, 2), 1)]


@pytest.mark.parametrize(("shape", "dim"), CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int32, np.int64])
@pytest.mark.parametrize("descending", [False, True])
def test_sort_and_argsort(held, shape, dim, dtype, descending) -> None:
    # Few different numbers, so that many are equal, and some large ones.
    x = np.random.default_rng(0).integers(-9, 9, shape) * np.random.default_rng(1).choice([1, 2**20 + 1], shape)
    held(sorting._sort, x.astype(dtype), dim=dim, descending=descending)
    held(sorting._argsort, x.astype(dtype), dim=dim, descending=descending)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("length", [100, 3000])
def test_numbers_that_are_not_finite_zeros_with_a_sign_and_denormals(held, dtype, descending, length) -> None:
    special = np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-40, -1e-40, 1.0, -1.0], dtype)
    x = special[np.random.default_rng(0).integers(0, len(special), length)]
    found = held(sorting._argsort, x, dim=0, descending=descending)
    values, places = held(sorting._sort, x, dim=0, descending=descending)
    assert np.array_equal(places, found) and values.tobytes() == x[places].tobytes()


def test_what_is_left_to_the_array_code(held) -> None:
    held(sorting._sort, np.zeros((3, 0), np.float32), dim=1, descending=False, accepts=False)
    held(sorting._sort, np.zeros(3, np.float16), dim=0, descending=False, accepts=False)
    held(sorting._sort, np.zeros(3, np.uint8), dim=0, descending=False, accepts=False)
