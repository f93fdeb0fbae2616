"""Elements where a mask is true, and slices at indices."""

import facula
import numpy as np
import pytest
from facula import native
from facula.ops import indexing

SHAPES = [(1,), (70,), (100_003,), (33, 65), (300, 700), (5, 3, 40), (9, 1, 2, 7)]


@pytest.fixture(autouse=True)
def _needs_kernels() -> None:
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return (10 * np.random.default_rng(0).standard_normal(shape)).astype(dtype)


def masks(*shape: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.random(shape) < share for share in (0.0, 0.03, 0.5, 1.0)]


@pytest.mark.parametrize("shape", SHAPES)
def test_where_elements_are_true(held, shape) -> None:
    for mask in masks(*shape):
        held(indexing._nonzero, mask)
        held(indexing._nonzero, numbers(*shape) * mask)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.float32, np.int64, np.complex128])
def test_elements_and_slices_of_a_mask(held, shape, dtype) -> None:
    x = numbers(*shape, dtype=dtype)
    for dims in range(1, len(shape) + 1):
        for mask in masks(*shape[:dims]):
            held(indexing._take_at, x, key=(mask,), tolerance=0)


@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.float32, np.int64, np.complex128])
def test_slices_at_indices(held, dtype) -> None:
    index = np.random.default_rng(1).integers(0, 40, 300)
    for shape in ((40,), (40, 7), (40, 3, 50)):
        held(indexing._take_at, numbers(*shape, dtype=dtype), key=(index,), tolerance=0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
@pytest.mark.parametrize("slices", [(), (3,), (2, 90)])
def test_slices_added_at_indices(held, dtype, slices) -> None:
    random = np.random.default_rng(1)
    for index in (random.integers(-40, 40, 300), random.integers(0, 40, (4, 5))):
        x = numbers(*index.shape, *slices, dtype=dtype)
        held(indexing._add_at, x, shape=(40, *slices), key=(index,), tolerance=1e-5)


def _both_ways(x: np.ndarray, key: np.ndarray, value: np.ndarray, add: bool) -> None:
    """Write in place by the kernel with 1 to 4 threads, and by NumPy."""
    expected = x.copy()
    if add:
        np.add.at(expected, key, value)
    else:
        expected[key] = value
    threads = native.kernels.get_num_threads()
    try:
        for count in (1, 2, 3, 4):
            native.kernels.set_num_threads(count)
            found = x.copy()
            assert indexing._written_in_place(found, (key,), value, add)
            np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    finally:
        native.kernels.set_num_threads(threads)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.bool_, np.float16, np.float32, np.int64, np.complex64])
def test_writing_where_a_mask_is_true(shape, dtype) -> None:
    x = numbers(*shape, dtype=dtype)
    for mask in masks(*shape):
        _both_ways(x, mask, np.array(1, dtype), False)
        if mask.any():
            _both_ways(x, mask, numbers(int(mask.sum()), dtype=dtype), False)
    mask = np.arange(shape[0]) % 3 == 0
    _both_ways(x, mask, numbers(int(mask.sum()), *shape[1:], dtype=dtype), False)


@pytest.mark.parametrize("slices", [(), (3,), (2, 400)])
def test_writing_and_adding_at_indices(slices) -> None:
    index = np.random.default_rng(1).integers(-40, 40, 300)
    value = numbers(300, *slices)
    _both_ways(numbers(40, *slices), index, value, False)
    _both_ways(numbers(40, *slices), index, value, True)


def test_what_is_left_to_numpy() -> None:
    x, mask = numbers(6, 4), np.ones((6, 4), bool)
    assert not indexing._written_in_place(x, (mask,), numbers(23), False)
    assert not indexing._written_in_place(x.T, (mask.T,), numbers(24), False)
    assert not indexing._written_in_place(x, (np.array([6]),), numbers(1, 4), False)
    assert not indexing._written_in_place(x, (np.array([-7]),), numbers(1, 4), True)
    assert not indexing._written_in_place(x, (np.array([0, 1]),), x[2:4], False)
    assert indexing._take_at.kernels["native"](x, key=(np.array([6]),)) is NotImplemented
    x.flags.writeable = False
    assert not indexing._written_in_place(x, (mask,), np.array(1, np.float32), False)


def test_a_saved_tensor_knows_that_it_was_written_to() -> None:
    x = facula.ones(3, requires_grad=True)
    y = x * 2
    z = y * y
    with facula.no_grad():
        y.detach()[facula.tensor([True, False, True])] = 5.0
    with pytest.raises(RuntimeError, match="modified"):
        z.sum().backward()
