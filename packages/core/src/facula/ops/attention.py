"""Scaled dot-product attention."""

import math
from typing import Any

import numpy as np

from facula import native
from facula.graph.modes import types_may_differ
from facula.ops.joining import stack
from facula.ops.random import dropout, dropout_noise
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["scaled_dot_product_attention"]


# The usual case is one operation forward and one backward. Beside the result it gives the logarithm of each row's sum of
# exponentials, from which the gradient computes the weights again: they are never kept. Heads of keys and values may be
# fewer than those of queries, of which several in turn then share one. Noise, 0 or the factor of what dropout keeps for
# each weight, is there where some are dropped.


@primitive(
    dtype=promote("query", "key", "value"),
    vjp={
        ("query", "key", "value"): lambda g, query, key, value, mask, noise, out, causal, scale: _slopes(
            g[0], query, key, value, mask, noise, out, causal, scale
        ),
    },
)
def _attention(xp, query, key, value, mask, noise, *, causal, scale):
    key, value = _for_each(xp, key, query), _for_each(xp, value, query)
    scores = _scores(xp, query, key, mask, causal, scale)
    most = scores.max(axis=-1, keepdims=True)
    weights = xp.exp(scores - xp.where(most == -math.inf, most.dtype.type(0), most))
    total = weights.sum(axis=-1, keepdims=True)
    # Where nothing takes part the result is zero.
    shares = weights if noise is None else weights * noise
    result = xp.matmul(shares, value) / xp.where(total == 0, total.dtype.type(1), total)
    logsumexp = most + xp.log(xp.where(total == 0, total.dtype.type(1), total))
    return result, xp.where(total == 0, total.dtype.type(math.inf), logsumexp)[..., 0]


def _scores(xp, query, key, mask, causal, scale):
    scores = xp.matmul(query, key.swapaxes(-1, -2)) * query.dtype.type(scale)
    if causal:
        seen = xp.tri(*scores.shape[-2:], dtype=bool)
        return xp.where(seen, scores, scores.dtype.type(-math.inf))
    if mask is None:
        return scores
    return xp.where(mask, scores, scores.dtype.type(-math.inf)) if mask.dtype == bool else scores + mask


