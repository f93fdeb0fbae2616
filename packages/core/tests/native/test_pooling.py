"""The largest and the sum of windows, and their gradients."""

import numpy as np
import pytest
from facula.ops import pooling
from facula.ops.pooling import Windows

CASES = {
    "3x3 with stride 2": ((2, 3, 11, 13), Windows((3, 3), (2, 2), (1, 1), (1, 1), (6, 7))),
    "2x2": ((2, 3, 8, 40), Windows((2, 2), (2, 2), (0, 0), (1, 1), (4, 20))),
    "overlapping": ((1, 2, 9, 70), Windows((3, 3), (1, 1), (1, 1), (1, 1), (9, 70))),
    "stride 3": ((2, 2, 20, 31), Windows((3, 4), (3, 3), (1, 2), (1, 1), (7, 11))),
    "dilation": ((2, 2, 12, 20), Windows((3, 2), (1, 2), (1, 1), (2, 3), (10, 10))),
    "beyond the end": ((1, 2, 7, 8), Windows((2, 3), (2, 3), (0, 0), (1, 1), (4, 3))),
    "one dimension": ((3, 4, 50), Windows((3,), (2,), (1,), (1,), (25,))),
    "a whole plane": ((2, 5, 6, 7), Windows((6, 7), (1, 1), (0, 0), (1, 1), (1, 1))),
}


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(-9, 9, shape).astype(np.float32)


@pytest.mark.parametrize("name", CASES)
def test_windows(held, name) -> None:
    shape, windows = CASES[name]
    x = numbers(*shape)
    best, winner = held(pooling._max_pool, x, windows=windows, absolute=0)
    held(pooling._to_winners, numbers(*best.shape), winner, dims=shape, windows=windows)
    held(pooling._sum_windows, x, windows=windows)
    held(pooling._spread_sums, numbers(*best.shape), dims=shape, windows=windows)


def test_numbers_that_are_not_finite(held) -> None:
    shape, windows = CASES["3x3 with stride 2"]
    x = numbers(*shape)
    x[0, 0] = -np.inf
    x[1, 1, 4, 5] = np.nan
    best, winner = held(pooling._max_pool, x, windows=windows)
    held(pooling._to_winners, np.ones_like(best), winner, dims=shape, windows=windows)


def test_what_is_declined(held) -> None:
    shape, windows = CASES["2x2"]
    held(pooling._max_pool, np.ones(shape), windows=windows, accepts=False)
    three = Windows((2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1), (2, 2, 2))
    held(pooling._max_pool, numbers(1, 4, 4, 4), windows=three, accepts=False)
