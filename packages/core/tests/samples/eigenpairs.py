"""Rows of a few eigenpairs."""

import numpy as np

from samples.linear_algebra import hermitian
from samples.sample import Sample, case, numbers

MATRIX = hermitian(numbers(9, 9))
START = numbers(9, 2, seed=1)


def largest(x: np.ndarray, k: int, X: np.ndarray, tol: float) -> np.ndarray:
    return np.linalg.eigvalsh(x)[::-1][:k]


ROWS = [
    Sample(
        "lobpcg",
        [case(MATRIX, 2, X=START, tol=1e-10)],
        largest,
        ("float64",),
        canonical=lambda values, vectors: values,
        tolerance=1e-7,
        without={
            "derivatives": "tests/ops/test_eigenpairs.py: by the matrix alone",
            "dtype": "vectors are left out here",
        },
    ),
]
