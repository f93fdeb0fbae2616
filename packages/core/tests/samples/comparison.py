"""Rows of comparisons, and of logic on truth values and on bits."""

import numpy as np

from samples.sample import (
    NUMBERS,
    REAL_AND_BOOL,
    Sample,
    binary,
    booleans,
    case,
    complexes,
    integers,
    numbers,
    unary,
)

WHOLE = [
    case(integers(0, 3, 3, 4), integers(0, 3, 4, seed=1)),
    case(np.array(2), np.array(2)),
    case(integers(0, 3, 0), integers(0, 3, 1)),
]
BITS = [
    case(integers(-9, 9, 3, 4), integers(-9, 9, 4, seed=1)),
    case(np.array(12), np.array(10)),
    case(booleans(3), booleans(3, seed=1)),
    case(integers(-9, 9, 3), 6),
]
SHIFTS = [case(integers(0, 9, 3, 4), integers(0, 4, 4)), case(np.array(5), 2)]
ODD = np.array([1.0, np.nan, np.inf, -np.inf, 0.0, -0.0])


def predicate(name: str, cases: list, reference, dtypes=REAL_AND_BOOL, **row: object) -> Sample:
    return Sample(name, cases, reference, dtypes=dtypes, result="bool", derivatives=0, **row)


def compared(name: str, reference, dtypes=REAL_AND_BOOL, **row: object) -> Sample:
    return predicate(
        name, [*binary(), *WHOLE, case(numbers(3), 0.5), case(ODD, np.roll(ODD, 1))], reference, dtypes, **row
    )


ROWS = [
    compared("eq", np.equal, NUMBERS),
    compared("ne", np.not_equal, NUMBERS, aliases=["not_equal"]),
    compared("lt", np.less, aliases=["less"]),
    compared("le", np.less_equal, aliases=["less_equal"]),
    compared("gt", np.greater, aliases=["greater"]),
    compared("ge", np.greater_equal, aliases=["greater_equal"]),
    predicate("isnan", [case(ODD), *unary(), case(complexes(2))], np.isnan, NUMBERS),
    predicate("isinf", [case(ODD), *unary()], np.isinf, NUMBERS),
    predicate("isfinite", [case(ODD), *unary(), case(complexes(2))], np.isfinite, NUMBERS),
    predicate("isposinf", [case(ODD), *unary()], np.isposinf),
    predicate("isneginf", [case(ODD), *unary()], np.isneginf),
    predicate("isreal", [case(np.array([1 + 0j, 2j])), *unary()], np.isreal, NUMBERS),
    predicate(
        "isclose",
        [
            case(ODD, ODD + 1e-9),
            case(ODD, ODD, equal_nan=True),
            case(numbers(3), numbers(3) + 0.1, 0.05, 0.05),
            *binary(),
        ],
        np.isclose,
    ),
    predicate("logical_not", [*unary(), case(booleans(3)), case(ODD)], np.logical_not, NUMBERS),
    *[
        predicate(
            "logical_" + name,
            [case(booleans(3, 4), booleans(4, seed=1)), *WHOLE, *binary()],
            getattr(np, "logical_" + name),
            NUMBERS,
        )
        for name in ("and", "or", "xor")
    ],
    *[Sample("bitwise_" + name, BITS, getattr(np, "bitwise_" + name), ()) for name in ("and", "or", "xor")],
    Sample("bitwise_not", [case(integers(-9, 9, 3)), case(booleans(3)), case(np.array(5))], np.invert, ()),
    Sample("bitwise_left_shift", SHIFTS, np.left_shift, ()),
    Sample("bitwise_right_shift", SHIFTS, np.right_shift, ()),
    Sample(
        "equal",
        [case(ODD, ODD), case(numbers(3), numbers(3)), case(numbers(3), numbers(2)), case(numbers(0), numbers(0))],
        np.array_equal,
        (),
        derivatives=0,
        without={"derivatives": "the result is a bool"},
    ),
    Sample(
        "allclose",
        [
            case(ODD, ODD, equal_nan=True),
            case(ODD, ODD),
            case(numbers(3), numbers(3) + 1e-9),
            case(numbers(3), numbers(3) + 0.1),
        ],
        np.allclose,
        (),
        without={"derivatives": "the result is a bool"},
    ),
]
