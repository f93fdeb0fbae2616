"""Reading images and volumes at places given by a grid: grid_sample, affine_grid."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np

from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["affine_grid", "affine_grid_generator", "grid_sample", "grid_sampler", "grid_sampler_2d", "grid_sampler_3d"]

BILINEAR, NEAREST, BICUBIC = range(3)
ZEROS, BORDER, REFLECTION = range(3)

_MODES = {"bilinear": BILINEAR, "nearest": NEAREST, "bicubic": BICUBIC}
_PADDINGS = {"zeros": ZEROS, "border": BORDER, "reflection": REFLECTION}

# One dimension's share in a result: for each neighbour along it, its place (whole numbers) and its weight.
Neighbours = list[tuple[Tensor, Tensor]]


def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """Return ``input`` (N, C, H, W) or (N, C, D, H, W) read at the places of ``grid`` (N, …, 2 or 3), as (N, C, …).

    The last dimension of ``grid`` holds x, y (and z), -1 and 1 being the edges of the image: the centres of the
    outermost pixels with ``align_corners``, else their outer sides. Modes: "bilinear", "nearest", "bicubic" (images).
    Places outside read zeros ("zeros"), the nearest pixel ("border"), or the image mirrored ("reflection").
    Jaderberg et al. 2015, arXiv 1506.02025.

    >>> image = facula.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> facula.nn.functional.grid_sample(image, facula.zeros(1, 1, 1, 2), align_corners=True)
    tensor([[[[2.5000]]]])
    """
    if mode not in _MODES:
        raise ValueError(
            f"nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: "
            f"'{padding_mode}'"
        )
    if align_corners is None:
        _warn_of_corners()
        align_corners = False
    return grid_sampler(input, grid, _MODES[mode], _PADDINGS[padding_mode], align_corners)


def _warn_of_corners() -> None:
    warnings.warn(
        "grid_sample and affine_grid use align_corners=False unless told otherwise (before PyTorch 1.3 it was True). Give "
        "align_corners to say which is meant.",
        stacklevel=3,
    )


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Return the same as `grid_sample`, modes being numbers in the order in which they are listed there."""
    rank = input.dim() - 2
    if rank not in (2, 3) or grid.dim() != input.dim():
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but got input with sizes "
            f"{list(input.shape)} and grid with sizes {list(grid.shape)}"
        )
    return _sample(input, grid, rank, interpolation_mode, padding_mode, align_corners)


def grid_sampler_2d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Return images (N, C, H, W) read at the places of ``grid`` (N, H', W', 2)."""
    return _sample(input, grid, 2, interpolation_mode, padding_mode, align_corners)


def grid_sampler_3d(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """Return volumes (N, C, D, H, W) read at the places of ``grid`` (N, D', H', W', 3)."""
    return _sample(input, grid, 3, interpolation_mode, padding_mode, align_corners)


def _check(input: Tensor, grid: Tensor, rank: int, mode: int) -> None:
    sizes = f"but got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.dim() != rank + 2 or grid.dim() != rank + 2:
        raise RuntimeError(
            f"grid_sampler(): expected {rank + 2}D input and grid with same number of dimensions, {sizes}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(f"grid_sampler(): expected grid and input to have same batch size, {sizes}")
    if grid.shape[-1] != rank:
        raise RuntimeError(f"grid_sampler(): expected grid to have size {rank} in last dimension, {sizes}")
    if 0 in input.shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has sizes "
            f"{list(input.shape)}"
        )
    if input.dtype != grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have same dtype, but input has "
            f"{input.dtype} and grid has {grid.dtype}"
        )
    if not input.is_floating_point():
        raise RuntimeError(f"\"grid_sampler\" not implemented for '{input.dtype.name.title()}'")
    if mode == BICUBIC and rank == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


def _sample(input: Tensor, grid: Tensor, rank: int, mode: int, padding: int, align_corners: bool) -> Tensor:
    _check(input, grid, rank, mode)
    batch, channels, *lengths = input.shape
    # The last dimension of the grid has the last dimension of the image first.
    places = [_to_pixels(grid[..., rank - 1 - axis], length, align_corners) for axis, length in enumerate(lengths)]
    along = [_NEIGHBOURS[mode](place, n, padding, align_corners) for place, n in zip(places, lengths, strict=True)]
    volume = math.prod(lengths)
    # Pixels as rows, and a row of zeros for all that lies outside.
    rows = input.movedim(1, -1).reshape(batch * volume, channels)._pad((0, 0, 0, 1))
    first = wrap(np.arange(batch).reshape(-1, *[1] * rank)).to(device=input.device) * volume
    total: Any = None
    for corner in product(*along):
        index, inside, weight = _corner(corner, lengths)
        flat = (first + index).where(inside, batch * volume).reshape(-1)
        part = rows.index_select(0, flat) * weight.reshape(-1, 1)
        total = part if total is None else total + part
    return total.reshape(*grid.shape[:-1], channels).movedim(-1, 1).contiguous()


