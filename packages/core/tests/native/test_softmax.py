"""Softmax, its logarithm, and cross-entropy with class indices."""

import facula
import numpy as np
import pytest
from facula.ops import activation, loss

SHAPES = [
    ((1,), 0),
    ((7,), 0),
    ((5, 40), 1),
    ((40, 33), 0),
    ((3, 20, 7), 1),
    ((2, 5, 300), 2),
    ((4, 1, 6), 1),
    ((100, 1000), 1),
]


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.asarray(3 * np.random.default_rng(seed).standard_normal(shape), np.float32)


@pytest.mark.parametrize(("shape", "dim"), SHAPES)
def test_softmax_and_its_logarithm(held, shape, dim) -> None:
    for function, gradient in (
        (activation._softmax, activation._softmax_gradient),
        (activation._log_softmax, activation._log_softmax_gradient),
    ):
        out = held(function, numbers(*shape), dim=dim, tolerance=2e-6)
        held(gradient, numbers(*shape, seed=1), out, dim=dim, tolerance=3e-6)


@pytest.mark.parametrize("dim", [0, 1])
def test_numbers_that_are_not_finite(held, dim) -> None:
    x = numbers(30, 40)
    x[3, 5], x[7, 9], x[11, 13] = np.nan, np.inf, -np.inf
    with np.errstate(all="ignore"):
        held(activation._softmax, x, dim=dim)
        held(activation._log_softmax, x, dim=dim, tolerance=2e-6)


def test_what_softmax_declines(held) -> None:
    held(activation._softmax, np.ones((3, 4)), dim=1, accepts=False)
    held(activation._softmax, numbers(4, 3).T, dim=1, accepts=False)


@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (3, 5), (64, 10), (50, 1003), (300, 32)])
def test_cross_entropy(held, rows, classes) -> None:
    x = numbers(rows, classes)
    target = np.random.default_rng(1).integers(0, classes, rows)
    target[::3] = -100
    _, total, _ = held(loss._cross_entropy, x, target, ignore_index=-100, tolerance=2e-6)
    for received in (numbers(rows, seed=2), np.broadcast_to(np.float32(0.5), (rows,))):
        held(loss._cross_entropy_gradient, received, x, target, total, ignore_index=-100, tolerance=2e-6)


def test_targets_that_are_no_classes_are_refused() -> None:
    with pytest.raises(IndexError, match="Target 5 is out of bounds"):
        facula.nn.functional.cross_entropy(facula.zeros(2, 5), facula.tensor([0, 5]))
