"""Rows of attention."""

from typing import Any

import numpy as np
from scipy import special

from samples.sample import Sample, booleans, case, numbers


def attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    mask: np.ndarray | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> np.ndarray:
    """Return the values weighted by the softmax of query times key."""
    if enable_gqa:
        repeats = query.shape[-3] // key.shape[-3]
        key, value = np.repeat(key, repeats, -3), np.repeat(value, repeats, -3)
    scores = query @ key.swapaxes(-1, -2) * (query.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        mask = np.tri(*scores.shape[-2:], dtype=bool)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf) if mask.dtype == bool else scores + mask
    return special.softmax(scores, -1) @ value


def self_attention(x: np.ndarray, *arguments: Any, attn_mask: np.ndarray | None = None, **_: Any) -> np.ndarray:
    """Return what a sequence (L, N, E) attends to in itself, through the projections of a layer."""
    _, _, width, heads, weight, bias, *_, out_weight, out_bias = arguments
    projected = (x @ weight.T + bias).reshape(*x.shape[:2], 3, heads, -1).transpose(2, 1, 3, 0, 4)
    attended = attention(*projected, mask=attn_mask)
    return attended.transpose(2, 0, 1, 3).reshape(*x.shape[:2], width) @ out_weight.T + out_bias


Q, K, V = numbers(1, 2, 3, 2), numbers(1, 2, 4, 2, seed=1), numbers(1, 2, 4, 3, seed=2)
X = numbers(3, 2, 4, seed=3)
IN, OUT = (numbers(12, 4, seed=4), numbers(12, seed=5)), (numbers(4, 4, seed=7), numbers(4, seed=8))
LAYER = (X, X, X, 4, 2, *IN, None, None, False, 0.0, *OUT)

ROWS = [
    Sample(
        "nn.functional.scaled_dot_product_attention",
        [
            case(Q, K, V),
            case(Q, K, V, booleans(3, 4, seed=3) | np.eye(3, 4, dtype=bool)),
            case(Q, K, V, numbers(3, 4), scale=0.3),
            case(Q[0], K[0], V[0], is_causal=True),
            case(numbers(1, 4, 2, 2), K, V, enable_gqa=True),
            case(numbers(0, 2, 3, 2), numbers(0, 2, 4, 2), numbers(0, 2, 4, 3)),
        ],
        attention,
        slack=4,
    ),
    Sample(
        "nn.functional.multi_head_attention_forward",
        [case(*LAYER, need_weights=False), case(*LAYER, need_weights=False, attn_mask=numbers(3, 3, seed=6))],
        self_attention,
        slack=8,
        canonical=lambda attended, weights: attended,
        without={"dtype": "the weights, which were not asked for, are None"},
    ),
]
