"""Resizing, cropping, padding, flipping, turning and warping of images, masks, boxes and points."""

from collections.abc import Callable, Sequence
from typing import Any

import facula
import PIL.Image
from facula import Tensor

from facula_vision import tv_tensors
from facula_vision.transforms import functional as v1
from facula_vision.transforms._functional_rotation import _expanded_size
from facula_vision.transforms._resample import resize_bytes_antialiased
from facula_vision.transforms._warping import (
    AnyImage,
    Fill,
    _get_inverse_affine_matrix,
    _get_perspective_coeffs,
    _perspective,
    _two_shears,
)
from facula_vision.transforms.interpolation import InterpolationMode, named_interpolation_mode
from facula_vision.transforms.v2.functional._dispatch import (
    Motion,
    add_kernel,
    add_mask_kernel,
    add_motion,
    dispatched,
    image_kernel,
)

__all__ = [
    "affine",
    "center_crop",
    "crop",
    "elastic",
    "elastic_transform",
    "five_crop",
    "hflip",
    "horizontal_flip",
    "pad",
    "perspective",
    "resize",
    "resized_crop",
    "rotate",
    "ten_crop",
    "vertical_flip",
    "vflip",
]

Interpolation = InterpolationMode | str | int
Canvas = tuple[int, int]
Points = Sequence[Sequence[int]]


def _shifted(right: float, down: float, canvas: Canvas, cuts: bool = True) -> Motion:
    return lambda points: points + facula.tensor([right, down], dtype=points.dtype, device=points.device), canvas, cuts


def _scaled(canvas: Canvas, target: Canvas) -> Motion:
    x, y = target[1] / canvas[1], target[0] / canvas[0]
    return lambda points: points * facula.tensor([x, y], dtype=points.dtype, device=points.device), target, False


def _linear(matrix: Sequence[float], canvas: Canvas) -> Motion:
    """Return the motion of the first two rows of a matrix."""

    def move(points: Tensor) -> Tensor:
        rows = facula.tensor(matrix, dtype=points.dtype, device=points.device).view(2, 3)
        return points @ rows[:, :2].T + rows[:, 2]

    return move, canvas, True


@dispatched()
def horizontal_flip(inpt: AnyImage) -> AnyImage:
    """Return the input mirrored left to right."""
    return v1.hflip(inpt)


def _mirrored(axis: int, canvas: Canvas, last: int) -> Motion:
    """Return the motion that mirrors x (axis 0) or y; ``last`` is where 0 goes."""

    def mirror(points: Tensor) -> Tensor:
        places = list(points.unbind(dim=-1))
        places[axis] = last - places[axis]
        return facula.stack(places, dim=-1)

    return mirror, canvas, False


@add_motion(horizontal_flip, lambda canvas: _mirrored(0, canvas, canvas[1] - 1))
def _horizontal_flip(canvas: Canvas) -> Motion:
    return _mirrored(0, canvas, canvas[1])


@dispatched()
def vertical_flip(inpt: AnyImage) -> AnyImage:
    """Return the input turned upside down."""
    return v1.vflip(inpt)


@add_motion(vertical_flip, lambda canvas: _mirrored(1, canvas, canvas[0] - 1))
def _vertical_flip(canvas: Canvas) -> Motion:
    return _mirrored(1, canvas, canvas[0])


def _resize_target(canvas: Canvas, size: int | Sequence[int] | None, max_size: int | None) -> Canvas:
    """Return the (height, width) that ``size`` asks for; None makes the longer side ``max_size``."""
    if size is None:
        if not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        height, width = canvas
        if height >= width:
            return max_size, int(max_size * width / height)
        return int(max_size * height / width), max_size
    sizes = [size] if isinstance(size, int) else list(size)
    if max_size is not None and len(sizes) != 1:
        raise ValueError("max_size should only be passed if size is None or specifies the length of the smaller edge.")
    return v1._output_size(canvas, sizes, max_size)


