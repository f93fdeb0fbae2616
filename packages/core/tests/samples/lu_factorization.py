"""Rows of triangular factors with exchanged rows, and of triangular systems."""

import numpy as np
from scipy import linalg

from samples.linear_algebra import square
from samples.sample import WIDE_FLOATS, Sample, case, numbers


def row(name: str, cases: list, reference, **options: object) -> Sample:
    return Sample(name, cases, reference, **{"dtypes": WIDE_FLOATS, "slack": 20, **options})


def packed(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both factors in one matrix, and the row, counted from 1, that each row was exchanged with."""
    factors, pivots = linalg.lu_factor(x)
    return factors, pivots + 1


def unpack(factors: np.ndarray, pivots: np.ndarray) -> tuple[np.ndarray, ...]:
    order = np.arange(len(factors))
    for at, other in enumerate(pivots - 1):
        order[[at, other]] = order[[other, at]]
    return np.eye(len(factors))[:, order], np.tril(factors, -1) + np.eye(len(factors)), np.triu(factors)


def triangle(x: np.ndarray, upper: bool, unitriangular: bool) -> np.ndarray:
    x = np.triu(x) if upper else np.tril(x)
    return x - np.diag(np.diag(x)) + np.eye(len(x)) if unitriangular else x


def solve_triangular(a, b, upper, left=True, unitriangular=False) -> np.ndarray:
    a = triangle(a, upper, unitriangular)
    return np.linalg.solve(a, b) if left else np.linalg.solve(a.T, b.T).T


def triangular_solve(b, a, upper=True, transpose=False, unitriangular=False) -> tuple[np.ndarray, np.ndarray]:
    factor = triangle(a, upper, unitriangular)
    # The second result is the matrix as it was given.
    return np.linalg.solve(factor.T if transpose else factor, b), a


A, B = square(), numbers(3, 2, seed=1)
FACTORS, PIVOTS = packed(A)

ROWS = [
    row("linalg.lu", [case(A), case(numbers(3, 2)), case(numbers(2, 3))], linalg.lu),
    row("linalg.lu_factor", [case(A), case(numbers(3, 3))], packed, result=("same", "int32")),
    row("linalg.lu_factor_ex", [case(A)], lambda x: (*packed(x), np.int32(0)), result=("same", "int32", "int32")),
    row("lu", [case(A)], packed, result=("same", "int32")),
    row("lu_unpack", [case(FACTORS, PIVOTS.astype(np.int32))], unpack),
    row(
        "linalg.lu_solve",
        [case(FACTORS, PIVOTS.astype(np.int32), B)],
        lambda lu, pivots, b: np.linalg.solve(A, b),
        tolerance=1e-9,
        without={"dtype": "the matrix is known here in one precision"},
    ),
    row(
        "lu_solve",
        [case(B, FACTORS, PIVOTS.astype(np.int32))],
        lambda b, lu, pivots: np.linalg.solve(A, b),
        without={"dtype": "the same"},
    ),
    row(
        "linalg.solve_triangular",
        [case(A, B, upper=upper, unitriangular=unit) for upper in (True, False) for unit in (True, False)]
        + [case(A, B.T.copy(), upper=True, left=False)],
        solve_triangular,
    ),
    row("triangular_solve", [case(B, A), case(B, A, False, True), case(B, A, True, False, True)], triangular_solve),
]
