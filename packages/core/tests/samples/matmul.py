"""Rows of products of vectors and matrices."""

from collections.abc import Callable

import numpy as np

from samples.sample import COMPLEX, FLOATS, Sample, case, complexes, numbers

ANY = FLOATS + COMPLEX + ("int32", "int64")
A, B, V, W = numbers(3, 4), numbers(4, 2, seed=1), numbers(4, seed=2), numbers(4, seed=3)
BATCH, OTHER_BATCH = numbers(2, 3, 4), numbers(2, 4, 2, seed=1)


def row(name: str, cases: list, reference: Callable, **options: object) -> Sample:
    return Sample(name, cases, reference, dtypes=ANY, slack=4, **options)


def plus(product: Callable) -> Callable:
    """Return the product as a function that adds it to another matrix."""
    return lambda x, a, b, beta=1, alpha=1: beta * x + alpha * product(a, b)


def sums(x: np.ndarray, *factors: np.ndarray) -> list:
    return [case(x, *factors), case(x, *factors, beta=2, alpha=3)]


def tensordot(a: np.ndarray, b: np.ndarray, dims: object = 2) -> np.ndarray:
    return np.tensordot(a, b, dims)


def bilinear(x: np.ndarray, y: np.ndarray, weight: np.ndarray, bias: np.ndarray | float = 0) -> np.ndarray:
    return np.einsum("...i,kij,...j->...k", x, weight, y) + bias


ROWS = [
    row(
        "matmul",
        [
            case(A, B),
            case(A, V),
            case(V, B),
            case(V, W),
            case(BATCH, B),
            case(A, OTHER_BATCH),
            case(numbers(2, 1, 3, 4), OTHER_BATCH),
            case(BATCH, V),
            case(complexes(2, 3), complexes(3, 2, seed=1)),
            case(numbers(0, 4), B),
            case(numbers(3, 0), numbers(0, 2)),
        ],
        np.matmul,
        aliases=["linalg.matmul"],
    ),
    row("mm", [case(A, B), case(numbers(3, 0), numbers(0, 2))], np.matmul),
    row("mv", [case(A, V), case(numbers(0, 4), V)], np.matmul),
    row("bmm", [case(BATCH, OTHER_BATCH), case(numbers(0, 3, 4), numbers(0, 4, 2))], np.matmul),
    row("dot", [case(V, W), case(numbers(0), numbers(0))], np.dot),
    row("vdot", [case(V, W), case(complexes(3), complexes(3, seed=1))], np.vdot),
    row("inner", [case(A, numbers(2, 4)), case(V, W), case(A, numbers())], np.inner),
    row("outer", [case(V, numbers(3)), case(numbers(0), V)], np.outer, aliases=["ger"]),
    row("kron", [case(A, numbers(2, 2)), case(V, A), case(numbers(2, 1, 2), A)], np.kron),
    row(
        "tensordot",
        [case(A, numbers(3, 4, 2), 2), case(A, B, 1), case(A, numbers(2, 4, 3), ([0, 1], [2, 1])), case(A, V, 0)],
        tensordot,
    ),
    row(
        "chain_matmul",
        [case(A, B, numbers(2, 3)), case(A)],
        lambda *matrices: np.linalg.multi_dot(matrices) if len(matrices) > 1 else matrices[0],
        without={"in-place": "there is none"},
    ),
    row("addmm", [*sums(numbers(3, 2), A, B), *sums(numbers(2), A, B), *sums(numbers(), A, B)], plus(np.matmul)),
    row("addmv", [*sums(numbers(3), A, V), *sums(numbers(), A, V)], plus(np.matmul)),
    row("addr", [*sums(numbers(4, 3), V, numbers(3)), *sums(numbers(3), V, numbers(3))], plus(np.outer)),
    row(
        "baddbmm",
        [*sums(numbers(2, 3, 2), BATCH, OTHER_BATCH), *sums(numbers(3, 2), BATCH, OTHER_BATCH)],
        plus(np.matmul),
    ),
    row(
        "addbmm",
        [*sums(numbers(3, 2), BATCH, OTHER_BATCH), *sums(numbers(2), BATCH, OTHER_BATCH)],
        plus(lambda a, b: np.matmul(a, b).sum(0)),
    ),
    row(
        "nn.functional.linear",
        [
            case(A, numbers(2, 4), numbers(2)),
            case(BATCH, numbers(2, 4)),
            case(V, numbers(2, 4)),
            case(numbers(0, 4), numbers(2, 4)),
        ],
        lambda x, weight, bias=0: x @ weight.T + bias,
    ),
    row(
        "nn.functional.bilinear",
        [
            case(numbers(2, 3), numbers(2, 2), numbers(4, 3, 2), numbers(4)),
            case(numbers(3), numbers(2), numbers(4, 3, 2)),
        ],
        bilinear,
    ),
]
