"""Rows of maxima, minima, medians and quantiles."""

from collections.abc import Callable

import numpy as np

from samples.sample import FLOATS, REAL, WIDE_FLOATS, Sample, case, distinct, integers

DIMS = [case(distinct(3, 4), 1), case(distinct(2, 3, 2), 0, True), case(distinct(0, 3), 1), case(distinct(), 0)]
ALL_AND_DIMS = [case(distinct(3, 4)), case(distinct()), *DIMS]
SEVERAL = [*DIMS, case(distinct(2, 3, 2), (0, 2)), case(distinct(2, 3))]
WITH_NAN = np.array([[1.0, np.nan, 0.5], [4.0, 3.0, 2.0]])


def along(x: np.ndarray, dim: object) -> dict:
    return {"axis": None if x.ndim == 0 else dim}


def reduced(function: Callable) -> Callable:
    return lambda x, dim=None, keepdim=False: function(x, **along(x, dim), keepdims=keepdim)


def taken(position: Callable[[np.ndarray], object]) -> Callable:
    """Return a reduction to the number at a position, which is given for a vector; and, along a dimension, its index."""

    def reduction(x: np.ndarray, dim: int | None = None, keepdim: bool = False) -> object:
        if dim is None:
            return x.reshape(-1)[position(x.reshape(-1))]
        lines = x.reshape(1) if x.ndim == 0 else np.moveaxis(x, dim, -1)
        index = np.zeros(lines.shape[:-1], np.int64)
        for place in np.ndindex(index.shape):
            index[place] = position(lines[place])
        values = np.take_along_axis(lines, index[..., None], -1)[..., 0]
        if keepdim and x.ndim:
            values, index = np.expand_dims(values, dim), np.expand_dims(index, dim)
        return values.reshape(()) if x.ndim == 0 else values, index

    return reduction


def middle(line: np.ndarray) -> int:
    """Return where the lower of the two middle numbers is; the first nan, where there is one."""
    nan = np.isnan(line)
    return int(nan.argmax()) if nan.any() else int(np.argsort(line)[(len(line) - 1) // 2])


def middle_number(line: np.ndarray) -> int:
    return int(np.argsort(line)[(np.count_nonzero(~np.isnan(line)) - 1) // 2])


def most_frequent(line: np.ndarray) -> int:
    values, counts = np.unique(line, return_counts=True)
    return int(np.flatnonzero(line == values[counts.argmax()])[-1])


def kth(x: np.ndarray, k: int, dim: int = -1, keepdim: bool = False) -> object:
    return taken(lambda line: int(np.argsort(line)[k - 1]))(x, dim, keepdim)


def extremum(name: str, position: Callable) -> list[Sample]:
    dims = Sample(name, [*DIMS, case(distinct(3, 4), -2)], taken(position), REAL, ("same", "int64"))
    pair = [case(distinct(3, 4), distinct(4, seed=1)), case(distinct(), distinct(seed=1) + 1)]
    return [
        dims,
        Sample(name, [case(distinct(3, 4)), case(distinct())], taken(position), REAL),
        Sample(name, pair, getattr(np, name + "imum"), REAL),
        Sample(
            name,
            [case(WITH_NAN), case(WITH_NAN, 0)],
            taken(position),
            (),
            without={"derivatives": "differences of nan"},
        ),
        Sample("a" + name, SEVERAL, reduced(getattr(np, "a" + name)), REAL),
        Sample("arg" + name, ALL_AND_DIMS, reduced(getattr(np, "arg" + name)), REAL, "int64", derivatives=0),
    ]


def quantile(function: Callable) -> Callable:
    def reference(x, q, dim=None, keepdim=False, interpolation="linear"):
        return function(x, q, axis=dim, keepdims=keepdim, method=interpolation)

    return reference


QUANTILES = [
    case(distinct(3, 4), 0.3),
    case(distinct(3, 4), 0.3, 1, True),
    case(distinct(3, 4), np.array([0.1, 0.5, 1.0]), 0),
    *[case(distinct(5), 0.33, interpolation=kind) for kind in ("lower", "higher", "nearest", "midpoint")],
]
HAS_DERIVATIVE_BY_NUMBERS_ONLY = {"differentiable": [0]}

ROWS = [
    *extremum("max", np.argmax),
    *extremum("min", np.argmin),
    Sample(
        "aminmax",
        [
            case(distinct(3, 4)),
            case(distinct(3, 4), dim=1),
            case(distinct(2, 3), dim=0, keepdim=True),
            case(distinct()),
        ],
        lambda x, dim=None, keepdim=False: (np.amin(x, dim, keepdims=keepdim), np.amax(x, dim, keepdims=keepdim)),
        REAL,
    ),
    Sample("median", DIMS, taken(middle), FLOATS, ("same", "int64")),
    Sample("median", [case(distinct(3, 4)), case(distinct())], taken(middle), REAL),
    Sample(
        "median", [case(WITH_NAN), case(WITH_NAN, 1)], taken(middle), (), without={"derivatives": "differences of nan"}
    ),
    Sample("nanmedian", DIMS, taken(middle_number), FLOATS, ("same", "int64")),
    Sample(
        "nanmedian",
        [case(WITH_NAN), case(WITH_NAN, 1)],
        taken(middle_number),
        (),
        without={"derivatives": "differences of nan"},
    ),
    Sample(
        "mode",
        [case(distinct(3, 4)), case(distinct(3, 2), 0, True), case(distinct())],
        lambda x, dim=-1, keepdim=False: taken(most_frequent)(x, dim, keepdim),
        FLOATS,
        ("same", "int64"),
    ),
    Sample(
        "mode",
        [case(integers(0, 3, 3, 5)), case(np.array([[2.0, 1.0, 2.0, 1.0]]))],
        lambda x, dim=-1, keepdim=False: taken(most_frequent)(x, dim, keepdim),
        (),
        without={"derivatives": "ties are where it is not smooth"},
    ),
    Sample(
        "kthvalue",
        [case(distinct(3, 4), 2), case(distinct(3, 4), 3, 0, True), case(distinct(0, 3), 1), case(distinct(), 1)],
        kth,
        FLOATS,
        ("same", "int64"),
    ),
    Sample("quantile", QUANTILES, quantile(np.quantile), WIDE_FLOATS, **HAS_DERIVATIVE_BY_NUMBERS_ONLY),
    Sample("nanquantile", QUANTILES, quantile(np.nanquantile), WIDE_FLOATS, **HAS_DERIVATIVE_BY_NUMBERS_ONLY),
    Sample(
        "nanquantile",
        [case(WITH_NAN, 0.3), case(WITH_NAN, 0.5, 1)],
        quantile(np.nanquantile),
        (),
        without={"derivatives": "differences of nan"},
    ),
]
