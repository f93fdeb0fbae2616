"""Rows of running sums, products, extrema; differences and areas."""

from collections.abc import Callable

import numpy as np

from samples.sample import COMPLEX, FLOATS, NUMBERS, REAL, Sample, case, complexes, distinct, numbers

DIMS = [case(numbers(3, 4), 1), case(numbers(2, 3, 2), 0), case(numbers(0, 3), 1), case(numbers(), 0)]
COMPLEX_TOO = [*DIMS, case(complexes(2, 3), 1)]


def running(function: Callable) -> Callable:
    return lambda x, dim: x if x.ndim == 0 else function(x, dim)


def extremum(better: Callable) -> Callable:
    """Return the best number so far and where it was last seen, number by number."""

    def reference(x: np.ndarray, dim: int) -> tuple[np.ndarray, np.ndarray]:
        if x.ndim == 0:
            return x, np.zeros((), np.int64)
        lines = np.moveaxis(x, dim, 0)
        values, index = lines.copy(), np.zeros(lines.shape, np.int64)
        for at in range(1, len(lines)):
            new = better(lines[at], values[at - 1])
            values[at] = np.where(new, lines[at], values[at - 1])
            index[at] = np.where(new, at, index[at - 1])
        return np.moveaxis(values, 0, dim), np.moveaxis(index, 0, dim)

    return reference


def trapezoid(y, x=None, dx=1.0, dim=-1) -> np.ndarray:
    return np.trapezoid(y, x, dx, dim)


def cumulative_trapezoid(y, x=None, dx=1.0, dim=-1) -> np.ndarray:
    y = np.moveaxis(y, dim, -1)
    widths = dx if x is None else np.diff(x)
    return np.moveaxis(np.cumsum((y[..., 1:] + y[..., :-1]) / 2 * widths, -1), -1, dim)


AREAS = [
    case(numbers(3, 4)),
    case(numbers(3, 4), dx=0.5, dim=0),
    case(numbers(2, 4), np.array([0.0, 0.5, 2.0, 3.0])),
]
EXTREMA = [case(distinct(3, 4), 1), case(distinct(2, 3, 2), 0), case(distinct(0, 3), 1), case(distinct(), 0)]
TIES = [case(np.array([1.0, 2.0, 2.0, 1.0, 1.0]), 0)]

ROWS = [
    Sample("cumsum", COMPLEX_TOO, running(np.cumsum), NUMBERS, "sum", slack=2),
    Sample("cumprod", COMPLEX_TOO, running(np.cumprod), NUMBERS, "sum", slack=2),
    Sample("cumprod", [case(np.array([[2.0, 0.0, 3.0, 4.0], [0.0, 2.0, 0.0, 3.0]]), 1)], running(np.cumprod)),
    Sample("logcumsumexp", DIMS, running(np.logaddexp.accumulate), FLOATS, slack=2),
    *[
        Sample(name, cases, extremum(better), REAL, ("same", "int64"), **row)
        for name, better in [("cummax", np.greater_equal), ("cummin", np.less_equal)]
        for cases, row in [(EXTREMA, {}), (TIES, {"without": {"derivatives": "ties are where it is not smooth"}})]
    ],
    Sample(
        "diff",
        [
            case(numbers(3, 4)),
            case(numbers(3, 4), 2, 0),
            case(numbers(3, 4), 1, 1, numbers(3, 1, seed=1), numbers(3, 2, seed=2)),
            case(numbers(0, 3)),
            case(numbers(1, 3), 1, 0),
        ],
        lambda x, n=1, dim=-1, prepend=np._NoValue, append=np._NoValue: np.diff(x, n, dim, prepend, append),
        NUMBERS,
    ),
    Sample("trapezoid", AREAS, trapezoid, FLOATS + COMPLEX, slack=2, aliases=["trapz"]),
    Sample("cumulative_trapezoid", AREAS, cumulative_trapezoid, FLOATS + COMPLEX, slack=2),
]
