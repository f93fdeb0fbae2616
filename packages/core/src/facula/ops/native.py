"""Norms, dropout and softmax with what their gradients need, and these gradients: PyTorch's ``native_`` functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import dtypes
from facula.dtypes import dtype as DType
from facula.ops import interpolation, normalization, random, softmax
from facula.primitive import primitive, write_out
from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = [
    "max_pool2d_with_indices_backward",
    "native_batch_norm",
    "native_channel_shuffle",
    "native_dropout",
    "native_dropout_backward",
    "native_group_norm",
    "native_layer_norm",
    "native_norm",
]

Norm = tuple[Tensor, Tensor, Tensor]
Size = int | Sequence[int]


@primitive(vjp={"source": lambda g: None})
def _without_gradient(xp, x, source):
    return x


def without_gradient(x: Tensor, source: Tensor) -> Tensor:
    """Return ``x`` as a result of ``source`` that requires grad where it does, but passes none on, as PyTorch has it."""
    return _without_gradient(x, source)


def native_layer_norm(
    input: Tensor, normalized_shape: Sequence[int], weight: Tensor | None, bias: Tensor | None, eps: float
) -> Norm:
    """Return the layer norm, the means, and the reciprocal standard deviations; the last two have no gradient."""
    result = normalization.layer_norm(input, normalized_shape, weight, bias, eps)
    dims = tuple(range(input.dim() - len(tuple(normalized_shape)), input.dim()))
    return result, *_statistics(input.detach(), dims, eps, keepdim=True)


def native_group_norm(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, N: int, C: int, HxW: int, group: int, eps: float
) -> Norm:
    """Return the group norm of (N, C, …), and the means and reciprocal standard deviations (N, groups)."""
    result = normalization.group_norm(input, group, weight, bias, eps)
    groups = input.reshape(N, group, C // group * HxW)
    return result, *_statistics(groups, (2,), eps, keepdim=False)


def _statistics(x: Tensor, dims: tuple[int, ...], eps: float, keepdim: bool) -> tuple[Tensor, Tensor]:
    # Statistics of low-precision numbers are kept in float32.
    x = x.float() if x.dtype in (dtypes.float16, dtypes.bfloat16) else x
    mean = x.mean(dims, keepdim=True)
    variance = ((x - mean) * (x - mean)).mean(dims, keepdim=True)
    rate = (variance + eps).rsqrt()
    return (mean, rate) if keepdim else (mean.squeeze(dims), rate.squeeze(dims))


def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    *,
    out: Sequence[Tensor] | None = None,
) -> Norm:
    """Return the batch norm of (N, C, …), and the means and reciprocal standard deviations of the batch.

    Without ``training`` the last two are empty.
    """
    result = normalization.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    if training:
        found = result, *_statistics(input.detach(), (0, *range(2, input.dim())), eps, keepdim=False)
    else:
        found = result, input.detach().new_zeros(0), input.detach().new_zeros(0)
    if out is None:
        return found
    names = ("out", "save_mean", "save_invstd")
    normalized, mean, deviation = (
        write_out(each, target, name) for each, target, name in zip(found, out, names, strict=True)
    )
    return normalized, mean, deviation


def _native_batch_norm_legit(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | bool | None,
    running_var: Tensor | float | None,
    training: bool | float,
    momentum: float | None = None,
    eps: float | None = None,
    *,
    out: Sequence[Tensor] | None = None,
) -> Norm:
    """Return the same as `native_batch_norm`; the running statistics may be left out."""
    if momentum is None or eps is None:
        training, momentum, eps = running_mean, running_var, training  # type: ignore[assignment]  # one to the left
        running_mean = running_var = None
    return native_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, out=out)  # type: ignore[arg-type]


def _batch_norm_with_update(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor,
    running_var: Tensor,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the same as `native_batch_norm` in training, and an empty tensor where other devices keep theirs."""
    found = native_batch_norm(input, weight, bias, running_mean, running_var, True, momentum, eps)
    return *found, wrap(np.empty(0, np.uint8))


