"""Rotation of images that are tensors of shape (..., C, H, W), by taking pixels at turned places."""

import math
from collections.abc import Sequence

import facula
from facula import Tensor

from facula_vision.transforms._functional_tensor import as_float_batch, assert_image, rounded_to

# So that a side of 5.0000001 pixels counts as 5.
_TOLERANCE = 1e-4

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


def rotate(
    image: Tensor, angle: float, mode: str, expand: bool, center: Sequence[float] | None, fill: Sequence[float] | None
) -> Tensor:
    """Return the image turned by ``angle`` degrees, against the clock, around its middle or ``center`` (x, y).

    ``mode`` is "nearest" or "bilinear". ``fill`` is the colour outside, black by default.
    """
    assert_image(image)
    height, width = image.shape[-2:]
    matrix = _inverse_rotation(angle, (0.0, 0.0) if center is None else (center[0] - width / 2, center[1] - height / 2))
    output_height, output_width = _expanded_size(matrix, height, width) if expand else (height, width)
    batch = as_float_batch(image)
    x, y = (places.to(batch) for places in _source_places(matrix, (height, width), (output_height, output_width)))
    turned = _sample(batch, x, y, mode)
    if fill is not None:
        # What share of each pixel comes from inside the image.
        inside = _sample(facula.ones_like(batch[:1, :1]), x, y, mode)
        colour = facula.tensor(fill, dtype=batch.dtype, device=batch.device).view(1, -1, 1, 1)
        # The edge is mixed with black already, and is mixed with the colour again, as in torchvision.
        turned = turned * inside + (1.0 - inside) * colour
    return rounded_to(turned, image.dtype).reshape(*image.shape[:-2], output_height, output_width)


def _sample(batch: Tensor, x: Tensor, y: Tensor, mode: str) -> Tensor:
    """Return the (N, C, H, W) images' values at the places (x, y), counted in pixels; outside is zero."""
    if mode == "nearest":
        return _pixels(batch, x.round(), y.round())
    left, top = x.floor(), y.floor()
    right_share, bottom_share = x - left, y - top
    upper = _pixels(batch, left, top) * (1.0 - right_share) + _pixels(batch, left + 1, top) * right_share
    lower = _pixels(batch, left, top + 1) * (1.0 - right_share) + _pixels(batch, left + 1, top + 1) * right_share
    return upper * (1.0 - bottom_share) + lower * bottom_share


def _pixels(batch: Tensor, column: Tensor, row: Tensor) -> Tensor:
    height, width = batch.shape[-2:]
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    rows = row.clamp(0, height - 1).to(facula.int64)
    columns = column.clamp(0, width - 1).to(facula.int64)
    return batch[:, :, rows, columns] * inside


def _inverse_rotation(angle: float, center: tuple[float, float]) -> Matrix:
    """Return the matrix that takes a place in the result to one in the image, both counted from the middle."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    x, y = center
    return (cosine, -sine, x - cosine * x + sine * y), (sine, cosine, y - sine * x - cosine * y)


def _expanded_size(matrix: Matrix, height: int, width: int) -> tuple[int, int]:
    """Return the (height, width) that holds the whole turned image."""
    corners = [(x, y) for x in (-width / 2, width / 2) for y in (-height / 2, height / 2)]
    extents = []
    for row, size in zip(matrix, (width, height), strict=True):
        places = [row[0] * x + row[1] * y + row[2] + size / 2 for x, y in corners]
        extents.append(math.ceil(max(places) - _TOLERANCE) - math.floor(min(places) + _TOLERANCE))
    return extents[1], extents[0]


def _source_places(matrix: Matrix, size: tuple[int, int], output_size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the column and the row, with fractions, where each pixel of the result is in the image."""
    height, width = size
    output_height, output_width = output_size
    x = (facula.arange(output_width, dtype=facula.float64) - (output_width - 1) / 2).view(1, -1)
    y = (facula.arange(output_height, dtype=facula.float64) - (output_height - 1) / 2).view(-1, 1)
    (x_from_x, x_from_y, x_shift), (y_from_x, y_from_y, y_shift) = matrix
    column = x_from_x * x + x_from_y * y + (x_shift + (width - 1) / 2)
    row = y_from_x * x + y_from_y * y + (y_shift + (height - 1) / 2)
    return column, row
