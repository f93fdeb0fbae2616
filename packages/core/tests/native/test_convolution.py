"""Convolutions and their gradients."""

import numpy as np
import pytest
from facula.ops import convolution
from facula.ops.convolution import Plan


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


CASES = {
    "3x3": ((2, 5, 9, 11), 7, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "wide rows": ((2, 4, 6, 70), 13, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "many channels": ((3, 130, 7, 7), 40, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "no padding": ((2, 3, 8, 40), 33, Plan((3, 5), (1, 1), (0, 0), (1, 1), 1)),
    "much padding": ((1, 3, 5, 6), 4, Plan((2, 2), (1, 1), (3, 2), (1, 1), 1)),
    "one image": ((1, 16, 30, 30), 24, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "1x1": ((2, 20, 7, 9), 30, Plan((1, 1), (1, 1), (0, 0), (1, 1), 1)),
    "1x1 in groups": ((3, 20, 7, 9), 30, Plan((1, 1), (1, 1), (0, 0), (1, 1), 5)),
    "1x1 with stride": ((2, 6, 9, 9), 5, Plan((1, 1), (2, 2), (0, 0), (1, 1), 1)),
    "stride 2": ((2, 3, 30, 31), 8, Plan((7, 7), (2, 2), (3, 3), (1, 1), 1)),
    "strides 3 and 2": ((2, 4, 17, 41), 5, Plan((3, 4), (3, 2), (1, 2), (1, 1), 1)),
    "rest unused": ((2, 4, 10, 12), 5, Plan((3, 3), (2, 2), (0, 0), (1, 1), 1)),
    "dilation": ((2, 4, 14, 40), 6, Plan((3, 3), (1, 1), (2, 2), (2, 2), 1)),
    "dilation and stride": ((2, 4, 17, 23), 6, Plan((3, 3), (2, 2), (1, 0), (3, 2), 1)),
    "groups": ((2, 12, 9, 20), 18, Plan((3, 3), (1, 1), (1, 1), (1, 1), 3)),
    "groups with stride": ((2, 12, 9, 20), 18, Plan((3, 3), (2, 2), (1, 1), (1, 1), 3)),
    "depthwise": ((2, 9, 12, 50), 9, Plan((3, 3), (1, 1), (1, 1), (1, 1), 9)),
    "depthwise with stride": ((2, 9, 13, 50), 9, Plan((5, 3), (2, 2), (2, 1), (1, 1), 9)),
    "depthwise 5x5": ((2, 7, 11, 21), 7, Plan((5, 5), (1, 1), (2, 2), (1, 1), 7)),
    "depthwise, narrow": ((2, 9, 7, 6), 9, Plan((3, 3), (1, 1), (1, 1), (1, 1), 9)),
    "depthwise, narrow with stride": ((2, 9, 6, 7), 9, Plan((3, 3), (2, 2), (1, 1), (1, 1), 9)),
    "depthwise, strides 3 and 1, dilated": ((2, 5, 13, 40), 5, Plan((3, 4), (3, 1), (2, 1), (2, 3), 5)),
    "depthwise, strides 2 and 3, dilated": ((2, 5, 13, 40), 5, Plan((3, 4), (2, 3), (2, 1), (2, 1), 5)),
    "depthwise, stride beyond the kernel": ((2, 5, 13, 20), 5, Plan((2, 1), (3, 2), (0, 0), (1, 1), 5)),
    "depthwise, few places": ((3, 20, 3, 3), 20, Plan((3, 3), (1, 1), (1, 1), (1, 1), 20)),
    "depthwise, few places with stride": ((3, 20, 3, 5), 20, Plan((3, 2), (2, 2), (1, 1), (1, 2), 20)),
    "depthwise, more places than data": ((2, 6, 2, 3), 6, Plan((2, 2), (1, 1), (1, 1), (1, 1), 6)),
    "depthwise 1d": ((2, 6, 45), 6, Plan((4,), (2,), (3,), (1,), 6)),
    "depthwise 3d": ((2, 4, 5, 6, 9), 4, Plan((3, 3, 3), (2, 1, 2), (1, 1, 1), (1, 1, 1), 4)),
    "depthwise, two filters each": ((2, 9, 13, 20), 18, Plan((3, 3), (1, 1), (1, 1), (1, 1), 9)),
    "1d": ((2, 6, 100), 10, Plan((9,), (1,), (4,), (1,), 1)),
    "1d with stride": ((2, 6, 101), 10, Plan((8,), (4,), (2,), (1,), 1)),
    "3d": ((2, 3, 6, 7, 18), 5, Plan((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1)),
    "3d with strides": ((1, 4, 7, 8, 19), 6, Plan((2, 3, 3), (1, 2, 2), (0, 1, 1), (2, 1, 1), 2)),
}


@pytest.mark.parametrize("name", CASES)
def test_convolution_and_gradients(held, name) -> None:
    shape, channels, plan = CASES[name]
    x = numbers(*shape)
    weight = numbers(channels, shape[1] // plan.groups, *plan.kernel)
    y = numbers(shape[0], channels, *plan.output_shape(shape[2:]))
    held(convolution._conv, x, weight, numbers(channels), plan=plan, tolerance=3e-6)
    held(convolution._conv_data, y, weight, shape=shape, plan=plan, tolerance=3e-6)
    held(convolution._conv_weight, x, y, plan=plan, tolerance=3e-6)


HEAVY = {
    "one image of 4x3": ((1, 150, 4, 3), 200, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "several images of 2x2": ((5, 150, 2, 2), 200, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "stride 2 to 3x3": ((3, 150, 6, 5), 200, Plan((3, 3), (2, 2), (1, 1), (1, 1), 1)),
    "in groups, with dilation": ((2, 300, 5, 4), 400, Plan((3, 3), (1, 2), (2, 1), (2, 1), 2)),
    "1x1, several images": ((4, 700, 2, 3), 400, Plan((1, 1), (1, 1), (0, 0), (1, 1), 1)),
    "1x1, stride 2": ((1, 700, 5, 6), 400, Plan((1, 1), (2, 2), (0, 0), (1, 1), 1)),
}


@pytest.mark.parametrize("name", HEAVY)
def test_much_weight_for_few_places_and_gradients(held, name) -> None:
    shape, channels, plan = HEAVY[name]
    x = numbers(*shape)
    weight = numbers(channels, shape[1] // plan.groups, *plan.kernel)
    y = numbers(shape[0], channels, *plan.output_shape(shape[2:]))
    held(convolution._conv, x, weight, numbers(channels), plan=plan, tolerance=3e-6)
    held(convolution._conv_data, y, weight, shape=shape, plan=plan, tolerance=3e-6)
    held(convolution._conv_weight, x, y, plan=plan, tolerance=3e-6)


TILED = {
    "3x3, tiles that end inside": ((3, 39, 18, 19), 37, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "3x3, several blocks": ((3, 40, 33, 61), 50, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "3x3, no padding": ((2, 33, 30, 27), 30, Plan((3, 3), (1, 1), (0, 0), (1, 1), 1)),
    "3x3, more padding": ((4, 32, 14, 14), 40, Plan((3, 3), (1, 1), (2, 2), (1, 1), 1)),
    "3x3 in groups": ((2, 60, 20, 24), 54, Plan((3, 3), (1, 1), (1, 1), (1, 1), 2)),
    "3x3, few tiles": ((8, 70, 7, 8), 61, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "3x3, one tile an image": ((16, 70, 4, 4), 80, Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)),
    "3x3 in groups, few tiles": ((8, 60, 8, 8), 90, Plan((3, 3), (1, 1), (1, 1), (1, 1), 2)),
    "3x3, dilated": ((2, 33, 25, 38), 40, Plan((3, 3), (1, 1), (2, 2), (2, 2), 1)),
    "3x3, dilated by 2 and 3": ((3, 32, 26, 49), 36, Plan((3, 3), (1, 1), (4, 1), (2, 3), 1)),
    "3x3, dilated by 3 and 1": ((2, 32, 40, 37), 32, Plan((3, 3), (1, 1), (0, 2), (3, 1), 1)),
    "5x5": ((3, 33, 21, 30), 37, Plan((5, 5), (1, 1), (2, 2), (1, 1), 1)),
    "4x3, dilated, in groups": ((3, 60, 30, 38), 70, Plan((4, 3), (1, 1), (1, 2), (2, 1), 2)),
    "2x3": ((3, 64, 31, 30), 37, Plan((2, 3), (1, 1), (1, 2), (1, 1), 1)),
    "1x3 of an image": ((2, 64, 21, 44), 70, Plan((1, 3), (1, 1), (0, 1), (1, 1), 1)),
    "1d, three taps": ((3, 64, 301), 70, Plan((3,), (1,), (1,), (1,), 1)),
    "1d, nine taps": ((2, 33, 411), 70, Plan((9,), (1,), (4,), (1,), 1)),
    "1d, six taps, few tiles": ((2, 90, 126), 95, Plan((6,), (1,), (0,), (2,), 1)),
    "1d, six taps": ((5, 90, 126), 95, Plan((6,), (1,), (0,), (2,), 1)),
    "1d, dilated, in groups": ((2, 128, 401), 140, Plan((3,), (1,), (3,), (3,), 2)),
    "3d": ((2, 33, 5, 14, 18), 37, Plan((3, 3, 3), (1, 1, 1), (1, 1, 1), (1, 1, 1), 1)),
    "3d, few tiles": ((1, 60, 9, 8, 8), 70, Plan((2, 3, 3), (1, 1, 1), (0, 1, 1), (3, 1, 1), 1)),
    "4x4, stride 2": ((4, 33, 27, 30), 37, Plan((4, 4), (2, 2), (1, 1), (1, 1), 1)),
    "4x4, stride 2, no padding, few tiles": ((2, 40, 18, 25), 61, Plan((4, 4), (2, 2), (0, 0), (1, 1), 1)),
    "4x4, stride 2, in groups": ((3, 66, 31, 44), 72, Plan((4, 4), (2, 2), (1, 2), (1, 1), 2)),
    "5x5, stride 2": ((2, 34, 29, 50), 37, Plan((5, 5), (2, 2), (2, 1), (1, 1), 1)),
    "6x5, stride 2": ((3, 32, 40, 33), 50, Plan((6, 5), (2, 2), (2, 2), (1, 1), 1)),
    "6x6, stride 2, few tiles": ((1, 64, 26, 38), 64, Plan((6, 6), (2, 2), (2, 2), (1, 1), 1)),
    "6x6, stride 2, too far for one block": ((2, 33, 30, 32), 40, Plan((6, 6), (2, 2), (1, 1), (1, 1), 1)),
    "7x7, stride 2": ((2, 33, 30, 32), 40, Plan((7, 7), (2, 2), (3, 3), (1, 1), 1)),
    "3x3, dilated, in groups": ((2, 50, 31, 29), 50, Plan((3, 3), (1, 1), (2, 2), (2, 2), 2)),
}


@pytest.mark.parametrize("name", TILED)
def test_convolution_of_tiles_and_gradients(held, name) -> None:
    shape, channels, plan = TILED[name]
    x = numbers(*shape)
    weight = numbers(channels, shape[1] // plan.groups, *plan.kernel)
    y = numbers(shape[0], channels, *plan.output_shape(shape[2:]))
    held(convolution._conv, x, weight, numbers(channels), plan=plan, tolerance=1e-5)
    held(convolution._conv_data, y, weight, shape=shape, plan=plan, tolerance=1e-5)
    held(convolution._conv_weight, x, y, plan=plan, tolerance=1e-5)


def test_data_beyond_the_last_window_has_no_gradient(held) -> None:
    plan = Plan((3, 3), (2, 2), (1, 1), (1, 1), 1)
    held(
        convolution._conv_data,
        numbers(2, 4, 5, 5),
        numbers(4, 3, 3, 3),
        shape=(2, 3, 10, 10),
        plan=plan,
        tolerance=3e-6,
    )


def test_numbers_that_are_not_finite_reach_their_windows_only(held) -> None:
    x = numbers(1, 3, 12, 40)
    x[0, 1, 5, 20] = np.nan
    found = held(
        convolution._conv, x, numbers(4, 3, 3, 3), None, plan=Plan((3, 3), (1, 1), (1, 1), (1, 1), 1), tolerance=3e-6
    )
    assert np.isnan(found).sum() == 4 * 9


def test_strides_in_memory_of_any_kind(held) -> None:
    plan = Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)
    held(
        convolution._conv,
        numbers(2, 9, 11, 5).transpose(0, 3, 1, 2),
        numbers(4, 5, 3, 3)[:, :, ::-1],
        None,
        plan=plan,
        tolerance=3e-6,
    )


def test_what_is_declined(held) -> None:
    plan = Plan((3, 3), (1, 1), (1, 1), (1, 1), 1)
    held(convolution._conv, np.ones((1, 1, 5, 5)), np.ones((1, 1, 3, 3)), None, plan=plan, accepts=False)
    held(convolution._conv, numbers(0, 1, 5, 5), numbers(1, 1, 3, 3), None, plan=plan, accepts=False)
