"""Rows of factors of low rank: of a matrix of that rank, they multiply to it."""

import numpy as np

from samples.sample import Sample, case, numbers

MATRIX = numbers(5, 2) @ numbers(2, 4, seed=1)


def product(u: np.ndarray, s: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (u * s) @ v.T, s


def values(x: np.ndarray, q: int) -> np.ndarray:
    return np.linalg.svd(x, compute_uv=False)[:q]


def centered(x: np.ndarray, q: int, center: bool = True) -> tuple[np.ndarray, np.ndarray]:
    x = x - x.mean(0) if center else x
    return x, values(x, q)


ROWS = [
    Sample(
        "svd_lowrank", [case(MATRIX, 2)], lambda x, q: (x, values(x, q)), ("float64",), canonical=product, random=True
    ),
    Sample(
        "pca_lowrank", [case(MATRIX, 2), case(MATRIX, 2, False)], centered, ("float64",), canonical=product, random=True
    ),
]