@dispatched()
def resize(
    inpt: AnyImage,
    size: int | Sequence[int] | None,
    interpolation: Interpolation = "bilinear",
    max_size: int | None = None,
    antialias: bool | None = True,
) -> AnyImage:
    """Return the input resized to ``size`` (height, width), or its shorter side to the one number.

    With None the longer side becomes ``max_size``, which else limits it.
    """
    _, height, width = v1.get_dimensions(inpt)
    target = _resize_target((height, width), size, max_size)
    chosen = named_interpolation_mode(interpolation)
    if isinstance(inpt, Tensor) and inpt.dtype == facula.uint8 and antialias:
        mode = chosen.value
        if mode in ("bilinear", "bicubic"):
            return resize_bytes_antialiased(inpt, target, mode)
    return v1.resize(inpt, target, chosen, antialias=antialias)


@add_motion(resize)
def _resize(
    canvas: Canvas,
    size: int | Sequence[int] | None,
    interpolation: Interpolation = "bilinear",
    max_size: int | None = None,
    antialias: bool | None = True,
) -> Motion:
    return _scaled(canvas, _resize_target(canvas, size, max_size))


def _padded(image: Tensor, padding: int | Sequence[int], fill: Fill, mode: str) -> Tensor:
    """Return the tensor padded; ``fill`` may have a number a channel."""
    if fill is None:
        fill = 0
    if mode != "constant" or isinstance(fill, int | float) or len(fill) == 1:
        return v1.pad(image, padding, fill, mode)
    colour = facula.tensor(fill, device=image.device).to(image.dtype).view(-1, 1, 1)
    # Zeros outside, where nothing of the mask is.
    inside = v1.pad(facula.ones(image.shape[-2:], dtype=facula.bool, device=image.device), padding)
    return facula.where(inside, v1.pad(image, padding), colour)


@dispatched()
def pad(inpt: AnyImage, padding: int | Sequence[int], fill: Fill = None, padding_mode: str = "constant") -> AnyImage:
    """Return the input with pixels added on each side: one number, (left and right, top and bottom), or all four.

    ``padding_mode`` is "constant" (``fill``), "edge", "reflect" (without the edge pixel) or "symmetric" (with it).
    """
    if isinstance(inpt, PIL.Image.Image):
        return v1.pad(inpt, padding, 0 if fill is None else fill, padding_mode)
    return _padded(inpt, padding, fill, padding_mode)


@add_motion(pad)
def _pad(canvas: Canvas, padding: int | Sequence[int], fill: Fill = None, padding_mode: str = "constant") -> Motion:
    if padding_mode != "constant":
        raise ValueError(f"Padding mode '{padding_mode}' is not supported with bounding boxes")
    left, top, right, bottom = v1._four_paddings(padding)
    return _shifted(left, top, (canvas[0] + top + bottom, canvas[1] + left + right))


@dispatched()
def crop(inpt: AnyImage, top: int, left: int, height: int, width: int) -> AnyImage:
    """Return the rectangle with that corner and size; what lies outside of an image is zero."""
    return v1.crop(inpt, top, left, height, width)


@add_motion(crop)
def _crop(canvas: Canvas, top: int, left: int, height: int, width: int) -> Motion:
    return _shifted(-left, -top, (height, width))


@dispatched()
def center_crop(inpt: AnyImage, output_size: int | Sequence[int]) -> AnyImage:
    """Return the middle, (height, width) or a square, padded with zeros where an image is smaller."""
    return v1.center_crop(inpt, output_size)


@add_motion(center_crop)
def _center_crop(canvas: Canvas, output_size: int | Sequence[int]) -> Motion:
    height, width = v1._two_sizes(output_size)
    left, top = max(width - canvas[1], 0) // 2, max(height - canvas[0], 0) // 2
    padded = max(canvas[0], height), max(canvas[1], width)
    down, right = top - round((padded[0] - height) / 2.0), left - round((padded[1] - width) / 2.0)
    return _shifted(right, down, (height, width))


