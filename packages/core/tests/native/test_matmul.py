"""Matrix products."""

import numpy as np
import pytest
from facula import dtypes
from facula.ops import matmul

SIZES = [(1, 1, 1), (3, 5, 7), (13, 33, 17), (64, 64, 64), (65, 129, 400), (1, 500, 300), (500, 1, 300), (3, 400, 777)]
SIZES += [(700, 2, 50), (5, 70, 0), (0, 4, 4), (300, 1200, 100), (12, 32, 321)]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("m", "n", "k"), SIZES)
def test_two_matrices(held, m, n, k) -> None:
    held(matmul._mm, numbers(m, k), numbers(k, n), tolerance=2e-6)
    held(matmul._mm, numbers(k, m).T, numbers(n, k).T, tolerance=2e-6)
    held(matmul._mm_nt, numbers(m, k), numbers(n, k), tolerance=2e-6)
    held(matmul._mm_tn, numbers(k, m), numbers(k, n), tolerance=2e-6)


def test_strides_of_any_kind(held) -> None:
    x = numbers(40, 60)
    held(matmul._mm, x[::2, ::3], numbers(20, 33)[:, ::-2], tolerance=2e-6)
    held(matmul._mm, np.broadcast_to(x[:1], (9, 60)), numbers(60, 5), tolerance=2e-6)


def test_infinities_and_nan_stay_where_they_belong(held) -> None:
    x, y = np.ones((30, 40), np.float32), np.ones((40, 50), np.float32)
    x[3, 5], x[7, 9] = np.inf, np.nan
    found = held(matmul._mm, x, y)
    assert np.isinf(found[3]).all() and np.isnan(found[7]).all() and np.isfinite(np.delete(found, [3, 7], 0)).all()


@pytest.mark.parametrize("rows", [(), (3,), (2, 5), (1,), (0,)])
@pytest.mark.parametrize("features", [(4, 6), (300, 70)])
def test_linear(held, rows, features) -> None:
    x, weight, bias = numbers(*rows, features[0]), numbers(*features[::-1]), numbers(features[1])
    held(matmul._linear, x, weight, bias, tolerance=2e-6)
    held(matmul._linear, x, weight, None, tolerance=2e-6)
    held(matmul._linear, x, weight, bias.repeat(2)[::2], accepts=False)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((3, 4, 5), (3, 5, 6)),
        ((3, 4, 5), (5, 6)),
        ((2, 1, 4, 5), (3, 5, 6)),
        ((1, 40, 50), (7, 50, 60)),
        ((0, 4, 5), (0, 5, 6)),
        ((2, 3, 4, 0), (0, 6)),
    ],
)
def test_batches(held, left, right) -> None:
    held(matmul._matmul, numbers(*left), numbers(*right), tolerance=2e-6)
    held(matmul._matmul, numbers(*left).swapaxes(0, -2).copy().swapaxes(0, -2), numbers(*right), tolerance=2e-6)


@pytest.mark.parametrize(("m", "k"), [(1, 1), (7, 5), (33, 300), (200, 2100), (0, 3), (3, 0)])
def test_vectors(held, m, k) -> None:
    matrix, vector = numbers(m, k), numbers(k)
    held(matmul._matmul, matrix, vector, tolerance=4e-6)
    held(matmul._matmul, numbers(k, m).T, vector, tolerance=4e-6)
    held(matmul._matmul, vector, numbers(k, m), tolerance=4e-6)
    held(matmul._matmul, numbers(2 * k)[::2], matrix.T, tolerance=4e-6)
    held(matmul._matmul, vector, vector, tolerance=4e-6)


@pytest.mark.parametrize("few", [1, 2, 3, 4])
@pytest.mark.parametrize("n", [1, 70, 1100])
def test_few_rows_or_columns(held, few, n) -> None:
    for left in (numbers(few, 99), numbers(99, few).T):
        for right in (numbers(99, n), numbers(n, 99).T):
            held(matmul._mm, left, right, tolerance=2e-6)
            held(matmul._mm, right.T, left.T, tolerance=2e-6)


def test_many_rows(held) -> None:
    """More than one block of rows, of columns and of the sum."""
    held(matmul._mm, numbers(1000, 330), numbers(330, 70), tolerance=4e-6)
    held(matmul._mm, numbers(30, 330), numbers(330, 3100), tolerance=4e-6)


def test_other_types_are_declined(held) -> None:
    held(matmul._mm, np.ones((3, 3)), np.ones((3, 3)), accepts=False)
    held(matmul._matmul, np.ones(3), numbers(3, 4), accepts=False)


@pytest.mark.parametrize(
    ("m", "n", "k"), [(1, 1, 1), (16, 16, 32), (33, 17, 65), (100, 70, 50), (64, 200, 300), (3, 0, 4)]
)
def test_bfloat16(held, m, n, k) -> None:
    x, y = (each.astype(dtypes.bfloat16.numpy) for each in (numbers(m, k), numbers(k, n)))
    if matmul._mm_bfloat16.kernels["native"](x, y) is NotImplemented:
        pytest.skip("this processor has no tiles for bfloat16")
    held(matmul._mm_bfloat16, x, y, tolerance=2**-7)
    turned = x.T.copy().T, y.T.copy().T
    held(matmul._mm_bfloat16, *turned, tolerance=2**-7)
    assert np.array_equal(matmul._mm_bfloat16.kernels["native"](*turned), matmul._mm_bfloat16.kernels["native"](x, y))
