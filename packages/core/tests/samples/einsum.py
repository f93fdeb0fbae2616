"""Rows of Einstein's sums."""

import numpy as np

from samples.sample import COMPLEX, FLOATS, Sample, case, numbers

A, B, CUBE = numbers(3, 4), numbers(4, 2, seed=1), numbers(2, 3, 4, seed=2)


def einsum(equation: str, *arrays: np.ndarray) -> np.ndarray:
    return np.einsum(equation, *arrays)


ROWS = [
    Sample(
        "einsum",
        [
            case("ij,jk->ik", A, B),
            case("ij->ji", A),
            case("ij", A),
            case("ij->", A),
            case("bij,jk,k->bi", CUBE, B, numbers(2)),
            case("...j,j->...", CUBE, numbers(4)),
            case("ii->i", numbers(3, 3)),
            case("i,j->ij", numbers(3), numbers(2)),
            case("ij,jk", A, B),
            case("ij,jk->ik", numbers(0, 4), B),
        ],
        einsum,
        dtypes=FLOATS + COMPLEX,
        slack=4,
    ),
]
