"""Rotation of images that are tensors of shape (..., C, H, W), by sampling on a turned grid."""

import math
from collections.abc import Sequence

import facula
import facula.nn.functional as F
from facula import Tensor

from facula_vision.transforms._functional_tensor import as_float_batch, assert_image, rounded_to

# So that a side of 5.0000001 pixels counts as 5.
_TOLERANCE = 1e-4

Matrix = tuple[tuple[float, float, float], tuple[float, float, float]]


def rotate(
    image: Tensor,
    angle: float,
    mode: str,
    expand: bool,
    center: Sequence[float] | None,
    fill: Sequence[float] | None,
) -> Tensor:
    """Return the image turned by ``angle`` degrees, against the clock, around its middle or ``center`` (x, y).

    ``mode`` is "nearest" or "bilinear". ``fill`` is the colour outside, black by default.
    """
    assert_image(image)
    height, width = image.shape[-2:]
    matrix = _inverse_rotation(angle, (0.0, 0.0) if center is None else (center[0] - width / 2, center[1] - height / 2))
    output_height, output_width = _expanded_size(matrix, height, width) if expand else (height, width)
    batch = as_float_batch(image)
    grid = _sampling_grid(matrix, (height, width), (output_height, output_width)).to(batch)
    grid = grid.expand(batch.shape[0], output_height, output_width, 2)
    turned = F.grid_sample(batch, grid, mode=mode, padding_mode="zeros", align_corners=False)
    if fill is not None:
        # What share of each pixel comes from inside the image.
        inside = F.grid_sample(
            facula.ones_like(batch[:, :1]), grid, mode=mode, padding_mode="zeros", align_corners=False
        )
        colour = facula.tensor(fill, dtype=batch.dtype, device=batch.device).view(1, -1, 1, 1)
        turned = turned + (1.0 - inside) * colour
    return rounded_to(turned, image.dtype).reshape(*image.shape[:-2], output_height, output_width)


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


def _sampling_grid(matrix: Matrix, image_size: tuple[int, int], output_size: tuple[int, int]) -> Tensor:
    """Return where each pixel of the result is in the image, (1, H, W, 2), from -1 to 1 across the image."""
    height, width = image_size
    output_height, output_width = output_size
    x = (facula.arange(output_width, dtype=facula.float64) - (output_width - 1) / 2).view(1, -1)
    y = (facula.arange(output_height, dtype=facula.float64) - (output_height - 1) / 2).view(-1, 1)
    (x_from_x, x_from_y, x_shift), (y_from_x, y_from_y, y_shift) = matrix
    source_x = (x_from_x * x + x_from_y * y + x_shift) / (width / 2)
    source_y = (y_from_x * x + y_from_y * y + y_shift) / (height / 2)
    return facula.stack([source_x, source_y], dim=-1).unsqueeze(0)
