"""Fourier transforms."""

import numpy as np
import pytest
from facula.ops import fourier

#: Rows side by side, odd lengths, primes by definition, one point; rows by themselves, of whole vectors and of overlapping
#: ones; long rows as matrices; lengths that only a convolution can do.
SHAPES = [(5, 64), (17, 10), (33, 21), (4, 121), (20, 1), (20, 2), (3, 182), (40, 13), (70, 450), (19, 62), (3, 31)]
SHAPES += [(2, 1024), (6, 400), (3, 512), (1, 272), (2, 7 * 256), (9, 4096), (5, 8192), (2, 3, 4, 80)]
SHAPES += [(1, 3000), (2, 1 << 14), (1, 48000), (1, 1 << 17), (4, 37), (3, 74), (1, 1009), (2, 5183), (1, 3**9)]
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
    held(fourier._forward, z, axes=(last,), scale=1.0, tolerance=tolerance)
    held(fourier._backward, z, axes=(last,), scale=1.0, tolerance=tolerance)
    held(fourier._real_forward, x, axis=last, scale=1.0, tolerance=tolerance)
    half = np.ascontiguousarray(z[..., : shape[-1] // 2 + 1])
    held(fourier._real_backward, half, axis=last, length=shape[-1], scale=1.0, tolerance=tolerance)


@pytest.mark.parametrize("length", [1, 10, 64, 1024, 3000, 1009])
def test_what_is_scaled(held, length) -> None:
    x, z, scale = numbers(2, length), complex_numbers(2, length), 1.0 / length
    held(fourier._forward, z, axes=(1,), scale=scale)
    held(fourier._backward, z, axes=(1,), scale=scale)
    held(fourier._real_forward, x, axis=1, scale=scale)
    held(fourier._real_backward, np.ascontiguousarray(z[:, : length // 2 + 1]), axis=1, length=length, scale=scale)


def test_a_dimension_that_is_not_the_last(held) -> None:
    held(fourier._real_forward, numbers(12, 5, 4), axis=0, scale=1.0)
    held(fourier._real_backward, complex_numbers(7, 5, 4), axis=0, length=12, scale=1.0)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((64, 20), (0,)),
        ((3, 30, 33), (1,)),
        ((2, 12, 5, 7), (1,)),
        ((128, 16), (0,)),
        ((12, 1), (0,)),
        ((64, 64), (0, 1)),
        ((5, 16, 24), (1, 2)),
        ((3, 256, 129), (2, 1)),
        ((2, 3, 4, 5), (0, 1, 2, 3)),
        ((4, 6, 8), (0, 2)),
        ((3, 30, 37), (1, 2)),
        ((2, 4, 1024), (1, 2)),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_complex_numbers_along_other_dimensions(held, shape, axes, dtype) -> None:
    z = complex_numbers(*shape, dtype=dtype)
    held(fourier._forward, z, axes=axes, scale=0.5, tolerance=TOLERANCE[dtype])
    held(fourier._backward, z, axes=axes, scale=0.5, tolerance=TOLERANCE[dtype])
    held(fourier._forward, z.transpose(), axes=axes, scale=0.5, tolerance=TOLERANCE[dtype])


@pytest.mark.parametrize("length", [400, 63, 512, 1024, 37])
def test_frames_that_overlap_times_a_window(held, length) -> None:
    frames = np.lib.stride_tricks.sliding_window_view(numbers(2, 3000), length, axis=1)[:, ::50]
    held(fourier._short_time, frames, numbers(length), scale=0.5)
    held(fourier._short_time, frames.astype(np.float64), numbers(length, dtype=np.float64), scale=0.5, tolerance=1e-14)


@pytest.mark.parametrize("length", [60, 1024, 37])
def test_numbers_that_are_not_finite_stay_in_their_row(held, length) -> None:
    x = numbers(20, length)
    x[3, 5], x[19, 0] = np.nan, np.inf
    found = fourier._real_forward.kernels["native"](x, axis=1, scale=1.0)
    assert np.isfinite(found[np.r_[0:3, 4:19]]).all() and not np.isfinite(found[[3, 19]]).any()


def test_what_is_left_to_the_array_code(held) -> None:
    held(fourier._real_forward, numbers(0, 32), axis=1, scale=1.0, accepts=False)
    held(fourier._forward, complex_numbers(37, 4), axes=(0,), scale=1.0, accepts=False)  # a convolution of columns
    held(fourier._real_forward, numbers(2, 32).astype(np.float16), axis=1, scale=1.0, accepts=False)
