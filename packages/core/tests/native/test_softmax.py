"""Softmax, its logarithm and their gradients."""

import numpy as np
import pytest
from facula.ops import softmax

SHAPES = [((7,), 0), ((3, 1000), 1), ((1000, 3), 0), ((2, 5, 300), 1), ((2, 3, 4, 5), -3), ((4, 1), 1), ((1, 40000), 1)]
SHAPES += [
    ((300, 130), 0),
    ((300, 130), 1),
    ((0, 4), 1),
    ((4, 0), 1),
    ((64, 10), 1),
    ((2, 9, 64), 1),
    ((2100, 1001), 1),
]


def numbers(*shape: int) -> np.ndarray:
    return (np.random.default_rng(0).standard_normal(shape) * 3).astype(np.float32)


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
@pytest.mark.parametrize("name", ["_softmax", "_log_softmax"])
def test_softmax_and_gradient(held, shape, dim, name) -> None:
    y = held(getattr(softmax, name), numbers(*shape), dim=dim)
    held(getattr(softmax, name + "_gradient"), numbers(*shape)[::-1], y, dim=dim, tolerance=3e-6)


@pytest.mark.parametrize("dim", [0, 1])
def test_strides_of_any_kind(held, dim) -> None:
    held(softmax._softmax, numbers(40, 30).T, dim=dim)
    held(softmax._log_softmax, numbers(40, 30)[::2, ::-3], dim=dim)
    held(softmax._softmax_gradient, np.broadcast_to(np.float32(2), (40, 30)), numbers(30, 40).T, dim=dim)


@pytest.mark.parametrize("dim", [0, 1])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_that_are_not_finite_spoil_their_row_only(held, dim) -> None:
    x = numbers(50, 50)
    x[3, 5], x[7, 49], x[20, 20] = np.nan, np.inf, -np.inf
    for primitive in (softmax._softmax, softmax._log_softmax):
        found = held(primitive, x, dim=dim)
        assert np.isnan(found).sum() == 100


def test_large_scores_do_not_overflow(held) -> None:
    held(softmax._softmax, numbers(5, 70) * np.float32(1e37), dim=1)
    held(softmax._log_softmax, numbers(5, 70) * np.float32(1e30), dim=0)


def test_other_types_are_declined(held) -> None:
    held(softmax._softmax, np.ones((3, 3)), dim=0, accepts=False)
    held(softmax._softmax_gradient, np.ones((3, 3)), np.ones((3, 3)), dim=0, accepts=False)
