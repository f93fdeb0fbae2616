"""Sums at indices."""

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


def test_what_is_left_to_the_array_code(held) -> None:
    index = np.array([0, 5, 2])
    held(gathering._sum_parts, numbers(3), index, shape=(6,), axis=0)
    kernels = [gathering._sum_parts.kernels["native"], gathering._sum_slices.kernels["native"]]
    assert kernels[0](numbers(3), index, shape=(5,), axis=0) is NotImplemented  # an index beyond the end
    assert kernels[0](numbers(3), index - 1, shape=(6,), axis=0) is NotImplemented
    assert kernels[0](numbers(3, 2), index[:, None], shape=(6, 1), axis=0) is NotImplemented
    assert kernels[1](numbers(2, 3), index, shape=(2, 6), axis=1) is NotImplemented
