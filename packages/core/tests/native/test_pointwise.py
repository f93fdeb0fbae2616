"""Arithmetic and comparisons with broadcasting, and choosing between arrays."""

import facula
import numpy as np
import pytest
from facula.ops import comparison, elementary, indexing, pointwise, rounding, selection

PRIMITIVES = [pointwise._add, pointwise._sub, pointwise._mul, pointwise._div]
PRIMITIVES += [selection._maximum, selection._minimum]
PRIMITIVES += [comparison._lt, comparison._le, comparison._gt, comparison._ge]
SHAPES = [((), ()), ((3,), (3,)), ((0, 4), (0, 4)), ((5, 7), (7,)), ((5, 1), (1, 7)), ((2, 3, 4, 5), (1, 3, 1, 1))]
SHAPES += [
    ((), (4, 5)),
    ((2, 1, 4), (3, 1)),
    ((1,), (6, 1, 3)),
    ((0, 4), (1, 4)),
    ((70_001,), (70_001,)),
    ((300, 200), (200,)),
]


def numbers(shape: tuple[int, ...], type: type, seed: int = 0) -> np.ndarray:
    return np.asarray(np.random.default_rng(seed).standard_normal(shape), type)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
@pytest.mark.parametrize("type", [np.float32, np.float64])
def test_broadcasting(held, primitive, type) -> None:
    for left, right in SHAPES:
        held(primitive, numbers(left, type), numbers(right, type, 1))
        held(primitive, numbers(right, type), numbers(left, type, 1))


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
def test_numbers_and_layouts(held, primitive) -> None:
    x = numbers((5, 6), np.float32)
    held(primitive, x, 0.3)
    held(primitive, 0.3, x)
    held(primitive, x.T, 0.3)
    assert held(primitive, x.T, x.T).flags.f_contiguous
    held(primitive, x, x.copy(order="F"), accepts=False)
    held(primitive, x, np.ones((5, 6), np.int64), accepts=False)


@pytest.mark.parametrize("primitive", PRIMITIVES, ids=lambda each: each.name)
def test_special_numbers(held, primitive) -> None:
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, 1e38], np.float32)
    with np.errstate(all="ignore"):
        held(primitive, special[:, None], special[None, :])


@pytest.mark.parametrize("name", ["neg", "abs", "sqrt", "reciprocal"])
def test_maps(held, name) -> None:
    primitive = getattr(pointwise, "_" + name)
    special = np.array([0.0, -0.0, np.nan, np.inf, -np.inf, 1e-40, -2.0, 1e38], np.float32)
    with np.errstate(all="ignore"):
        held(primitive, special)
        held(primitive, numbers((40_001,), np.float32))
        assert held(primitive, numbers((5, 7), np.float32).T).flags.f_contiguous
    held(primitive, np.ones(3), accepts=False)


def test_where(held) -> None:
    x, y = numbers((50, 700), np.float32), numbers((50, 700), np.float32, 1)
    held(selection._where, x > 0, x, y)
    held(selection._where, x > 0, x, 0.5)
    held(selection._where, x > 0, 0.5, y)
    held(selection._where, x > 0, np.array(2.0, np.float32), y)
    held(selection._where, x > 0, np.array(2.0, np.float32), 0.5)
    held(selection._where, x[0] > 0, x, y, accepts=False)


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_bfloat16_is_rounded_once(name) -> None:
    facula.manual_seed(0)
    wide = facula.randn(3000), facula.randn(3000)
    x, y = (each.bfloat16() for each in wide)
    x[:4] = facula.tensor([float("nan"), float("inf"), 3e38, 1e-40]).bfloat16()
    expected = getattr(facula, name)(x.float(), y.float()).bfloat16()
    found = getattr(facula, name)(x, y)
    assert found.dtype is facula.bfloat16
    facula.testing.assert_close(found, expected, rtol=0, atol=0, equal_nan=True)
    facula.testing.assert_close(
        getattr(facula, name)(x, 0.3), getattr(facula, name)(x.float(), 0.3).bfloat16(), equal_nan=True
    )


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div"])
def test_results_are_written_into_the_first_operand(name) -> None:
    facula.manual_seed(0)
    for shape, other in [((5, 6), (5, 6)), ((5, 6), (6,)), ((5, 6), ()), ((40_000,), (40_000,)), ((2, 3, 4), (3, 1))]:
        for make in (lambda each: each, lambda each: each.transpose(0, -1), lambda each: each[..., ::2]):
            x = make(facula.rand(shape))
            y = facula.rand(other) if other != shape else make(facula.rand(other))
            try:
                expected = getattr(facula, name)(x, y)
            except RuntimeError:
                continue
            version, address = x._version, x.data_ptr()
            assert getattr(x, name + "_")(y) is x
            assert (x._version, x.data_ptr()) == (version + 1, address)
            facula.testing.assert_close(x, expected)
    x = facula.ones(3)
    getattr(x, name + "_")(2.0)
    facula.testing.assert_close(x, getattr(facula, name)(facula.ones(3), 2.0))
    with pytest.raises(RuntimeError, match="doesn't match the broadcast shape"):
        getattr(facula.ones(3), name + "_")(facula.ones(2, 3))
    integers = facula.arange(3)
    with pytest.raises(RuntimeError, match="can't be cast"):
        getattr(integers, name + "_")(0.5)


