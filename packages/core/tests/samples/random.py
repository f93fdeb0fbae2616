"""Rows of random numbers: what is certain of them. That they are PyTorch's is tested in ``test_rng.py``."""

import numpy as np

from samples.sample import FLOATS, WIDE_FLOATS, Sample, case, numbers

F = "nn.functional."
NO_NUMBER_BEYOND = {"derivatives": "where the result is certain, there is no number beyond; gradients are zeros"}
ANY_NUMBERS = {"value": "the numbers are random", "dtype": "the numbers are random"}


def row(name: str, cases: list, reference=None, **options: object) -> Sample:
    return Sample(name, cases, reference, **{"dtypes": (), "random": True, **options})


def within(low: float, high: float):
    """Return the canonical form of numbers in an interval, the high end excluded: their shape, and whether they are."""
    return lambda x: (np.array(x.shape), np.array(((low <= x) & (x < high)).all()))


def shape(*size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.array(size), np.array(True)


def dropout(x: np.ndarray, p: float = 0.5, training: bool = True) -> np.ndarray:
    return np.zeros_like(x) if training and p == 1 else x


def dropouts(*size: int) -> list:
    return [case(numbers(*size), 0.0), case(numbers(*size), 1.0), case(numbers(*size), 0.5, False)]


IN_MEMORY = {"strides": "as in PyTorch, numbers are drawn in the order in which the elements lie in memory"}
DROPOUTS = [
    (F + "dropout", (3, 4)),
    (F + "dropout1d", (2, 3, 2)),
    (F + "dropout2d", (2, 3, 2, 2)),
    (F + "dropout3d", (1, 2, 2, 2, 2)),
]

ROWS = [
    row(
        "rand",
        [case(2, 3), case(0), case(())],
        lambda *size: shape(*(size if size != ((),) else ())),
        canonical=within(0, 1),
    ),
    row("randn", [case(2, 3), case(0)], shape, canonical=within(-9, 9)),
    row(
        "rand_like",
        [case(numbers(2, 3)), case(numbers())],
        lambda x: shape(*x.shape),
        canonical=within(0, 1),
        derivatives=0,
    ),
    row(
        "randn_like",
        [case(numbers(2, 3)), case(numbers())],
        lambda x: shape(*x.shape),
        canonical=within(-9, 9),
        derivatives=0,
    ),
    row(
        "randint",
        [case(2, 5, (3, 4)), case(5, (2,)), case(3, 4, (2,))],
        lambda *bounds: shape(*bounds[-1]),
        canonical=within(0, 5),
    ),
    row(
        "randint_like",
        [case(numbers(2, 3), 5), case(numbers(2), 2, 5)],
        lambda x, *bounds: shape(*x.shape),
        canonical=within(0, 5),
        derivatives=0,
    ),
    row("randperm", [case(5), case(0), case(1)], np.arange, canonical=np.sort),
    row(
        "bernoulli",
        [case(np.array([0.0, 1.0, 1.0])), case(np.zeros((0, 2)))],
        lambda p: p,
        dtypes=FLOATS,
        without={**NO_NUMBER_BEYOND, "in-place": "bernoulli_ has other arguments"},
    ),
    row(
        "binomial",
        [case(np.array([3.0, 4.0, 5.0]), np.array([1.0, 0.0, 1.0]))],
        lambda count, p: count * p,
        dtypes=WIDE_FLOATS,
        without=NO_NUMBER_BEYOND,
    ),
    row(
        "poisson",
        [case(np.zeros((2, 3))), case(np.zeros(0))],
        lambda rate: rate,
        dtypes=FLOATS,
        without=NO_NUMBER_BEYOND,
    ),
    row(
        "multinomial",
        [case(np.array([[0.0, 1.0, 0.0], [2.0, 0.0, 0.0]]), 1), case(np.array([0.0, 3.0]), 4, True)],
        lambda weights, count, replacement=False: np.repeat(weights.argmax(-1)[..., None], count, -1),
        dtypes=WIDE_FLOATS,
        result="int64",
        derivatives=0,
    ),
    row(
        "normal",
        [case(numbers(2, 3), 0.0), case(numbers(3), np.zeros(3)), case(2.0, np.zeros(2))],
        lambda mean, std: mean + 0 * np.asarray(std),
        without={
            "derivatives": "what is drawn has none by the parameters",
            "method": "a number has none",
            "in-place": "normal_ has other arguments",
        },
    ),
    *[row(name, dropouts(*size), dropout, dtypes=FLOATS) for name, size in DROPOUTS],
    *[row(name, [case(numbers(*size), 0.4)], without={**ANY_NUMBERS, **IN_MEMORY}) for name, size in DROPOUTS[:1]],
    *[row(name, [case(numbers(*size), 0.4)], without=ANY_NUMBERS) for name, size in DROPOUTS[1:]],
    row(
        F + "alpha_dropout",
        [case(numbers(3, 4), 0.3, False), case(numbers(3, 4), 0.0, True)],
        lambda x, p, training: x,
        dtypes=FLOATS,
    ),
    row(
        F + "feature_alpha_dropout",
        [case(numbers(2, 3, 2), 0.3, False), case(numbers(2, 3, 2), 0.0, True)],
        lambda x, p, training: x,
        dtypes=FLOATS,
    ),
    *[
        row(F + name, [case(numbers(2, 3, 2), 0.3, True)], without=ANY_NUMBERS)
        for name in ("alpha_dropout", "feature_alpha_dropout")
    ],
    row(
        F + "rrelu",
        [case(numbers(3, 4), 0.1, 0.3), case(numbers(3, 4), 0.2, 0.2, True)],
        lambda x, low, high, training=False: np.where(x > 0, x, x * (low + high) / 2),
        dtypes=FLOATS,
    ),
    row(F + "rrelu", [case(numbers(3, 4), 0.1, 0.3, True)], without=ANY_NUMBERS),
    row(F + "gumbel_softmax", [case(numbers(3, 4), 0.7)], lambda x, tau: np.ones(3), canonical=lambda y: y.sum(-1)),
]
