"""Rows of rounding, signs, and numbers that are none."""

import numpy as np

from samples.sample import (
    COMPLEX,
    FLOATS,
    REAL,
    REAL_AND_BOOL,
    Sample,
    binary,
    case,
    complexes,
    numbers,
    unary,
)

HALVES = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 0.2])
ODD = np.array([1.5, np.nan, np.inf, -np.inf, -0.0])


def sgn(x: np.ndarray) -> np.ndarray:
    return np.where(x == 0, 0, x / np.abs(x)) if np.iscomplexobj(x) else np.sign(x)


ROWS = [
    Sample("ceil", unary(), np.ceil, REAL),
    Sample("floor", unary(), np.floor, REAL),
    Sample("trunc", unary(), np.trunc, REAL, aliases=["fix"]),
    Sample("frac", unary(), lambda x: x - np.trunc(x), FLOATS),
    Sample(
        "round",
        [*unary(), case(HALVES + 0.001), case(numbers(4), decimals=1), case(100 * numbers(4), decimals=-1)],
        lambda x, decimals=0: np.round(x, decimals),
        FLOATS,
        aliases=["special.round"],
    ),
    Sample("round", [case(HALVES)], np.round, without={"derivatives": "halves are where it jumps"}),
    Sample("sign", unary(), np.sign, REAL),
    Sample("sgn", [*unary(), case(complexes(3))], sgn, REAL + COMPLEX),
    Sample("signbit", [*unary(), case(ODD)], np.signbit, REAL, "bool", derivatives=0),
    Sample("copysign", [*binary(), case(numbers(3), -2.0)], np.copysign, REAL_AND_BOOL, "float"),
    Sample("heaviside", binary(), np.heaviside, REAL, derivatives=0),
    Sample(
        "nan_to_num",
        [*unary(), case(numbers(3), 1.0, 2.0, 3.0)],
        lambda x, nan=None, posinf=None, neginf=None: np.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf),
        REAL,
    ),
    Sample(
        "nan_to_num",
        [case(ODD), case(ODD, 1.0, 2.0, 3.0)],
        lambda x, nan=None, posinf=None, neginf=None: np.nan_to_num(x, nan=nan or 0.0, posinf=posinf, neginf=neginf),
        ("float64",),
        without={"derivatives": "differences of infinity"},
    ),
]