@dispatched()
def resized_crop(
    inpt: AnyImage,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: Interpolation = "bilinear",
    antialias: bool | None = True,
) -> AnyImage:
    """Return the rectangle with that corner and size, resized."""
    return resize(crop(inpt, top, left, height, width), size, interpolation, antialias=antialias)


@add_motion(resized_crop)
def _resized_crop(
    canvas: Canvas,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: Interpolation = "bilinear",
    antialias: bool | None = True,
) -> Motion:
    shift, _, _ = _shifted(-left, -top, (height, width))
    scale, target, _ = _scaled((height, width), _resize_target((height, width), size, None))
    return lambda points: scale(shift(points)), target, True


@dispatched()
def rotate(
    inpt: AnyImage,
    angle: float,
    interpolation: Interpolation = "nearest",
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = None,
) -> AnyImage:
    """Return the input turned by ``angle`` degrees, against the clock, around its middle or ``center`` (x, y).

    With ``expand`` the result holds the whole turned image; boxes and points then lie in a canvas of just that size,
    which torchvision makes up to a pixel smaller than the image.
    """
    turned = _quarter_turns(inpt, angle, expand) if center is None and isinstance(inpt, Tensor) else None
    if turned is not None:
        return turned
    return v1.rotate(inpt, angle, named_interpolation_mode(interpolation), expand, center, fill)


def _quarter_turns(image: Tensor, angle: float, expand: bool) -> Tensor | None:
    """Return the image after turns of 90 degrees, pixel by pixel; None for others, or when it would not fit."""
    quarters, rest = divmod(angle % 360, 90)
    if rest:
        return None
    if quarters % 2 and not expand and image.shape[-2] != image.shape[-1]:
        return None
    return facula.rot90(image, int(quarters), (-2, -1)) if quarters else image.clone()


@add_motion(rotate)
def _rotate(
    canvas: Canvas,
    angle: float,
    interpolation: Interpolation = "nearest",
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: Fill = None,
) -> Motion:
    height, width = canvas
    middle = [width * 0.5, height * 0.5] if center is None else list(center)
    matrix = _get_inverse_affine_matrix(middle, -angle, [0, 0], 1.0, [0.0, 0.0], inverted=False)
    target = canvas
    if expand:
        a, b, _, d, e, _ = _get_inverse_affine_matrix([0.0, 0.0], -angle, [0, 0], 1.0, [0.0, 0.0])
        target = _expanded_size(((a, b, 0.0), (d, e, 0.0)), height, width)
        matrix[2] += (target[1] - width) / 2
        matrix[5] += (target[0] - height) / 2
    return _linear(matrix, target)


