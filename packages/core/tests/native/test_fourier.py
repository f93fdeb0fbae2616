"""Fourier transforms."""

import numpy as np
import pytest
from facula.ops import fourier

#: Rows side by side, long rows as matrices, odd lengths, primes with passes, one point.
SHAPES = [(5, 64), (17, 10), (33, 21), (4, 121), (20, 1), (20, 2), (3, 182), (40, 13), (70, 400)]
SHAPES += [(2, 1024), (1, 3000), (9, 4096), (2, 1 << 14), (1, 48000), (2, 3, 4, 30)]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-14}


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def complex_numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    parts = numbers(*shape, 2, dtype=dtype)
    return np.ascontiguousarray(parts).view(np.complex64 if dtype is np.float32 else np.complex128)[..., 0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_transforms(held, shape, dtype) -> None:
    tolerance, last = TOLERANCE[dtype], len(shape) - 1
    x, z = numbers(*shape, dtype=dtype), complex_numbers(*shape, dtype=dtype)
    held(fourier._forward, z, axis=last, tolerance=tolerance)
    held(fourier._backward, z, axis=last, tolerance=tolerance)
    held(fourier._real_forward, x, axis=last, tolerance=tolerance)
    half = np.ascontiguousarray(z[..., : shape[-1] // 2 + 1])
    held(fourier._real_backward, half, axis=last, length=shape[-1], tolerance=tolerance)


def test_a_dimension_that_is_not_the_last(held) -> None:
    held(fourier._real_forward, numbers(12, 5, 4), axis=0)
    held(fourier._backward, complex_numbers(3, 12, 5), axis=1)


@pytest.mark.parametrize(("shape", "axis"), [((64, 20), 0), ((3, 30, 33), 1), ((2, 12, 5, 7), 1), ((128, 16), 0)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_complex_numbers_along_another_dimension(held, shape, axis, dtype) -> None:
    z = complex_numbers(*shape, dtype=dtype)
    held(fourier._forward, z, axis=axis, tolerance=TOLERANCE[dtype])
    held(fourier._backward, z, axis=axis, tolerance=TOLERANCE[dtype])


@pytest.mark.parametrize("length", [400, 63])
def test_frames_that_overlap_times_a_window(held, length) -> None:
    frames = np.lib.stride_tricks.sliding_window_view(numbers(2, 3000), length, axis=1)[:, ::50]
    held(fourier._short_time, frames, numbers(length))
    held(fourier._short_time, frames.astype(np.float64), numbers(length, dtype=np.float64), tolerance=1e-14)


def test_numbers_that_are_not_finite_stay_in_their_row(held) -> None:
    x = numbers(20, 60)
    held(fourier._real_forward, x, axis=1)
    x[3, 5], x[19, 0] = np.nan, np.inf
    found = fourier._real_forward.kernels["native"](x, axis=1)
    assert np.isfinite(found[np.r_[0:3, 4:19]]).all() and not np.isfinite(found[[3, 19]]).any()


def test_what_is_left_to_the_array_code(held) -> None:
    held(fourier._real_forward, numbers(20, 34), axis=1, accepts=False)  # a prime of 17
    held(fourier._real_forward, numbers(0, 32), axis=1, accepts=False)
    held(fourier._real_forward, numbers(20, 64)[:, ::2], axis=1, accepts=False)
    held(fourier._forward, complex_numbers(1, 200), axis=1, accepts=False)  # one row: nothing lies side by side
