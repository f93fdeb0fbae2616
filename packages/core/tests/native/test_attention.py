"""Scaled dot-product attention and its gradients."""

import math

import facula
import numpy as np
import pytest
from facula.nn import multi_head
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


def both(held, query, key, value, mask, causal, scale, noise=None) -> np.ndarray:
    inputs = (query, key, value, mask, noise)
    out, logsumexp = held(attention._attention, *inputs, causal=causal, scale=scale, absolute=2e-5)
    g = numbers(*out.shape)
    held(attention._attention_gradient, *inputs, g, out, logsumexp, causal=causal, scale=scale, absolute=6e-5)
    return out


def noise_of(*shape: int) -> np.ndarray:
    return np.where(np.random.default_rng(0).random(shape) < 0.3, np.float32(0), np.float32(1 / 0.7))


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


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(("length", "keys"), [(1, 1), (1, 100), (2, 35), (4, 300)])
@pytest.mark.parametrize(("width", "value_width"), [(1, 1), (64, 64), (50, 130)])
def test_few_queries(held, length, keys, width, value_width, causal) -> None:
    """The step of a model that writes one token after the other."""
    query, key, value = numbers(3, length, width), numbers(3, keys, width), numbers(3, keys, value_width)
    both(held, query, key, value, None, causal, width**-0.5)
    beside = numbers(keys, 3, width).swapaxes(0, 1)
    both(held, query, beside, value, None if causal else numbers(keys) > 0, causal, -0.2, noise_of(3, length, keys))


def test_heads_beside_each_other_in_memory(held) -> None:
    """The layout of projections: (batch, length, heads, width) seen as (batch, heads, length, width)."""
    query, key, value = (numbers(2, 50, 3, 3 * 16)[..., i * 16 : i * 16 + 16].swapaxes(1, 2) for i in range(3))
    out = both(held, query, key, value, None, True, 0.25)
    assert out.swapaxes(1, 2).flags.c_contiguous
    outermost = [np.ascontiguousarray(each.transpose(2, 0, 1, 3)).transpose(1, 2, 0, 3) for each in (query, key, value)]
    out = both(held, *outermost, None, False, 0.25)
    assert out.transpose(2, 0, 1, 3).flags.c_contiguous
    turned = query.swapaxes(-1, -2).copy().swapaxes(-1, -2)
    both(held, turned, key, value, None, False, 0.25)


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("heads", [(4, 2), (6, 2), (5, 1)])
def test_heads_of_queries_that_share_keys(held, heads, causal) -> None:
    query, key, value = numbers(2, heads[0], 35, 16), numbers(2, heads[1], 41, 16), numbers(2, heads[1], 41, 20)
    both(held, query, key, value, None, causal, 0.25)
    both(held, query[0], key[0], value[0], None, causal, 0.25, noise_of(heads[0], 35, 41))


@pytest.mark.parametrize("mask", [None, (1, 3, 30, 50), (2, 1, 1, 50)])
@pytest.mark.parametrize("causal", [False, True])
def test_dropped_weights(held, mask, causal) -> None:
    query, key, value = numbers(2, 3, 30, 16), numbers(2, 3, 50, 16), numbers(2, 3, 50, 24)
    added = None if mask is None else numbers(*mask)
    if causal and mask is not None:
        return
    both(held, query, key, value, added, causal, 0.3, noise_of(2, 3, 30, 50))
    both(held, query, key, value, added, causal, -0.3, np.zeros((2, 3, 30, 50), np.float32))


@pytest.mark.parametrize(("length", "batch", "heads", "width"), [(1, 1, 1, 1), (20, 3, 2, 8), (130, 2, 4, 33)])
@pytest.mark.parametrize("batch_outermost", [False, True])
def test_queries_keys_and_values_computed_as_one(held, length, batch, heads, width, batch_outermost) -> None:
    projected = numbers(length, batch, 3 * heads * width)
    if batch_outermost:
        projected = np.ascontiguousarray(projected.swapaxes(0, 1)).swapaxes(0, 1)
    options = {"heads": heads, "scale": width**-0.5}
    for mask, noise in (
        (None, None),
        (numbers(length, length) > 0, noise_of(batch, heads, length, length)),
        (numbers(batch, 1, 1, length), None),
    ):
        out, logsumexp = held(attention._own_attention, projected, mask, noise, absolute=2e-5, **options)
        g = numbers(batch, length, heads * width).swapaxes(0, 1)
        inputs = (projected, mask, noise, g, out, logsumexp)
        slope = held(attention._own_attention_gradient, *inputs, absolute=5e-5, **options)
        if batch > 1 and length > 1:
            assert [each.strides[0] < each.strides[1] for each in (out, slope)] == [batch_outermost] * 2


