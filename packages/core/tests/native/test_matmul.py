"""Matrix products."""

import numpy as np
import pytest
from facula import dtypes, native
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
    ("rows", "n", "k"), [(5, 2700, 100), (20, 633, 600), (33, 570, 513), (100, 250, 3000), (130, 561, 520)]
)
def test_linear_of_few_rows(held, rows, n, k) -> None:
    """The weights are read where they lie, and the sums turned: in one pass over them, and in several."""
    x, weight, bias = numbers(rows, k), numbers(n, k), numbers(n)
    held(matmul._linear, x, weight, bias, tolerance=4e-6)
    held(matmul._linear, numbers(rows, 2 * k)[:, ::2], weight, bias, tolerance=4e-6)
    held(matmul._mm_nt, numbers(2 * rows, k)[::2], numbers(n, k + 3)[:, 3:], tolerance=4e-6)


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


@pytest.mark.parametrize(("m", "n", "k"), [(1, 1, 1), (1, 5, 7), (5, 1, 7), (5, 7, 1), (40, 50, 60), (128, 65, 300)])
def test_batches_of_doubles(held, m, n, k) -> None:
    x, y = numbers(3, m, k).astype(np.float64), numbers(3, k, n).astype(np.float64)
    for left in (x, x.swapaxes(1, 2).copy().swapaxes(1, 2), x[0]):
        for right in (y, y.swapaxes(1, 2).copy().swapaxes(1, 2), y[None], y[..., ::-1]):
            held(matmul._matmul, left, right, tolerance=1e-14)


@pytest.mark.parametrize(
    ("m", "n", "k"), [(5, 7, 0), (13, 33, 17), (65, 129, 400), (300, 1200, 100), (20, 633, 600), (1000, 70, 330)]
)
def test_doubles(held, m, n, k) -> None:
    x, y, bias = (numbers(*shape).astype(np.float64) for shape in ((m, k), (k, n), (n,)))
    for left in (x, x.T.copy().T):
        for right in (y, y.T.copy().T, y[:, ::-1]):
            held(matmul._mm, left, right, tolerance=1e-14)
    held(matmul._linear, x, y.T.copy(), bias, tolerance=1e-14)
    # NumPy reads the matrix once, too.
    held(matmul._mm, x[:4], y, accepts=False)


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


def rounded_once(kernel, *arrays: np.ndarray | None) -> np.ndarray:
    """Return what ``kernel`` gives for numbers of 16 bits, held against the product of the same numbers in float32."""
    narrow = arrays[0].dtype
    found = []
    for threads in (1, 2, 3):
        native.kernels.set_num_threads(threads)
        found.append(kernel(*arrays))
    if any(each is NotImplemented for each in found):
        assert all(each is NotImplemented for each in found)
        return None
    wide = [None if each is None else each.astype(np.float32) for each in arrays]
    expected = kernel(*wide).astype(narrow)
    assert all(each.dtype == narrow and each.tobytes() == found[0].tobytes() for each in found)
    unit = 2**-10 if narrow == np.float16 else 2**-7
    # The sums are made in another order, so that a result between two numbers may be rounded to either.
    np.testing.assert_allclose(
        found[0].astype(np.float32), expected.astype(np.float32), rtol=unit, atol=1e-5 * max(1, arrays[0].shape[-1])
    )
    return found[0]


NARROW = [np.dtype(np.float16), dtypes.bfloat16.numpy]
NARROW_SIZES = [
    (1, 1, 1),
    (2, 70, 33),
    (4, 9, 100),
    (16, 16, 32),
    (33, 17, 65),
    (100, 70, 50),
    (64, 200, 300),
    (3, 0, 4),
    (5, 6, 0),
]


@pytest.fixture
def threads_as_before():
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    threads = native.kernels.get_num_threads()
    yield
    native.kernels.set_num_threads(threads)


@pytest.mark.usefixtures("threads_as_before")
@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize(("m", "n", "k"), NARROW_SIZES)
def test_numbers_of_16_bits(dtype, m, n, k) -> None:
    kernels = native.kernels
    x, y = numbers(m, k).astype(dtype), numbers(k, n).astype(dtype)
    turned = y.T.copy()
    bias = numbers(n).astype(dtype)
    taken = [
        rounded_once(kernels.mm, x, y),
        rounded_once(kernels.mm, x.T.copy().T, turned.T),
        rounded_once(kernels.mm, x[:, ::-1], y[::-1]),
        rounded_once(kernels.mm_nt, x, turned),
        rounded_once(kernels.mm_tn, x.T.copy(), y),
        rounded_once(kernels.linear, x, turned, bias),
        rounded_once(kernels.linear, x, turned, None),
        rounded_once(kernels.matmul, np.stack([x, -x, x]), np.stack([y, y, -y])),
        rounded_once(kernels.matmul, np.stack([x, -x, x]), y),
        rounded_once(kernels.matvec, x, np.ascontiguousarray(y[:, 0]) if n else numbers(k).astype(dtype)),
        rounded_once(kernels.matvec, np.ascontiguousarray(x[0]), y),
    ]
    if m <= 4 and k > 1 and n > 0 and dtype != np.float16:  # which needs a processor that converts it
        assert taken[3] is not None and taken[5] is not None


@pytest.mark.usefixtures("threads_as_before")
@pytest.mark.parametrize("dtype", NARROW, ids=str)
@pytest.mark.parametrize("rows", [2, 40])
def test_numbers_of_16_bits_that_are_not_finite(dtype, rows) -> None:
    x, weight = np.ones((rows, 64), dtype), np.ones((48, 64), dtype)
    x[1, 5] = np.inf
    weight[7, 9] = np.nan
    found = native.kernels.linear(x, weight, None)
    if found is NotImplemented:
        pytest.skip("this processor multiplies them as float32")
    found = found.astype(np.float32)
    assert np.isinf(np.delete(found[1], 7)).all() and np.isnan(found[:, 7]).all()
    assert (np.delete(found[0], 7) == 64).all()


def test_types_that_differ_are_declined(held) -> None:
    held(matmul._mm, numbers(3, 3).astype(np.float16), numbers(3, 3), accepts=False)
    held(matmul._linear, *(numbers(3, 3).astype(np.float16),) * 2, numbers(3), accepts=False)