def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """Return ``input`` with elements set to zero with probability ``p``, the others scaled; and which were kept."""
    if not input.numel() or train is False or p == 0:
        return input.clone(), input.detach().new_ones(input.shape).bool()
    if p == 1:
        return input * 0.0, input.detach().new_zeros(input.shape).bool()
    noise = random._noise(input, input._array.shape, p)
    return input * noise, noise != 0


def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    """Return the gradient of `native_dropout`: that of its result, where elements were kept, times ``scale``."""
    return grad_output * (mask.to(grad_output.dtype) * scale)


def max_pool2d_with_indices_backward(
    grad_output: Tensor,
    input: Tensor,
    kernel_size: Size,
    stride: Size,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    indices: Tensor,
) -> Tensor:
    """Return the gradient of ``input``: each window's added where its largest element was."""
    leading = tuple(input.shape[:-2])
    flat = grad_output.new_zeros((*leading, input.shape[-2] * input.shape[-1]))
    added = flat.scatter_add(-1, indices.reshape(*leading, -1), grad_output.reshape(*leading, -1))
    result = added.reshape(input.shape)
    return without_gradient(result, input) if input.requires_grad and not result.requires_grad else result


def native_channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return (N, C, …) with the channels of several groups taken in turn."""
    return interpolation.channel_shuffle(input, groups)


def native_norm(
    input: Tensor,
    p: float | None = 2,
    dim: int | Sequence[int] | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
) -> Tensor:
    """Return the p-norm of ``input``."""
    return input.norm(2 if p is None else p, dim, keepdim, dtype=dtype)


def _softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: DType) -> Tensor:
    """Return the gradient of a softmax along ``dim``, from its result and that result's gradient."""
    weighted = grad_output * output
    return (weighted - output * weighted.sum(dim, keepdim=True)).to(input_dtype)


def _log_softmax_backward_data(grad_output: Tensor, output: Tensor, dim: int, input_dtype: DType) -> Tensor:
    """Return the gradient of a log-softmax along ``dim``, from its result and that result's gradient."""
    return (grad_output - output.exp() * grad_output.sum(dim, keepdim=True)).to(input_dtype)


def _safe_softmax(input: Tensor, dim: int, dtype: DType | None = None) -> Tensor:
    """Return the softmax along ``dim``; zeros where all of it is minus infinity."""
    nothing = (input.detach() == -float("inf")).all(dim, keepdim=True)
    result = softmax.softmax(input.masked_fill(nothing, 0.0), dim, dtype=dtype)
    return result.masked_fill(nothing, 0.0)


def _upsample_bilinear2d_aa(
    input: Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scales_h: Sequence[float] | float | None = None,
    scales_w: float | None = None,
    *,
    scale_factors: Sequence[float] | None = None,
) -> Tensor:
    """Return images (N, C, H, W) resized bilinearly, the filter widened where they shrink.

    Either to ``output_size``, with factors of their own for positions, or by ``scale_factors``.
    """
    factors = list(scales_h) if isinstance(scales_h, (list, tuple)) else scale_factors
    if factors is not None:
        return interpolation.interpolate(input, None, factors, "bilinear", align_corners, antialias=True)
    if output_size is None:
        raise ValueError("_upsample_bilinear2d_aa: either output_size or scale_factors should be defined")
    factor_pair: tuple[Any, Any] = (scales_h, scales_w)  # numbers: sequences went above
    scales = [None if factor is None else 1.0 / factor for factor in factor_pair]
    return interpolation.resized(input, output_size, scales, "bilinear", align_corners, True)


# PyTorch has each of these in several overloads, of which this is the usual one.
max_pool2d_with_indices_backward.default = max_pool2d_with_indices_backward  # type: ignore[attr-defined]
