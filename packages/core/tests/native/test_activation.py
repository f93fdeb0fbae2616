"""Activation functions and their gradients."""

import numpy as np
import pytest
from facula.ops import activation, elementary

MAPS = [activation._relu, activation._gelu, activation._gelu_tanh, activation._silu]
MAPS += [elementary._tanh, elementary._erf, elementary._sigmoid]
PAIRS = [
    activation._relu_gradient,
    activation._gelu_gradient,
    activation._gelu_tanh_gradient,
    activation._silu_gradient,
]
PAIRS += [elementary._tanh_gradient, elementary._sigmoid_gradient]
MAPS += [activation._hardsigmoid, activation._hardswish]
PAIRS += [activation._hardsigmoid_gradient, activation._hardswish_gradient]
WITH_OPTIONS = [
    (activation._hardtanh, activation._hardtanh_gradient, {"low": -1, "high": 2.5}),
    (activation._leaky_relu, activation._leaky_relu_gradient, {"slope": 0.2}),
    (activation._elu, activation._elu_gradient, {"alpha": 1.3, "scale": 1.1, "rate": 0.7}),
    (activation._softplus, activation._softplus_gradient, {"beta": 1.5, "threshold": 3.0}),
]
SPECIAL = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 1e-40, -1e-40, 1e30, -1e30, 90, -90, 5, -5], np.float32)


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.asarray(3 * np.random.default_rng(seed).standard_normal(shape), np.float32)


@pytest.mark.parametrize("primitive", MAPS, ids=lambda each: each.name)
@pytest.mark.parametrize("shape", [(0,), (), (1,), (17,), (5, 7), (40_001,)])
def test_maps(held, primitive, shape) -> None:
    held(primitive, numbers(*shape))
    held(primitive, np.asfortranarray(numbers(*shape)))


@pytest.mark.parametrize("primitive", PAIRS, ids=lambda each: each.name)
@pytest.mark.parametrize("shape", [(0,), (), (1,), (17,), (5, 7), (40_001,)])
def test_gradients(held, primitive, shape) -> None:
    held(primitive, numbers(*shape), numbers(*shape, seed=1))
    held(primitive, numbers(*shape[::-1]).T, numbers(*shape[::-1], seed=1).T)


@pytest.mark.parametrize("primitive", [activation._relu, elementary._tanh, elementary._erf], ids=lambda each: each.name)
def test_special_numbers(held, primitive) -> None:
    held(primitive, SPECIAL)


@pytest.mark.parametrize(("primitive", "gradient", "options"), WITH_OPTIONS, ids=lambda each: getattr(each, "name", ""))
def test_options(held, primitive, gradient, options) -> None:
    for shape in [(0,), (), (17,), (40_001,)]:
        held(primitive, numbers(*shape), **options)
        held(gradient, numbers(*shape), numbers(*shape, seed=1), **options)
    with np.errstate(all="ignore"):
        held(primitive, SPECIAL, **options)
        held(gradient, np.ones_like(SPECIAL), SPECIAL, **options)
    held(primitive, np.ones(3), accepts=False, **options)


def test_softplus_and_elu_near_their_ends(held) -> None:
    held(activation._softplus, np.linspace(-100, 80, 4001, dtype=np.float32), beta=1.0, threshold=1000.0)
    small = np.linspace(-1e-3, 0, 1001, dtype=np.float32)
    if "native" in activation._elu.kernels:
        found = activation._elu._compute_on_cpu(small, alpha=1.0, scale=1.0, rate=1.0)
        np.testing.assert_allclose(found, np.expm1(small.astype(np.float64)), rtol=3e-7)


def test_special_numbers_of_gelu_sigmoid_and_silu(held) -> None:
    # The array code gives nan for -inf * 0 as PyTorch's does.
    finite = SPECIAL[np.abs(SPECIAL) < 1e20]
    for primitive in (activation._gelu, activation._silu, elementary._sigmoid):
        held(primitive, finite)
        assert np.isnan(primitive.kernels["native"](SPECIAL)[4])


@pytest.mark.parametrize("x", [1e-3, 0.1, 0.6, 0.63, 0.99, 1.01, 3.0, 8.0])
def test_relative_errors_are_small(x) -> None:
    values = np.linspace(x, 1.2 * x, 1001, dtype=np.float32)
    for primitive in (elementary._tanh, elementary._erf):
        if "native" in primitive.kernels:
            exact = primitive.forward(np, values.astype(np.float64))
            found = primitive._compute_on_cpu(values)
            np.testing.assert_allclose(found, exact, rtol=4e-7)


def test_what_is_declined(held) -> None:
    held(activation._gelu, np.ones(3), accepts=False)
    held(activation._gelu, numbers(4, 6)[:, ::2], accepts=False)
    held(activation._gelu_gradient, numbers(4, 6), numbers(6, 4).T, accepts=False)