@dispatched()
def affine(
    inpt: AnyImage,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: Interpolation = "nearest",
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> AnyImage:
    """Return the input sheared, scaled, turned with the clock by ``angle`` degrees, and moved, keeping its size."""
    return v1.affine(inpt, angle, translate, scale, shear, named_interpolation_mode(interpolation), fill, center)


@add_motion(affine)
def _affine(
    canvas: Canvas,
    angle: float,
    translate: Sequence[float],
    scale: float,
    shear: float | Sequence[float],
    interpolation: Interpolation = "nearest",
    fill: Fill = None,
    center: Sequence[float] | None = None,
) -> Motion:
    middle = [canvas[1] * 0.5, canvas[0] * 0.5] if center is None else list(center)
    shears = _two_shears(shear)
    return _linear(_get_inverse_affine_matrix(middle, angle, translate, scale, shears, inverted=False), canvas)


@dispatched()
def perspective(
    inpt: AnyImage,
    startpoints: Points | None,
    endpoints: Points | None,
    interpolation: Interpolation = "bilinear",
    fill: Fill = None,
    coefficients: Sequence[float] | None = None,
) -> AnyImage:
    """Return the input seen from elsewhere: what is at the ``startpoints`` (x, y) comes to the ``endpoints``.

    Instead of these there may be the eight ``coefficients`` of the map from the result to the input.
    """
    return _perspective(
        inpt, _coefficients(startpoints, endpoints, coefficients), named_interpolation_mode(interpolation), fill
    )


def _coefficients(
    startpoints: Points | None, endpoints: Points | None, coefficients: Sequence[float] | None
) -> Sequence[float]:
    if coefficients is not None:
        if startpoints is not None and endpoints is not None:
            raise ValueError("The startpoints/endpoints and the coefficients shouldn't be defined concurrently.")
        if len(coefficients) != 8:
            raise ValueError(f"Argument coefficients should have 8 float values, got {len(coefficients)}")
        return coefficients
    if startpoints is None or endpoints is None:
        raise ValueError("Either the startpoints/endpoints or the coefficients must have non `None` values.")
    return _get_perspective_coeffs(startpoints, endpoints)


@add_motion(perspective)
def _perspective_of_points(
    canvas: Canvas,
    startpoints: Points | None,
    endpoints: Points | None,
    interpolation: Interpolation = "bilinear",
    fill: Fill = None,
    coefficients: Sequence[float] | None = None,
) -> Motion:
    values = facula.tensor([*_coefficients(startpoints, endpoints, coefficients), 1.0], dtype=facula.float64)
    forth = facula.linalg.inv(values.view(3, 3))

    def move(points: Tensor) -> Tensor:
        rows = forth.to(points)
        seen = points @ rows[:, :2].T + rows[:, 2]
        return seen[..., :2] / seen[..., 2:]

    return move, canvas, True


@dispatched()
def elastic(
    inpt: AnyImage, displacement: Tensor, interpolation: Interpolation = "bilinear", fill: Fill = None
) -> AnyImage:
    """Return the input with each pixel from a place moved by ``displacement`` ``[1, H, W, 2]``, in half widths/heights."""
    return v1.elastic_transform(inpt, displacement, named_interpolation_mode(interpolation), fill)


elastic_transform = elastic


@add_motion(elastic)
def _elastic(
    canvas: Canvas, displacement: Tensor, interpolation: Interpolation = "bilinear", fill: Fill = None
) -> Motion:
    height, width = canvas

    def move(points: Tensor) -> Tensor:
        # The way back is taken to be the way there at the same pixel.
        column = points[..., 0].floor().long().clamp(0, width - 1)
        row = points[..., 1].floor().long().clamp(0, height - 1)
        way = displacement[0, row, column].to(points) * facula.tensor([width / 2, height / 2]).to(points)
        return facula.stack([column, row], dim=-1) - way

    return move, canvas, True


@dispatched()
def five_crop(inpt: AnyImage, size: int | Sequence[int]) -> tuple[AnyImage, ...]:
    """Return the crops of that size at top left, top right, bottom left, bottom right and centre."""
    return v1.five_crop(inpt, size)


@dispatched()
def ten_crop(inpt: AnyImage, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[AnyImage, ...]:
    """Return the five crops of the image and those of its mirror image, left to right or upside down."""
    return v1.ten_crop(inpt, size, vertical_flip)


hflip, vflip = horizontal_flip, vertical_flip

_function: Callable[..., Any]
for _function in (horizontal_flip, vertical_flip, pad, crop, center_crop):
    add_kernel(_function, tv_tensors.Mask, image_kernel(_function))
for _function in (resize, resized_crop, rotate, affine, perspective, elastic):
    add_mask_kernel(_function, interpolation=InterpolationMode.NEAREST)

# What is done to images, for those who have nothing else.
horizontal_flip_image = image_kernel(horizontal_flip)
vertical_flip_image = image_kernel(vertical_flip)
resize_image = image_kernel(resize)
pad_image = image_kernel(pad)
crop_image = image_kernel(crop)
center_crop_image = image_kernel(center_crop)
resized_crop_image = image_kernel(resized_crop)
rotate_image = image_kernel(rotate)
affine_image = image_kernel(affine)
perspective_image = image_kernel(perspective)
elastic_image = image_kernel(elastic)
five_crop_image = image_kernel(five_crop)
ten_crop_image = image_kernel(ten_crop)
