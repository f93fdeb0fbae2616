"""Arithmetic, reductions, sorting, products and linear algebra: values against NumPy, first and second derivatives."""

import math
from collections.abc import Callable

import facula
import numpy as np
import pytest

NUMBERS = np.random.default_rng(0).standard_normal((3, 4))
OTHERS = np.random.default_rng(1).standard_normal((3, 4))
POSITIVE = np.abs(NUMBERS) + 0.5
SQUARE = np.random.default_rng(2).standard_normal((2, 3, 3)) + 3 * np.eye(3)

Check = tuple[Callable, Callable, tuple[np.ndarray, ...]]

CHECKS: dict[str, Check] = {
    "add alpha": (
        lambda x, y: facula.add(x, y, alpha=2),
        lambda x, y: x + 2 * y,
        (NUMBERS, OTHERS),
    ),
    "sub broadcast": (lambda x, y: x - y, np.subtract, (NUMBERS, OTHERS[0])),
    "mul": (lambda x, y: x * y, np.multiply, (NUMBERS, OTHERS)),
    "div": (lambda x, y: x / y, np.divide, (NUMBERS, POSITIVE)),
    "number / x": (lambda x: 2 / x, lambda x: 2 / x, (POSITIVE,)),
    "pow number": (lambda x: x**3, lambda x: x**3, (NUMBERS,)),
    "pow tensor": (lambda x, y: x**y, np.power, (POSITIVE, OTHERS)),
    "rsqrt": (facula.rsqrt, lambda x: 1 / np.sqrt(x), (POSITIVE,)),
    "hypot": (facula.hypot, np.hypot, (NUMBERS, OTHERS)),
    "exp": (facula.exp, np.exp, (NUMBERS,)),
    "log1p": (facula.log1p, np.log1p, (POSITIVE,)),
    "tanh": (facula.tanh, np.tanh, (NUMBERS,)),
    "sigmoid": (facula.sigmoid, lambda x: 1 / (1 + np.exp(-x)), (NUMBERS,)),
    "erf": (facula.erf, np.vectorize(math.erf), (NUMBERS,)),
    "lgamma": (facula.lgamma, np.vectorize(math.lgamma), (POSITIVE,)),
    "atan2": (facula.atan2, np.arctan2, (NUMBERS, OTHERS)),
    "logaddexp": (facula.logaddexp, np.logaddexp, (NUMBERS, OTHERS)),
    "clamp": (
        lambda x: x.clamp(-0.5, 0.6),
        lambda x: np.clip(x, -0.5, 0.6),
        (NUMBERS,),
    ),
    "maximum": (facula.maximum, np.maximum, (NUMBERS, OTHERS)),
    "where": (lambda x, y: facula.where(x > y, x, y), np.maximum, (NUMBERS, OTHERS)),
    "sum dim": (lambda x: x.sum(0), lambda x: x.sum(0), (NUMBERS,)),
    "mean keepdim": (
        lambda x: x.mean(1, True),
        lambda x: x.mean(1, keepdims=True),
        (NUMBERS,),
    ),
    "prod": (lambda x: x.prod(1), lambda x: x.prod(1), (NUMBERS,)),
    "prod with zero": (
        lambda x: x.prod(1),
        lambda x: x.prod(1),
        (np.where(OTHERS > 1, 0.0, OTHERS),),
    ),
    "var": (lambda x: x.var(1), lambda x: x.var(1, ddof=1), (NUMBERS,)),
    "std all": (lambda x: x.std(), lambda x: x.std(ddof=1), (NUMBERS,)),
    "logsumexp": (
        lambda x: x.logsumexp(1),
        lambda x: np.log(np.exp(x).sum(1)),
        (NUMBERS,),
    ),
    "amax": (lambda x: x.amax(1), lambda x: x.max(1), (NUMBERS,)),
    "max dim": (lambda x: x.max(1).values, lambda x: x.max(1), (NUMBERS,)),
    "quantile": (
        lambda x: x.quantile(0.3, 1),
        lambda x: np.quantile(x, 0.3, 1),
        (NUMBERS,),
    ),
    "cumsum": (lambda x: x.cumsum(1), lambda x: x.cumsum(1), (NUMBERS,)),
    "cumprod": (lambda x: x.cumprod(1), lambda x: x.cumprod(1), (NUMBERS,)),
    "logcumsumexp": (
        lambda x: x.logcumsumexp(0),
        lambda x: np.logaddexp.accumulate(x, 0),
        (NUMBERS,),
    ),
    "diff": (lambda x: x.diff(), lambda x: np.diff(x), (NUMBERS,)),
    "sort": (lambda x: x.sort(1).values, lambda x: np.sort(x, 1), (NUMBERS,)),
    "topk": (lambda x: x.topk(2).values, lambda x: -np.sort(-x, 1)[:, :2], (NUMBERS,)),
    "matmul": (lambda x, y: x @ y.t(), lambda x, y: x @ y.T, (NUMBERS, OTHERS)),
    "matmul folded": (lambda x, y: x @ y, np.matmul, (SQUARE, NUMBERS)),
    "matmul vector": (lambda x, y: x @ y, np.matmul, (SQUARE, NUMBERS[:, 0])),
    "linear": (
        facula.nn.functional.linear,
        lambda x, w, b: x @ w.T + b,
        (NUMBERS, OTHERS, OTHERS[:, 0]),
    ),
    "einsum": (
        lambda x, y: facula.einsum("bij,ik->bkj", x, y),
        lambda x, y: np.einsum("bij,ik->bkj", x, y),
        (SQUARE, NUMBERS),
    ),
    "inv": (facula.linalg.inv, np.linalg.inv, (SQUARE,)),
    "solve": (
        facula.linalg.solve,
        np.linalg.solve,
        (SQUARE, SQUARE.transpose(0, 2, 1)),
    ),
    "det": (facula.linalg.det, np.linalg.det, (SQUARE,)),
    "slogdet": (
        lambda x: facula.linalg.slogdet(x).logabsdet,
        lambda x: np.linalg.slogdet(x)[1],
        (SQUARE,),
    ),
    "svdvals": (facula.linalg.svdvals, lambda x: np.linalg.svd(x)[1], (SQUARE,)),
    "pinv": (facula.linalg.pinv, np.linalg.pinv, (NUMBERS,)),
    "norm": (facula.norm, np.linalg.norm, (NUMBERS,)),
}


