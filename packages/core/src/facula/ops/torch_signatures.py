"""Functions with the argument order PyTorch has them in under ``torch`` itself, where ``nn.functional`` has another.

Reductions are numbers here: 0 for none, 1 for the mean, 2 for the sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facula.methods import inplace
from facula.ops import convolution as convolutions
from facula.ops import ctc, loss, margin_loss, normalization, pooling, random
from facula.ops import embedding as tables
from facula.ops import padding as padding_family
from facula.rng import Generator
from facula.tensor_base import wrap
from facula.types import Number, Tensor

__all__ = [
    "adaptive_max_pool1d",
    "alpha_dropout",
    "alpha_dropout_",
    "batch_norm",
    "binary_cross_entropy_with_logits",
    "constant_pad_nd",
    "convolution",
    "cosine_embedding_loss",
    "ctc_loss",
    "dropout",
    "dropout_",
    "embedding",
    "embedding_bag",
    "embedding_renorm_",
    "feature_alpha_dropout",
    "feature_alpha_dropout_",
    "feature_dropout",
    "feature_dropout_",
    "group_norm",
    "hinge_embedding_loss",
    "instance_norm",
    "kl_div",
    "layer_norm",
    "margin_ranking_loss",
    "max_pool1d",
    "max_pool1d_with_indices",
    "max_pool2d",
    "max_pool3d",
    "norm_except_dim",
    "poisson_nll_loss",
    "rrelu",
    "rrelu_",
    "triplet_margin_loss",
]

Size = int | Sequence[int]

_REDUCTIONS = ("none", "mean", "sum")


def _reduction(number: int) -> str:
    if number not in (0, 1, 2):
        raise ValueError(f"reduction must be 0 (none), 1 (mean) or 2 (sum), got {number}")
    return _REDUCTIONS[number]


# Losses.


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None, reduction: int = 1
) -> Tensor:
    """Return the cross-entropy between sigmoid(input) and targets."""
    return loss.binary_cross_entropy_with_logits(
        input, target, weight, reduction=_reduction(reduction), pos_weight=pos_weight
    )


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """Return ``1 - cos`` of alike pairs and ``max(0, cos - margin)`` of others."""
    return margin_loss.cosine_embedding_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Tensor | Sequence[int],
    target_lengths: Tensor | Sequence[int],
    blank: int = 0,
    reduction: int = 1,
    zero_infinity: bool = False,
) -> Tensor:
    """Return the negative log-likelihood of label sequences that are not aligned with their inputs."""
    return ctc.ctc_loss(log_probs, targets, input_lengths, target_lengths, blank, _reduction(reduction), zero_infinity)


def hinge_embedding_loss(input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 1) -> Tensor:
    """Return ``input`` where the target is 1 and ``max(0, margin - input)`` where it is -1."""
    return margin_loss.hinge_embedding_loss(input, target, margin, reduction=_reduction(reduction))


def kl_div(input: Tensor, target: Tensor, reduction: int = 1, *, log_target: bool = False) -> Tensor:
    """Return the Kullback-Leibler divergence of ``target`` from the distribution whose logarithm is ``input``."""
    each = loss.kl_div(input, target, reduction="none", log_target=log_target)
    return each if reduction == 0 else each.mean() if _reduction(reduction) == "mean" else each.sum()


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 1
) -> Tensor:
    """Return ``max(0, -target * (input1 - input2) + margin)``."""
    return margin_loss.margin_ranking_loss(input1, input2, target, margin, reduction=_reduction(reduction))


def poisson_nll_loss(input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int) -> Tensor:
    """Return the negative log-likelihood of Poisson counts."""
    return loss.poisson_nll_loss(input, target, log_input, full, eps=eps, reduction=_reduction(reduction))


def triplet_margin_loss(
    anchor: Tensor,
    positive: Tensor,
    negative: Tensor,
    margin: float = 1.0,
    p: float = 2.0,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: int = 1,
) -> Tensor:
    """Return ``max(0, |anchor - positive| - |anchor - negative| + margin)`` in the p-norm."""
    return margin_loss.triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_reduction(reduction)
    )


# Pools, convolution, padding.


def adaptive_max_pool1d(input: Tensor, output_size: Size) -> tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows, and their indices."""
    return pooling.adaptive_max_pool1d_with_indices(input, output_size)


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size = (),
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the largest element of each window of (N, C, L)."""
    return pooling.max_pool1d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool1d_with_indices(
    input: Tensor,
    kernel_size: Size,
    stride: Size = (),
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the largest element of each window of (N, C, L), and its index."""
    return pooling.max_pool1d_with_indices(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size = (),
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the largest element of each window of (N, C, H, W)."""
    return pooling.max_pool2d(input, kernel_size, stride, padding, dilation, ceil_mode)


def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size = (),
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
) -> Tensor:
    """Return the largest element of each window of (N, C, D, H, W)."""
    return pooling.max_pool3d(input, kernel_size, stride, padding, dilation, ceil_mode)


def constant_pad_nd(input: Tensor, pad: Sequence[int], value: Number = 0) -> Tensor:
    """Return ``input`` padded with a constant, (before, after) for its last dimension, then the one before it, …"""
    return padding_family.pad(input, pad, "constant", value)  # type: ignore[arg-type]  # complex too


def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Return the convolution, or the transposed one, in as many dimensions as ``stride`` has numbers."""
    rank = weight.dim() - 2
    if rank not in (1, 2, 3):
        raise RuntimeError(f"expected a weight of 3 to 5 dimensions, but got one of size {list(weight.shape)}")
    plain = (convolutions.conv1d, convolutions.conv2d, convolutions.conv3d)[rank - 1]
    turned = (convolutions.conv_transpose1d, convolutions.conv_transpose2d, convolutions.conv_transpose3d)[rank - 1]
    if transposed:
        return turned(input, weight, bias, stride, padding, output_padding, groups, dilation)
    return plain(input, weight, bias, stride, padding, dilation, groups)


# Norms.


def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return ``input`` (N, C, …) normalised for each channel."""
    return normalization.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)


def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool,
) -> Tensor:
    """Return ``input`` (N, C, …) normalised for each channel of each sample."""
    return normalization.instance_norm(input, running_mean, running_var, weight, bias, use_input_stats, momentum, eps)


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """Return ``input`` with mean 0 and variance 1 over its last dimensions, scaled and shifted."""
    return normalization.layer_norm(input, normalized_shape, weight, bias, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """Return ``input`` (N, C, …) normalised over each of ``num_groups`` groups of channels."""
    return normalization.group_norm(input, num_groups, weight, bias, eps)


def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """Return the p-norms of ``v`` over all dimensions but ``dim``, kept with length 1; over all of them for -1."""
    if dim == -1:
        return v.norm(pow)
    others = [at for at in range(v.dim()) if at != dim % v.dim()]
    return v.norm(pow, others, keepdim=True) if others else v.abs()


# Tables.


def embedding(
    weight: Tensor, indices: Tensor, padding_idx: int = -1, scale_grad_by_freq: bool = False, sparse: bool = False
) -> Tensor:
    """Return the rows of ``weight`` at ``indices``; the row ``padding_idx`` gets no gradient, -1 being none."""
    kept = None if padding_idx == -1 else padding_idx
    return tables.embedding(indices, weight, kept, scale_grad_by_freq=scale_grad_by_freq, sparse=sparse)


def embedding_renorm_(input: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> Tensor:
    """Limit the norms of the rows at ``indices``, in place, and return ``input``."""
    tables._limit_norms(indices, input, max_norm, norm_type)
    return input


def embedding_bag(
    weight: Tensor,
    indices: Tensor,
    offsets: Tensor,
    scale_grad_by_freq: bool = False,
    mode: int = 0,
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the sum (0), mean (1) or maximum (2) of the rows of each bag, the bag of each index, and the bags' sizes.

    The last result is, for the maximum, the index each one came from; else the sizes again.
    """
    if mode not in (0, 1, 2):
        raise ValueError(f"mode must be 0 (sum), 1 (mean) or 2 (max), got {mode}")
    result = tables.embedding_bag(
        indices,
        weight,
        offsets,
        scale_grad_by_freq=scale_grad_by_freq,
        mode=("sum", "mean", "max")[mode],
        sparse=sparse,
        per_sample_weights=per_sample_weights,
        include_last_offset=include_last_offset,
        padding_idx=padding_idx,
    )
    starts = offsets[:-1] if include_last_offset else offsets
    ends = wrap(np.append(starts._array[1:], indices.numel()).astype(np.int64))
    sizes = ends - starts
    bags = wrap(np.repeat(np.arange(len(starts)), sizes._array))
    if mode != 2:
        return result, bags, sizes, sizes.clone()
    rows = weight.detach()[indices]
    hits = rows == result.detach()[bags]
    places = indices.unsqueeze(1).expand(rows.shape).where(hits, -1)
    index = bags.unsqueeze(1).expand(rows.shape)
    winners = places.new_zeros(result.shape).scatter_reduce(0, index, places, "amax", include_self=False)
    return result, bags, sizes, winners


# Dropout: ``train`` has no default here.


def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return ``input`` with elements set to zero with probability ``p``, the others scaled."""
    return random.dropout(input, p, train)


def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return ``input`` with dropout that keeps mean and variance after SELU."""
    return random.alpha_dropout(input, p, train)


def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return ``input`` (N, C, …) with whole channels set to zero."""
    return random.feature_dropout(input, p, train)


def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Return ``input`` (N, C, …) with alpha dropout of whole channels."""
    return random.feature_alpha_dropout(input, p, train)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    generator: Generator | None = None,
) -> Tensor:
    """Return ``input`` where positive, else times a slope drawn from [lower, upper), or its mean outside training."""
    return random._leaky(input, lower, upper, training, generator)


dropout_ = inplace(dropout)
alpha_dropout_ = inplace(alpha_dropout)
feature_dropout_ = inplace(feature_dropout)
feature_alpha_dropout_ = inplace(feature_alpha_dropout)
rrelu_ = inplace(rrelu)
