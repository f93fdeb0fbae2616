"""Rows of norms and distances."""

import numpy as np

from samples.sample import COMPLEX, WIDE_FLOATS, Sample, case, complexes, numbers


def length(x: np.ndarray, p: float, dim: object = None, keepdim: bool = False) -> np.ndarray:
    """Return the p-norm of the numbers along dimensions, from its definition."""
    size = np.abs(x)
    if p == np.inf:
        return size.max(dim, keepdims=keepdim)
    if p == -np.inf:
        return size.min(dim, keepdims=keepdim)
    if p == 0:
        return (size != 0).astype(size.dtype).sum(dim, keepdims=keepdim)
    return (size**p).sum(dim, keepdims=keepdim) ** (1 / p)


def norm(x: np.ndarray, p: object = "fro", dim: object = None, keepdim: bool = False) -> np.ndarray:
    if p == "nuc":
        return np.linalg.norm(x, "nuc", dim, keepdim)
    return length(x, 2 if p == "fro" else p, dim, keepdim)


def vector_norm(x: np.ndarray, ord: float = 2, dim: object = None, keepdim: bool = False) -> np.ndarray:
    return length(x, ord, dim, keepdim)


def cdist(x: np.ndarray, y: np.ndarray, p: float = 2.0, mode: str | None = None) -> np.ndarray:
    return length(x[..., :, None, :] - y[..., None, :, :], p, -1)


def renorm(x: np.ndarray, p: float, dim: int, maxnorm: float) -> np.ndarray:
    result = np.moveaxis(np.array(x), dim, 0)
    for at, part in enumerate(result):
        size = length(part, p)
        result[at] = part * (maxnorm / (size + 1e-7)) if size > maxnorm else part
    return np.moveaxis(result, 0, dim)


MATRIX_NORMS = ["fro", "nuc", 1, -1, np.inf, -np.inf, 2, -2]

ROWS = [
    Sample(
        "norm",
        [
            case(numbers(3, 4)),
            case(numbers(3, 4), 1, 1),
            *[case(numbers(3, 4), p, 0, True) for p in (3, 0.5, np.inf, -np.inf, 0)],
            case(numbers(3, 4), "nuc"),
            case(complexes(2, 3)),
            case(numbers(0, 3), 2, 1),
            case(numbers()),
        ],
        norm,
        WIDE_FLOATS + COMPLEX,
        "real",
        slack=4,
    ),
    Sample(
        "linalg.vector_norm",
        [
            case(numbers(3, 4)),
            *[case(numbers(3, 4), p, 1) for p in (1, 3, 0.5, np.inf, -np.inf, 0)],
            case(numbers(2, 3, 2), 2, (0, 2), True),
            case(complexes(2, 3), 3, 1),
            case(numbers(0, 3), 2, 1),
            case(numbers()),
        ],
        vector_norm,
        WIDE_FLOATS + COMPLEX,
        "real",
        slack=4,
    ),
    Sample(
        "linalg.matrix_norm",
        [
            *[case(numbers(3, 4), p) for p in MATRIX_NORMS],
            case(numbers(2, 3, 4), "fro", (0, 1), True),
            case(complexes(2, 3)),
        ],
        lambda x, ord="fro", dim=(-2, -1), keepdim=False: np.linalg.norm(x, ord, dim, keepdim),
        WIDE_FLOATS + COMPLEX,
        "real",
        slack=4,
    ),
    Sample(
        "linalg.norm",
        [
            case(numbers(3, 4)),
            case(numbers(5), 3),
            *[case(numbers(3, 4), p) for p in MATRIX_NORMS],
            case(numbers(3, 4), np.inf, 1),
            case(numbers(2, 3, 4), 1, (0, 2), True),
        ],
        lambda x, ord=None, dim=None, keepdim=False: np.linalg.norm(x, ord, dim, keepdim),
        WIDE_FLOATS + COMPLEX,
        "real",
        slack=4,
    ),
    Sample(
        "dist",
        [case(numbers(3, 4), numbers(4, seed=1)), case(numbers(3), numbers(3, seed=1), 3)],
        lambda x, y, p=2: length(x - y, p),
        slack=4,
    ),
    Sample(
        "cdist",
        [
            *[case(numbers(3, 2), numbers(4, 2, seed=1), p) for p in (2.0, 1.0, 3.0, np.inf)],
            case(numbers(3, 2), numbers(4, 2, seed=1), 2.0, "use_mm_for_euclid_dist"),
            case(numbers(2, 3, 2), numbers(1, 2, 2, seed=1)),
            case(numbers(0, 2), numbers(3, 2)),
        ],
        cdist,
        WIDE_FLOATS,
        slack=4,
    ),
    Sample(
        "renorm",
        [case(3 * numbers(3, 4), 2, 0, 2.0), case(numbers(2, 3, 2), 1, 1, 1.5), case(numbers(0, 3), 2, 1, 1.0)],
        renorm,
        WIDE_FLOATS,
        slack=4,
    ),
]
