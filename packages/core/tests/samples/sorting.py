"""Rows of sorting, searching and counting."""

import numpy as np

from samples.sample import FLOATS, INTEGERS, REAL, WIDE_FLOATS, Sample, between, case, distinct, integers, numbers

DIMS = [
    case(distinct(3, 4)),
    case(distinct(3, 4), 0),
    case(distinct(2, 3), 1, True),
    case(distinct(0, 3)),
    case(distinct()),
]
TIES = [
    case(np.array([1.0, 0.0, 1.0, np.nan, 0.0, -np.inf])),
    case(np.array([1.0, 0.0, 1.0, np.nan, 0.0, -np.inf]), 0, True),
]


def order(x: np.ndarray, dim: int = -1, descending: bool = False) -> np.ndarray:
    """Return the stable order, nan being larger than all."""
    if x.ndim == 0:
        return np.zeros((), np.int64)
    if not descending:
        return np.argsort(x, dim, kind="stable")
    reversed_order = np.argsort(np.flip(x, dim), dim, kind="stable")
    return x.shape[dim] - 1 - np.flip(reversed_order, dim)


def sort(x: np.ndarray, dim: int = -1, descending: bool = False) -> tuple[np.ndarray, np.ndarray]:
    index = order(x, dim, descending)
    return (x, index) if x.ndim == 0 else (np.take_along_axis(x, index, dim), index)


def topk(x: np.ndarray, k: int, dim: int = -1, largest: bool = True) -> tuple[np.ndarray, np.ndarray]:
    if x.ndim == 0:
        return x, np.zeros((), np.int64)
    values, index = sort(x, dim, largest)
    return np.take(values, range(k), dim), np.take(index, range(k), dim)


def searchsorted(sequence, values, right=False) -> np.ndarray:
    if sequence.ndim == 1:
        return np.searchsorted(sequence, values, "right" if right else "left")
    return np.stack([searchsorted(line, wanted, right) for line, wanted in zip(sequence, values)])


def histc(x, bins=100, min=0, max=0) -> np.ndarray:
    limits = (x.min(), x.max()) if min == max else (min, max)
    return np.histogram(x, bins, limits)[0]


def unique_consecutive(x, return_inverse=False, return_counts=False, dim=None) -> list:
    """Return the runs' values, and for each place the number of its run, and the runs' lengths."""
    lines = x.reshape(-1) if dim is None else np.moveaxis(x, dim, 0)
    starts = [at for at in range(len(lines)) if at == 0 or (lines[at] != lines[at - 1]).any()]
    run = np.array([sum(start <= at for start in starts) - 1 for at in range(len(lines))], np.int64)
    values = lines[np.array(starts, np.int64)]
    found = [values if dim is None else np.moveaxis(values, 0, dim)]
    found += [run.reshape(x.shape) if dim is None else run] if return_inverse else []
    return found + ([np.bincount(run, minlength=len(starts))] if return_counts else [])


def unique(x, return_inverse=False, return_counts=False, dim=None) -> object:
    return np.unique(x, return_inverse=return_inverse, return_counts=return_counts, axis=dim)


EDGES = np.array([-1.0, 0.0, 0.5, 2.0])
REPEATED = integers(0, 3, 3, 4)

ROWS = [
    Sample("sort", DIMS, sort, REAL, ("same", "int64")),
    Sample(
        "sort", TIES, sort, WIDE_FLOATS, ("same", "int64"), without={"derivatives": "ties are where it is not smooth"}
    ),
    Sample("argsort", [*DIMS, *TIES], order, FLOATS, "int64", derivatives=0),
    Sample("msort", [case(distinct(3, 4)), case(distinct(4)), case(distinct(0, 3))], lambda x: np.sort(x, 0), REAL),
    Sample(
        "topk",
        [case(distinct(3, 4), 2), case(distinct(3, 4), 2, 0, False), case(distinct(3, 4), 0), case(distinct(), 1)],
        topk,
        FLOATS,
        ("same", "int64"),
    ),
    Sample(
        "searchsorted",
        [
            case(EDGES, numbers(3, 2)),
            case(EDGES, EDGES, right=True),
            case(np.sort(numbers(2, 4)), numbers(2, 3, seed=1)),
            case(EDGES, numbers(0)),
        ],
        searchsorted,
        WIDE_FLOATS + INTEGERS[1:],
        "int64",
        derivatives=0,
    ),
    Sample(
        "bucketize",
        [case(numbers(3, 2), EDGES), case(EDGES, EDGES, right=True), case(numbers(), EDGES)],
        lambda x, edges, right=False: searchsorted(edges, x, right),
        WIDE_FLOATS + INTEGERS[1:],
        "int64",
        derivatives=0,
    ),
    Sample(
        "isin",
        [
            case(integers(0, 6, 3, 4), integers(0, 6, 3, seed=1)),
            case(integers(0, 6, 4), np.array([2]), invert=True),
            case(EDGES, EDGES[:2]),
        ],
        np.isin,
        (),
        derivatives=0,
    ),
    Sample(
        "bincount",
        [
            case(integers(0, 5, 7)),
            case(integers(0, 5, 7), between(0, 1, 7)),
            case(integers(0, 5, 7), minlength=9),
            case(integers(0, 5, 0)),
        ],
        np.bincount,
        (),
        derivatives=0,
    ),
    Sample(
        "histc",
        [case(numbers(20), 5), case(numbers(20), 4, -1.0, 1.0)],
        histc,
        WIDE_FLOATS,
        derivatives=0,
    ),
    Sample(
        "unique",
        [
            case(REPEATED),
            case(REPEATED, return_inverse=True, return_counts=True),
            case(np.array([[1, 2], [0, 5], [1, 2]]), dim=0, return_counts=True),
            case(integers(0, 3, 0)),
            case(np.array(2)),
        ],
        unique,
        (),
    ),
    Sample(
        "unique_consecutive",
        [
            case(np.array([1, 1, 2, 2, 2, 1])),
            case(REPEATED, return_inverse=True, return_counts=True),
            case(np.array([[1, 2], [1, 2], [0, 5]]), dim=0, return_counts=True, return_inverse=True),
            case(integers(0, 3, 0)),
        ],
        unique_consecutive,
        (),
    ),
]
