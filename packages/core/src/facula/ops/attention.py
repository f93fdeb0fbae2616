"""Scaled dot-product attention."""

import math

from facula.graph.modes import types_may_differ
from facula.ops.random import dropout
from facula.types import Tensor

__all__ = ["scaled_dot_product_attention"]


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
    scores = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        length, keys = query.shape[-2], key.shape[-2]
        seen = query.new_ones((length, keys)).bool().tril()
        scores = scores.masked_fill(~seen, -math.inf)
    elif attn_mask is not None:
        if attn_mask.dtype.name == "bool":
            scores = scores.masked_fill(~attn_mask, -math.inf)
            # Where nothing takes part the result is zero.
            weights = scores.softmax(-1).masked_fill(~attn_mask.any(-1, keepdim=True), 0.0)
            return dropout(weights, dropout_p) @ value
        scores = scores + attn_mask
    return dropout(scores.softmax(-1), dropout_p) @ value
