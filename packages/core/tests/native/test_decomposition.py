"""Cholesky, QR, eigenvalues and singular values in the precision of the matrix."""

import numpy as np
import pytest
from facula import native
from facula.ops import decompositions, linear_algebra

TYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-5, np.float64: 2e-14}
SHAPES = [(1, 1), (2, 2), (5, 5), (33, 33), (64, 64), (150, 150), (12, 4, 4), (2, 3, 20, 20)]


@pytest.fixture(autouse=True)
def _needs_lapack() -> None:
    if not native.available or native.kernels.cholesky(np.eye(2)) is NotImplemented:
        pytest.skip("no LAPACK of NumPy's wheels is in this process")


def numbers(*shape: int, seed: int = 0, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def positive(*shape: int, dtype: type = np.float32) -> np.ndarray:
    x = numbers(*shape, dtype=np.float64)
    return (x @ np.swapaxes(x, -1, -2) / shape[-1] + np.diag(1.0 + np.arange(shape[-1]))).astype(dtype)


@pytest.mark.parametrize("shape", [*SHAPES, (700, 700)])
@pytest.mark.parametrize("dtype", TYPES)
def test_cholesky(held, shape, dtype) -> None:
    x = positive(*shape, dtype=dtype)
    found = held(decompositions._cholesky, x, tolerance=TOLERANCE[dtype])
    # Only the lower triangle is looked at.
    np.testing.assert_array_equal(decompositions._cholesky.kernels["native"](np.tril(x)), found)


@pytest.mark.parametrize("shape", [*SHAPES, (40, 7), (7, 40), (3, 9, 4), (300, 20)])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("mode", ["reduced", "complete"])
def test_qr(held, shape, dtype, mode) -> None:
    held(decompositions._qr, numbers(*shape, dtype=dtype), mode=mode, tolerance=20 * TOLERANCE[dtype])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("lower", [True, False])
def test_eigenvalues(held, shape, dtype, lower) -> None:
    x, tolerance = positive(*shape, dtype=dtype), TOLERANCE[dtype]
    triangle = np.tril(x) if lower else np.triu(x)
    values = held(decompositions._eigvalsh, triangle, lower=lower, tolerance=tolerance)
    found, vectors = decompositions._eigh.kernels["native"](triangle, lower=lower)
    limit = tolerance * max(1.0, values.max())
    np.testing.assert_allclose(found, values, atol=limit, rtol=0)
    np.testing.assert_allclose(
        (vectors * found[..., None, :]) @ np.swapaxes(vectors, -1, -2), x, atol=3 * limit, rtol=0
    )
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("shape", [*SHAPES, (40, 30), (30, 40), (3, 9, 7), (60, 59)])
@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("full", [True, False])
def test_singular_values(held, shape, dtype, full) -> None:
    x, tolerance = numbers(*shape, dtype=dtype), 20 * TOLERANCE[dtype]
    values = held(decompositions._svdvals, x, tolerance=tolerance)
    u, s, vh = decompositions._svd.kernels["native"](x, full=full)
    count = s.shape[-1]
    np.testing.assert_allclose(s, values, atol=tolerance, rtol=0)
    np.testing.assert_allclose((u[..., :count] * s[..., None, :]) @ vh[..., :count, :], x, atol=tolerance, rtol=0)
    for each in (u, np.swapaxes(vh, -1, -2)):
        eye = np.broadcast_to(np.eye(each.shape[-1]), (*each.shape[:-2], each.shape[-1], each.shape[-1]))
        np.testing.assert_allclose(np.swapaxes(each, -1, -2) @ each, eye, atol=tolerance, rtol=0)
    if dtype is np.float64:
        # The signs are those of NumPy, which takes the same way.
        held(decompositions._svd, x, full=full, tolerance=1e-11)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_singular_vectors_of_very_small_and_very_large_numbers(held, scale) -> None:
    x = numbers(40, 40) * np.float32(scale)
    u, s, vh = decompositions._svd.kernels["native"](x, full=False)
    np.testing.assert_allclose((u * s) @ vh / np.float32(scale), x / np.float32(scale), atol=1e-4)


@pytest.mark.parametrize("dtype", TYPES)
def test_pseudoinverses(held, dtype) -> None:
    x = numbers(30, 20, dtype=dtype) + 3 * np.eye(30, 20, dtype=dtype)
    x[:, 5] = x[:, 6]
    held(linear_algebra._pinv, x, 0.0, 1e-4, hermitian=False, tolerance=10 * TOLERANCE[dtype])
    held(
        linear_algebra._pinv, positive(20, 20, dtype=dtype), 0.0, 1e-6, hermitian=True, tolerance=10 * TOLERANCE[dtype]
    )


def test_what_is_left_to_the_array_code(held) -> None:
    held(decompositions._cholesky, -positive(5, 5), accepts=False)
    held(decompositions._cholesky, np.full((5, 5), np.nan, np.float32), accepts=False)
    not_finite = positive(5, 5)
    not_finite[2, 3] = np.nan
    held(decompositions._eigh, not_finite, lower=True, accepts=False)
    held(decompositions._svd, not_finite, full=True, accepts=False)
    held(decompositions._svd, numbers(4, 20), full=True, accepts=False)  # of other signs in PyTorch
    held(decompositions._qr, numbers(0, 3), mode="reduced", accepts=False)
    held(decompositions._cholesky, positive(5, 5).astype(np.complex64), accepts=False)
