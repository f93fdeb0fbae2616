"""Arithmetic and comparisons with broadcasting, and choosing between arrays."""

import facula
import numpy as np
import pytest
from facula.ops import comparison, indexing, pointwise, selection

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
