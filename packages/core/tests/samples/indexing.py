"""Rows of masks, flat indices, and of writing parts."""

import numpy as np

from samples.sample import NUMBERS, Sample, booleans, case, integers, numbers


def written(x: np.ndarray, key: object, values: object) -> np.ndarray:
    """Return a copy with ``x[key] = values``."""
    result = np.array(x)
    result[key] = values
    return result


def along(x: np.ndarray, dim: int, index: object) -> tuple:
    return (*[slice(None)] * (dim % x.ndim), index)


def index_put(x: np.ndarray, indices: tuple, values: np.ndarray, accumulate: bool = False) -> np.ndarray:
    key = tuple(slice(None) if index is None else index for index in indices)
    if not accumulate:
        return written(x, key, values)
    result = np.array(x)
    np.add.at(result, key, values)
    return result


def put(x: np.ndarray, index: np.ndarray, source: np.ndarray, accumulate: bool = False) -> np.ndarray:
    result = np.array(x).reshape(-1)
    for place, value in zip(index.reshape(-1), source.reshape(-1)):
        result[place] = result[place] + value if accumulate else value
    return result.reshape(x.shape)


def diagonal_scatter(x: np.ndarray, src: np.ndarray, offset: int = 0, dim1: int = 0, dim2: int = 1) -> np.ndarray:
    result = np.array(x)
    np.einsum(
        "...ii->...i", np.moveaxis(result, (dim1, dim2), (-2, -1))[..., : src.shape[-1], offset:][..., : src.shape[-1]]
    )[...] = src
    return result


def masked_scatter(x: np.ndarray, mask: np.ndarray, source: np.ndarray) -> np.ndarray:
    mask = np.broadcast_to(mask, x.shape)
    return written(x, mask, source.reshape(-1)[: mask.sum()])


SPARSE = np.array([[0.0, 1.5, 0.0], [-2.0, 0.0, 3.0]])

ROWS = [
    Sample(
        "masked_fill",
        [
            case(numbers(3, 4), booleans(3, 4), 7.0),
            case(numbers(3, 4), booleans(4), numbers(seed=1)),
            case(numbers(0, 3), booleans(1, 3), 7.0),
            case(numbers(), np.array(True), 7.0),
        ],
        lambda x, mask, value: np.where(mask, np.asarray(value, x.dtype), x),
        dtypes=NUMBERS,
    ),
    Sample(
        "masked_select",
        [
            case(numbers(3, 4), booleans(3, 4)),
            case(numbers(3, 1), booleans(4)),
            case(numbers(0, 3), booleans(3)),
            case(numbers(), np.array(True)),
        ],
        lambda x, mask: np.broadcast_arrays(x, mask)[0][np.broadcast_arrays(x, mask)[1]],
        dtypes=NUMBERS,
    ),
    Sample(
        "masked_scatter",
        [
            case(numbers(3, 4), booleans(3, 4), numbers(4, 3, seed=1)),
            case(numbers(3, 4), booleans(4), numbers(12, seed=1)),
            case(numbers(0, 3), booleans(3), numbers(2)),
            case(numbers(), np.array(True), numbers(2, seed=1)),
        ],
        masked_scatter,
        dtypes=NUMBERS,
    ),
    Sample(
        "nonzero",
        [case(SPARSE), case(np.zeros((0, 3))), case(np.array(2.0)), case(SPARSE > 0)],
        lambda x: np.argwhere(x),
        dtypes=NUMBERS,
        result="int64",
        derivatives=0,
    ),
    Sample(
        "argwhere",
        [case(SPARSE), case(np.zeros((0, 3))), case(np.array(2.0))],
        lambda x: np.argwhere(x),
        dtypes=NUMBERS,
        result="int64",
        derivatives=0,
    ),
    Sample(
        "index_copy",
        [
            case(numbers(3, 4), 1, np.array([3, 0]), numbers(3, 2, seed=1)),
            case(numbers(3, 4), 0, integers(0, 1, 0), numbers(0, 4)),
        ],
        lambda x, dim, index, source: written(x, along(x, dim, index), source),
        dtypes=NUMBERS,
    ),
    Sample(
        "index_fill",
        [
            case(numbers(3, 4), 1, np.array([3, 0]), 7.0),
            case(numbers(3, 4), 0, np.array([1, 1]), numbers(seed=1)),
            case(numbers(3, 4), 0, integers(0, 1, 0), 7.0),
        ],
        lambda x, dim, index, value: written(x, along(x, dim, index), value),
        dtypes=NUMBERS,
    ),
    Sample(
        "index_put",
        [
            case(numbers(3, 4), (np.array([0, 2]), np.array([1, 3])), numbers(2, seed=1)),
            case(numbers(3, 4), (np.array([0, 2, 0]),), numbers(4, seed=1), True),
            case(numbers(3, 4), (booleans(3, 4),), numbers(seed=1)),
            case(numbers(3, 4), (None, np.array([1, 3])), numbers(3, 2, seed=1)),
        ],
        index_put,
        dtypes=NUMBERS,
    ),
    Sample(
        "put",
        [
            case(numbers(3, 4), np.array([[0, 5], [-1, 2]]), numbers(2, 2, seed=1)),
            case(numbers(3, 4), np.array([0, 5, 0]), numbers(3, seed=1), True),
            case(numbers(3, 4), integers(0, 1, 0), numbers(0)),
            case(numbers(), np.array(0), numbers(seed=1)),
        ],
        put,
        dtypes=NUMBERS,
    ),
    Sample(
        "take",
        [
            case(numbers(3, 4), np.array([[0, 5], [-1, 0]])),
            case(numbers(3, 4), integers(0, 1, 0)),
            case(numbers(), np.array(0)),
        ],
        lambda x, index: x.reshape(-1)[index],
        dtypes=NUMBERS,
    ),
    Sample(
        "select_scatter",
        [case(numbers(3, 4), numbers(3, seed=1), 1, 2), case(numbers(3, 4), numbers(4, seed=1), 0, -1)],
        lambda x, src, dim, index: written(x, along(x, dim, index), src),
        dtypes=NUMBERS,
    ),
    Sample(
        "slice_scatter",
        [
            case(numbers(3, 4), numbers(3, 2, seed=1), 1, 0, 4, 2),
            case(numbers(3, 4), numbers(2, 4, seed=1), 0, 1),
            case(numbers(3, 4), numbers(3, 0), 1, 2, 2),
        ],
        lambda x, src, dim=0, start=None, end=None, step=1: written(x, along(x, dim, slice(start, end, step)), src),
        dtypes=NUMBERS,
    ),
    Sample(
        "diagonal_scatter",
        [
            case(numbers(3, 4), numbers(3, seed=1)),
            case(numbers(3, 4), numbers(2, seed=1), 2),
            case(numbers(2, 2, 3), numbers(3, 2, seed=1), 0, 0, 1),
        ],
        diagonal_scatter,
        dtypes=NUMBERS,
    ),
]
