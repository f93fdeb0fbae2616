"""Elements and slices at indices: taken, written, added up."""

import numpy as np
import pytest
from facula.ops import gathering


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (7, 20), (3000, 11), (70000, 900), (140001, 33)])
def test_elements_at_indices(held, count, size) -> None:
    index = np.random.default_rng(1).integers(0, size, count)
    held(gathering._sum_parts, numbers(count), index, shape=(size,), axis=0, tolerance=1e-5)
    held(gathering._sum_parts, numbers(count + 3), index, shape=(size,), axis=0, tolerance=1e-5)


@pytest.mark.parametrize("shape", [(1, 3), (50, 16), (4000, 33), (300, 2, 5)])
def test_slices_at_indices(held, shape) -> None:
    index = np.random.default_rng(1).integers(0, 40, shape[0])
    held(gathering._sum_slices, numbers(*shape), index, shape=(40, *shape[1:]), axis=0, tolerance=1e-5)


@pytest.mark.parametrize(("shape", "axis"), [((30, 7), 1), ((30, 7), 0), ((3, 200, 5), 1), ((2000, 40), 1), ((9,), 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32])
def test_along_any_dimension(held, shape, axis, dtype) -> None:
    random = np.random.default_rng(1)
    x = (10 * numbers(*shape)).astype(dtype)
    length = shape[axis]
    vector = random.integers(0, length, 3 * length)
    held(gathering._take_slices, x, vector, axis=axis, tolerance=0)
    wide = (*shape[:axis], 2 * length, *shape[axis + 1 :])
    index = random.integers(0, length, wide)
    source = (10 * np.ones(wide) * np.arange(wide[-1])).astype(dtype)
    held(gathering._gather, x, index, axis=axis, tolerance=0)
    held(gathering._scatter, x, index, source, axis=axis, tolerance=0)
    held(gathering._scatter, x, index, 3, axis=axis, tolerance=0)
    held(gathering._scatter_sum, source, index, shape=shape, axis=axis, tolerance=1e-5)
    held(gathering._sum_parts, source, index, shape=shape, axis=axis, tolerance=1e-5)
    held(gathering._sum_slices, source, random.integers(0, length, 2 * length), shape=shape, axis=axis, tolerance=1e-5)


@pytest.mark.parametrize("dtype", [np.bool_, np.uint8, np.float16, np.complex64, np.complex128])
def test_types_of_any_size_are_taken(held, dtype) -> None:
    x = (10 * numbers(30, 5)).astype(dtype)
    held(gathering._take_slices, x, np.array([3, 0, 29, 3]), axis=0, tolerance=0)
    if x.itemsize <= 8:
        held(gathering._gather, x, np.array([[4, 0], [1, 1]] * 15), axis=1, tolerance=0)


def test_what_is_left_to_the_array_code(held) -> None:
    index = np.array([0, 5, 2])
    held(gathering._sum_parts, numbers(3), index, shape=(6,), axis=0)
    table, square = numbers(6, 3), np.array([[0, 5, 2]])
    for wrong in (index + 1, index - 1):
        assert gathering._take_slices.kernels["native"](table, wrong, axis=0) is NotImplemented
        assert gathering._gather.kernels["native"](table, wrong[None], axis=0) is NotImplemented
        assert gathering._gather.kernels["native"](numbers(6), wrong, axis=0) is NotImplemented
        assert gathering._scatter.kernels["native"](table, wrong[None], numbers(1, 3), axis=0) is NotImplemented
        assert gathering._sum_parts.kernels["native"](numbers(3), wrong, shape=(6,), axis=0) is NotImplemented
        assert (
            gathering._sum_parts.kernels["native"](numbers(1, 3), wrong[None], shape=(6, 3), axis=0) is NotImplemented
        )
        assert gathering._sum_slices.kernels["native"](numbers(2, 3), wrong, shape=(2, 6), axis=1) is NotImplemented
    # Parts of the other dimensions, strides, and indices of 32 bits.
    held(gathering._gather, table, square[:, :2], axis=0, accepts=False)
    held(gathering._gather, table[:, ::2], square[:, :2], axis=0, accepts=False)
    held(gathering._take_slices, table, index.astype(np.int32), axis=0, accepts=False)
    held(gathering._sum_parts, numbers(3, 2), index[:, None], shape=(6, 1), axis=0, accepts=False)
