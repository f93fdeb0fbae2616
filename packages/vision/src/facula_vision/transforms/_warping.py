"""Affine maps, perspective and elastic distortion, of Pillow images and of tensors of shape (..., C, H, W)."""

import math
from collections.abc import Sequence
from typing import TypeVar

import facula
import numpy
from facula import Tensor
from PIL import Image

from facula_vision.transforms import _functional_pil as pil
from facula_vision.transforms._functional_rotation import _sample, _source_places
from facula_vision.transforms._functional_tensor import as_float_batch, assert_image, channel_count, rounded_to
from facula_vision.transforms.interpolation import PILLOW_RESAMPLING, InterpolationMode, interpolation_mode

AnyImage = TypeVar("AnyImage", Image.Image, Tensor)
Fill = float | Sequence[float] | None


def _get_inverse_affine_matrix(
    center: Sequence[float],
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: Sequence[float],
    inverted: bool = True,
) -> list[float]:
    """Return the first two rows of the matrix that takes a place (x, y, 1) in the result to one in the image.

    The image is sheared (degrees, along x and then y), scaled, turned by ``angle`` degrees with the clock, all around
    ``center``, and moved. With ``inverted=False`` the rows are those of the map from the image to the result.
    """
    turn, shear_x, shear_y = (math.radians(degrees) for degrees in (angle, *shear))
    rotation = numpy.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    along_x = numpy.array([[1.0, -math.tan(shear_x)], [0.0, 1.0]])
    along_y = numpy.array([[1.0, 0.0], [-math.tan(shear_y), 1.0]])
    linear = scale * rotation @ along_y @ along_x
    middle, move = numpy.array(center, dtype=float), numpy.array(translate, dtype=float)
    if inverted:
        linear = numpy.linalg.inv(linear)
        shift = middle - linear @ (middle + move)
    else:
        shift = middle + move - linear @ middle
    rows: list[float] = numpy.column_stack([linear, shift]).ravel().tolist()
    return rows


def _get_perspective_coeffs(
    startpoints: Sequence[Sequence[float]], endpoints: Sequence[Sequence[float]]
) -> list[float]:
    """Return the eight numbers a to h of the map x' = (a x + b y + c) / (g x + h y + 1), y' = (d x + e y + f) / (...).

    It takes the four ``endpoints`` in the result to the ``startpoints`` in the image.
    """
    if len(startpoints) != 4 or len(endpoints) != 4:
        raise ValueError(
            f"Please provide exactly four corners, got {len(startpoints)} startpoints and {len(endpoints)} endpoints."
        )
    rows = []
    for (source_x, source_y), (x, y) in zip(startpoints, endpoints, strict=True):
        rows.append([x, y, 1, 0, 0, 0, -source_x * x, -source_x * y])
        rows.append([0, 0, 0, x, y, 1, -source_y * x, -source_y * y])
    wanted = numpy.array(startpoints, dtype=float).reshape(8)
    solution = numpy.linalg.lstsq(numpy.array(rows, dtype=float), wanted, rcond=None)[0]
    # In single precision, as in torchvision: the border of an image depends on it.
    coefficients: list[float] = solution.astype(numpy.float32).tolist()
    return coefficients


def _warped(image: Tensor, column: Tensor, row: Tensor, interpolation: InterpolationMode, fill: Fill) -> Tensor:
    """Return the pixels at the places (column, row), with fractions; ``fill`` is the colour outside of the image."""
    mode = interpolation.value
    if mode not in ("nearest", "bilinear"):
        raise ValueError(f"Interpolation mode '{mode}' is unsupported with Tensor input")
    colour = [fill] if isinstance(fill, int | float) else fill
    channels = channel_count(image)
    if colour is not None and len(colour) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' cannot broadcast to match the number of channels of the image "
            f"({len(colour)} != {channels})"
        )
    batch = as_float_batch(image)
    x, y = column.to(batch), row.to(batch)
    warped = _sample(batch, x, y, mode)
    if colour is not None:
        inside = _sample(facula.ones_like(batch[:1, :1]), x, y, mode)
        colours = facula.tensor(colour, dtype=batch.dtype, device=batch.device).view(-1, 1, 1)
        # What is sampled at the edge is mixed with black already, and is mixed with the colour again, as in torchvision.
        warped = warped * inside + (1.0 - inside) * colours
    return rounded_to(warped, image.dtype).reshape(*image.shape[:-2], *warped.shape[-2:])


def _two_shears(shear: float | Sequence[float]) -> tuple[float, float]:
    if isinstance(shear, int | float):
        return float(shear), 0.0
    if not isinstance(shear, tuple | list):
        raise TypeError(f"Shear should be either a single value or a sequence of two values, got {shear!r}")
    if len(shear) not in (1, 2):
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    return float(shear[0]), float(shear[-1])


