"""Rows of covariances, differences by place, and histograms."""

import numpy as np

from samples.sample import COMPLEX, WIDE_FLOATS, Sample, between, case, complexes, integers, numbers


def gradient(x, spacing=1, dim=None, edge_order=1) -> list[np.ndarray]:
    spacings = spacing if isinstance(spacing, (list, tuple)) else [spacing]
    found = np.gradient(x, *spacings, axis=dim, edge_order=edge_order)
    return found if isinstance(found, tuple) else [found]


def histogramdd(x, bins, weight=None, density=False) -> list[np.ndarray]:
    counts, edges = np.histogramdd(x, bins, weights=weight, density=density)
    return [counts, *edges]


MATRICES = [case(numbers(3, 5)), case(complexes(2, 4)), case(numbers(4))]

ROWS = [
    Sample("corrcoef", MATRICES, np.corrcoef, WIDE_FLOATS, slack=10),
    Sample(
        "cov",
        [
            *MATRICES,
            case(numbers(3, 5), correction=0),
            case(numbers(2, 4), fweights=integers(1, 4, 4), aweights=between(0.5, 2, 4)),
        ],
        lambda x, correction=1, fweights=None, aweights=None: np.cov(
            x, ddof=correction, fweights=fweights, aweights=aweights
        ),
        WIDE_FLOATS + COMPLEX,
        slack=10,
        differentiable=[0],
    ),
    Sample(
        "gradient",
        [
            case(numbers(5)),
            case(numbers(3, 4), spacing=0.5),
            case(numbers(3, 4), dim=1, edge_order=2),
            case(numbers(4), spacing=[np.array([0.0, 1.0, 1.5, 3.0])]),
        ],
        gradient,
        WIDE_FLOATS,
        differentiable=[0],
        slack=4,
    ),
    Sample(
        "histogram",
        [
            case(numbers(20), 5),
            case(numbers(20), np.array([-2.0, -0.5, 0.0, 1.0])),
            case(numbers(20), 4, range=(-1.0, 1.0), weight=between(0, 1, 20), density=True),
        ],
        lambda x, bins, range=None, weight=None, density=False: np.histogram(x, bins, range, density, weight),
        ("float64",),
        derivatives=0,
    ),
    Sample(
        "histogramdd",
        [case(numbers(20, 2), [3, 2]), case(numbers(20, 2), 3, weight=between(0, 1, 20), density=True)],
        histogramdd,
        ("float64",),
        derivatives=0,
    ),
]
