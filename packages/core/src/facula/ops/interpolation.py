"""Resizing and rearranging images."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["channel_shuffle", "interpolate", "pixel_shuffle", "pixel_unshuffle", "upsample", "upsample_bilinear"]
__all__ += ["upsample_nearest"]

_RANKS = {"linear": 1, "bilinear": 2, "bicubic": 2, "trilinear": 3}


def interpolate(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | Sequence[float] | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return (N, C, …) resized to ``size`` or by ``scale_factor``.

    Modes: "nearest", "nearest-exact", "area" for any rank; "linear" (N, C, L); "bilinear", "bicubic" (N, C, H, W);
    "trilinear" (N, C, D, H, W). ``antialias`` widens the filter when an image shrinks (bilinear and bicubic).
    """
    rank = input.dim() - 2
    if mode in ("nearest", "area", "nearest-exact"):
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif mode not in _RANKS:
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {input.dim()}D) for the modes: nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact (got {mode})"
        )
    elif _RANKS[mode] != rank:
        raise NotImplementedError(f"Got {input.dim()}D input, but {mode} mode needs {_RANKS[mode] + 2}D input")
    if antialias and mode not in ("bilinear", "bicubic"):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as input"
        )
    lengths, scales = _output(input, rank, size, scale_factor, recompute_scale_factor)
    return resized(input, lengths, scales, mode, bool(align_corners), antialias)


def resized(
    input: Tensor,
    lengths: Sequence[int],
    scales: Sequence[float | None],
    mode: str,
    align_corners: bool,
    antialias: bool,
) -> Tensor:
    """Return (N, C, …) resized to ``lengths``; ``scales`` are input lengths by output lengths where these are not it."""
    if any(length < 1 for length in lengths):
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input (H: {list(input.shape[2:])}) output {lengths}"
        )
    result = input
    for axis, (count, scale) in enumerate(zip(lengths, scales), start=2):
        length = result.shape[axis]
        if mode in ("nearest", "nearest-exact"):
            result = result.index_select(axis, wrap(_nearest(length, count, scale, mode == "nearest-exact")))
        elif count != length or mode != "area":
            matrix = _weights(mode, length, count, scale, align_corners, antialias)
            weights = wrap(matrix.astype(np.float32 if input._array.dtype != np.float64 else np.float64))
            result = (result.movedim(axis, -1) @ weights.to(device=input.device, dtype=input.dtype)).movedim(-1, axis)
    return result.contiguous()


def _output(
    input: Tensor,
    rank: int,
    size: int | Sequence[int] | None,
    scale_factor: float | Sequence[float] | None,
    recompute: bool | None,
) -> tuple[list[int], list[float | None]]:
    """Return the output lengths, and the scales that positions are computed with, where they were given."""
    if (size is None) == (scale_factor is None):
        raise ValueError(
            "either size or scale_factor should be defined"
            if size is None
            else "only one of size or scale_factor should be defined"
        )
    if size is not None:
        lengths = [size] * rank if isinstance(size, int) else [int(each) for each in size]
        if len(lengths) != rank:
            raise ValueError(
                f"Input and output must have the same number of spatial dimensions, but got input with spatial dimensions of {list(input.shape[2:])} and output size of {lengths}."
            )
        return lengths, [None] * rank
    factors: list[Any] = list(scale_factor) if isinstance(scale_factor, (list, tuple)) else [scale_factor] * rank
    if len(factors) != rank:
        raise ValueError(
            f"scale_factor must match input shape. Input is {rank}D, scale_factor shape is {tuple(factors)}"
        )
    lengths = [math.floor(float(length) * factor) for length, factor in zip(input.shape[2:], factors)]
    return lengths, [None] * rank if recompute else [1.0 / factor for factor in factors]


def _nearest(length: int, count: int, scale: float | None, exact: bool) -> np.ndarray:
    step = np.float32(length / count if scale is None else scale)
    places = np.arange(count, dtype=np.float32)
    return np.minimum(np.floor((places + np.float32(0.5 if exact else 0)) * step).astype(np.int64), length - 1)


