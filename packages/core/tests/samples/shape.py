"""Rows of other shapes and orders of dimensions: views."""

import numpy as np

from samples.sample import COMPLEX, FLOATS, NUMBERS, Sample, case, complexes, numbers


def row(name: str, cases: list, reference, **options: object) -> Sample:
    return Sample(name, cases, reference, dtypes=NUMBERS, **options)


def flatten(x: np.ndarray, start: int = 0, end: int = -1) -> np.ndarray:
    if x.ndim == 0:
        return x.reshape(1)
    start, end = start % x.ndim, end % x.ndim
    return x.reshape(*x.shape[:start], int(np.prod(x.shape[start : end + 1])), *x.shape[end + 1 :])


def squeeze(x: np.ndarray, dim: object = None) -> np.ndarray:
    dims = range(x.ndim) if dim is None else ((dim,) if isinstance(dim, int) else dim)
    drop = {at % x.ndim for at in dims if x.ndim and x.shape[at] == 1}
    return x.reshape([n for at, n in enumerate(x.shape) if at not in drop])


def as_strided(x: np.ndarray, size: tuple, stride: tuple, offset: int = 0) -> np.ndarray:
    flat, result = x.reshape(-1), np.empty(size, x.dtype)
    for place in np.ndindex(*size):
        result[place] = flat[offset + int(np.dot(place, stride))]
    return result


MATRIX = [case(numbers(3, 4)), case(numbers(0, 3)), case(complexes(2, 3))]
SWAPS = [case(numbers(3, 4), 0, 1), case(numbers(2, 3, 4), -1, 0), case(numbers(0, 3), 0, 1), case(numbers(), 0, -1)]

ROWS = [
    row("t", [*MATRIX, case(numbers(3)), case(numbers())], np.transpose),
    row(
        "adjoint",
        [case(numbers(3, 4)), case(complexes(2, 2, 3)), case(numbers(0, 3))],
        lambda x: x.conj().swapaxes(-1, -2),
    ),
    row(
        "transpose",
        SWAPS,
        lambda x, dim0, dim1: x.swapaxes(dim0, dim1) if x.ndim else x,
        aliases=["swapaxes", "swapdims"],
    ),
    row(
        "permute", [case(numbers(2, 3, 4), (2, 0, 1)), case(numbers(0, 3), (-1, 0)), case(numbers(), ())], np.transpose
    ),
    row(
        "movedim",
        [case(numbers(2, 3, 4), 0, 2), case(numbers(2, 3, 4), (0, 1), (-1, 0)), case(numbers(0, 3), 0, 1)],
        np.moveaxis,
        aliases=["moveaxis"],
    ),
    row(
        "reshape",
        [case(numbers(3, 4), (2, -1)), case(numbers(0, 3), (3, 0)), case(numbers(), (1, 1)), case(numbers(1), ())],
        np.reshape,
    ),
    row("ravel", [*MATRIX, case(numbers())], np.ravel),
    row("flatten", [*MATRIX, case(numbers(2, 3, 2, 2), 1, 2), case(numbers(2, 3, 2), 1), case(numbers())], flatten),
    row(
        "unflatten",
        [case(numbers(2, 6), 1, (3, 2)), case(numbers(6, 2), 0, (-1, 3)), case(numbers(0, 6), -1, (2, 3))],
        lambda x, dim, sizes: x.reshape(*x.shape[: dim % x.ndim], *sizes, *x.shape[dim % x.ndim + 1 :]),
    ),
    row(
        "squeeze",
        [
            case(numbers(1, 3, 1)),
            case(numbers(1, 3, 1), 0),
            case(numbers(1, 3, 1), (0, 1)),
            case(numbers()),
            case(numbers(1, 0)),
        ],
        squeeze,
    ),
    row(
        "unsqueeze",
        [case(numbers(3, 4), 1), case(numbers(3), -1), case(numbers(), 0), case(numbers(0, 3), 0)],
        np.expand_dims,
    ),
    row(
        "broadcast_to",
        [case(numbers(3, 1), (2, 3, 4)), case(numbers(), (2,)), case(numbers(1, 3), (0, 3))],
        np.broadcast_to,
    ),
    row(
        "diagonal",
        [
            case(numbers(3, 4)),
            case(numbers(3, 4), 1),
            case(numbers(3, 4), -2),
            case(numbers(2, 3, 3), 0, 0, 2),
            case(numbers(0, 3)),
        ],
        np.diagonal,
    ),
    row(
        "as_strided",
        [case(numbers(3, 4), (2, 2), (4, 1), 1), case(numbers(6), (3, 3), (1, 1)), case(numbers(6), (0, 2), (1, 1))],
        as_strided,
        without={"strides": "its arguments are those of one layout in memory"},
    ),
    Sample(
        "linalg.diagonal",
        [case(numbers(3, 4)), case(numbers(2, 3, 3)), case(numbers(2, 3, 4))],
        lambda x: np.diagonal(x, 0, -2, -1),
        FLOATS + COMPLEX,
    ),
]
