"""Sums, means and extremes over dimensions."""

import numpy as np
import pytest
from facula.ops import extrema, norms, reduction

PRIMITIVES = {"sum": reduction._sum, "mean": reduction._mean, "amax": extrema._amax, "amin": extrema._amin}
CASES = [
    ((1,), None),
    ((7,), (0,)),
    ((100003,), None),
    ((3, 90001), (1,)),
    ((40, 1001), (1,)),
    ((1001, 40), (0,)),
    ((5000, 700), (0,)),
    ((70000, 3), (0,)),
    ((4, 5, 6, 7), (0, 1)),
    ((4, 5, 6, 7), (1, 3)),
    ((4, 33, 6, 7), (0, 2, 3)),
    ((6, 50, 20), (1,)),
    ((6, 1, 20), (1,)),
    ((3, 4, 5), ()),
]


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return (1 + np.random.default_rng(0).standard_normal(shape)).astype(dtype)


@pytest.mark.parametrize(("shape", "dims"), CASES)
@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reduction(held, shape, dims, name, dtype) -> None:
    x = numbers(*shape, dtype=dtype)
    # NumPy adds rows onto each other one by one, which is less exact.
    loose = 1e-5 if dtype is np.float32 else 1e-13
    found = held(PRIMITIVES[name], x, dims=dims, keepdim=False, tolerance=loose)
    held(PRIMITIVES[name], x, dims=dims, keepdim=True, tolerance=loose)
    exact = PRIMITIVES[name].forward(np, x.astype(np.float64), dims=dims, keepdim=False)
    np.testing.assert_allclose(
        found, exact, rtol=0, atol=np.abs(exact).max() * (5e-7 if dtype is np.float32 else 1e-14)
    )


@pytest.mark.parametrize("shape", [(3000000,), (3000000, 2), (2, 3000000)])
def test_long_sums_stay_exact(held, shape) -> None:
    x = np.full(shape, 0.1, np.float32)
    dims = (int(np.argmax(shape)),)
    found = reduction._sum.kernels["native"](x, dims=dims, keepdim=False)
    np.testing.assert_allclose(found, x.astype(np.float64).sum(dims), rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "to"),
    [
        ((2, 700, 96), (96,)),
        ((700, 96), (1, 96)),
        ((3, 5, 60, 70), (5, 1, 1)),
        ((7, 9), ()),
        ((40, 1, 3), (1, 3)),
        ((6, 1, 20), (6, 1, 1)),
    ],
)
def test_sums_to_a_size(held, shape, to) -> None:
    held(reduction._sum_to_size, numbers(*shape), shape=to, tolerance=2e-6)
    held(reduction._sum_to_size, numbers(*shape).astype(np.int64), shape=to, accepts=False)


@pytest.mark.parametrize("dims", [None, (0,), (1,)])
def test_strides(held, dims) -> None:
    held(reduction._sum, numbers(60, 50).T, dims=dims, keepdim=False, tolerance=2e-6)
    held(extrema._amax, numbers(60, 50).T, dims=dims, keepdim=True)


@pytest.mark.parametrize("dims", [None, (0,), (1,)])
@pytest.mark.parametrize("name", PRIMITIVES)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_that_are_not_finite(held, dims, name) -> None:
    x = numbers(50, 50)
    x[3, 5], x[7, 49], x[20, 20] = np.nan, np.inf, -np.inf
    held(PRIMITIVES[name], x, dims=dims, keepdim=False, tolerance=2e-6)


def test_what_is_declined(held) -> None:
    held(reduction._sum, np.ones((3, 3), np.int32), dims=None, keepdim=False, accepts=False)
    held(reduction._sum, numbers(0, 3), dims=(0,), keepdim=False, accepts=False)
    held(reduction._sum, numbers(6, 6)[::2], dims=(0,), keepdim=False, accepts=False)
    held(reduction._sum, numbers(4, 5, 6, 7), dims=(0, 2), keepdim=False, accepts=False)
    held(reduction._sum, numbers(6, 5, 4).transpose(2, 0, 1), dims=(1,), keepdim=False, accepts=False)


