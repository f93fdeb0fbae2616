"""Scaled dot-product attention."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import native
from facula.graph.modes import types_may_differ
from facula.ops.random import dropout
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["scaled_dot_product_attention"]


# The usual case is one operation forward and one backward. Beside the result it gives the logarithm of each row's sum of
# exponentials, from which the gradient computes the weights again: they are never kept.


@primitive(
    dtype=promote("query", "key", "value"),
    vjp={
        ("query", "key", "value"): lambda g, query, key, value, mask, out, causal, scale: _slopes(
            g[0], query, key, value, mask, out, causal, scale
        ),
    },
)
def _attention(xp, query, key, value, mask, *, causal, scale):
    scores = _scores(xp, query, key, mask, causal, scale)
    most = scores.max(axis=-1, keepdims=True)
    weights = xp.exp(scores - xp.where(most == -math.inf, most.dtype.type(0), most))
    total = weights.sum(axis=-1, keepdims=True)
    # Where nothing takes part the result is zero.
    result = xp.matmul(weights, value) / xp.where(total == 0, total.dtype.type(1), total)
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


@_attention.kernel("native")
def _attention_native(query, key, value, mask, *, causal, scale):
    return native.kernels.attention(query, key, value, _spread(mask, query, key), causal, float(scale))


def _spread(mask: np.ndarray | None, query: np.ndarray, key: np.ndarray) -> np.ndarray | None:
    """Return a mask in the shape of the scores."""
    return None if mask is None else np.broadcast_to(mask, (*query.shape[:-1], key.shape[-2]))


@primitive(dtype=promote("query", "key", "value", "g", "out", "logsumexp"))
def _attention_gradient(xp, query, key, value, mask, g, out, logsumexp, *, causal, scale):
    """Return the gradients for query, key and value."""
    weights = xp.exp(_scores(xp, query, key, mask, causal, scale) - logsumexp[..., None])
    along = (g * out).sum(axis=-1, keepdims=True)
    slopes = weights * (xp.matmul(g, value.swapaxes(-1, -2)) - along) * query.dtype.type(scale)
    turned = slopes.swapaxes(-1, -2)
    return xp.matmul(slopes, key), xp.matmul(turned, query), xp.matmul(weights.swapaxes(-1, -2), g)


@_attention_gradient.kernel("native")
def _attention_gradient_native(query, key, value, mask, g, out, logsumexp, *, causal, scale):
    spread = _spread(mask, query, key)
    return native.kernels.attention_gradient(query, key, value, spread, causal, float(scale), g, out, logsumexp)


def _slopes(
    g: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    mask: Tensor | None,
    out: tuple[Any, ...],
    causal: bool,
    scale: float,
) -> Any:
    """Return the gradients for query, key and value: from these alone where they are differentiated in turn."""
    if not any(each.requires_grad for each in (g, query, key, value)):
        return _attention_gradient(query, key, value, mask, g, *out, causal=causal, scale=scale)
    weights = _weights((query * scale) @ key.transpose(-2, -1), mask, causal)
    spread = g @ value.transpose(-2, -1)
    slopes = weights * (spread - (spread * weights).sum(-1, keepdim=True)) * scale
    return slopes @ key, slopes.transpose(-2, -1) @ query, weights.transpose(-2, -1) @ g


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
    if enable_gqa:
        groups = query.shape[-3] // key.shape[-3]
        key, value = key.repeat_interleave(groups, -3), value.repeat_interleave(groups, -3)
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    if _is_usual(query, key, value, attn_mask, dropout_p):
        return _attention(query, key, value, attn_mask, causal=is_causal, scale=factor)[0]
    weights = _weights((query * factor) @ key.transpose(-2, -1), attn_mask, is_causal)
    return dropout(weights, dropout_p) @ value


def _is_usual(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout_p: float) -> bool:
    """Return whether the operation takes it: heads of the same number, no dropout, a mask that is no parameter.

    Under autocast the products by themselves are computed in the narrow type, which the whole is not.
    """
    left, middle, right = query._array.shape, key._array.shape, value._array.shape
    if dropout_p or types_may_differ() or not left[:-2] == middle[:-2] == right[:-2] or 0 in (*left, *middle, *right):
        return False
    if left[-1] != middle[-1] or middle[-2] != right[-2]:
        return False
    if mask is None:
        return True
    whole = (*left[:-1], middle[-2])
    fits = len(mask.shape) <= len(whole) and all(
        have in (1, want) for have, want in zip(reversed(mask.shape), reversed(whole), strict=False)
    )
    return fits and not mask.requires_grad and (mask.dtype.name == "bool" or mask.dtype == query.dtype)


# Queries, keys and values that were computed as one, (L, N, 3 E), in the form of heads, (N heads, L, E / heads).


@primitive(vjp={"x": lambda g, x_shape, heads: _join_heads(*_all_three(g), batch=x_shape[1])})
def _split_heads(xp, x, *, heads):
    length, batch, width = x.shape
    apart = x.reshape(length, batch, 3, heads, width // (3 * heads)).transpose(2, 1, 3, 0, 4)
    return tuple(apart.reshape(3, batch * heads, length, -1))


@primitive(
    dtype=promote,
    vjp={("query", "key", "value"): lambda g, query_shape, batch: _split_heads(g, heads=query_shape[0] // batch)},
)
def _join_heads(xp, query, key, value, *, batch):
    count, length, width = query.shape
    together = xp.stack([query, key, value]).reshape(3, batch, count // batch, length, width)
    return together.transpose(3, 1, 0, 2, 4).reshape(length, batch, -1)


def _all_three(g: Sequence[Tensor | None]) -> list[Tensor]:
    there = next(each for each in g if each is not None)
    return [there.new_zeros(there.shape) if each is None else each for each in g]


def split_heads(x: Tensor, heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return queries, keys and values (N * heads, L, E / heads), from those of all heads as one (L, N, 3 E)."""
    query, key, value = _split_heads(x, heads=heads)
    return query, key, value