def affine(
    img: AnyImage,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> AnyImage:
    """Return the image sheared, scaled, turned with the clock by ``angle`` degrees, and moved, keeping its size.

    ``translate`` is (right, down) in pixels, ``shear`` an angle along x or (x, y); all is done around the middle of the
    image or ``center`` (x, y). ``interpolation`` is nearest or bilinear, for Pillow images also bicubic.
    """
    if not isinstance(angle, int | float):
        raise TypeError(f"Argument angle should be int or float, got {type(angle).__name__}")
    if not isinstance(translate, list | tuple):
        raise TypeError(f"Argument translate should be a sequence, got {translate!r}")
    if len(translate) != 2:
        raise ValueError(f"Argument translate should be a sequence of length 2, got {translate!r}")
    if scale <= 0.0:
        raise ValueError(f"Argument scale should be positive, got {scale}")
    if center is not None and not isinstance(center, list | tuple):
        raise TypeError(f"Argument center should be a sequence, got {center!r}")
    shears = _two_shears(shear)
    interpolation = interpolation_mode(interpolation)
    if isinstance(img, Image.Image):
        middle = [img.width * 0.5, img.height * 0.5] if center is None else center
        matrix = _get_inverse_affine_matrix(middle, angle, translate, scale, shears)
        return img.transform(
            img.size,
            Image.Transform.AFFINE,
            matrix,
            Image.Resampling(PILLOW_RESAMPLING[interpolation]),
            fillcolor=pil.fill_colour(fill, img),
        )
    assert_image(img)
    height, width = img.shape[-2:]
    from_middle = [0.0, 0.0] if center is None else [center[0] - width * 0.5, center[1] - height * 0.5]
    a, b, c, d, e, f = _get_inverse_affine_matrix(from_middle, angle, translate, scale, shears)
    column, row = _source_places(((a, b, c), (d, e, f)), (height, width), (height, width))
    return _warped(img, column, row, interpolation, fill)


def perspective(
    img: AnyImage,
    startpoints: Sequence[Sequence[float]],
    endpoints: Sequence[Sequence[float]],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> AnyImage:
    """Return the image seen from elsewhere: what is at the four ``startpoints`` (x, y) comes to the ``endpoints``."""
    return _perspective(img, _get_perspective_coeffs(startpoints, endpoints), interpolation, fill)


def _perspective(
    img: AnyImage, coefficients: Sequence[float], interpolation: InterpolationMode | int, fill: Fill
) -> AnyImage:
    """Return the image seen from elsewhere, by the eight numbers of the map from the result to the image."""
    interpolation = interpolation_mode(interpolation)
    if isinstance(img, Image.Image):
        return img.transform(
            img.size,
            Image.Transform.PERSPECTIVE,
            coefficients,
            Image.Resampling(PILLOW_RESAMPLING[interpolation]),
            fillcolor=pil.fill_colour(fill, img),
        )
    assert_image(img)
    height, width = img.shape[-2:]
    a, b, c, d, e, f, g, h = coefficients
    x = (facula.arange(width, dtype=facula.float64) + 0.5).view(1, -1)
    y = (facula.arange(height, dtype=facula.float64) + 0.5).view(-1, 1)
    depth = g * x + h * y + 1.0
    column = (a * x + b * y + c) / depth - 0.5
    row = (d * x + e * y + f) / depth - 0.5
    return _warped(img, column, row, interpolation, fill)


def elastic_transform(
    img: AnyImage,
    displacement: Tensor,
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    fill: Fill = None,
) -> AnyImage:
    """Return the image with each pixel taken from a place moved by ``displacement`` ``[1, H, W, 2]``.

    The last dimension is (x, y), in units of half the width and half the height.
    """
    if not isinstance(displacement, Tensor):
        raise TypeError(f"Argument displacement should be a Tensor, got {type(displacement)}")
    interpolation = interpolation_mode(interpolation)
    tensor = pil.to_tensor(img) if isinstance(img, Image.Image) else img
    assert_image(tensor)
    height, width = tensor.shape[-2:]
    if tuple(displacement.shape) != (1, height, width, 2):
        raise ValueError(
            f"Argument displacement shape should be {(1, height, width, 2)}, but given {tuple(displacement.shape)}"
        )
    move = displacement[0].to(tensor.device)
    column = facula.arange(width, dtype=move.dtype, device=move.device) + move[..., 0] * (width / 2)
    row = facula.arange(height, dtype=move.dtype, device=move.device).view(-1, 1) + move[..., 1] * (height / 2)
    warped = _warped(tensor, column, row, interpolation, fill)
    return pil.from_tensor(warped, img.mode) if isinstance(img, Image.Image) else warped