def test_masked_fill(held) -> None:
    x = numbers((50, 700), np.float32)
    value = np.array(2.0, np.float32)
    held(indexing._masked_fill, x, x > 0, value)
    held(indexing._masked_fill, x[:0], x[:0] > 0, value)
    held(indexing._masked_fill, x, x[0] > 0, value, accepts=False)
    held(indexing._masked_fill, x.astype(np.float64), x > 0, value, accepts=False)


@pytest.mark.parametrize("name", ["_mul", "_sub"])
def test_one_number_expanded(held, name) -> None:
    x = np.random.default_rng(0).standard_normal((70, 900)).astype(np.float32)
    one = np.broadcast_to(np.float32(3), x.shape)
    primitive = getattr(pointwise, name)
    for left, right in [(x, one), (one, x), (x.T, one.T)]:
        held(primitive, left, right)
    held(primitive, one, one, accepts=False)
    held(primitive, x[:, ::2], one[:, ::2], accepts=False)
    condition = x > 0
    for left, right in [(one, x), (x, one), (one, 0.0), (one, one)]:
        held(selection._where, condition, left, right)


EDGES = np.array([0.0, -0.0, 1.0, -1.0, 3.5, -7.25, 1e-40, 1e30, -1e30, np.inf, -np.inf, np.nan], np.float32)


@pytest.mark.parametrize("name", ["_fmod", "_remainder", "_floor_divide", "_hypot"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_remainders_and_quotients(held, name, dtype) -> None:
    function, random = getattr(pointwise, name), np.random.default_rng(0)
    x, y = (10 * random.standard_normal((37, 129)).astype(dtype) for _ in range(2))
    tolerance = 1e-6 if name == "_hypot" else 0
    held(function, x, y, tolerance=tolerance)
    held(function, x, y[0], tolerance=tolerance)
    held(function, x, 2.5, tolerance=tolerance)
    held(function, np.round(x), np.round(y) + 0.5, tolerance=tolerance)
    held(function, 3 * np.round(x), np.full_like(y, 3), tolerance=tolerance)
    # Quotients at, and just beside, whole numbers.
    whole = np.round(1000 * x) * y
    for beside in (whole, np.nextafter(whole, dtype(np.inf)), np.nextafter(whole, dtype(-np.inf))):
        held(function, beside, y, tolerance=tolerance)
    first, second = (np.ascontiguousarray(each.astype(dtype)) for each in np.meshgrid(EDGES, EDGES))
    with np.errstate(all="ignore"):
        found = held(function, first, second)
        if name in ("_fmod", "_remainder"):
            np.testing.assert_array_equal(
                np.signbit(found[:6, :6]), np.signbit(function.forward(np, first, second)[:6, :6])
            )


def test_signs_and_logarithms_of_sums(held) -> None:
    first, second = (np.ascontiguousarray(each) for each in np.meshgrid(EDGES, EDGES))
    x, y = (10 * np.random.default_rng(seed).standard_normal((37, 129)).astype(np.float32) for seed in (0, 1))
    with np.errstate(all="ignore"):
        held(rounding._copysign, first, second)
        held(elementary._logaddexp, first, second)
    held(rounding._copysign, x, -1.0)
    held(elementary._logaddexp, x, y)
    held(rounding._nan_to_num, EDGES, nan=1.5, posinf=10.0, neginf=-3.0)


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
@pytest.mark.parametrize("shape", [(0,), (1,), (37, 129), (300, 400)])
def test_complex_numbers(held, shape, dtype) -> None:
    random = np.random.default_rng(0)
    x, y = ((random.standard_normal(shape) + 1j * random.standard_normal(shape)).astype(dtype) for _ in range(2))
    for primitive in (pointwise._add, pointwise._sub, pointwise._mul):
        held(primitive, x, y)
        held(primitive, x.T, y.T)
    held(pointwise._mul, x, y.conj().real, accepts=False)


@pytest.mark.parametrize("size", [0, 1, 17, 10_007])
def test_complex_quotients(held, size) -> None:
    random = np.random.default_rng(0)
    x, y = ((random.standard_normal(size) + 1j * random.standard_normal(size)).astype(np.complex64) for _ in range(2))
    for factor in (1.0, 1e-30, 1e30):
        below = y * np.float32(factor)
        exact = x.astype(np.complex128) / below
        found = held(pointwise._div, x, below, absolute=2e-6 * np.abs(exact).max(initial=0.0))
        assert (np.abs(found - exact) <= 1e-7 * np.abs(exact)).all()


def test_complex_quotients_at_the_edges(held) -> None:
    parts = np.array([0, 1, -2, np.inf, -np.inf, np.nan], np.float32)
    points = (parts[:, None] + 1j * np.zeros_like(parts)).astype(np.complex64)
    points.imag = parts
    x, y = (np.ascontiguousarray(each) for each in np.meshgrid(points.ravel(), points.ravel()))
    with np.errstate(all="ignore"):
        held(pointwise._div, x, y)
    held(pointwise._div, x.astype(np.complex128), y.astype(np.complex128), accepts=False)
