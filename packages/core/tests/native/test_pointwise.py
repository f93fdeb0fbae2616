"""Arithmetic and comparisons with broadcasting, and choosing between arrays."""

import numpy as np
import pytest
from facula.ops import comparison, pointwise, selection

PRIMITIVES = [pointwise._add, pointwise._sub, pointwise._mul, pointwise._div]
PRIMITIVES += [comparison._lt, comparison._le, comparison._gt, comparison._ge]
SHAPES = [((), ()), ((3,), (3,)), ((0, 4), (0, 4)), ((5, 7), (7,)), ((5, 1), (1, 7)), ((2, 3, 4, 5), (1, 3, 1, 1))]
SHAPES += [
    ((), (4, 5)),
    ((2, 1, 4), (3, 1)),
    ((1,), (6, 1, 3)),
    ((0, 4), (1, 4)),
    ((70_001,), (70_001,)),
    ((300, 200), (200,)),
]


def numbers(shape: tuple[int, ...], type: type, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), type)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
@pytest.mark.parametrize("type", [np.float32, np.float64])
def test_broadcasting(held, primitive, type) -> None:
    for left, right in SHAPES:
        held(primitive, numbers(left, type), numbers(right, type, 1))
        held(primitive, numbers(right, type), numbers(left, type, 1))


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
def test_numbers_and_layouts(held, primitive) -> None:
    x = numbers((5, 6), np.float32)
    held(primitive, x, 0.3)
    held(primitive, 0.3, x)
    held(primitive, x.T, 0.3)
    assert held(primitive, x.T, x.T).flags.f_contiguous
    held(primitive, x, x.copy(order="F"), accepts=False)
    held(primitive, x, np.ones((5, 6), np.int64), accepts=False)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
def test_special_numbers(held, primitive) -> None:
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 1e38], np.float32)
    with np.errstate(all="ignore"):
        held(primitive, special[:, None], special[None, :])


def test_where(held) -> None:
    x, y = numbers((50, 700), np.float32), numbers((50, 700), np.float32, 1)
    held(selection._where, x > 0, x, y)
    held(selection._where, x > 0, x, 0.5)
    held(selection._where, x > 0, 0.5, y)
    held(selection._where, x > 0, np.array(2.0, np.float32), y)
    held(selection._where, x[0] > 0, x, y, accepts=False)
