"""Rows of pooling: the largest, the mean, the p-norm of each window."""

from collections.abc import Callable
from itertools import product
from math import ceil

import numpy as np

from samples.convolution import each
from samples.sample import FLOATS, INTEGERS, WIDE_FLOATS, Sample, case, distinct, numbers

F = "nn.functional."


def pooled(
    x: np.ndarray,
    rank: int,
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...] | None,
    padding: int | tuple[int, ...],
    dilation: int | tuple[int, ...],
    ceil_mode: bool,
    reduce: Callable[[list[tuple[int, ...]], int], object],
) -> list[np.ndarray]:
    """Return what ``reduce`` gives for the places of each window and how many it has with padding; a list of results.

    Windows that begin in the right padding are left out.
    """
    kernel, padding, dilation = each(kernel, rank), each(padding, rank), each(dilation, rank)
    stride = kernel if stride is None else each(stride, rank)
    lengths = x.shape[x.ndim - rank :]
    sizes = []
    for n, k, s, p, d in zip(lengths, kernel, stride, padding, dilation):
        steps = (n + 2 * p - d * (k - 1) - 1) / s
        size = (ceil(steps) if ceil_mode else int(steps)) + 1
        sizes.append(size - 1 if ceil_mode and (size - 1) * s >= n + p else size)
    results = []
    for position in product(*map(range, sizes)):
        starts = [q * s - p for q, s, p in zip(position, stride, padding)]
        places = [
            tuple(b + o * d for b, o, d in zip(starts, offset, dilation)) for offset in product(*map(range, kernel))
        ]
        inside = [place for place in places if all(0 <= at < n for at, n in zip(place, lengths))]
        padded = [place for place in places if all(at < n + p for at, n, p in zip(place, lengths, padding))]
        results.append(reduce(inside, len(padded)))
    several = [np.stack(list(of_one), -1) for of_one in zip(*results)]
    return [found.reshape(*x.shape[: x.ndim - rank], *sizes) for found in several]