def _groups(query: Any, key: Any) -> int:
    """Return how many heads of queries share one of keys."""
    return 1 if query.ndim < 3 else int(query.shape[-3] // key.shape[-3])


def _for_each(xp, x, query):
    """Return keys or values for each head of queries."""
    groups = _groups(query, x)
    return x if groups == 1 else xp.repeat(x, groups, axis=-3)


@_attention.kernel("native")
def _attention_native(query, key, value, mask, noise, *, causal, scale):
    if query.dtype != np.float32:
        return NotImplemented
    out = _placed_as(query, (*query.shape[:-1], value.shape[-1]))
    mask, noise = _spread(mask, query, key), None if noise is None else np.ascontiguousarray(noise)
    logsumexp = native.kernels.attention(query, key, value, mask, noise, causal, float(scale), out)
    return NotImplemented if logsumexp is NotImplemented else (out, logsumexp)


def _spread(mask: np.ndarray | None, query: np.ndarray, key: np.ndarray) -> np.ndarray | None:
    """Return a mask in the shape of the scores."""
    return None if mask is None else np.broadcast_to(mask, (*query.shape[:-1], key.shape[-2]))


def _placed_as(x: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return an array for results of a shape, in which heads lie beside or below each other in memory as in ``x``.

    Projections have them beside each other, and what follows then needs no copy.
    """
    if x.ndim < 3 or not abs(x.strides[-3]) < abs(x.strides[-2]):
        return np.empty(shape, x.dtype)
    *outer, heads, length, width = shape
    if len(outer) == 1 and x.strides[0] < x.strides[2]:
        return np.empty((length, *outer, heads, width), x.dtype).transpose(1, 2, 0, 3)
    return np.empty((*outer, length, heads, width), x.dtype).swapaxes(-3, -2)


@primitive(dtype=promote("query", "key", "value", "g", "out", "logsumexp"))
def _attention_gradient(xp, query, key, value, mask, noise, g, out, logsumexp, *, causal, scale):
    """Return the gradients for query, key and value."""
    groups, fewer = _groups(query, key), key.shape
    key, value = _for_each(xp, key, query), _for_each(xp, value, query)
    weights = xp.exp(_scores(xp, query, key, mask, causal, scale) - logsumexp[..., None])
    along = (g * out).sum(axis=-1, keepdims=True)
    spread = xp.matmul(g, value.swapaxes(-1, -2))
    spread, shares = (spread, weights) if noise is None else (spread * noise, weights * noise)
    slopes = weights * (spread - along) * query.dtype.type(scale)
    for_key, for_value = xp.matmul(slopes.swapaxes(-1, -2), query), xp.matmul(shares.swapaxes(-1, -2), g)
    if groups > 1:
        apart = (*fewer[:-2], groups)
        for_key, for_value = (each.reshape(*apart, *each.shape[-2:]).sum(-3) for each in (for_key, for_value))
    return xp.matmul(slopes, key), for_key, for_value


@_attention_gradient.kernel("native")
def _attention_gradient_native(query, key, value, mask, noise, g, out, logsumexp, *, causal, scale):
    if query.dtype != np.float32:
        return NotImplemented
    results = tuple(_placed_as(each, each.shape) for each in (query, key, value))
    mask, noise = _spread(mask, query, key), None if noise is None else np.ascontiguousarray(noise)
    done = native.kernels.attention_gradient(
        query, key, value, mask, noise, causal, float(scale), g, out, logsumexp, *results
    )
    return NotImplemented if done is NotImplemented else results


def _slopes(
    g: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    noise: Tensor | None,
    out: tuple[Any, ...],
    causal: bool,
    scale: float,
) -> Any:
    """Return the gradients for query, key and value: from these alone where they are differentiated in turn."""
    if not any(each.requires_grad for each in (g, query, key, value)):
        return _attention_gradient(query, key, value, mask, noise, g, *out, causal=causal, scale=scale)
    groups = _groups(query._array, key._array)
    fewer = key.shape
    if groups > 1:
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    weights = _weights((query * scale) @ key.transpose(-2, -1), mask, causal)
    spread = g @ value.transpose(-2, -1)
    spread, shares = (spread, weights) if noise is None else (spread * noise, weights * noise)
    slopes = weights * (spread - (spread * weights).sum(-1, keepdim=True)) * scale
    for_key, for_value = slopes.transpose(-2, -1) @ query, shares.transpose(-2, -1) @ g
    if groups > 1:
        for_key = for_key.unflatten(-3, (fewer[-3], groups)).sum(-3)
        for_value = for_value.unflatten(-3, (fewer[-3], groups)).sum(-3)
    return slopes @ key, for_key, for_value


def _weights(scores: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Return the shares of the values; of a row where nothing takes part they are zero."""
    if causal:
        seen = scores.new_ones(scores.shape[-2:]).bool().tril()
        return scores.masked_fill(~seen, -math.inf).softmax(-1)
    if mask is None:
        return scores.softmax(-1)
    scores = scores.masked_fill(~mask, -math.inf) if mask.dtype.name == "bool" else scores + mask
    return scores.softmax(-1).masked_fill((scores == -math.inf).all(-1, keepdim=True), 0.0)


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Return ``softmax(query @ key.mT * scale + mask) @ value``; query (…, L, E), key (…, S, E), value (…, S, Ev).

    ``attn_mask`` is added to the scores, or, when boolean, says what takes part. ``is_causal`` lets position i see
    keys up to i. ``enable_gqa`` repeats key and value heads for grouped queries. Vaswani et al. 2017, arXiv 1706.03762.
    """
    if min(query.dim(), key.dim(), value.dim()) < 2:
        dims = (query.dim(), key.dim(), value.dim())
        raise ValueError(f"query, key and value must have at least 2 dimensions, got {dims}")
    if not query.dtype == key.dtype == value.dtype and not types_may_differ():
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    if is_causal and attn_mask is not None:
        raise RuntimeError("_scaled_dot_product_attention: Explicit attn_mask should not be set when is_causal=True")
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    if _is_usual(query, key, value, attn_mask, enable_gqa):
        noise = dropout_noise(query, (*query.shape[:-1], key.shape[-2]), dropout_p)
        return _attention(query, key, value, attn_mask, noise, causal=is_causal, scale=factor)[0]
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    weights = _weights((query * factor) @ key.transpose(-2, -1), attn_mask, is_causal)
    return dropout(weights, dropout_p) @ value


def _is_usual(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, enable_gqa: bool) -> bool:
    """Return whether the operation takes it: as many heads, or a multiple if allowed, and a mask that is no parameter.

    Under autocast the products by themselves are computed in the narrow type, which the whole is not.
    """
    left, middle, right = query._array.shape, key._array.shape, value._array.shape
    if types_may_differ() or middle[:-2] != right[:-2] or 0 in (*left, *middle, *right):
        return False
    if left[:-2] != middle[:-2] and (
        not enable_gqa or len(left) < 3 or left[:-3] != middle[:-3] or left[-3] % middle[-3]
    ):
        return False
    if left[-1] != middle[-1] or middle[-2] != right[-2]:
        return False
    return mask is None or (_spreads_to(mask, (*left[:-1], middle[-2])) and _is_plain_mask(mask, query))


def _spreads_to(mask: Tensor, whole: tuple[int, ...]) -> bool:
    shape = mask._array.shape
    return len(shape) <= len(whole) and all(
        have in (1, want) for have, want in zip(reversed(shape), reversed(whole), strict=False)
    )


def _is_plain_mask(mask: Tensor, query: Tensor) -> bool:
    return not mask.requires_grad and (mask.dtype.name == "bool" or mask.dtype == query.dtype)


# Queries, keys and values that were computed as one, (L, N, 3 E): these are looked at as heads where they lie, and so
# are their gradients.


@primitive(
    dtype=promote("projected"),
    vjp={
        "projected": lambda g, projected, mask, noise, out, heads, scale: _own_slopes(
            g[0], projected, mask, noise, out, heads, scale
        )
    },
)
def _own_attention(xp, projected, mask, noise, *, heads, scale):
    """Return what is attended to, (L, N, E), and what `_attention` returns beside it, (N, heads, L)."""
    query, key, value = _heads_of(projected, heads)
    result, logsumexp = _attention.forward(xp, query, key, value, mask, noise, causal=False, scale=scale)
    return result.transpose(2, 0, 1, 3).reshape(*projected.shape[:2], -1), logsumexp


def _heads_of(projected: Any, heads: int) -> Any:
    """Return queries, keys and values (N, heads, L, E / heads) as views."""
    length, batch, width = projected.shape
    apart = projected.reshape(length, batch, 3, heads, width // (3 * heads))
    return apart.transpose(2, 1, 3, 0, 4)


@_own_attention.kernel("native")
def _own_attention_native(projected, mask, noise, *, heads, scale):
    if projected.dtype != np.float32:
        return NotImplemented
    query, key, value = _heads_of(projected, heads)
    out = _like_in_memory(projected, projected.shape[2] // 3)
    apart = out.reshape(*out.shape[:2], heads, -1).transpose(1, 2, 0, 3)
    mask, noise = _spread(mask, query, key), None if noise is None else np.ascontiguousarray(noise)
    logsumexp = native.kernels.attention(query, key, value, mask, noise, False, float(scale), apart)
    return NotImplemented if logsumexp is NotImplemented else (out, logsumexp)


def _like_in_memory(projected: np.ndarray, width: int) -> np.ndarray:
    """Return an array (L, N, width) for results, with the batch outermost in memory where it is in ``projected``."""
    length, batch, _ = projected.shape
    if projected.strides[1] > projected.strides[0]:
        return np.empty((batch, length, width), projected.dtype).swapaxes(0, 1)
    return np.empty((length, batch, width), projected.dtype)


@primitive(dtype=promote("projected", "g", "out", "logsumexp"))
def _own_attention_gradient(xp, projected, mask, noise, g, out, logsumexp, *, heads, scale):
    """Return the gradient for the projection."""
    query, key, value = _heads_of(projected, heads)
    g, out = (each.reshape(*each.shape[:2], heads, -1).transpose(1, 2, 0, 3) for each in (g, out))
    inputs = (query, key, value, mask, noise, g, out, logsumexp)
    slopes = xp.stack(_attention_gradient.forward(xp, *inputs, causal=False, scale=scale))
    return slopes.transpose(3, 1, 0, 2, 4).reshape(projected.shape)


@_own_attention_gradient.kernel("native")
def _own_attention_gradient_native(projected, mask, noise, g, out, logsumexp, *, heads, scale):
    if projected.dtype != np.float32:
        return NotImplemented
    query, key, value = _heads_of(projected, heads)
    g, out = (each.reshape(*each.shape[:2], heads, -1).transpose(1, 2, 0, 3) for each in (g, out))
    result = _like_in_memory(projected, projected.shape[2])
    slopes = _heads_of(result, heads)
    mask, noise = _spread(mask, query, key), None if noise is None else np.ascontiguousarray(noise)
    done = native.kernels.attention_gradient(
        query, key, value, mask, noise, False, float(scale), g, out, logsumexp, *slopes
    )
    return NotImplemented if done is NotImplemented else result


def _own_slopes(
    g: Tensor,
    projected: Tensor,
    mask: Tensor | None,
    noise: Tensor | None,
    out: tuple[Any, ...],
    heads: int,
    scale: float,
) -> Tensor:
    if not (g.requires_grad or projected.requires_grad):
        return _own_attention_gradient(projected, mask, noise, g, *out, heads=heads, scale=scale)
    length, batch, width = projected.shape
    query, key, value = projected.reshape(length, batch, 3, heads, -1).permute(2, 1, 3, 0, 4).unbind(0)
    received = g.reshape(length, batch, heads, -1).permute(1, 2, 0, 3)
    slopes = _slopes(received, query, key, value, mask, noise, out, False, scale)
    return stack(slopes, 0).permute(3, 1, 0, 2, 4).reshape(length, batch, width)


def attention_of_projection(projected: Tensor, heads: int, mask: Tensor | None, dropout_p: float) -> Tensor | None:
    """Return what is attended to, (L, N, E), by heads that lie beside each other in (L, N, 3 E); None where it cannot.

    ``mask`` is what is added to scores, of a shape that broadcasts to (N, heads, L, L).
    """
    length, batch, width = projected._array.shape
    if types_may_differ() or 0 in projected._array.shape:
        return None
    if mask is not None and not _is_plain_mask(mask, projected):
        return None
    noise = dropout_noise(projected, (batch, heads, length, length), dropout_p)
    scale = math.sqrt(3 * heads / width)
    return _own_attention(projected, mask, noise, heads=heads, scale=scale)[0]
