"""Rows of decompositions of matrices: where several are right, the matrix they multiply to is compared."""

from collections.abc import Callable

import numpy as np

from samples.linear_algebra import TYPES, complex_square, hermitian, square
from samples.sample import WIDE_FLOATS, Sample, case, complexes, numbers


def adjoint(x: np.ndarray) -> np.ndarray:
    return x.conj().swapaxes(-1, -2)


def row(name: str, cases: list, reference: Callable, **options: object) -> Sample:
    return Sample(name, cases, reference, **{"dtypes": TYPES, "slack": 20, **options})


def from_svd(u: np.ndarray, s: np.ndarray, vh: np.ndarray) -> tuple[np.ndarray, ...]:
    k = s.shape[-1]
    return (u[..., :k] * s[..., None, :]) @ vh[..., :k, :], s, adjoint(u) @ u, vh @ adjoint(vh)


def svd(x: np.ndarray, full_matrices: bool = True) -> tuple[np.ndarray, ...]:
    rows, columns = x.shape[-2:]
    k = min(rows, columns)
    sides = (rows, columns) if full_matrices else (k, k)
    eyes = [np.broadcast_to(np.eye(n), (*x.shape[:-2], n, n)) for n in sides]
    return x, np.linalg.svd(x, compute_uv=False), *eyes


def from_qr(q: np.ndarray, r: np.ndarray) -> tuple[np.ndarray, ...]:
    return q @ r, adjoint(q) @ q, np.tril(r, -1)


def qr(x: np.ndarray, mode: str = "reduced") -> tuple[np.ndarray, ...]:
    q, r = np.linalg.qr(x, mode)
    return x, adjoint(q) @ q, np.zeros(r.shape)


def from_eigenpairs(values: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sort_complex(values), (vectors * values[..., None, :]) @ np.linalg.inv(vectors)


def eig(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sort_complex(np.linalg.eigvals(x)), x


def from_eigh(values: np.ndarray, vectors: np.ndarray) -> tuple[np.ndarray, ...]:
    return values, (vectors * values[..., None, :]) @ adjoint(vectors)


def one_triangle(x: np.ndarray, UPLO: str = "L") -> np.ndarray:
    """Return the Hermitian matrix of which one triangle is given."""
    lower = np.tril(x, -1) if UPLO == "L" else adjoint(np.triu(x, 1))
    diagonal = np.einsum("...ii->...i", x).real[..., None] * np.eye(x.shape[-1])
    return lower + adjoint(lower) + diagonal


def cholesky(x: np.ndarray, upper: bool = False) -> np.ndarray:
    factor = np.linalg.cholesky(x)
    return adjoint(factor) if upper else factor


def symmetric(x: object) -> object:
    return x @ x.mH


POSITIVE = [case(hermitian(square())), case(hermitian(square(2)))]
UPPER = [case(hermitian(square()), upper=True), case(hermitian(complex_square()))]
GAUGE = {"derivatives": "of complex vectors those of a fixed phase, which differences do not keep"}
FACTOR = np.linalg.cholesky(hermitian(square()))
SEES_A_TRIANGLE = {"through": symmetric}

ROWS = [
    row("linalg.cholesky", [*POSITIVE, *UPPER], cholesky, dtypes=WIDE_FLOATS, **SEES_A_TRIANGLE),
    row("cholesky", POSITIVE, cholesky, dtypes=WIDE_FLOATS, **SEES_A_TRIANGLE),
    row(
        "linalg.cholesky_ex",
        POSITIVE,
        lambda x: (cholesky(x), np.zeros(x.shape[:-2])),
        dtypes=WIDE_FLOATS,
        result=("same", "int32"),
        **SEES_A_TRIANGLE,
    ),
    row(
        "cholesky_inverse",
        [case(FACTOR), case(FACTOR.T.copy(), True)],
        lambda x, upper=False: np.linalg.inv(x.T @ x if upper else x @ x.T),
        dtypes=WIDE_FLOATS,
        without={"derivatives": "tests/ops/test_factorizations.py: it sees one triangle"},
    ),
    row(
        "cholesky_solve",
        [case(numbers(3, 2), FACTOR), case(numbers(3, 2), FACTOR.T.copy(), True)],
        lambda b, x, upper=False: np.linalg.solve(x.T @ x if upper else x @ x.T, b),
        dtypes=WIDE_FLOATS,
        differentiable=[0],
    ),
    row("linalg.qr", [case(numbers(4, 3)), case(numbers(2, 3, 3)), case(complexes(3, 2))], qr, canonical=from_qr),
    row(
        "linalg.qr",
        [case(numbers(4, 3), "complete")],
        qr,
        canonical=from_qr,
        without={"derivatives": "the last columns have none"},
    ),
    row("qr", [case(numbers(4, 3)), case(numbers(3, 3))], qr, canonical=from_qr),
    row(
        "linalg.svd",
        [case(numbers(4, 3), False), case(numbers(2, 2, 3), False)],
        svd,
        canonical=from_svd,
        result=("same", "real", "same"),
    ),
    row(
        "linalg.svd",
        [case(numbers(4, 3)), case(numbers(2, 3)), case(complexes(3, 2), False), case(np.zeros((0, 2, 3)), False)],
        svd,
        canonical=from_svd,
        result=("same", "real", "same"),
        without=GAUGE,
    ),
    row(
        "svd",
        [case(numbers(4, 3)), case(numbers(2, 3))],
        lambda x: svd(x, False),
        canonical=lambda u, s, v: from_svd(u, s, adjoint(v)),
        result=("same", "real", "same"),
    ),
    row(
        "linalg.svdvals",
        [case(numbers(4, 3)), case(numbers(2, 2, 3)), case(complexes(3, 2))],
        lambda x: np.linalg.svd(x, compute_uv=False),
        result="real",
    ),
    row(
        "linalg.eig",
        [case(square()), case(square(2)), case(complex_square())],
        eig,
        canonical=from_eigenpairs,
        result="complex",
        without=GAUGE,
    ),
    row(
        "linalg.eigvals",
        [case(square()), case(complex_square())],
        lambda x: np.sort_complex(np.linalg.eigvals(x)),
        canonical=np.sort_complex,
        result="complex",
    ),
    row(
        "linalg.eigh",
        [case(numbers(3, 3) + numbers(3, 3).T), case(square(2)), case(square(), UPLO="U")],
        lambda x, UPLO="L": (np.linalg.eigvalsh(x, UPLO), one_triangle(x, UPLO)),
        canonical=from_eigh,
        result=("real", "same"),
        through=lambda x: x + x.mH,
    ),
    row(
        "linalg.eigvalsh",
        [case(square()), case(square(2), UPLO="U"), case(complex_square())],
        np.linalg.eigvalsh,
        result="real",
        through=lambda x: x + x.mH,
    ),
]
