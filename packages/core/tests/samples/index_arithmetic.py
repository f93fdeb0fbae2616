"""Rows of reductions into slices, and of places as numbers."""

import numpy as np

from samples.sample import NUMBERS, WIDE_FLOATS, Sample, case, distinct, integers, numbers


def index_reduce(x, dim, index, source, reduce, include_self=True) -> np.ndarray:
    """Return ``x`` with, in each slice that is named, all slices of ``source`` for it reduced together."""
    result = np.moveaxis(np.array(x), dim, 0)
    source = np.moveaxis(source, dim, 0)
    functions = {"prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
    for target in set(index.tolist()):
        slices = [source[at] for at in np.flatnonzero(index == target)]
        slices = [*slices, result[target].copy()] if include_self else slices
        result[target] = functions[reduce](np.stack(slices), 0)
    return np.moveaxis(result, 0, dim)


ROWS = [
    Sample(
        "index_reduce",
        [
            case(distinct(3, 4), 1, np.array([3, 0, 3]), distinct(3, 3, seed=1), reduce, include_self=own)
            for reduce in ("prod", "mean", "amax", "amin")
            for own in (True, False)
        ],
        index_reduce,
        WIDE_FLOATS,
        slack=4,
    ),
    Sample(
        "fill",
        [case(numbers(3, 4), 7.0), case(numbers(3), numbers(seed=1)), case(numbers(0), 1.0)],
        lambda x, value: np.full_like(x, value),
        NUMBERS,
    ),
    Sample(
        "unravel_index",
        [case(integers(0, 12, 5), (3, 4)), case(np.array(7), (2, 3, 2)), case(integers(0, 3, 0), (3, 4))],
        np.unravel_index,
        (),
    ),
    Sample(
        "nonzero_static",
        [case(np.array([0.0, 1.0, 2.0]), size=3), case(np.array([[0.0, 1.0], [2.0, 3.0]]), size=2)],
        lambda x, size: np.concatenate([np.argwhere(x), np.full((size, x.ndim), -1)])[:size],
        NUMBERS,
        "int64",
        derivatives=0,
    ),
]
