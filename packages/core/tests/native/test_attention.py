"""Scaled dot-product attention and its gradients."""

import math

import numpy as np
import pytest
from facula.ops import attention

SIZES = [
    ((), 1, 1, 1, 1),
    ((3,), 7, 5, 8, 8),
    ((2, 3), 65, 65, 64, 64),
    ((1, 2), 130, 257, 33, 17),
    ((5,), 300, 40, 16, 70),
]


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).standard_normal(shape).astype(np.float32)


def both(held, query, key, value, mask, causal, scale) -> None:
    out, logsumexp = held(attention._attention, query, key, value, mask, causal=causal, scale=scale, absolute=2e-5)
    g = numbers(*out.shape)
    inputs = (query, key, value, mask, g, out, logsumexp)
    held(attention._attention_gradient, *inputs, causal=causal, scale=scale, absolute=5e-5)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("heads", "length", "keys", "width", "value_width"), SIZES)
def test_sizes(held, heads, length, keys, width, value_width, causal) -> None:
    query, key, value = numbers(*heads, length, width), numbers(*heads, keys, width), numbers(*heads, keys, value_width)
    both(held, query, key, value, None, causal, width**-0.5)


@pytest.mark.parametrize("shape", [(40, 50), (2, 3, 40, 50), (2, 1, 1, 50), (3, 40, 1)])
def test_masks(held, shape) -> None:
    query, key, value = numbers(2, 3, 40, 16), numbers(2, 3, 50, 16), numbers(2, 3, 50, 24)
    both(held, query, key, value, numbers(*shape), False, 0.3)
    both(held, query, key, value, numbers(*shape) > 0.5, False, -0.3)
    nothing = np.zeros(shape, bool)
    both(held, query, key, value, nothing, False, 0.3)
    both(held, query, key, value, np.where(numbers(*shape) > 1, np.float32(-math.inf), np.float32(1)), False, 0.3)


def test_heads_beside_each_other_in_memory(held) -> None:
    """The layout of projections: (batch, length, heads, width) seen as (batch, heads, length, width)."""
    query, key, value = (numbers(2, 50, 3, 3 * 16)[..., i * 16 : i * 16 + 16].swapaxes(1, 2) for i in range(3))
    both(held, query, key, value, None, True, 0.25)
    turned = query.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    both(held, turned, key, value, None, False, 0.25)


def test_what_is_not_a_number_stays_in_its_row(held) -> None:
    query, key, value = numbers(20, 8), numbers(30, 8), numbers(30, 8)
    query[3, 2] = np.nan
    out, _ = held(attention._attention, query, key, value, None, causal=False, scale=1.0, absolute=2e-5)
    assert np.isnan(out[3]).all() and np.isfinite(np.delete(out, 3, 0)).all()


def test_other_types_are_declined(held) -> None:
    x = np.ones((3, 4))
    held(attention._attention, x, x, x, None, causal=False, scale=1.0, accepts=False)
