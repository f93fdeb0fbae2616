"""Copies into C order, and arrays joined into one."""

from itertools import permutations

import numpy as np
import pytest
from facula.ops import conversion, joining, shape


def numbers(*lengths: int, type: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, lengths).astype(type)


@pytest.mark.parametrize("type", [np.float32, np.float64, np.int64, np.int16, np.uint8, np.bool_])
@pytest.mark.parametrize("lengths", [(3, 5), (40, 1, 50), (2, 3, 17, 19), (130, 257), (0, 4), (5,), ()])
def test_permuted_arrays(held, type, lengths) -> None:
    x = numbers(*lengths, type=type)
    for order in permutations(range(len(lengths))):
        held(conversion._clone, x.transpose(order), order="C", absolute=0)


def test_steps_of_any_kind(held) -> None:
    x = numbers(30, 40, 6)
    for view in (x[::2, ::-1], x[:, ::3, 1:4], x[..., 0].T, np.broadcast_to(x[:1], (9, 40, 6)), x[::-1].T):
        held(conversion._clone, view, order="C", absolute=0)
    held(shape._reshape_copy, x.transpose(2, 0, 1), shape=(60, 120), absolute=0)


@pytest.mark.parametrize("type", [np.float32, np.int64, np.bool_])
def test_joined_arrays(held, type) -> None:
    for dim in (0, 1, 2):
        lengths = [[3, 4, 5], [3, 4, 5], [3, 4, 5]]
        for part, length in zip(lengths, (2, 0, 70), strict=True):
            part[dim] = length
        held(joining._cat, *(numbers(*each, type=type) for each in lengths), dim=dim, absolute=0)
    held(joining._cat, numbers(500, 300), numbers(400, 300), dim=0, absolute=0)
    held(joining._cat, numbers(4, 3), numbers(3, 4).T, dim=0, accepts=False)
