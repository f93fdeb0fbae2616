"""Rows of making tensors."""

from collections.abc import Callable

import numpy as np

from samples.sample import NUMBERS, WIDE_FLOATS, Sample, between, case, numbers

# The default type is float32.
ROUNDED = {"dtypes": (), "tolerance": 1e-6}
SIZES = [case(2, 3), case((2, 3)), case(0), case(())]
NO_VALUES = {"value": "memory is as it was found", "method": "the same", "out": "the same"}


def of_size(value: float) -> Callable:
    return lambda *size: np.full(size[0] if size and isinstance(size[0], tuple) else size, value)


def arange(*bounds: float, start: float = 0, end: float | None = None, step: float = 1) -> np.ndarray:
    return np.arange(*bounds) if bounds else np.arange(start, end, step)


def shape_only(*results: np.ndarray) -> list[np.ndarray]:
    return [np.zeros(each.shape) for each in results]


ROWS = [
    Sample("zeros", SIZES, of_size(0.0), ()),
    Sample("ones", SIZES, of_size(1.0), ()),
    Sample("full", [case((2, 3), 1.5), case((), 2.0), case((0,), 1.0), case((2,), True), case((2,), 3)], np.full, ()),
    Sample("empty", SIZES, of_size(0.0), (), canonical=shape_only, without={"out": "its memory is as it was found"}),
    Sample(
        "empty_strided",
        [case((2, 3), (1, 2)), case((), ())],
        lambda size, stride: np.zeros(size),
        (),
        canonical=shape_only,
    ),
    Sample(
        "empty_permuted",
        [case((2, 3, 4), (2, 0, 1)), case((2, 0), (1, 0)), case((), ())],
        lambda size, physical_layout: np.zeros(size),
        (),
        canonical=shape_only,
    ),
    Sample(
        "zeros_like", [case(numbers(2, 3)), case(numbers()), case(numbers(0))], np.zeros_like, NUMBERS, derivatives=0
    ),
    Sample("ones_like", [case(numbers(2, 3)), case(numbers()), case(numbers(0))], np.ones_like, NUMBERS, derivatives=0),
    Sample("full_like", [case(numbers(2, 3), 2), case(numbers(), 3)], np.full_like, NUMBERS, derivatives=0),
    Sample(
        "empty_like",
        [case(numbers(2, 3)), case(numbers())],
        np.zeros_like,
        (),
        canonical=shape_only,
        derivatives=0,
        without={"kernel": "its memory is as it was found"},
    ),
    Sample("eye", [case(3), case(2, 4), case(0)], np.eye, ()),
    Sample(
        "arange", [case(5), case(1, 4), case(0, 1, 0.25), case(5, 0, -2), case(start=1, end=3), case(0)], arange, ()
    ),
    Sample("linspace", [case(0, 1, 5), case(-2.0, 3.0, 4), case(1, 2, 1), case(0, 1, 0)], np.linspace, **ROUNDED),
    Sample(
        "logspace",
        [case(0, 1, 5), case(-1, 2, 4, 2.0), case(1, 2, 1)],
        lambda start, end, steps, base=10.0: np.logspace(start, end, steps, base=base),
        **ROUNDED,
    ),
    Sample("scalar_tensor", [case(2.5), case(3), case(True)], np.array, ()),
    Sample(
        "tensor",
        [case([[1.0, 2.0], [3.0, 4.0]]), case([1, 2]), case(True), case([]), case([1.5, True])],
        lambda data: np.array(data, np.float64),
        (),
    ),
    *[
        Sample(name, [case([[1.0, 2.0]]), case(3), case(np.arange(3))], np.asarray, (), derivatives=0)
        for name in ("as_tensor", "asarray")
    ],
    Sample(
        "complex",
        [case(numbers(3, 4), numbers(4, seed=1)), case(numbers(), numbers(seed=1))],
        lambda x, y: x + 1j * y,
        WIDE_FLOATS,
        "complex",
    ),
    Sample(
        "polar",
        [case(between(0.5, 2, 3), numbers(3, seed=1)), case(between(1, 2), numbers(seed=1))],
        lambda r, phi: r * np.exp(1j * phi),
        WIDE_FLOATS,
        "complex",
        slack=2,
    ),
]
