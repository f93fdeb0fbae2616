"""Rows of products of reflections."""

import numpy as np
from scipy.linalg import lapack

from samples.sample import WIDE_FLOATS, Sample, between, case, numbers


def geqrf(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return LAPACK's reflections, which R is packed with, and their scales."""
    return lapack.dgeqrf(x)[:2]


def whole(v: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """Return the product of the reflections I - tau v v^T, v being 0 above the diagonal and 1 on it."""
    q = np.eye(len(v))
    for at, scale in enumerate(tau):
        direction = np.concatenate([np.zeros(at), [1], v[at + 1 :, at]])
        q = q @ (np.eye(len(v)) - scale * np.outer(direction, direction))
    return q


def ormqr(v: np.ndarray, tau: np.ndarray, other: np.ndarray, left: bool = True, transpose: bool = False) -> np.ndarray:
    q = whole(v, tau).T if transpose else whole(v, tau)
    return q @ other if left else other @ q


V, TAU = numbers(4, 3), between(0.5, 1.5, 3)

ROWS = [
    Sample(
        "geqrf",
        [case(numbers(4, 3)), case(numbers(3, 3))],
        geqrf,
        WIDE_FLOATS,
        slack=20,
        without={"derivatives": "it has none"},
    ),
    Sample(
        "linalg.householder_product",
        [case(V, TAU)],
        lambda v, tau: whole(v, tau)[:, : v.shape[1]],
        WIDE_FLOATS,
        slack=20,
        aliases=["orgqr"],
    ),
    Sample(
        "ormqr",
        [case(V, TAU, numbers(4, 2)), case(V, TAU, numbers(2, 4), False), case(V, TAU, numbers(4, 2), True, True)],
        ormqr,
        WIDE_FLOATS,
        slack=20,
        derivatives=1,
    ),
]
