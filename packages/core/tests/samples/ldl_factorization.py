"""Rows of factors of symmetric matrices."""

import numpy as np
from scipy.linalg import lapack

from samples.linear_algebra import hermitian, square
from samples.sample import WIDE_FLOATS, Sample, case, numbers


def factor(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return LAPACK's factors in the lower triangle, and its exchanges."""
    packed, pivots, _ = lapack.dsytrf(x, lower=1)
    return np.tril(packed), pivots.astype(np.int32)


A = hermitian(square())
FACTORS, PIVOTS = factor(A)
NONE = {"derivatives": "it has none"}


def row(name: str, cases: list, reference, **options: object) -> Sample:
    return Sample(name, cases, reference, WIDE_FLOATS, slack=20, **options)


ROWS = [
    row(
        "linalg.ldl_factor",
        [case(A)],
        factor,
        result=("same", "int32"),
        canonical=lambda ld, pivots: (np.tril(ld), pivots),
        without=NONE,
    ),
    row(
        "linalg.ldl_factor_ex",
        [case(A)],
        lambda x: (*factor(x), np.int32(0)),
        result=("same", "int32", "int32"),
        canonical=lambda ld, pivots, info: (np.tril(ld), pivots, info),
        without=NONE,
    ),
    row(
        "linalg.ldl_solve",
        [case(FACTORS, PIVOTS, numbers(3, 2))],
        lambda ld, pivots, b: np.linalg.solve(A, b),
        without={**NONE, "dtype": "the matrix is known here in one precision"},
    ),
]
