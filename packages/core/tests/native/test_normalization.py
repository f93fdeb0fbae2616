"""Normalisation and its gradients."""

import numpy as np
import pytest
from facula.ops import normalization

# Shape, dimensions, and the weight's shape.
CASES = {
    "layer": ((5, 1000), (1,), (1000,)),
    "layer over two": ((300, 3, 5), (1, 2), (3, 5)),
    "layer over one of one": ((4, 1, 7), (1, 2), (1, 7)),
    "layer over everything": ((40,), (0,), (40,)),
    "group": ((6, 4, 3, 50), (2, 3), (4, 3, 1)),
    "groups of single elements": ((300, 4, 5, 1), (2, 3), (4, 5, 1)),
    "one group": ((3, 1, 6, 9), (2, 3), (1, 6, 1)),
    "instance": ((6, 5, 7, 9), (2, 3), (1, 5, 1, 1)),
    "batch of images": ((6, 5, 9, 9), (0, 2, 3), (1, 5, 1, 1)),
    "batch of large images": ((2, 3, 70, 70), (0, 2, 3), (1, 3, 1, 1)),
    "batch of vectors": ((200, 37), (0,), (1, 37)),
    "batch of sequences": ((6, 20, 3), (0, 2), (1, 20, 1)),
    "one channel": ((6, 1, 10), (0, 2), (1, 1, 1)),
}


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32) + np.float32(0.5)


@pytest.mark.parametrize(
    ("name", "centred"),
    [(name, centred) for name in CASES for centred in (True, False) if centred or name[:5] == "layer"],
)
@pytest.mark.parametrize("with_weight", [True, False])
def test_result_and_gradients(held, name, with_weight, centred) -> None:
    shape, dims, weights = CASES[name]
    x, grad = numbers(*shape), numbers(*shape, seed=1)
    weight, bias = (numbers(*weights, seed=2), numbers(*weights, seed=3)) if with_weight else (None, None)
    options = {"dims": dims, "eps": 1e-5, "centred": centred}
    _, mean, variance = held(normalization._standardize, x, weight, bias, tolerance=2e-6, **options)
    held(normalization._standardize, x, weight, None, tolerance=2e-6, **options)
    held(normalization._standardize_gradient, grad, x, weight, mean, variance, tolerance=5e-6, **options)


def test_statistics_far_from_zero(held) -> None:
    x = numbers(4, 3, 64, 64) + np.float32(1000)
    _, mean, variance = held(
        normalization._standardize, x, None, None, dims=(0, 2, 3), eps=1e-5, centred=True, absolute=2e-3
    )
    exact = x.astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean((0, 2, 3), keepdims=True), rtol=1e-7)
    np.testing.assert_allclose(variance, exact.var((0, 2, 3), keepdims=True), rtol=1e-5)


def test_strides_of_any_kind(held) -> None:
    x = numbers(20, 30, 4).transpose(1, 2, 0)
    for dims in [(1, 2), (2,), (0, 2)]:
        options = {"dims": dims, "eps": 1e-5, "centred": True}
        _, mean, variance = held(normalization._standardize, x, None, None, tolerance=2e-6, **options)
        grad = np.broadcast_to(numbers(30, 1, 20), x.shape)
        held(normalization._standardize_gradient, grad, x, None, mean, variance, tolerance=5e-6, **options)


@pytest.mark.parametrize("name", ["layer", "group", "batch of images", "batch of vectors"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_numbers_that_are_not_finite_spoil_what_they_are_together_with(held, name) -> None:
    shape, dims, _ = CASES[name]
    for wrong in (np.nan, np.inf):
        x = numbers(*shape)
        x[(1,) * len(shape)] = wrong
        found = normalization._standardize.kernels["native"](x, None, None, dims=dims, eps=1e-5, centred=True)
        expected = normalization._standardize.forward(np, x, None, None, dims=dims, eps=1e-5, centred=True)
        np.testing.assert_array_equal(np.isnan(found[0]), np.isnan(expected[0]))


@pytest.mark.parametrize("shape", [(3, 5), (300, 37), (2, 5, 1), (4, 7, 9, 11), (2, 3, 200, 200)])
def test_scaled_channels(held, shape) -> None:
    centre, scale, shift = (numbers(shape[1], seed=seed) for seed in (1, 2, 3))
    held(normalization._scale_channels, numbers(*shape), centre, scale, shift, tolerance=2e-6)
    held(normalization._scale_channels, numbers(*shape[::-1]).T, centre, scale, shift, tolerance=2e-6)
    held(normalization._scale_channels, numbers(*shape), centre, scale, shift.repeat(2)[::2], accepts=False)


def test_what_is_declined(held) -> None:
    options = {"eps": 1e-5, "centred": True, "accepts": False}
    held(normalization._standardize, np.ones((3, 3)), None, None, dims=(1,), **options)
    held(normalization._standardize, numbers(0, 3), None, None, dims=(1,), **options)
    held(normalization._standardize, numbers(2, 3, 4), None, None, dims=(0, 1), **options)
    held(normalization._standardize, numbers(2, 3, 4), numbers(3, 1), None, dims=(0, 1), **options)
    held(normalization._standardize, numbers(2, 3, 4), numbers(4), None, dims=(1, 2), **options)
