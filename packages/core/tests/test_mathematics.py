"""What single rows of the sweep do not say: operators, subgradients, nan, ties, nothing, and mistakes that are named."""

import math
import operator
from collections.abc import Callable

import facula
import numpy as np
import pytest


@pytest.mark.parametrize("name", ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow"])
def test_operators_take_tensors_and_numbers_on_both_sides(name: str) -> None:
    apply = getattr(operator, name)
    values, others = np.array([1.5, 2.0, 3.5]), np.array([0.5, 3.0, 2.0])
    x, other = facula.tensor(values), facula.tensor(others)
    np.testing.assert_allclose(apply(x, other).numpy(), apply(values, others), rtol=1e-12)
    np.testing.assert_allclose(apply(x, 2).numpy(), apply(values, 2), rtol=1e-12)
    np.testing.assert_allclose(apply(2, x).numpy(), apply(2, values), rtol=1e-12)
    assert apply(x, 2).dtype is apply(2, x).dtype is facula.float64
    overwritten = getattr(operator, "i" + name)(x, other)
    assert overwritten is x
    np.testing.assert_allclose(x.numpy(), apply(values, others), rtol=1e-12)


def test_operators_of_matrices_bits_and_signs() -> None:
    matrix = facula.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert (matrix @ matrix).tolist() == [[7, 10], [15, 22]]
    assert (-matrix).tolist() == [[-1, -2], [-3, -4]]
    assert abs(-matrix).tolist() == matrix.tolist()
    flags, bits = facula.tensor([True, False]), facula.tensor([6, 3])
    assert (~flags).tolist() == [False, True]
    assert (bits & 5).tolist() == [4, 1]
    assert (bits | 8).tolist() == [14, 11]
    assert (bits ^ 1).tolist() == [7, 2]
    assert (bits << 1).tolist() == [12, 6]
    assert (bits >> 1).tolist() == [3, 1]


def test_subgradients_are_pytorchs() -> None:
    x = facula.tensor([0.0, 2.0, 2.0, -1.0], requires_grad=True)

    def gradient(value: facula.Tensor) -> list[float]:
        return facula.autograd.grad(value.sum(), x)[0].tolist()

    assert gradient(x.abs()) == [0, 1, 1, -1]
    assert gradient(x.amax()) == [0, 0.5, 0.5, 0]
    assert gradient(x.max(0).values) == [0, 1, 0, 0]
    assert gradient(x.clamp(min=0.0)) == [1, 1, 1, 0]
    assert gradient(x.maximum(facula.full((4,), 2.0))) == [0, 0.5, 0.5, 0]
    assert gradient(x.norm() * 0 + x[:1].norm()) == [0, 0, 0, 0]


def test_integers_and_booleans() -> None:
    x = facula.tensor([-7, 7], dtype=facula.int32)
    assert x.sum().dtype is facula.int64
    assert (x // 2).tolist() == [-4, 3]
    assert facula.div(x, 2, rounding_mode="trunc").tolist() == [-3, 3]
    assert (x % 4).tolist() == [1, 3]
    assert facula.fmod(x, 4).tolist() == [-3, 3]
    assert (x / 2).dtype is facula.float32
    assert facula.tensor([True, True]).sum().item() == 2
    assert (x > 0).tolist() == [False, True]


def test_nan_is_passed_on_as_in_pytorch() -> None:
    x = facula.tensor([1.0, float("nan"), 3.0])
    assert math.isnan(x.max().item())
    assert x.max(0).indices.item() == 1
    assert x.argmax().item() == 1
    assert math.isnan(x.median().item())
    assert x.nanmedian().item() == 1.0
    assert x.nansum().item() == 4.0
    assert x.sort().indices.tolist() == [0, 2, 1]
    assert x.sort(descending=True).indices.tolist() == [1, 2, 0]
    assert math.isnan(x.topk(1).values.item())
    assert facula.fmax(x, facula.zeros(3)).tolist() == [1.0, 0.0, 3.0]


def test_nothing_and_single_numbers() -> None:
    nothing = facula.zeros(0, 3)
    assert nothing.sum().item() == 0.0
    assert nothing.sum(1).shape == (0,)
    assert nothing.prod(0).tolist() == [1.0, 1.0, 1.0]
    assert math.isnan(nothing.mean().item())
    assert (nothing @ facula.ones(3, 2)).shape == (0, 2)
    one = facula.tensor(2.0)
    assert one.sum(0).item() == one.max(-1).values.item() == one.cumsum(0).item() == one.sort().values.item() == 2.0


def test_order_of_equal_elements_is_kept() -> None:
    x = facula.tensor([1, 0, 1, 0])
    assert x.sort().indices.tolist() == [1, 3, 0, 2]
    assert x.sort(descending=True).indices.tolist() == [0, 2, 1, 3]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: facula.ones(2, 3) @ facula.ones(2, 3), RuntimeError, r"2x3 and 2x3"),
        (
            lambda: facula.ones(2) @ facula.ones(2, dtype=facula.float64),
            RuntimeError,
            "float32 != float64",
        ),
        (lambda: facula.ones(2, 3).sum(2), IndexError, r"\[-2, 1\], but got 2"),
        (
            lambda: facula.ones(2, 3).sum((0, 0)),
            RuntimeError,
            "dim 0 appears multiple times",
        ),
        (lambda: facula.tensor([1, 2]).mean(), RuntimeError, "Int64"),
        (lambda: facula.tensor([True]) - facula.tensor([True]), RuntimeError, "bool"),
        (lambda: facula.tensor([2]) ** -1, RuntimeError, "negative integer powers"),
        (lambda: facula.zeros(0).max(), RuntimeError, "numel"),
        (lambda: facula.ones(2).topk(3), RuntimeError, "out of range"),
        (lambda: facula.eq(2, facula.ones(2)), TypeError, "must be Tensor, not int"),
        (
            lambda: facula.einsum("ij,jk->ik", facula.ones(2, 3), facula.ones(4, 2)),
            RuntimeError,
            "size 4",
        ),
        (lambda: facula.linalg.inv(facula.zeros(2, 2)), RuntimeError, "[Ss]ingular"),
        (
            lambda: facula.linalg.cholesky(-facula.eye(2)),
            RuntimeError,
            "positive-definite",
        ),
        (
            lambda: facula.ones(2).add_(facula.ones(3, 2)),
            RuntimeError,
            "broadcast shape",
        ),
    ],
)
def test_mistakes_are_named(call: Callable, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()
