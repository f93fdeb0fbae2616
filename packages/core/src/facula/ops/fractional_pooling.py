"""Pooling of windows at random places: fractional max pooling."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from facula.ops.random import rand
from facula.primitive import primitive
from facula.types import Tensor

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
]

Size = int | Sequence[int]
Ratio = float | Sequence[float]


@primitive()
def _window_starts(xp, samples, *, length, count, size):
    """Return where ``count`` windows of one size start along a dimension, for samples (N, C) in [0, 1)."""
    last = length - size
    starts = xp.full((*samples.shape, count), last, np.int64)
    if count > 1:
        number = samples.dtype.type
        step = number(last) / number(count - 1)
        moved = (xp.arange(count - 1, dtype=samples.dtype) + samples[..., None]) * step
        starts[..., :-1] = moved.astype(np.int64) - (samples * step).astype(np.int64)[..., None]
    return starts


@primitive()
def _largest_of_windows(xp, x, *starts, kernel):
    """Return the flat index in its volume of the largest element of each window (N, C, …)."""
    rank = len(kernel)
    lengths = x.shape[-rank:]
    flat = x.reshape(*x.shape[:-rank], math.prod(lengths))
    best = index = None
    for place in product(*(range(size) for size in kernel)):
        numbers: Any = 0
        for axis, (start, offset, length) in enumerate(zip(starts, place, lengths)):
            shape = [start.shape[-1] if at == axis else 1 for at in range(rank)]
            numbers = numbers * length + (start + offset).reshape(*start.shape[:-1], *shape)
        places = numbers.reshape(*flat.shape[:-1], math.prod(numbers.shape[-rank:]))
        candidate = xp.take_along_axis(flat, places, axis=-1).reshape(numbers.shape)
        if best is None:
            best, index = candidate, numbers
            continue
        better = (candidate > best) | (candidate != candidate)  # a nan wins
        best, index = xp.where(better, candidate, best), xp.where(better, numbers, index)
    return index


def _each(value: Size | Ratio, rank: int) -> tuple[Any, ...]:
    return (value,) * rank if isinstance(value, (int, float)) else tuple(value)


def _pool(
    input: Tensor,
    rank: int,
    kernel_size: Size,
    output_size: Size | None,
    output_ratio: Ratio | None,
    samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{rank}d"
    if input.dim() not in (rank + 1, rank + 2) or 0 in input.shape[input.dim() - rank - 1 :]:
        raise RuntimeError(
            f"{name}(): Expected {rank + 1}D or {rank + 2}D tensor with non-zero size for non-batch dimensions, but got: "
            f"{list(input.shape)}"
        )
    lengths, kernel = tuple(input.shape[-rank:]), _each(kernel_size, rank)
    if output_size is not None:
        counts = _each(output_size, rank)
    elif output_ratio is not None:
        counts = tuple(int(length * ratio) for length, ratio in zip(lengths, _each(output_ratio, rank), strict=True))
    else:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if len(kernel) != rank or len(counts) != rank:
        raise RuntimeError(f"{name}: kernel_size and output_size must either be a single Int or tuple of {rank} Ints")
    for length, size, count in zip(lengths, kernel, counts):
        if count + size - 1 > length:
            raise RuntimeError(
                f"{name}(): pool size {size} too large relative to input length {length} for {count} results"
            )
    batch = input.unsqueeze(0) if input.dim() == rank + 1 else input
    if samples is None:
        samples = rand(*batch.shape[:2], rank, dtype=input.dtype, device=input.device)
    if rank == 3:  # more samples than the batch has are fine
        samples = samples[: batch.shape[0]]
    if tuple(samples.shape) != (*batch.shape[:2], rank):
        raise RuntimeError(
            f"{name}(): Expect _random_samples of shape {[*batch.shape[:2], rank]}, but got {list(samples.shape)}"
        )
    # In the plane the first sample is for the width, in space for the depth.
    order = range(rank) if rank == 3 else reversed(range(rank))
    starts = [
        _window_starts(samples[..., at], length=length, count=count, size=size)
        for at, length, count, size in zip(order, lengths, counts, kernel)
    ]
    indices = _largest_of_windows(batch, *starts, kernel=kernel)
    places = indices.flatten(2)
    values = batch.flatten(2).gather(2, places).reshape(indices.shape)
    return (values, indices) if batch is input else (values.squeeze(0), indices.squeeze(0))


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the largest elements of windows at random places, and their flat indices: see `fractional_max_pool2d`."""
    return _pool(input, 2, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of windows of (N, C, H, W) whose steps are drawn at random. Graham 2014, arXiv 1412.6071.

    There are ``output_size`` windows, or ``output_ratio`` of the input's length.
    """
    found = _pool(input, 2, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the largest elements of windows at random places, and their flat indices: see `fractional_max_pool3d`."""
    return _pool(input, 3, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Size,
    output_size: Size | None = None,
    output_ratio: Ratio | None = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of windows of (N, C, D, H, W) whose steps are drawn at random. Graham 2014.

    There are ``output_size`` windows, or ``output_ratio`` of the input's length.
    """
    found = _pool(input, 3, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]
