"""A layer and the batch normalisation after it as one layer, for evaluation."""

from __future__ import annotations

import copy
from typing import TypeVar

from facula.creation import ones_like, zeros_like
from facula.nn.modules.conv import _ConvNd
from facula.nn.modules.linear import Linear
from facula.nn.modules.normalization import _BatchNorm
from facula.nn.parameter import Parameter
from facula.tensor import Tensor

__all__ = ["fuse_conv_bn_eval", "fuse_conv_bn_weights", "fuse_linear_bn_eval", "fuse_linear_bn_weights"]

Conv = TypeVar("Conv", bound=_ConvNd)


def fuse_conv_bn_eval(conv: Conv, bn: _BatchNorm, transpose: bool = False) -> Conv:
    """Return a copy of a convolution that does what it and the normalisation after it do in evaluation.

    RuntimeError unless both are in evaluation mode.
    """
    if conv.training or bn.training:
        raise RuntimeError("Fusion only for eval!")
    fused = copy.deepcopy(conv)
    fused.weight, fused.bias = fuse_conv_bn_weights(
        *(fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias, transpose)  # type: ignore[arg-type]  # tracked
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> tuple[Parameter, Parameter]:
    """Return the weight and bias of the fused convolution."""
    scale, shift = _scale_and_shift(conv_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    shape = [1, -1] if transpose else [-1, 1]
    weight = conv_w * scale.reshape(shape + [1] * (conv_w.dim() - 2))
    return Parameter(weight.to(conv_w.dtype), conv_w.requires_grad), Parameter(shift, conv_w.requires_grad)


def fuse_linear_bn_eval(linear: Linear, bn: _BatchNorm) -> Linear:
    """Return a copy of a linear layer that does what it and the normalisation after it do in evaluation.

    RuntimeError unless both are in evaluation mode and normalise the layer's outputs.
    """
    if linear.training or bn.training:
        raise RuntimeError("Fusion only for eval!")
    if bn.num_features not in (1, linear.out_features):
        raise RuntimeError(f"expected a normalisation of 1 or {linear.out_features} features, got {bn.num_features}")
    fused = copy.deepcopy(linear)
    fused.weight, fused.bias = fuse_linear_bn_weights(
        *(fused.weight, fused.bias, bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias)  # type: ignore[arg-type]  # tracked
    )
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
) -> tuple[Parameter, Parameter]:
    """Return the weight and bias of the fused linear layer."""
    scale, shift = _scale_and_shift(linear_b, bn_rm, bn_rv, bn_eps, bn_w, bn_b)
    return (
        Parameter((linear_w * scale.unsqueeze(-1)).to(linear_w.dtype), linear_w.requires_grad),
        Parameter(shift, linear_w.requires_grad),
    )


def _scale_and_shift(
    bias: Tensor | None, mean: Tensor, variance: Tensor, eps: float, weight: Tensor | None, offset: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return by what each output is multiplied, and what is added to it."""
    bias = zeros_like(mean) if bias is None else bias
    weight = ones_like(mean) if weight is None else weight
    offset = zeros_like(mean) if offset is None else offset
    scale = weight * (variance + eps).rsqrt()
    return scale, (bias - mean) * scale + offset
