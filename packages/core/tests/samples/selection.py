"""Rows of choosing one of several numbers, element by element."""

import numpy as np

from samples.sample import NUMBERS, REAL_AND_BOOL, SIGNED, Sample, binary, booleans, case, numbers, unary

ODD, OTHERS = np.array([1.0, np.nan, np.inf, np.nan]), np.array([np.nan, 2.0, 0.0, np.nan])


def clip(x: np.ndarray, min: object = None, max: object = None) -> np.ndarray:
    x = x if min is None else np.maximum(x, min)
    return x if max is None else np.minimum(x, max)


def chosen(name: str, reference) -> list[Sample]:
    nan = case(ODD, OTHERS)
    return [
        Sample(name, binary(), reference, REAL_AND_BOOL),
        Sample(name, [nan], reference, without={"derivatives": "differences of what is not finite"}),
    ]


ROWS = [
    Sample(
        "clamp",
        [
            *unary(min=-1, max=1),
            *unary(min=-0.4),
            *unary(max=0.6),
            case(numbers(3, 4), -(numbers(4, seed=1) ** 2), numbers(3, 1, seed=2) ** 2),
        ],
        clip,
        SIGNED,
        aliases=["clip"],
    ),
    Sample("clamp_min", [*unary(min=-1), case(numbers(3, 4), numbers(4, seed=1))], clip, SIGNED),
    Sample(
        "clamp_max", [*unary(max=1), case(numbers(3, 4), numbers(4, seed=1))], lambda x, max: np.minimum(x, max), SIGNED
    ),
    *[row for name in ("maximum", "minimum", "fmax", "fmin") for row in chosen(name, getattr(np, name))],
    Sample(
        "where",
        [
            case(booleans(3, 4), numbers(3, 4), numbers(4, seed=1)),
            case(booleans(3), numbers(3), 2.0),
            case(booleans(0, 3), numbers(3), numbers(seed=1)),
            case(np.array(True), numbers(), numbers(seed=1)),
        ],
        np.where,
        NUMBERS,
        without={"method": "the method's first argument is the second", "in-place": "there is none"},
    ),
    Sample(
        "where",
        [case(booleans(3, 4)), case(booleans(0))],
        np.where,
        (),
        without={"method": "of the condition", "out": "as in PyTorch, not with a condition alone"},
    ),
]
