"""Cross-entropy with class indices."""

import facula
import numpy as np
import pytest
from facula import native
from facula.ops import loss


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.asarray(3 * np.random.default_rng(seed).standard_normal(shape), np.float32)


@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (3, 5), (64, 10), (50, 1003), (300, 32), (2100, 1001)])
def test_cross_entropy(held, rows, classes) -> None:
    x = numbers(rows, classes)
    target = np.random.default_rng(1).integers(0, classes, rows)
    target[::3] = -100
    _, total, number = held(loss._cross_entropy, x, target, ignore_index=-100, mean=False, tolerance=2e-6)
    for received in (numbers(rows, seed=2), np.broadcast_to(np.float32(0.5), (rows,)), np.array(0.5, np.float32)):
        if received.ndim or number:
            held(loss._cross_entropy_gradient, received, x, target, total, number, ignore_index=-100, tolerance=2e-6)
    if number:
        held(loss._cross_entropy, x, target, ignore_index=-100, mean=True, tolerance=2e-6)


def test_a_mean_of_nothing_is_not_a_number() -> None:
    x = facula.zeros(2, 5, requires_grad=True)
    found = facula.nn.functional.cross_entropy(x, facula.tensor([-100, -100]))
    assert found.isnan()
    found.backward()
    assert (x.grad == 0).all()


def test_targets_that_are_no_classes_are_refused() -> None:
    with pytest.raises(IndexError, match="Target 5 is out of bounds"):
        facula.nn.functional.cross_entropy(facula.zeros(2, 5), facula.tensor([0, 5]))


@pytest.mark.parametrize("size", [0, 1, 17, 40000])
def test_losses_element_by_element(held, size) -> None:
    x, y = numbers(size), numbers(size, seed=1)
    held(loss._squared_error, x, y)
    held(loss._twice_apart, x, y)
    held(loss._cross_entropy_of_logits, x, y)


def test_cross_entropy_of_certain_logits_is_exact(held) -> None:
    x = np.linspace(-100, 100, 4001, dtype=np.float32)
    for target in (0.0, 1.0):
        targets = np.full_like(x, target)
        found = held(loss._cross_entropy_of_logits, x, targets)
        exact = np.logaddexp(0, np.where(target == 1, -x, x).astype(np.float64))
        np.testing.assert_allclose(found, exact, rtol=1e-6, atol=1e-37)


@pytest.mark.parametrize(("rows", "classes"), [(1, 1), (5, 3), (300, 70), (64, 1000)])
def test_scores_of_classes(held, rows, classes) -> None:
    random = np.random.default_rng(0)
    x, g = random.standard_normal((rows, classes)).astype(np.float32), random.standard_normal(rows).astype(np.float32)
    target = random.integers(0, classes, rows)
    target[::3] = -100
    held(loss._pick, x, target, ignore_index=-100)
    held(loss._put, g, target, dims=(rows, classes), ignore_index=-100)
    held(loss._put, np.broadcast_to(g[:1], rows), target, dims=(rows, classes), ignore_index=-100)
    target[-1] = classes
    assert loss._pick.kernels["native"](x, target, ignore_index=-100) is NotImplemented
    assert loss._put.kernels["native"](g, target, dims=(rows, classes), ignore_index=-100) is NotImplemented
    assert native.kernels.count_classes(target, classes, -100) is NotImplemented
    target[-1] = -100
    assert native.kernels.count_classes(target, classes, -100) == (target != -100).sum()
