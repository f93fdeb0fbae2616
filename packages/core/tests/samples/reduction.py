"""Rows of reductions: sums, means, variances, truth."""

import numpy as np
from scipy import special

from samples.sample import COMPLEX, FLOATS, NUMBERS, Sample, booleans, case, complexes, numbers

DIMS = [
    case(numbers(3, 4)),
    case(numbers(3, 4), 1),
    case(numbers(2, 3, 2), (0, -1), True),
    case(numbers(0, 3), 0),
    case(numbers(3, 0), 0),
    case(numbers()),
    case(numbers(), 0),
]
ONE_DIM = [each for each in DIMS if not isinstance((*each.arguments, 0)[1], tuple)]
WITH_NAN = np.array([[1.0, np.nan, 3.0], [np.nan, np.nan, np.nan]])


def axes(x: np.ndarray, dim: object) -> object:
    return None if x.ndim == 0 else dim


def sum(x, dim=None, keepdim=False) -> np.ndarray:
    return np.sum(x, axes(x, dim), keepdims=keepdim)


def prod(x, dim=None, keepdim=False) -> np.ndarray:
    return np.prod(x, axes(x, dim), keepdims=keepdim)


def mean(x, dim=None, keepdim=False) -> np.ndarray:
    return np.mean(x, axes(x, dim), keepdims=keepdim)


def var(x, dim=None, keepdim=False, correction=1) -> np.ndarray:
    return np.var(x, axes(x, dim), ddof=correction, keepdims=keepdim)


def std(x, dim=None, keepdim=False, correction=1) -> np.ndarray:
    return np.sqrt(var(x, dim, keepdim, correction))


def mean_of(x, dim=None, keepdim=False, correction=1) -> np.ndarray:
    return mean(x, dim, keepdim)


VARIANCES = [
    case(numbers(3, 4)),
    case(numbers(3, 4), 1, correction=0),
    case(numbers(2, 3, 2), (0, -1), keepdim=True),
    case(numbers(3, 4), None, correction=2),
    case(numbers(0, 3), 1),
    case(complexes(2, 3), 1),
]

ROWS = [
    Sample("sum", [*DIMS, case(complexes(2, 3), 0)], sum, NUMBERS, "sum", slack=2),
    Sample("prod", [*ONE_DIM, case(complexes(2, 3), 0)], prod, NUMBERS, "sum", slack=4),
    Sample("prod", [case(np.array([[0.0, 2.0, 3.0], [0.0, 0.0, 2.0], [1.0, 2.0, 3.0]]), 1)], prod),
    Sample("mean", [*DIMS, case(complexes(2, 3), 0)], mean, FLOATS + COMPLEX, slack=2),
    Sample("nansum", DIMS, sum, FLOATS, slack=2),
    Sample("nanmean", DIMS, mean, FLOATS, slack=2),
    *[
        Sample(
            name,
            [case(WITH_NAN), case(WITH_NAN, 1), case(WITH_NAN, 0, True)],
            lambda x, dim=None, keepdim=False, function=function: function(x, axis=dim, keepdims=keepdim),
            without={"derivatives": "differences of nan"},
        )
        for name, function in [("nansum", np.nansum)]
    ],
    Sample("var", VARIANCES, var, FLOATS + COMPLEX, "real", slack=4),
    Sample("std", VARIANCES, std, FLOATS + COMPLEX, "real", slack=4),
    Sample(
        "var_mean",
        VARIANCES,
        lambda x, *dims, **options: (var(x, *dims, **options), mean_of(x, *dims, **options)),
        FLOATS,
        slack=4,
    ),
    Sample(
        "std_mean",
        VARIANCES,
        lambda x, *dims, **options: (std(x, *dims, **options), mean_of(x, *dims, **options)),
        FLOATS,
        slack=4,
    ),
    Sample(
        "logsumexp",
        [
            case(numbers(3, 4), 1),
            case(100 * numbers(2, 3, 2), (0, 2), True),
            case(numbers(0, 3), 1),
            case(numbers(), 0),
        ],
        lambda x, dim, keepdim=False: special.logsumexp(x, axis=axes(x, dim), keepdims=keepdim),
        FLOATS,
        slack=2,
        aliases=["special.logsumexp"],
    ),
    *[
        Sample(
            name,
            [*DIMS, case(booleans(3, 4), 1), case(np.array([[1.0, 0.0], [0.0, 0.0], [2.0, np.nan]]), 1)],
            lambda x, dim=None, keepdim=False, function=function: function(x, axis=axes(x, dim), keepdims=keepdim),
            ("bool", "float16", "float32", "int32", "complex64"),
            "bool",
            derivatives=0,
        )
        for name, function in [("all", np.all), ("any", np.any)]
    ],
    Sample(
        "count_nonzero",
        [
            case(np.array([[1.0, 0.0], [0.0, 0.0], [2.0, np.nan]])),
            case(booleans(3, 4), 1),
            case(booleans(2, 3, 2), (0, 2)),
        ],
        lambda x, dim=None: np.count_nonzero(x, dim),
        NUMBERS,
        "int64",
        derivatives=0,
    ),
]
