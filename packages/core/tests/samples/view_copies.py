"""Rows of the functions that copy where others give views, by the rows of those."""

import numpy as np

from samples import shape, splitting
from samples.sample import NUMBERS, Sample, case, numbers

LISTS = {"out": "as in PyTorch, it returns nothing then: tests/ops/test_view_copies.py"}


def row(name: str, cases: list, reference, **options: object) -> Sample:
    return Sample(name, cases, reference, dtypes=NUMBERS, **options)


def like(name: str, other: str, family: list[Sample] = shape.ROWS) -> Sample:
    """Return the row of another function, under this name."""
    original = next(each for each in family if each.name == other)
    without = {
        **original.without,
        **(LISTS if isinstance(original.reference(*original.cases[0].arguments), list) else {}),
    }
    return Sample(name, original.cases, original.reference, dtypes=NUMBERS, without=without)


def windows(x: np.ndarray, dim: int, size: int, step: int) -> np.ndarray:
    starts = range(0, x.shape[dim] - size + 1, step)
    return np.stack([np.moveaxis(np.take(x, range(at, at + size), dim), dim, -1) for at in starts], dim)


def as_strided_scatter(x: np.ndarray, src: np.ndarray, size: tuple, stride: tuple, offset: int = 0) -> np.ndarray:
    result = np.array(x)
    flat = result.reshape(-1)
    for place in np.ndindex(*size):
        flat[offset + int(np.dot(place, stride))] = src[place]
    return result


ONE_LAYOUT = {"strides": "its arguments are those of one layout in memory"}

ROWS = [
    row("alias_copy", [case(numbers(3, 4)), case(numbers())], np.copy),
    Sample("detach_copy", [case(numbers(3, 4)), case(numbers())], np.copy, NUMBERS, derivatives=0),
    *[
        like(name + "_copy", name)
        for name in ("as_strided", "diagonal", "permute", "squeeze", "t", "transpose", "unsqueeze")
    ],
    *[like(name + "_copy", name, splitting.ROWS) for name in ("narrow", "select", "unbind", "split_with_sizes")],
    *[like("unsafe_" + name, name, splitting.ROWS) for name in ("chunk", "split_with_sizes")],
    row("unsafe_split", [case(numbers(5, 2), 2), case(numbers(3, 4), 3, 1)], splitting.split),
    row("expand_copy", [case(numbers(3, 1), (2, 3, 4)), case(numbers(), (2,))], np.broadcast_to),
    row("view_copy", [case(numbers(3, 4), (2, -1)), case(numbers(), (1, 1))], np.reshape, without=ONE_LAYOUT),
    row("unfold_copy", [case(numbers(3, 5), 1, 2, 2), case(numbers(4, 2), 0, 3, 1)], windows),
    row(
        "as_strided_scatter",
        [case(numbers(3, 4), numbers(2, 2, seed=1), (2, 2), (4, 1), 1)],
        as_strided_scatter,
        without=ONE_LAYOUT,
    ),
]
