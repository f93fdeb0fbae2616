"""Rows of determinants, inverses, solutions, and what is made of them."""

from collections.abc import Callable

import numpy as np
from scipy import linalg

from samples.sample import COMPLEX, WIDE_FLOATS, Sample, case, complexes, distinct, numbers

TYPES = WIDE_FLOATS + COMPLEX


def square(*batch: int, n: int = 3, seed: int = 0) -> np.ndarray:
    """Return matrices far from singular."""
    return numbers(*batch, n, n, seed=seed) + 3 * np.eye(n)


def hermitian(x: np.ndarray) -> np.ndarray:
    return x @ x.conj().swapaxes(-1, -2)


def complex_square(n: int = 2) -> np.ndarray:
    return complexes(n, n) + 3 * np.eye(n)


def row(name: str, cases: list, reference: Callable, **options: object) -> Sample:
    return Sample(name, cases, reference, **{"dtypes": TYPES, "slack": 20, **options})


MATRICES = [case(square()), case(square(2)), case(complex_square()), case(np.zeros((0, 0))), case(np.zeros((0, 2, 2)))]


def with_info(function: Callable) -> Callable:
    """Return the function with a second result: 0 for each matrix that it worked for."""

    def reference(a: np.ndarray, *others: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return function(a, *others), np.zeros(a.shape[:-2], np.int32)

    return reference


def solve(a: np.ndarray, b: np.ndarray, left: bool = True) -> np.ndarray:
    if not left:
        return solve(a.swapaxes(-1, -2), b.swapaxes(-1, -2)).swapaxes(-1, -2)
    vectors = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    return np.linalg.inv(a) @ b if not vectors else (np.linalg.inv(a) @ b[..., None])[..., 0]


def lstsq(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.linalg.pinv(a) @ b


def tensorinv(a: np.ndarray, ind: int = 2) -> np.ndarray:
    return np.linalg.tensorinv(a, ind)


SOLVES = [
    case(square(), numbers(3, 2)),
    case(square(), numbers(3)),
    case(square(2), numbers(2, 3, 1)),
    case(complex_square(), complexes(2, 1, seed=1)),
    case(square(), numbers(2, 3), left=False),
]
LINES = [
    case(numbers(2, 3), numbers(2, 3, seed=1)),
    case(complexes(3), complexes(3, seed=1)),
    case(numbers(0, 3), numbers(0, 3)),
]

ROWS = [
    row("linalg.det", MATRICES, np.linalg.det, aliases=["det"]),
    row(
        "logdet",
        [case(hermitian(square())), case(hermitian(square(2)))],
        lambda x: np.linalg.slogdet(x)[1],
        dtypes=WIDE_FLOATS,
    ),
    row("linalg.slogdet", MATRICES[:2], np.linalg.slogdet, aliases=["slogdet"], result=("same", "real")),
    row("linalg.inv", MATRICES, np.linalg.inv, aliases=["inverse"]),
    row("linalg.inv_ex", MATRICES, with_info(np.linalg.inv), result=("same", "int32")),
    row(
        "linalg.pinv",
        [case(numbers(3, 2)), case(numbers(2, 3)), case(square(2)), case(complexes(2, 3))],
        np.linalg.pinv,
        aliases=["pinverse"],
    ),
    row("linalg.solve", SOLVES, solve),
    row(
        "linalg.solve",
        [case(numbers(50, 50) + 20 * np.eye(50), numbers(50, 3))],
        solve,
        without={"derivatives": "as of small matrices; this one is for the kernel"},
    ),
    row("linalg.solve_ex", SOLVES[:2], with_info(solve), result=("same", "int32")),
    row(
        "linalg.lstsq",
        [case(numbers(4, 2), numbers(4, 3, seed=1)), case(numbers(2, 4, 2), numbers(2, 4, 1, seed=1))],
        lstsq,
        # Of the four results: the others depend on the driver.
        canonical=lambda solution, *others: solution,
        without={"dtype": "results are empty or not by the driver"},
    ),
    row(
        "linalg.matrix_power",
        [case(square(), n) for n in (3, 0, 1, -2)] + [case(square(2), 2)],
        np.linalg.matrix_power,
        aliases=["matrix_power"],
    ),
    row(
        "linalg.multi_dot",
        [case([numbers(2, 3), numbers(3, 4), numbers(4, 2)]), case([numbers(3), numbers(3, 2)])],
        np.linalg.multi_dot,
    ),
    row("linalg.tensorinv", [case(numbers(2, 3, 6) + np.eye(6).reshape(2, 3, 6) * 3), case(square(n=2), 1)], tensorinv),
    row(
        "linalg.tensorsolve",
        [case(numbers(2, 3, 6) + np.eye(6).reshape(2, 3, 6) * 3, numbers(2, 3, seed=1))],
        np.linalg.tensorsolve,
    ),
    row(
        "linalg.cond",
        [case(square()), *[case(square(), p) for p in ("fro", 1, np.inf, -1, 2, -2, "nuc")]],
        np.linalg.cond,
        result="real",
    ),
    row(
        "linalg.matrix_rank",
        [
            case(square()),
            case(np.diag([1.0, 0.0, 2.0])),
            case(numbers(2, 3, 1) @ numbers(2, 1, 3)),
            case(np.zeros((2, 2))),
        ],
        np.linalg.matrix_rank,
        result="int64",
        derivatives=0,
    ),
    row(
        "linalg.matrix_exp",
        [case(numbers(3, 3)), case(numbers(2, 2, 2)), case(complexes(2, 2)), case(3 * numbers(2, 2))],
        linalg.expm,
        aliases=["matrix_exp"],
    ),
    row("linalg.cross", LINES, np.cross),
    row(
        "cross",
        [case(numbers(2, 3), numbers(2, 3, seed=1)), case(numbers(3, 2), numbers(3, 2, seed=1), 0)],
        lambda x, y, dim=-1: np.cross(x, y, axis=dim),
    ),
    row(
        "linalg.vecdot",
        [*LINES, case(numbers(3, 2), numbers(3, 2, seed=1), dim=0)],
        lambda x, y, dim=-1: (x.conj() * y).sum(dim),
    ),
    row("vander", [case(distinct(4)), case(distinct(4), 3), case(distinct(3), 4, True)], np.vander, dtypes=WIDE_FLOATS),
    row(
        "linalg.vander",
        [case(distinct(4)), case(distinct(4), N=3)],
        lambda x, N=None: np.vander(x, N, increasing=True),
        dtypes=WIDE_FLOATS,
    ),
]