def _weights(mode: str, length: int, count: int, scale: float | None, align: bool, antialias: bool) -> np.ndarray:
    """Return the matrix (length, count) of how much each input contributes to each output along a dimension."""
    matrix = np.zeros((length, count))
    outputs = np.arange(count)
    if mode == "area":
        for at in range(count):
            start, end = at * length // count, -(-(at + 1) * length // count)
            matrix[start:end, at] = 1.0 / (end - start)
        return matrix
    if align:
        step = (length - 1) / (count - 1) if count > 1 else 0.0
        centres = outputs * step
    else:
        step = length / count if scale is None else scale
        centres = (outputs + 0.5) * step - 0.5
    if antialias:
        return _antialiased(mode, length, count, step)
    if mode != "bicubic":
        centres = np.maximum(centres, 0)
        low = np.minimum(np.floor(centres).astype(int), length - 1)
        share = np.minimum(centres - low, 1.0)
        np.add.at(matrix, (low, outputs), 1 - share)
        np.add.at(matrix, (np.minimum(low + 1, length - 1), outputs), share)
        return matrix
    low = np.floor(centres).astype(int)
    for offset in range(-1, 3):
        distance = np.abs(centres - (low + offset))
        np.add.at(matrix, ((low + offset).clip(0, length - 1), outputs), _cubic(distance, -0.75))
    return matrix


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Return Keys' cubic kernel (1981) at distances."""
    near = ((a + 2) * distance - (a + 3)) * distance * distance + 1
    far = ((distance - 5) * distance + 8) * distance * a - 4 * a
    return np.where(distance <= 1, near, np.where(distance < 2, far, 0.0))


def _antialiased(mode: str, length: int, count: int, step: float) -> np.ndarray:
    """Return weights of a filter stretched by the factor an image shrinks by, as Pillow computes them."""
    stretch = max(step, 1.0)
    support = (1.0 if mode == "bilinear" else 2.0) * stretch
    matrix = np.zeros((length, count))
    for at in range(count):
        centre = (at + 0.5) * step
        start = max(int(centre - support + 0.5), 0)
        end = min(int(centre + support + 0.5), length)
        distance = np.abs((np.arange(start, end) - centre + 0.5) / stretch)
        weights = np.maximum(1 - distance, 0) if mode == "bilinear" else _cubic(distance, -0.5)
        matrix[start:end, at] = weights / weights.sum()
    return matrix


def upsample(
    input: Tensor,
    size: int | Sequence[int] | None = None,
    scale_factor: float | None = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """Return the same as `interpolate`, its newer name."""
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | None = None
) -> Tensor:
    """Return ``input`` resized by nearest neighbours."""
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(
    input: Tensor, size: int | Sequence[int] | None = None, scale_factor: float | None = None
) -> Tensor:
    """Return ``input`` resized bilinearly, corners aligned."""
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)


def pixel_shuffle(input: Tensor, upscale_factor: int) -> Tensor:
    """Return (…, C * r * r, H, W) as (…, C, H * r, W * r). Shi et al. 2016, arXiv 1609.05158."""
    if input.dim() < 3:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)"
        )
    r = upscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *leading, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            f"pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, but input.size(-3)={channels} is not divisible by {r * r}"
        )
    at = len(leading)
    parts = input.reshape(*leading, channels // (r * r), r, r, height, width)
    order = (*range(at), at, at + 3, at + 1, at + 4, at + 2)
    return parts.permute(order).reshape(*leading, channels // (r * r), height * r, width * r)


def pixel_unshuffle(input: Tensor, downscale_factor: int) -> Tensor:
    """Return (…, C, H * r, W * r) as (…, C * r * r, H, W): the inverse of `pixel_shuffle`."""
    if input.dim() < 3:
        raise RuntimeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.dim()} dimension(s)"
        )
    r = downscale_factor
    if r <= 0:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *leading, channels, height, width = input.shape
    for name, length in (("height", height), ("width", width)):
        if length % r:
            raise RuntimeError(
                f"pixel_unshuffle expects {name} to be divisible by downscale_factor, but input.size(-{2 if name == 'height' else 1})={length} is not divisible by {r}"
            )
    at = len(leading)
    parts = input.reshape(*leading, channels, height // r, r, width // r, r)
    order = (*range(at), at, at + 2, at + 4, at + 1, at + 3)
    return parts.permute(order).reshape(*leading, channels * r * r, height // r, width // r)


def channel_shuffle(input: Tensor, groups: int) -> Tensor:
    """Return (N, C, …) with the channels of several groups taken in turn. Zhang et al. 2017, arXiv 1707.01083."""
    if input.dim() < 3:
        raise RuntimeError(f"channel_shuffle expects input with > 2 dims, but got input with sizes {list(input.shape)}")
    channels = input.shape[1]
    if groups <= 0 or channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups."
        )
    parts = input.reshape(input.shape[0], groups, channels // groups, *input.shape[2:])
    return parts.transpose(1, 2).reshape(input.shape)