def _corner(corner: Sequence[tuple[Tensor, Tensor]], lengths: Sequence[int]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the index in its volume of one neighbour of every place, whether there is such a pixel, and its weight."""
    index: Any = None
    inside: Any = None
    weight: Any = None
    for (place, share), length in zip(corner, lengths, strict=True):
        within = (place >= 0) & (place <= length - 1)
        number = place.where(within, 0.0).long()
        index = number if index is None else index * length + number
        inside = within if inside is None else inside & within
        weight = share if weight is None else weight * share
    return index, inside, weight


def _to_pixels(coordinate: Tensor, length: int, align_corners: bool) -> Tensor:
    """Return coordinates from -1 to 1 as numbers of pixels."""
    if align_corners:
        return (coordinate + 1) * ((length - 1) / 2)
    return ((coordinate + 1) * length - 1) / 2


def _clipped(place: Tensor, length: int) -> Tensor:
    """Return places limited to the image; no gradient passes where they are at its edge or beyond."""
    limited = place.detach().clamp(0, length - 1).nan_to_num(0.0)
    return place.where((place > 0) & (place < length - 1), limited)


def _reflected(place: Tensor, length: int, align_corners: bool) -> Tensor:
    """Return places mirrored at the edges until they are inside: the pixels' centres, or their outer sides."""
    low, span = (0.0, length - 1.0) if align_corners else (-0.5, float(length))
    if span == 0:
        return place.detach() * 0
    past = place - low
    distance = past.where(past.detach() >= 0, -past)
    flips = (distance.detach() / span).floor()
    rest = distance.fmod(span)
    return (rest + low).where(flips.remainder(2) == 0, span + low - rest)


def _padded(place: Tensor, length: int, padding: int, align_corners: bool) -> Tensor:
    """Return where to read for a place: itself, or one inside the image."""
    if padding == ZEROS:
        return place
    if padding == REFLECTION:
        place = _reflected(place, length, align_corners)
    return _clipped(place, length)


def _linear(place: Tensor, length: int, padding: int, align_corners: bool) -> Neighbours:
    place = _padded(place, length, padding, align_corners)
    low = place.detach().floor()
    share = place - low
    return [(low, 1 - share), (low + 1, share)]


def _nearest(place: Tensor, length: int, padding: int, align_corners: bool) -> Neighbours:
    place = _padded(place, length, padding, align_corners)
    nearest = place.round()
    # A one whose gradient is zero, as that of rounding is.
    return [(nearest.detach(), (nearest - nearest.detach()).nan_to_num(0.0) + 1)]


def _cubic(place: Tensor, length: int, padding: int, align_corners: bool) -> Neighbours:
    # Keys 1981 with a = -0.75; padding is for each neighbour by itself.
    a = -0.75
    low = place.detach().floor()
    share = place - low
    found = []
    for offset in range(-1, 3):
        distance = share - offset if offset <= 0 else offset - share
        if offset in (0, 1):
            weight = ((a + 2) * distance - (a + 3)) * distance * distance + 1
        else:
            weight = ((distance - 5) * distance + 8) * distance * a - 4 * a
        found.append((_padded(low + offset, length, padding, align_corners), weight))
    return found


_NEIGHBOURS = {BILINEAR: _linear, NEAREST: _nearest, BICUBIC: _cubic}


def affine_grid(theta: Tensor, size: Sequence[int], align_corners: bool | None = None) -> Tensor:
    """Return the grid (N, H, W, 2) or (N, D, H, W, 3) that affine matrices (N, 2, 3) or (N, 3, 4) map to.

    ``size`` is that of the result of `grid_sample`: (N, C, H, W) or (N, C, D, H, W).

    >>> facula.nn.functional.affine_grid(facula.eye(2, 3)[None], (1, 1, 1, 2), align_corners=True)
    tensor([[[[-1.,  0.],
              [ 1.,  0.]]]])
    """
    if align_corners is None:
        _warn_of_corners()
        align_corners = False
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    rank = len(size) - 2
    if rank not in (2, 3):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{tuple(size)}."
        )
    if theta.dim() != 3 or tuple(theta.shape[1:]) != (rank, rank + 1):
        raise ValueError(
            f"Expected a batch of {rank}D affine matrices of shape Nx{rank}x{rank + 1} for size {tuple(size)}. Got "
            f"{theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {tuple(size)}")
    return affine_grid_generator(theta, size, align_corners)


def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """Return the same as `affine_grid`, without its checks."""
    batch, _, *lengths = size
    rank = len(lengths)
    axes = np.meshgrid(*(_centres(length, align_corners) for length in lengths), indexing="ij")
    base = np.stack([*reversed(axes), np.ones(lengths)], axis=-1).reshape(-1, rank + 1)
    places = wrap(base).to(device=theta.device, dtype=theta.dtype)
    return (places @ theta.transpose(1, 2)).reshape(batch, *lengths, rank)


def _centres(length: int, align_corners: bool) -> np.ndarray:
    """Return the coordinates of pixels along a dimension."""
    if length <= 1:
        return np.zeros(length)
    centres = np.linspace(-1.0, 1.0, length)
    return centres if align_corners else centres * ((length - 1) / length)
