"""Rows of attention."""

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


Q, K, V = numbers(1, 2, 3, 2), numbers(1, 2, 4, 2, seed=1), numbers(1, 2, 4, 3, seed=2)

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
]
