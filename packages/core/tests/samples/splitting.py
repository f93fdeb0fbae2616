"""Rows of parts of a tensor: views."""

import numpy as np

from samples.sample import NUMBERS, Sample, case, numbers


def row(name: str, cases: list, reference=None) -> Sample:
    return Sample(name, cases, reference or getattr(np, name), dtypes=NUMBERS)


def narrow(x: np.ndarray, dim: int, start: int, length: int) -> np.ndarray:
    return np.take(x, range(start % max(x.shape[dim], 1), start % max(x.shape[dim], 1) + length), dim)


def split(x: np.ndarray, sizes: int | list[int], dim: int = 0) -> list[np.ndarray]:
    if isinstance(sizes, int):
        return [narrow(x, dim, at, min(sizes, x.shape[dim] - at)) for at in range(0, max(x.shape[dim], 1), sizes)]
    starts = np.cumsum([0, *sizes[:-1]])
    return [np.take(x, range(start, start + size), dim) for start, size in zip(starts, sizes)]


def chunk(x: np.ndarray, chunks: int, dim: int = 0) -> list[np.ndarray]:
    return split(x, -(-x.shape[dim] // chunks), dim)


def tensor_split(x: np.ndarray, parts: object, dim: int = 0) -> list[np.ndarray]:
    return np.array_split(x, parts, dim)


ROWS = [
    row(
        "select",
        [case(numbers(3, 4), 0, 1), case(numbers(2, 3, 4), -1, -2), case(numbers(0, 3), 1, 0)],
        lambda x, dim, index: np.take(x, index, dim),
    ),
    row("narrow", [case(numbers(3, 4), 1, 1, 2), case(numbers(3, 4), 0, -2, 2), case(numbers(3, 4), 0, 0, 0)], narrow),
    row(
        "split",
        [case(numbers(5, 2), 2), case(numbers(3, 4), [1, 3], 1), case(numbers(3, 4), 5, -1), case(numbers(0, 3), 2)],
        split,
    ),
    row("split_with_sizes", [case(numbers(5, 2), [2, 0, 3]), case(numbers(3, 4), [1, 3], -1)], split),
    row("chunk", [case(numbers(5, 2), 2), case(numbers(5, 2), 4), case(numbers(3, 4), 2, 1)], chunk),
    row(
        "tensor_split",
        [case(numbers(5, 2), 3), case(numbers(5, 2), (1, 4)), case(numbers(3, 4), 3, 1), case(numbers(0, 2), 2)],
        tensor_split,
    ),
    row(
        "unbind",
        [case(numbers(3, 4)), case(numbers(2, 3, 2), -1), case(numbers(3))],
        lambda x, dim=0: list(np.moveaxis(x, dim, 0)),
    ),
    row("hsplit", [case(numbers(2, 4), 2), case(numbers(4), (1, 3))]),
    row("vsplit", [case(numbers(4, 2), 2), case(numbers(4, 2), (1, 3))]),
    row("dsplit", [case(numbers(2, 2, 4), 2), case(numbers(1, 2, 4), (1, 3))]),
]
