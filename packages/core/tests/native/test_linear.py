"""Systems of linear equations, inverses, determinants, triangular factors."""

import numpy as np
import pytest
from facula.ops import decompositions, least_squares, linear_algebra, lu_factorization
from scipy.linalg import lapack

SHAPES = [(1, 1), (3, 3), (16, 16), (17, 17), (40, 40), (63, 63), (100, 100), (257, 257), (9, 5, 5), (2, 3, 40, 40)]
TYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 4e-6, np.float64: 1e-14}


def numbers(*shape: int, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def regular(*shape: int, dtype: type = np.float32) -> np.ndarray:
    """Return matrices that are far from singular, with pivots that are not on the diagonal."""
    size = shape[-1]
    return np.roll(numbers(*shape) + 3 * np.sqrt(size) * np.eye(size), 7 % size, -2).astype(dtype)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
def test_systems_inverses_and_determinants(held, shape, dtype) -> None:
    matrix, tolerance = regular(*shape, dtype=dtype), TOLERANCE[dtype]
    for columns in (1, 3, 70):
        right = numbers(*shape[:-1], columns, seed=1, dtype=dtype)
        held(linear_algebra._solve, matrix, right, tolerance=tolerance)
    held(linear_algebra._inv, matrix, tolerance=tolerance)
    held(linear_algebra._slogdet, matrix, tolerance=tolerance)
    scaled = matrix / np.sqrt(9.0 * shape[-1]).astype(dtype)
    held(linear_algebra._det, scaled, tolerance=10 * tolerance)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("count", [8, 33, 700])
@pytest.mark.parametrize("dtype", TYPES)
def test_many_small_matrices(held, size, count, dtype) -> None:
    matrix, tolerance = regular(count, size, size, dtype=dtype), TOLERANCE[dtype]
    for columns in (1, 3, 8):
        held(linear_algebra._solve, matrix, numbers(count, size, columns, seed=1, dtype=dtype), tolerance=tolerance)
    held(linear_algebra._inv, matrix, tolerance=tolerance)
    held(linear_algebra._det, matrix / np.sqrt(9.0 * size).astype(dtype), tolerance=10 * tolerance)
    positive = matrix @ matrix.swapaxes(1, 2)
    held(decompositions._cholesky, positive, tolerance=tolerance)


@pytest.mark.parametrize("wrong", [0.0, np.nan, np.inf])
def test_one_small_matrix_that_is_not_regular_is_for_the_array_code(held, wrong) -> None:
    matrix = regular(40, 3, 3)
    matrix[39] = wrong
    for primitive in (linear_algebra._inv, linear_algebra._det, decompositions._cholesky):
        assert primitive.kernels["native"](matrix) is NotImplemented
    assert linear_algebra._solve.kernels["native"](matrix, numbers(40, 3, 1)) is NotImplemented


@pytest.mark.parametrize("dtype", TYPES)
def test_strides(held, dtype) -> None:
    matrix, right = regular(70, 70, dtype=dtype), numbers(5, 70, dtype=dtype)
    held(linear_algebra._solve, matrix.T, right.T, tolerance=TOLERANCE[dtype])
    held(linear_algebra._inv, matrix.T, tolerance=TOLERANCE[dtype])


def test_any_matrix_is_solved_to_about_the_error_of_lapack_in_single_precision(held) -> None:
    matrix, right = numbers(200, 200), numbers(200, 3, seed=1)
    exact = np.linalg.solve(matrix.astype(np.float64), right.astype(np.float64))
    found = held(linear_algebra._solve, matrix, right, tolerance=1e-3)
    # NumPy computes in double precision.
    usual = np.abs(lapack.sgesv(matrix, right)[2] - exact).max()
    assert np.abs(found - exact).max() < 4 * usual


@pytest.mark.parametrize("shape", [(1, 1), (5, 5), (40, 40), (130, 130), (50, 20), (20, 50), (3, 40, 33), (600, 17)])
@pytest.mark.parametrize("dtype", TYPES)
def test_factors_and_pivots(held, shape, dtype) -> None:
    # Float32 against LAPACK in its own precision, since other rounding may choose other pivots.
    matrix = numbers(*shape, dtype=dtype)
    kernel = lu_factorization._lu_factor.kernels["native"]
    factors, pivots, info = kernel(matrix, pivot=True)
    function = lapack.sgetrf if dtype is np.float32 else lapack.dgetrf
    rows, columns = shape[-2:]
    stacks = (each.reshape((-1, *each.shape[len(shape) - 2 :])) for each in (matrix, factors, pivots))
    for one, own, chosen in zip(*stacks, strict=True):
        wanted, exchanged, _ = function(one)
        np.testing.assert_array_equal(chosen, exchanged + 1)
        np.testing.assert_allclose(own, wanted, rtol=0, atol=300 * TOLERANCE[dtype])
    assert not info.any() and info.shape == shape[:-2]
    if dtype is np.float64:
        held(lu_factorization._lu_factor, matrix, pivot=True, tolerance=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("upper", [False, True])
def test_triangular_systems(held, shape, dtype, upper) -> None:
    size = shape[-1]
    matrix = numbers(*shape, dtype=dtype) / size + 2 * np.eye(size, dtype=dtype)
    for columns, unit in [(1, False), (4, True), (65, False), (200, True)]:
        right = numbers(*shape[:-1], columns, seed=1, dtype=dtype)
        options = {"upper": upper, "unit": unit, "tolerance": TOLERANCE[dtype]}
        held(lu_factorization._solve_triangular, matrix, right, **options)
    right = numbers(*shape[:-1], 3, dtype=dtype)
    held(decompositions._cholesky_solve, right, matrix, upper=upper, tolerance=TOLERANCE[dtype])


def test_zeros_on_the_diagonal_of_a_triangle_give_infinities(held) -> None:
    triangle = np.tril(numbers(5, 5))
    triangle[2, 2] = 0
    with np.errstate(all="ignore"):
        found = lu_factorization._solve_triangular.kernels["native"](
            triangle, np.ones((5, 2), np.float32), upper=False, unit=False
        )
    assert np.isfinite(found[:2]).all() and not np.isfinite(found[2:]).any()


@pytest.mark.parametrize("size", [4, 60])
def test_what_is_left_to_the_array_code(held, size) -> None:
    right = numbers(size, 2)
    singular = numbers(size, size)
    singular[:, 2] = 0
    not_finite = numbers(size, size)
    not_finite[1, 1] = np.inf
    kernel = linear_algebra._solve.kernels["native"]
    for matrix in (singular, not_finite):
        assert kernel(matrix, right) is NotImplemented
        held(linear_algebra._inv, matrix, accepts=False)
        held(linear_algebra._det, matrix, accepts=False)
        held(linear_algebra._slogdet, matrix, accepts=False)
        held(lu_factorization._lu_factor, matrix, pivot=True, accepts=False)
    assert kernel(numbers(2, size, size), right) is NotImplemented
    assert kernel(numbers(size, size), right.astype(np.float64)) is NotImplemented
    assert kernel(numbers(size, size).astype(np.complex64), right.astype(np.complex64)) is NotImplemented
    assert kernel(np.empty((0, 0), np.float32), np.empty((0, 2), np.float32)) is NotImplemented


@pytest.mark.parametrize("dtype", TYPES)
def test_least_squares(held, dtype) -> None:
    options = {"rtol": 1e-5, "rank_rtol": 1e-5, "tolerance": 20 * TOLERANCE[dtype]}
    for shape in [(5, 5), (40, 7), (300, 60), (4, 20, 6)]:
        matrix = numbers(*shape, dtype=dtype) + 3 * np.eye(*shape[-2:], dtype=dtype)
        held(least_squares._least_squares, matrix, numbers(*shape[:-1], 3, dtype=dtype), **options)
    # Columns that may depend on each other, or are more than rows, need singular values.
    dependent = np.concatenate([matrix, matrix[..., :1]], -1)
    held(least_squares._least_squares, dependent, numbers(4, 20, 3, dtype=dtype), accepts=False, **options)
    held(least_squares._least_squares, numbers(3, 5, dtype=dtype), numbers(3, 2, dtype=dtype), accepts=False, **options)