def largest(x: np.ndarray, places: list[tuple[int, ...]]) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest number at these places of the last dimensions, and its index in them laid out flat."""
    lengths = x.shape[x.ndim - len(places[0]) :]
    values = np.stack([x[(..., *place)] for place in places], -1)
    flat = np.array([np.ravel_multi_index(place, lengths) for place in places])
    return values.max(-1), flat[values.argmax(-1)]


def max_pool(rank: int, indices: bool = False) -> Callable:
    def reference(x, kernel, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=indices):
        found = pooled(x, rank, kernel, stride, padding, dilation, ceil_mode, lambda places, count: largest(x, places))
        return found if return_indices else found[0]

    return reference


def avg_pool(rank: int) -> Callable:
    def reference(x, kernel, stride=None, padding=0, ceil_mode=False, count_include_pad=True, divisor_override=None):
        def mean(places: list[tuple[int, ...]], count: int) -> tuple[np.ndarray]:
            divisor = divisor_override or (count if count_include_pad else len(places))
            return (sum(x[(..., *place)] for place in places) / divisor,)

        return pooled(x, rank, kernel, stride, padding, 1, ceil_mode, mean)[0]

    return reference


def lp_pool(rank: int) -> Callable:
    def reference(x, norm_type, kernel, stride=None, ceil_mode=False):
        def norm(places: list[tuple[int, ...]], count: int) -> tuple[np.ndarray]:
            return (sum(x[(..., *place)] ** norm_type for place in places) ** (1 / norm_type),)

        return pooled(x, rank, kernel, stride, 0, 1, ceil_mode, norm)[0]

    return reference


def adaptive(rank: int, reduce: Callable) -> Callable:
    """Return the pooling whose window ``i`` of ``m`` over ``n`` numbers goes from floor(i n / m) to ceil((i + 1) n / m)."""

    def reference(x, output_size, return_indices=True):
        lengths = x.shape[x.ndim - rank :]
        sizes = [n if m is None else m for n, m in zip(lengths, (each(output_size, rank)))]
        results = []
        for position in product(*map(range, sizes)):
            ranges = [range(i * n // m, ceil((i + 1) * n / m)) for i, n, m in zip(position, lengths, sizes)]
            results.append(reduce(x, list(product(*ranges))))
        found = [np.stack(of_one, -1).reshape(*x.shape[: x.ndim - rank], *sizes) for of_one in zip(*results)]
        return found if return_indices and len(found) > 1 else found[0]

    return reference


def mean_of(x: np.ndarray, places: list[tuple[int, ...]]) -> tuple[np.ndarray]:
    return (sum(x[(..., *place)] for place in places) / len(places),)


def unpool(rank: int) -> Callable:
    def reference(x, indices, kernel, stride=None, padding=0, output_size=None):
        lengths = x.shape[x.ndim - rank :]
        kernel, padding = each(kernel, rank), each(padding, rank)
        stride = kernel if stride is None else each(stride, rank)
        sizes = [(n - 1) * s - 2 * p + k for n, s, p, k in zip(lengths, stride, padding, kernel)]
        sizes = sizes if output_size is None else list(output_size)
        outer = x.shape[: x.ndim - rank]
        result = np.zeros((*outer, int(np.prod(sizes))), x.dtype)
        for place in np.ndindex(outer):
            result[place][indices[place].reshape(-1)] = x[place].reshape(-1)
        return result.reshape(*outer, *sizes)

    return reference


MAX_1D = [
    case(distinct(2, 2, 5), 2),
    case(distinct(2, 6), 3, 2, 1, 1, True),
    case(distinct(1, 1, 6), 2, 1, 0, 2),
]
MAX_2D = [
    case(distinct(1, 2, 4, 4), 2),
    case(distinct(2, 3, 4), (2, 3), (1, 2), (1, 1), 1, True),
    case(distinct(1, 1, 5, 4), 2, 2, 0, (2, 1)),
    case(distinct(0, 2, 4, 4), 2),
]
MAX_3D = [
    case(distinct(1, 1, 2, 3, 4), 2, 1),
    case(distinct(1, 3, 3, 2), 2, 2, 1, 1, True),
]
MEAN_2D = [
    case(numbers(1, 2, 4, 4), 2),
    case(numbers(2, 3, 4), (2, 3), (1, 2), (1, 1), True),
    case(numbers(1, 1, 4, 4), 3, 2, 1, True, False),
    case(numbers(1, 1, 4, 4), 3, 2, 1, divisor_override=2),
]

ROWS = [
    *[
        Sample(
            F + f"max_pool{rank}d{suffix}",
            cases,
            max_pool(rank, bool(suffix)),
            dtypes=FLOATS + INTEGERS,
            result=("same", "int64") if suffix else "same",
        )
        for suffix in ("", "_with_indices")
        for rank, cases in [(1, MAX_1D), (2, MAX_2D), (3, MAX_3D)]
    ],
    Sample(
        F + "max_pool2d",
        [case(distinct(1, 2, 4, 4), 2, return_indices=True)],
        max_pool(2),
        dtypes=FLOATS,
        result=("same", "int64"),
    ),
    Sample(
        F + "avg_pool1d",
        [case(numbers(2, 2, 5), 2), case(numbers(2, 6), 3, 2, 1, True), case(numbers(1, 1, 6), 3, 2, 1, False, False)],
        avg_pool(1),
    ),
    Sample(F + "avg_pool2d", MEAN_2D, avg_pool(2)),
    Sample(
        F + "avg_pool3d",
        [case(numbers(1, 1, 2, 3, 4), 2, 1), case(numbers(1, 3, 3, 2), 2, 2, 1, True, False)],
        avg_pool(3),
    ),
    Sample(F + "lp_pool1d", [case(numbers(2, 5), 2.0, 2), case(np.abs(numbers(2, 5)), 3.0, 2, 1)], lp_pool(1), slack=2),
    Sample(
        F + "lp_pool2d", [case(numbers(1, 4, 4), 2.0, 2), case(numbers(1, 1, 3, 4), 2.0, 2, 1)], lp_pool(2), slack=2
    ),
    Sample(F + "lp_pool3d", [case(numbers(1, 1, 2, 2, 2), 2.0, 2)], lp_pool(3), slack=2),
    *[
        Sample(
            F + f"adaptive_avg_pool{rank}d",
            [case(numbers(1, 2, *(5, 4, 3)[:rank]), 2), case(numbers(2, *(3, 2, 4)[:rank]), (4, 1, None)[:rank])],
            adaptive(rank, mean_of),
        )
        for rank in (1, 2, 3)
    ],
    Sample(
        F + "adaptive_avg_pool1d",
        [case(np.array([[1.0, np.inf, 2.0, 3.0, 4.0]]), 3)],
        adaptive(1, mean_of),
        without={"derivatives": "differences of infinity"},
    ),
    *[
        Sample(
            F + f"adaptive_max_pool{rank}d_with_indices",
            [case(distinct(1, 2, *(5, 4, 3)[:rank]), 2), case(distinct(2, *(3, 2, 4)[:rank]), (4, 1, None)[:rank])],
            adaptive(rank, largest),
            result=("same", "int64"),
        )
        for rank in (1, 2, 3)
    ],
    *[
        Sample(
            F + f"adaptive_max_pool{rank}d",
            [case(distinct(1, 2, *(5, 4, 3)[:rank]), 2)],
            lambda x, output_size, rank=rank: adaptive(rank, largest)(x, output_size, False),
        )
        for rank in (1, 2, 3)
    ],
    Sample(
        F + "max_unpool1d",
        [
            case(numbers(1, 2, 2), np.array([[[1, 2], [0, 3]]]), 2),
            case(numbers(1, 2), np.array([[0, 4]]), 2, 2, 0, (5,)),
        ],
        unpool(1),
        dtypes=WIDE_FLOATS,
    ),
    Sample(
        F + "max_unpool2d",
        [case(numbers(1, 1, 2, 2), np.array([[[[0, 3], [9, 14]]]]), 2)],
        unpool(2),
        dtypes=WIDE_FLOATS,
    ),
    Sample(
        F + "max_unpool3d",
        [case(numbers(1, 1, 1, 2, 2), np.array([[[[[0, 3], [9, 30]]]]]), 2)],
        unpool(3),
        dtypes=WIDE_FLOATS,
    ),
]
