"""Rows of arithmetic, element by element."""

import numpy as np

from samples.sample import (
    COMPLEX,
    FLOATS,
    NUMBERS,
    REAL,
    REAL_AND_BOOL,
    WIDE_FLOATS,
    Sample,
    between,
    binary,
    case,
    complexes,
    integers,
    numbers,
    unary,
)

NO_BOOL = REAL + COMPLEX
TWO_COMPLEX = [case(complexes(2, 3), complexes(3, seed=1))]


def remainder(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    return x - np.floor(x / other) * other


def nextafter(x: np.ndarray, other: np.ndarray) -> np.ndarray:
    return np.nextafter(x, other)


def divided(**options: object) -> list:
    """Return calls of which the second number stays other than zero when it is rounded."""
    shapes = [((3, 4), (3, 4)), ((3, 1), (4,)), ((0, 3), (1, 3)), ((), ())]
    return [case(3 * numbers(*x), np.sign(numbers(*y)) * between(0.6, 2, *y), **options) for x, y in shapes]


ROWS = [
    Sample("abs", [*unary(), case(complexes(3))], np.abs, NO_BOOL, "real", aliases=["absolute"]),
    Sample("neg", [*unary(), case(complexes(3))], np.negative, NO_BOOL, aliases=["negative"]),
    Sample("positive", [*unary(), case(complexes(3))], lambda x: x, NO_BOOL),
    Sample("reciprocal", [*unary(), case(complexes(3))], lambda x: 1 / x, NUMBERS, "float"),
    Sample("sqrt", [*unary(0.2, 2), case(complexes(3))], np.sqrt, NUMBERS, "float"),
    Sample("rsqrt", [*unary(0.2, 2), case(complexes(3))], lambda x: 1 / np.sqrt(x), NUMBERS, "float"),
    Sample("square", [*unary(), case(complexes(3))], np.square, NO_BOOL),
    Sample("add", [*binary(), *binary(alpha=2.5), *TWO_COMPLEX], lambda x, y, alpha=1: x + alpha * y, NUMBERS),
    Sample(
        "sub",
        [*binary(), *binary(alpha=2.5), *TWO_COMPLEX],
        lambda x, y, alpha=1: x - alpha * y,
        NO_BOOL,
        aliases=["subtract"],
    ),
    Sample("rsub", [*binary(), case(numbers(3), 2.5)], lambda x, y: y - x, NO_BOOL),
    Sample("mul", [*binary(), case(numbers(3), 2.5), *TWO_COMPLEX], np.multiply, NUMBERS, aliases=["multiply"]),
    Sample(
        "div",
        [*binary(), case(numbers(3), 2.5), *TWO_COMPLEX],
        np.divide,
        NUMBERS,
        "float",
        aliases=["divide", "true_divide"],
    ),
    Sample(
        "div",
        [*divided(rounding_mode="floor"), case(numbers(3), 0.3, rounding_mode="floor")],
        lambda x, y, rounding_mode: np.floor(x / y),
        REAL,
    ),
    Sample("div", divided(rounding_mode="trunc"), lambda x, y, rounding_mode: np.trunc(x / y), REAL),
    Sample("floor_divide", divided(), lambda x, y: np.floor(x / y), REAL),
    Sample("remainder", [*divided(), case(numbers(4), 0.3)], remainder, REAL, slack=8),
    Sample("fmod", [*divided(), case(numbers(4), 0.3)], np.fmod, REAL),
    Sample(
        "pow",
        [
            *binary(0.2, 2),
            *[case(numbers(4), power) for power in (2, 3.0, 0, -1)],
            case(between(0.2, 2, 3), 0.5),
            case(2.0, numbers(3)),
            case(complexes(2), complexes(2, seed=1)),
        ],
        lambda x, y: np.power(x, y),
        NO_BOOL,
        slack=2,
        without={"method": "a number has none"},
    ),
    Sample("float_power", binary(0.2, 2), np.float_power, REAL, "float64"),
    Sample("square", unary(), np.square),
    Sample("hypot", binary(), np.hypot),
    Sample(
        "lerp",
        [case(numbers(3, 4), numbers(4, seed=1), 0.3), case(numbers(3), numbers(3, seed=1), between(0, 1, 3))],
        lambda x, end, weight: x + weight * (end - x),
        FLOATS + COMPLEX,
        slack=2,
    ),
    Sample(
        "addcmul",
        [
            case(numbers(3, 4), numbers(4, seed=1), numbers(3, 1, seed=2), value=2),
            case(numbers(), numbers(seed=1), numbers(seed=2)),
        ],
        lambda x, y, z, value=1: x + value * y * z,
        NO_BOOL,
        slack=4,
    ),
    Sample(
        "addcdiv",
        [
            case(numbers(3, 4), numbers(4, seed=1), between(0.5, 2, 3, 1), value=2),
            case(numbers(0, 3), numbers(3, seed=1), numbers(3)),
        ],
        lambda x, y, z, value=1: x + value * y / z,
        FLOATS + COMPLEX,
        slack=4,
    ),
    Sample(
        "xlogy",
        [*binary(0.2, 2), case(np.array([0.0, 0.0, 2.0]), np.array([0.5, 2.0, 0.5]))],
        lambda x, y: np.where(x == 0, 0, x * np.log(y)),
        REAL_AND_BOOL,
        "float",
        aliases=["special.xlogy"],
        slack=2,
    ),
    Sample("ldexp", [case(numbers(3, 4), integers(-3, 4, 4))], np.ldexp, WIDE_FLOATS),
    Sample("nextafter", binary(), nextafter, ("float64",)),
    Sample(
        "gcd",
        [case(integers(-20, 20, 3, 4), integers(-20, 20, 4, seed=1)), case(np.array(12), np.array(18))],
        np.gcd,
        (),
    ),
    Sample(
        "lcm",
        [case(integers(-20, 20, 3, 4), integers(-20, 20, 4, seed=1)), case(np.array(12), np.array(18))],
        np.lcm,
        (),
    ),
]
