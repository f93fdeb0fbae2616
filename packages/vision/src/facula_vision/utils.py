"""Showing images: many in one grid, and writing tensors as image files."""

import math
import os
from collections.abc import Sequence
from typing import IO

import facula
from facula import Tensor

from facula_vision.transforms.functional import to_pil_image

__all__ = ["make_grid", "save_image"]


@facula.no_grad()
def make_grid(
    tensor: Tensor | Sequence[Tensor],
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> Tensor:
    """Return one image (C, H, W) with the images side by side, ``nrow`` in a row, ``padding`` pixels around each.

    ``tensor`` is (N, C, H, W), a list of (C, H, W), or one image (C, H, W) or (H, W); one channel becomes three.
    ``normalize`` maps ``value_range``, by default from the smallest to the largest value, of all images or of each
    (``scale_each``), to 0 to 1. A single image comes back without a border.
    """
    images = _stacked(tensor)
    if images.shape[1] == 1:
        images = images.expand(-1, 3, -1, -1)
    if normalize:
        images = _normalized(images.clone(), value_range, scale_each)
    if len(images) == 1:
        return images.squeeze(0)
    count, channels, height, width = images.shape
    columns = min(nrow, count)
    rows = math.ceil(count / columns)
    height, width = height + padding, width + padding
    grid = images.new_full((channels, height * rows + padding, width * columns + padding), pad_value)
    for index in range(count):
        top = index // columns * height + padding
        left = index % columns * width + padding
        grid[:, top : top + height - padding, left : left + width - padding] = images[index]
    return grid


def _stacked(tensor: Tensor | Sequence[Tensor]) -> Tensor:
    """Return the images as (N, C, H, W)."""
    if isinstance(tensor, Tensor):
        images = tensor
    elif isinstance(tensor, Sequence):
        for image in tensor:
            if not isinstance(image, Tensor):
                raise TypeError(f"tensor or list of tensors expected, got a list containing {type(image)}")
        images = facula.stack(list(tensor), dim=0)
    else:
        raise TypeError(f"tensor or list of tensors expected, got {type(tensor)}")
    if images.ndim not in (2, 3, 4):
        raise ValueError(f"Expected 2 to 4 dimensions, (N, C, H, W) at most, got the shape {tuple(images.shape)}")
    if images.ndim == 4 and len(images) == 0:
        raise ValueError(f"Expected at least one image, got the shape {tuple(images.shape)}")
    return images.reshape((1,) * (4 - images.ndim) + tuple(images.shape))


def _normalized(images: Tensor, value_range: tuple[float, float] | None, scale_each: bool) -> Tensor:
    if value_range is not None and not isinstance(value_range, tuple):
        raise TypeError("value_range has to be a tuple (min, max) if specified. min and max are numbers")
    for part in images if scale_each else [images]:
        low, high = value_range if value_range is not None else (part.amin().item(), part.amax().item())
        part.clamp_(min=low, max=high)
        part.sub_(low).div_(max(high - low, 1e-5))
    return images


@facula.no_grad()
def save_image(
    tensor: Tensor | Sequence[Tensor],
    fp: str | os.PathLike[str] | IO[bytes],
    format: str | None = None,
    nrow: int = 8,
    padding: int = 2,
    normalize: bool = False,
    value_range: tuple[float, float] | None = None,
    scale_each: bool = False,
    pad_value: float = 0.0,
) -> None:
    """Write an image with values from 0 to 1, or several as ``make_grid`` arranges them, as a file of 8 bits a channel.

    The file's format follows the name's ending, or ``format`` where ``fp`` is an open file.
    """
    grid = make_grid(tensor, nrow, padding, normalize, value_range, scale_each, pad_value)
    # Half a level more, since the conversion truncates.
    pixels = grid.mul(255).add(0.5).clamp(0, 255).to(facula.uint8)
    to_pil_image(pixels).save(fp, format=format)
