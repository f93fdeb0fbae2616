"""Systems of linear equations."""

import numpy as np
import pytest
from facula.ops import linear_algebra
from scipy.linalg import lapack


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("size", [48, 63, 64, 100, 257])
@pytest.mark.parametrize("columns", [1, 5, 64])
def test_systems(held, size, columns) -> None:
    # Far from singular, with pivots that are not on the diagonal.
    matrix = np.roll(numbers(size, size) + 3 * np.sqrt(size, dtype=np.float32) * np.eye(size, dtype=np.float32), 7, 0)
    held(linear_algebra._solve, matrix, numbers(size, columns, seed=1), tolerance=2e-6)


def test_any_matrix_is_solved_to_about_the_error_of_lapack_in_single_precision(held) -> None:
    matrix, right = numbers(200, 200), numbers(200, 3, seed=1)
    exact = np.linalg.solve(matrix.astype(np.float64), right.astype(np.float64))
    found = held(linear_algebra._solve, matrix, right, tolerance=1e-3)
    # NumPy computes in double precision.
    usual = np.abs(lapack.sgesv(matrix, right)[2] - exact).max()
    assert np.abs(found - exact).max() < 4 * usual


def test_what_is_left_to_the_array_code(held) -> None:
    right = numbers(60, 2)
    singular = numbers(60, 60)
    singular[:, 30] = 0
    kernel = linear_algebra._solve.kernels["native"]
    assert kernel(singular, right) is NotImplemented
    not_finite = numbers(60, 60)
    not_finite[5, 5] = np.inf
    assert kernel(not_finite, right) is NotImplemented
    assert kernel(numbers(60, 60).T, right) is NotImplemented
    assert kernel(numbers(8, 8), numbers(8, 2)) is NotImplemented
    assert kernel(numbers(2, 60, 60), numbers(2, 60, 2)) is NotImplemented
    assert kernel(numbers(60, 60).astype(np.float64), right.astype(np.float64)) is NotImplemented
