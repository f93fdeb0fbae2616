"""Rows of gathering and scattering along a dimension."""

import numpy as np

from samples.sample import FLOATS, INTEGERS, NUMBERS, Sample, case, distinct, integers, numbers


def scattered(x: np.ndarray, dim: int, index: np.ndarray, src: object, combine) -> np.ndarray:
    """Return ``x`` with each number of ``src`` combined into the place its index names, one by one."""
    result = np.array(x)
    if index.ndim == 0:
        index, result = index.reshape(1), result.reshape(1)
        src = src.reshape(1) if isinstance(src, np.ndarray) else src
    for place in np.ndindex(index.shape):
        target = list(place)
        target[dim] = index[place]
        value = src[place] if isinstance(src, np.ndarray) else src
        result[tuple(target)] = combine(result[tuple(target)], value)
    return result.reshape(x.shape)


def scatter_reduce(x, dim, index, src, reduce, include_self=True) -> np.ndarray:
    """Return ``x`` with all numbers of ``src`` for a place reduced together, with the place's own or without."""
    if x.ndim == 0:
        return scatter_reduce(x.reshape(1), dim, index.reshape(1), src.reshape(1), reduce, include_self).reshape(())
    arrived: dict[tuple[int, ...], list] = {}
    for place in np.ndindex(index.shape):
        target = list(place)
        target[dim] = index[place]
        arrived.setdefault(tuple(target), []).append(src[place])
    result = np.array(x)
    functions = {"sum": np.sum, "prod": np.prod, "mean": np.mean, "amax": np.max, "amin": np.min}
    for target, values in arrived.items():
        values = [*values, x[target]] if include_self else values
        reduced = functions[reduce](values)
        result[target] = np.floor(reduced) if result.dtype.kind in "iu" else reduced
    return result


def gather(x: np.ndarray, dim: int, index: np.ndarray) -> np.ndarray:
    result = np.empty(index.shape, x.dtype)
    for place in np.ndindex(index.shape):
        source = list(place)
        if source:
            source[dim] = index[place]
        result[place] = x[tuple(source)]
    return result


def replace(old: object, new: object) -> object:
    return new


def index_add(x, dim, index, source, alpha=1) -> np.ndarray:
    result = np.moveaxis(np.array(x), dim, 0) if x.ndim else np.array(x).reshape(1)
    source = np.moveaxis(source, dim, 0) if source.ndim else source.reshape(1)
    for at, target in enumerate(np.atleast_1d(index)):
        result[target] = result[target] + alpha * source[at]
    return np.moveaxis(result, 0, dim) if x.ndim else result.reshape(())


INDEX = integers(0, 3, 2, 4)
UNIQUE = np.array([[2, 0, 1, 0], [0, 1, 2, 1]])

ROWS = [
    Sample(
        "gather",
        [
            case(numbers(3, 4), 0, INDEX),
            case(numbers(3, 4), 1, integers(0, 4, 3, 2)),
            case(numbers(3, 4), 1, integers(0, 4, 0, 2)),
            case(numbers(), 0, np.array(0)),
        ],
        gather,
        dtypes=NUMBERS,
    ),
    Sample(
        "take_along_dim",
        [
            case(numbers(3, 4), INDEX, 0),
            case(numbers(3, 1), integers(0, 3, 3, 4), 0),
            case(numbers(3, 4), integers(0, 12, 5)),
        ],
        lambda x, index, dim=None: np.take_along_axis(
            np.broadcast_to(x, (x.shape[0], index.shape[1])) if dim == 0 and x.shape[1] == 1 else x, index, dim
        ),
        dtypes=NUMBERS,
    ),
    Sample(
        "index_select",
        [
            case(numbers(3, 4), 1, np.array([3, 0, 0])),
            case(numbers(3, 4), 0, integers(0, 1, 0)),
            case(numbers(), 0, np.array([0])),
        ],
        lambda x, dim, index: np.take(x, index, dim) if x.ndim else x,
        dtypes=NUMBERS,
    ),
    Sample(
        "scatter",
        [
            case(numbers(3, 4), 0, UNIQUE, numbers(2, 4, seed=1)),
            case(numbers(3, 4), 1, np.array([[1, 3], [0, 2]]), numbers(3, 4, seed=1)),
            case(numbers(3, 4), 1, np.array([[1, 3], [0, 2]]), value=7.0),
            case(numbers(3, 4), 0, integers(0, 1, 0, 4), numbers(2, 4, seed=1)),
            case(numbers(), 0, np.array(0), numbers(seed=1)),
        ],
        lambda x, dim, index, src=None, value=None: scattered(x, dim, index, value if src is None else src, replace),
        dtypes=NUMBERS,
    ),
    Sample(
        "scatter_add",
        [
            case(numbers(3, 4), 0, INDEX, numbers(2, 4, seed=1)),
            case(numbers(3, 4), 1, integers(0, 4, 2, 2), numbers(3, 4, seed=1)),
            case(numbers(3, 4), 0, integers(0, 1, 0, 4), numbers(2, 4, seed=1)),
            case(numbers(), 0, np.array(0), numbers(seed=1)),
        ],
        lambda x, dim, index, src: scattered(x, dim, index, src, np.add),
        dtypes=NUMBERS,
        slack=2,
    ),
    Sample(
        "scatter_reduce",
        [
            case(distinct(3, 4), 0, INDEX, distinct(2, 4, seed=1), reduce, include_self=own)
            for reduce in ("sum", "prod", "mean", "amax", "amin")
            for own in (True, False)
        ]
        + [
            case(numbers(), 0, np.array(0), numbers(seed=1), "sum"),
            case(numbers(3), 0, integers(0, 3, 0), numbers(0), "sum"),
        ],
        scatter_reduce,
        dtypes=FLOATS + INTEGERS,
        slack=2,
    ),
    # At zeros a product has a gradient here, as in PyTorch, but no second one.
    Sample(
        "scatter_reduce",
        [case(np.array([0.0, 2.0, 0.0]), 0, np.array([0, 0, 1, 1, 2]), np.array([3.0, 4.0, 0.0, 5.0, 0.0]), "prod")],
        scatter_reduce,
        derivatives=1,
    ),
    Sample(
        "index_add",
        [
            case(numbers(3, 4), 1, np.array([3, 0, 3]), numbers(3, 3, seed=1)),
            case(numbers(3, 4), 0, np.array([1]), numbers(1, 4, seed=1), alpha=2),
            case(numbers(3, 4), 0, integers(0, 1, 0), numbers(0, 4)),
            case(numbers(), 0, np.array(0), numbers(seed=1)),
        ],
        index_add,
        dtypes=NUMBERS,
        slack=2,
    ),
]