@pytest.mark.parametrize("name", CHECKS)
def test_value_is_numpys(name: str) -> None:
    function, reference, inputs = CHECKS[name]
    found = function(*(facula.tensor(each) for each in inputs))
    np.testing.assert_allclose(found.numpy(), reference(*inputs), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CHECKS)
def test_value_of_float32_and_other_strides(name: str) -> None:
    function, reference, inputs = CHECKS[name]
    # Memory in column-major order, the same values.
    tensors = [facula.from_numpy(np.asfortranarray(each.astype(np.float32))) for each in inputs]
    found = function(*tensors)
    assert found.dtype is facula.float32
    np.testing.assert_allclose(found.numpy(), reference(*inputs), rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("name", CHECKS)
def test_derivatives(name: str) -> None:
    function, _, inputs = CHECKS[name]
    tensors = tuple(facula.tensor(each, requires_grad=True) for each in inputs)
    assert facula.autograd.gradcheck(function, tensors)
    assert facula.autograd.gradgradcheck(function, tensors)


@pytest.mark.parametrize(
    "name",
    [
        "exp",
        "sqrt",
        "tanh",
        "sin",
        "abs",
        "neg",
        "reciprocal",
        "erf",
        "floor",
        "sigmoid",
    ],
)
def test_in_place_and_out_give_what_the_function_gives(name: str) -> None:
    x = facula.tensor(POSITIVE)
    expected = getattr(facula, name)(x).numpy()
    out = facula.empty(0, dtype=facula.float64)
    assert getattr(facula, name)(x, out=out) is out
    np.testing.assert_array_equal(out.numpy(), expected)
    assert getattr(x, name + "_")() is x
    np.testing.assert_array_equal(x.numpy(), expected)


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
