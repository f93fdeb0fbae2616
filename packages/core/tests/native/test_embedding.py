"""Rows looked up in a table, and summed into one."""

import numpy as np
import pytest
from facula.ops import embedding

OPTIONS = {"padding_idx": -1, "by_frequency": False}


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(
    ("rows", "wide", "index"), [(5, 3, (4,)), (1, 1, (7, 2)), (300, 65, (40, 50)), (1000, 64, (3,))]
)
def test_look_up_and_sum(held, rows, wide, index) -> None:
    at = np.random.default_rng(1).integers(0, rows, index)
    held(embedding._embedding, numbers(rows, wide), at, sparse=False, absolute=0, **OPTIONS)
    held(embedding._sum_rows, numbers(*index, wide), at, shape=(rows, wide), **OPTIONS)
    held(embedding._sum_rows, numbers(*index, wide), at, shape=(rows, wide), padding_idx=rows // 2, by_frequency=False)


def test_gradients_that_lie_otherwise_in_memory(held) -> None:
    at = np.random.default_rng(1).integers(0, 9, (4, 5))
    held(embedding._sum_rows, numbers(5, 4, 6).swapaxes(0, 1), at, shape=(9, 6), **OPTIONS)


def test_what_is_declined(held) -> None:
    held(embedding._embedding, numbers(3, 4), np.array([3]), sparse=False, accepts=False, **OPTIONS)
    held(embedding._embedding, numbers(3, 4), np.array([-1]), sparse=False, accepts=False, **OPTIONS)
    held(embedding._embedding, numbers(4, 3).T, np.array([1]), sparse=False, accepts=False, **OPTIONS)
    held(
        embedding._sum_rows,
        numbers(2, 4),
        np.array([0, 0]),
        shape=(3, 4),
        padding_idx=-1,
        by_frequency=True,
        accepts=False,
    )
