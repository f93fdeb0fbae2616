"""The function behind MultiheadAttention."""

from __future__ import annotations

import math
from typing import Any

from facula import dtypes
from facula.ops.attention import attention_of_projection, scaled_dot_product_attention
from facula.ops.joining import cat
from facula.ops.matmul import linear
from facula.ops.random import dropout
from facula.tensor import Tensor


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return attended values (L, N, E) and weights (N, L, S) or (N, heads, L, S), from query, key and value.

    Without a batch, shapes lack N. Masks are boolean (True does not take part) or are added to the scores.
    """
    alone = query.dim() == 2
    if query.dim() not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {query.dim()}-D query tensor"
        )
    if is_causal and attn_mask is None:
        raise RuntimeError("Need attn_mask if specifying the is_causal hint.")
    if alone:
        query, key, value = (each.unsqueeze(1) for each in (query, key, value))
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    length, batch, width = query.shape
    if width != embed_dim_to_check:
        raise AssertionError(f"was expecting embedding dimension of {embed_dim_to_check}, but got {width}")
    head = width // num_heads
    if head * num_heads != width:
        raise AssertionError(f"embed_dim {width} not divisible by num_heads {num_heads}")
    if key.shape[:2] != value.shape[:2]:
        raise AssertionError(f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}")
    mask = _as_scores(attn_mask, query)
    padding = _as_scores(key_padding_mask, query)
    own = query is key is value and not use_separate_proj_weight and static_k is None and static_v is None
    projected = None
    if own and bias_k is None:
        # One product for all three.
        projected = _linear(query, in_proj_weight, in_proj_bias)
    elif use_separate_proj_weight:
        inputs, weights = (query, key, value), (q_proj_weight, k_proj_weight, v_proj_weight)
        query, key, value = map(_linear, inputs, weights, _cut(in_proj_bias, (width,) * 3))
    elif key is value and query is not key and static_k is None and static_v is None:
        weights, biases = (_cut(each, (width, 2 * width)) for each in (in_proj_weight, in_proj_bias))
        query = _linear(query, weights[0], biases[0])
        key, value = _linear(key, weights[1], biases[1]).chunk(2, -1)
    else:
        weights, biases = (_cut(each, (width,) * 3) for each in (in_proj_weight, in_proj_bias))
        query, key, value = map(_linear, (query, key, value), weights, biases)
    if bias_k is not None:
        key, value = cat([key, bias_k.repeat(1, batch, 1)]), cat([value, bias_v.repeat(1, batch, 1)])  # type: ignore[union-attr]  # there are both
        mask, padding = _one_more(mask), _one_more(padding)
    directly = projected is not None and not need_weights and not add_zero_attn
    if not directly:
        if projected is not None:
            query, key, value = projected.chunk(3, -1)
        query = _heads(query, num_heads)
        key, value = (
            _heads(each, num_heads) if given is None else given.unflatten(0, (batch, num_heads))
            for each, given in ((key, static_k), (value, static_v))
        )
    if add_zero_attn:
        zero = key.new_zeros((batch, num_heads, 1, head))
        key, value = cat([key, zero], 2), cat([value, zero], 2)
        mask, padding = _one_more(mask), _one_more(padding)
    sources = length if directly else key.shape[2]
    if mask is not None:
        if tuple(mask.shape) not in ((length, sources), (batch * num_heads, length, sources)):
            raise RuntimeError(
                f"The shape of the attn_mask is {list(mask.shape)}, but should be {(length, sources)} or "
                f"{(batch * num_heads, length, sources)}."
            )
        mask = mask if mask.dim() == 2 else mask.unflatten(0, (batch, num_heads))
    if padding is not None:
        if tuple(padding.shape) != (batch, sources):
            raise AssertionError(f"expecting key_padding_mask shape of {(batch, sources)}, but got {padding.shape}")
        spread = padding.reshape(batch, 1, 1, sources)
        mask = spread if mask is None else mask + spread
    if not training:
        dropout_p = 0.0
    attended = None
    if directly:
        attended = attention_of_projection(projected, num_heads, mask, dropout_p)  # type: ignore[arg-type]  # there is one
        if attended is None:
            query, key, value = (_heads(each, num_heads) for each in projected.chunk(3, -1))  # type: ignore[union-attr]
    if attended is None:
        if need_weights:
            scores = (query * math.sqrt(1.0 / head)) @ key.transpose(-2, -1)
            # The weights returned are those used, dropped ones included.
            shares = dropout((scores if mask is None else scores + mask).softmax(-1), dropout_p)
            attended = shares @ value
        else:
            attended = scaled_dot_product_attention(query, key, value, mask, dropout_p)
        attended = attended.permute(2, 0, 1, 3).reshape(length, batch, width)
    # Dropout after this draws its numbers in the order of memory, in which PyTorch has the sequences innermost.
    project = linear if dropout_p else _linear
    result = project(attended, out_proj_weight, out_proj_bias)
    if alone:
        result = result.squeeze(1)
    if not need_weights:
        return result, None
    if average_attn_weights:
        shares = shares.mean(1)
    return result, (shares.squeeze(0) if alone else shares)


def _linear(x: Tensor, weight: Any, bias: Tensor | None) -> Tensor:
    """Return ``linear`` of (L, N, E), where the batch is outermost in memory without a copy."""
    if x._array.strides[0] < x._array.strides[1]:
        return linear(x.transpose(0, 1), weight, bias).transpose(0, 1)
    return linear(x, weight, bias)


def _cut(parameter: Tensor | None, sizes: tuple[int, ...]) -> tuple[Any, ...]:
    """Return the parts of a joint weight or bias, of so many rows each; None for each where there is none."""
    return (None,) * len(sizes) if parameter is None else parameter.split(list(sizes))


def _heads(x: Tensor, count: int) -> Tensor:
    """Return (L, N, E) as heads (N, count, L, E / count)."""
    return x.unflatten(-1, (count, x.shape[-1] // count)).permute(1, 2, 0, 3)


def _as_scores(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """Return a mask as numbers to add to scores: minus infinity where a boolean mask is True."""
    if mask is None:
        return None
    if mask.dtype is dtypes.bool_:
        return like.new_zeros(mask.shape).masked_fill(mask, -math.inf)
    if not mask.is_floating_point():
        raise AssertionError("only bool and floating types of masks are supported")
    return mask


def _one_more(mask: Tensor | None) -> Tensor | None:
    """Return a mask with one more source, which takes part."""
    return None if mask is None else cat([mask, mask.new_zeros((*mask.shape[:-1], 1))], -1)
