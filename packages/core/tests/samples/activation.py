"""Rows of activation functions."""

import numpy as np
from scipy import special

from samples.sample import FLOATS, INTEGERS, Sample, case, numbers, unary


def softmax(x: np.ndarray, dim: int, dtype: object = None) -> np.ndarray:
    return special.softmax(x, dim)


def gelu(x: np.ndarray, approximate: str = "none") -> np.ndarray:
    if approximate == "tanh":
        return 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    return x * special.ndtr(x)


def celu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * (np.exp(x / alpha) - 1))


def selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = 1.0507009873554805, 1.6732632423543772
    return scale * np.where(x > 0, x, alpha * (np.exp(x) - 1))


def elu(x: np.ndarray, alpha: float = 1.0) -> np.ndarray:
    return np.where(x > 0, x, alpha * (np.exp(x) - 1))


def softplus(x: np.ndarray, beta: float = 1.0, threshold: float = 20.0) -> np.ndarray:
    return np.where(x * beta > threshold, x, np.log1p(np.exp(beta * x)) / beta)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def glu(x: np.ndarray, dim: int = -1) -> np.ndarray:
    values, gates = np.split(x, 2, dim)
    return values * sigmoid(gates)


def prelu(x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    shape = [1] * x.ndim
    if x.ndim > 1:
        shape[1] = -1
    return np.where(x > 0, x, weight.reshape(shape) * x)


def normalize(x: np.ndarray, p: float = 2.0, dim: int = 1, eps: float = 1e-12) -> np.ndarray:
    length = (np.abs(x) ** p).sum(dim, keepdims=True) ** (1 / p)
    return x / np.maximum(length, eps)


F = "nn.functional."
ALONG_DIM = [case(numbers(3, 4), 1), case(numbers(2, 3, 2), 0), case(numbers(0, 3), 1), case(numbers(), 0)]

ROWS = [
    Sample(F + "relu", unary(), lambda x: np.maximum(x, 0), dtypes=FLOATS + INTEGERS, aliases=["relu"]),
    Sample(F + "relu6", unary(), lambda x: np.clip(x, 0, 6), dtypes=FLOATS + INTEGERS),
    Sample(F + "celu", [*unary(), case(numbers(3), alpha=0.5)], celu, aliases=["celu"]),
    Sample(F + "elu", [*unary(), case(numbers(3), alpha=0.5)], elu),
    Sample(F + "selu", unary(), selu, aliases=["selu"]),
    Sample(F + "gelu", [*unary(), case(numbers(3), approximate="tanh")], gelu),
    Sample(F + "silu", unary(), lambda x: x * sigmoid(x)),
    Sample(F + "mish", unary(), lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    Sample(F + "softplus", [*unary(), case(4 * numbers(5), 2.0, 3.0)], softplus),
    Sample(F + "softsign", unary(), lambda x: x / (1 + np.abs(x))),
    Sample(F + "tanhshrink", unary(), lambda x: x - np.tanh(x), slack=2),
    Sample(F + "logsigmoid", unary(), lambda x: -np.log1p(np.exp(-x))),
    Sample(F + "hardsigmoid", unary(-5, 5), lambda x: np.clip(x / 6 + 0.5, 0, 1)),
    Sample(F + "hardswish", unary(-5, 5), lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    Sample(
        F + "hardtanh",
        [*unary(-2, 2), case(numbers(5), -0.5, 0.7)],
        lambda x, low=-1, high=1: np.clip(x, low, high),
    ),
    Sample(
        F + "hardshrink",
        [*unary(), case(numbers(5), 0.9)],
        lambda x, lambd=0.5: np.where(np.abs(x) > lambd, x, 0),
    ),
    Sample(
        F + "softshrink",
        [*unary(), case(numbers(5), 0.9)],
        lambda x, lambd=0.5: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
    ),
    Sample(
        F + "leaky_relu",
        [*unary(), case(numbers(5), 0.3)],
        lambda x, slope=0.01: np.where(x > 0, x, slope * x),
    ),
    Sample(
        F + "threshold",
        unary(threshold=0.3, value=-7.0),
        lambda x, threshold, value: np.where(x > threshold, x, value),
        aliases=["threshold"],
    ),
    Sample(F + "glu", [case(numbers(3, 4)), case(numbers(2, 3), 0), case(numbers(0, 4))], glu),
    Sample(
        F + "prelu",
        [case(numbers(2, 3, 2), numbers(3, seed=1)), case(numbers(4), numbers(1)), case(numbers(0, 3), numbers(3))],
        prelu,
        aliases=["prelu"],
    ),
    Sample(
        F + "normalize",
        [case(numbers(3, 4)), case(numbers(3, 4), 3.0, 0), case(numbers(0, 3))],
        normalize,
        slack=2,
    ),
    Sample("softmax", ALONG_DIM, softmax, aliases=["nn.functional.softmax", "special.softmax"]),
    Sample(
        "log_softmax",
        ALONG_DIM,
        lambda x, dim: special.log_softmax(x, dim),
        aliases=["nn.functional.log_softmax", "special.log_softmax"],
    ),
    Sample(F + "softmin", ALONG_DIM, lambda x, dim: special.softmax(-x, dim)),
]