def test_what_is_not_a_number_stays_in_its_row(held) -> None:
    query, key, value = numbers(20, 8), numbers(30, 8), numbers(30, 8)
    query[3, 2] = np.nan
    out, _ = held(attention._attention, query, key, value, None, None, causal=False, scale=1.0, absolute=2e-5)
    assert np.isnan(out[3]).all() and np.isfinite(np.delete(out, 3, 0)).all()


def test_other_types_are_declined(held) -> None:
    x = np.ones((3, 4))
    held(attention._attention, x, x, x, None, None, causal=False, scale=1.0, accepts=False)
    held(attention._own_attention, np.ones((2, 3, 6)), None, None, heads=1, scale=1.0, accepts=False)


@pytest.mark.parametrize("masks", [(), ("padding",), ("attention",), ("padding", "heads")])
@pytest.mark.parametrize("need_weights", [False, True])
@pytest.mark.parametrize(
    ("options", "own"),
    [
        ({}, True),
        ({"batch_first": True, "dropout": 0.3}, True),
        ({"bias": False, "add_zero_attn": True}, True),
        ({"batch_first": True, "dropout": 0.2}, False),
        ({"add_bias_kv": True}, False),
        ({"kdim": 10, "vdim": 6}, False),
    ],
)
def test_multi_head_attention_is_the_same_step_by_step(options, own, need_weights, masks, monkeypatch) -> None:
    facula.manual_seed(0)
    layer = facula.nn.MultiheadAttention(12, 3, **options)
    shapes = [(7, 2, 12)] * 3 if own else [(7, 2, 12), (5, 2, layer.kdim), (5, 2, layer.vdim)]
    inputs = [facula.randn(shape).requires_grad_() for shape in (shapes[:1] if own else shapes)]
    if not own and layer.kdim == 12:
        inputs.pop()  # keys are values
    given = [inputs[min(at, len(inputs) - 1)] for at in range(3)]
    length, keys = 7, shapes[1][0]
    kept = {"padding": facula.rand(2, keys) > 0.7, "attention": facula.randn(length, keys)}
    kept["heads"] = facula.rand(6, length, keys) > 0.8
    kept["padding"][:, 0] = kept["heads"][..., 0] = False  # something always takes part
    chosen = {
        "key_padding_mask": kept["padding"] if "padding" in masks else None,
        "attn_mask": next((kept[name] for name in ("attention", "heads") if name in masks), None),
    }

    def outcome() -> list:
        facula.manual_seed(1)
        sequences = [given[0]] * 3 if own else given
        if layer.batch_first:
            turned = given[0].transpose(0, 1).contiguous()
            other = given[1].transpose(0, 1).contiguous()
            sequences = [turned] * 3 if own else [turned, other, other]
        result, weights = layer(*sequences, need_weights=need_weights, **chosen)
        total = (result**2).sum() + (0 if weights is None else (weights**3).sum())
        leaves = [*inputs, *layer.parameters()]
        first = facula.autograd.grad(total, leaves, create_graph=True)
        second = facula.autograd.grad(sum((each**2).sum() for each in first), leaves)
        return [result, *([] if weights is None else [weights]), *first, *second]

    found = outcome()
    monkeypatch.setattr(multi_head, "attention_of_projection", lambda *_: None)
    monkeypatch.setattr(attention, "_is_usual", lambda *_: False)
    for one, other in zip(found, outcome(), strict=True):
        assert one.shape == other.shape
        assert one.isnan().equal(other.isnan())
        one, other = one.nan_to_num(), other.nan_to_num()
        assert (one - other).abs().max().item() <= 3e-5 * max(1.0, other.abs().max().item())