@pytest.mark.parametrize("shape", [(), (1,), (17,), (300, 301), (70000,)])
def test_norm_of_everything(held, shape) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    held(norms._vector_norm, x, order=2.0, dims=None, keepdim=False, tolerance=3e-7)
    if x.size > 1:
        x.reshape(-1)[1] = np.nan
        assert np.isnan(norms._vector_norm.kernels["native"](x, order=2, dims=None, keepdim=False))


@pytest.mark.parametrize(("shape", "dims"), [case for case in CASES if case[0] != ()])
@pytest.mark.parametrize("order", [1.0, 2.0, np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_norms(held, shape, dims, order, dtype) -> None:
    x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    loose = 1e-5 if dtype is np.float32 else 1e-13  # as for sums
    for keepdim in (False, True):
        found = held(norms._vector_norm, x, order=order, dims=dims, keepdim=keepdim, tolerance=loose)
    exact = norms._vector_norm.forward(np, x.astype(np.float64), order=order, dims=dims, keepdim=True)
    np.testing.assert_allclose(found, exact, rtol=5e-7 if dtype is np.float32 else 1e-13, atol=0)


def test_norms_of_what_is_not_finite_and_of_other_orders(held) -> None:
    x = np.array([[1.0, -np.inf, 0.0], [np.nan, 1.0, 2.0], [-3.0, 0.0, -0.0]], np.float32)
    for order in (1.0, 2.0, np.inf):
        held(norms._vector_norm, x, order=order, dims=(1,), keepdim=False)
        held(norms._vector_norm, x, order=order, dims=(0,), keepdim=False)
    held(norms._vector_norm, x, order=3.0, dims=(1,), keepdim=False, accepts=False)


@pytest.mark.parametrize(("shape", "dims"), CASES)
def test_products(held, shape, dims) -> None:
    x = (1 + 0.01 * np.random.default_rng(0).standard_normal(shape)).astype(np.float32)
    held(reduction._prod, x, dims=dims, keepdim=False, tolerance=1e-5)


@pytest.mark.parametrize(
    ("shape", "dim"), [((7,), 0), ((300, 1001), 1), ((300, 133), 0), ((2, 90, 70), 1), ((4, 1), 1)]
)
@pytest.mark.parametrize("keepdim", [False, True])
def test_logarithms_of_sums_of_powers(held, shape, dim, keepdim) -> None:
    x = 30 * np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    held(reduction._logsumexp, x, dims=(dim,), keepdim=keepdim)
    held(reduction._logsumexp, x[..., ::-1], dims=(dim,), keepdim=keepdim)
    x.reshape(-1)[0] = np.inf
    x.reshape(-1)[-1] = np.nan
    with np.errstate(all="ignore"):
        held(reduction._logsumexp, x, dims=(dim,), keepdim=keepdim)
        held(reduction._logsumexp, np.full(shape, -np.inf, np.float32), dims=(dim,), keepdim=keepdim)


def test_distances(held) -> None:
    random = np.random.default_rng(0)
    x, y = random.random((70, 9)).astype(np.float32), random.random((33, 9)).astype(np.float32)
    held(norms._euclidean, x, y, tolerance=2e-6)
    held(norms._euclidean, np.stack([x, x + 1]), np.stack([y, y]), tolerance=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 7, 3), (25, 30, 17), (2, 9, 4, 64), (300, 20, 3)])
def test_distances_by_differences(held, shape, dtype) -> None:
    *batch, rows, others, columns = shape
    random = np.random.default_rng(0)
    x = random.standard_normal((*batch, rows, columns)).astype(dtype)
    y = random.standard_normal((*batch, others, columns)).astype(dtype)
    y[..., 0, :] = x[..., 0, :]
    found = held(norms._euclidean_apart, x, y, tolerance=1e-6 if dtype is np.float32 else 1e-14)
    assert (found[..., 0, 0] == 0).all()
    held(norms._euclidean_apart, x, y[..., :0], accepts=False)
