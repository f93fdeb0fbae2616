"""The transforms as functions, of Pillow images and of tensors of shape (..., C, H, W)."""

from collections.abc import Sequence
from typing import TypeVar

import facula
import numpy
from facula import Tensor
from PIL import Image

from facula_vision.transforms import _functional_color as color
from facula_vision.transforms import _functional_pil as pil
from facula_vision.transforms import _functional_rotation as rotation
from facula_vision.transforms import _functional_tensor as tensors
from facula_vision.transforms._levels import (
    adjust_gamma,
    adjust_sharpness,
    autocontrast,
    equalize,
    erase,
    gaussian_blur,
    invert,
    posterize,
    solarize,
)
from facula_vision.transforms._warping import (
    _get_inverse_affine_matrix as _get_inverse_affine_matrix,
    _get_perspective_coeffs as _get_perspective_coeffs,
    affine,
    elastic_transform,
    perspective,
)
from facula_vision.transforms.interpolation import PILLOW_RESAMPLING, InterpolationMode, interpolation_mode

__all__ = [
    "InterpolationMode",
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "affine",
    "autocontrast",
    "center_crop",
    "convert_image_dtype",
    "crop",
    "elastic_transform",
    "equalize",
    "erase",
    "five_crop",
    "gaussian_blur",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "hflip",
    "invert",
    "normalize",
    "pad",
    "perspective",
    "pil_to_tensor",
    "posterize",
    "resize",
    "resized_crop",
    "rgb_to_grayscale",
    "rotate",
    "solarize",
    "ten_crop",
    "to_grayscale",
    "to_pil_image",
    "to_tensor",
    "vflip",
]

AnyImage = TypeVar("AnyImage", Image.Image, Tensor)
_MODES_BY_CHANNELS = {2: ("LA",), 3: ("RGB", "YCbCr", "HSV"), 4: ("RGBA", "CMYK", "RGBX")}
_ONE_CHANNEL_MODES = {"uint8": "L", "uint16": "I;16", "int16": "I;16", "int32": "I", "float32": "F"}


def get_dimensions(img: Image.Image | Tensor) -> list[int]:
    """Return [channels, height, width]."""
    if isinstance(img, Image.Image):
        return [pil.channel_count(img), img.height, img.width]
    tensors.assert_image(img)
    return [tensors.channel_count(img), *img.shape[-2:]]


def get_image_size(img: Image.Image | Tensor) -> list[int]:
    """Return [width, height]."""
    _, height, width = get_dimensions(img)
    return [width, height]


def get_image_num_channels(img: Image.Image | Tensor) -> int:
    """Return the number of channels."""
    return get_dimensions(img)[0]


def _channels_first(pixels: numpy.ndarray) -> Tensor:
    """Return a copy of (H, W) or (H, W, C) pixels as a (C, H, W) tensor."""
    channels_last = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return facula.from_numpy(channels_last.transpose(2, 0, 1).copy())


def to_tensor(pic: Image.Image | numpy.ndarray) -> Tensor:
    """Return the image as a (C, H, W) tensor; 8-bit values become floats from 0 to 1, others stay as they are.

    ``pic`` is a Pillow image or an array of shape (H, W, C) or (H, W).

    >>> to_tensor(Image.new("RGB", (3, 2), "white")).shape
    facula.Size([3, 2, 3])
    """
    if isinstance(pic, Image.Image):
        pixels = numpy.asarray(pic)
        if pixels.dtype == bool:
            pixels = pixels.astype(numpy.uint8) * 255
        elif pixels.dtype == numpy.uint16:
            # int16, which torchvision takes, would turn the brighter half negative.
            pixels = pixels.astype(numpy.int32)
        image = _channels_first(pixels)
    elif isinstance(pic, numpy.ndarray):
        if pic.ndim not in (2, 3):
            raise ValueError(f"pic should be 2/3 dimensional. Got {pic.ndim} dimensions.")
        image = _channels_first(pic)
    else:
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if image.dtype == facula.uint8:
        return image.to(facula.get_default_dtype()).div(255)
    return image


def pil_to_tensor(pic: Image.Image) -> Tensor:
    """Return the Pillow image's pixels as they are as a (C, H, W) tensor, uint8 for 8-bit images."""
    if not isinstance(pic, Image.Image):
        raise TypeError(f"pic should be PIL Image. Got {type(pic)}")
    return _channels_first(numpy.asarray(pic))


def convert_image_dtype(image: Tensor, dtype: facula.dtype = facula.float) -> Tensor:
    """Return the image in another type, its values scaled to that type's range (0 to 1 for floats).

    Raises ``RuntimeError`` for float32 to int32 or int64 and for float64 to int64, which would not keep the values.
    """
    if not isinstance(image, Tensor):
        raise TypeError("Input img should be Tensor Image")
    return tensors.convert_image_dtype(image, dtype)


def to_pil_image(pic: Tensor | numpy.ndarray, mode: str | None = None) -> Image.Image:
    """Return a Pillow image of a (C, H, W) tensor or an (H, W, C) array with 1 to 4 channels, or of (H, W).

    Floats are taken to be from 0 to 1, unless ``mode`` is "F". ``mode`` defaults to L, LA, RGB or RGBA by the number of
    channels, and to I;16, I or F for one channel of 16-bit integers, int32 or, with ``mode="F"``, float32.
    """
    if isinstance(pic, Tensor):
        pixels = (pic.permute(1, 2, 0) if pic.ndim == 3 else pic).detach().cpu().numpy()
    elif isinstance(pic, numpy.ndarray):
        pixels = pic
    else:
        raise TypeError(f"pic should be Tensor or ndarray. Got {type(pic)}.")
    if pixels.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {pixels.ndim} dimensions.")
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
    channels = pixels.shape[2]
    if channels > 4:
        raise ValueError(f"pic should not have > 4 channels. Got {channels} channels.")
    if numpy.issubdtype(pixels.dtype, numpy.floating) and mode != "F":
        pixels = (pixels * 255).astype(numpy.uint8)
    mode = _pil_mode(mode, channels, pixels.dtype)
    return Image.frombytes(mode, (pixels.shape[1], pixels.shape[0]), numpy.ascontiguousarray(pixels).tobytes())


def _pil_mode(mode: str | None, channels: int, dtype: numpy.dtype) -> str:
    """Return the mode that was asked for after checking it, or the natural one."""
    if channels == 1:
        natural = _ONE_CHANNEL_MODES.get(dtype.name)
        if mode is not None and mode != natural:
            raise ValueError(f"Incorrect mode ({mode}) supplied for input type {dtype}. Should be {natural}")
        if natural is not None:
            return natural
    elif channels in _MODES_BY_CHANNELS:
        permitted = _MODES_BY_CHANNELS[channels]
        if mode is not None and mode not in permitted:
            raise ValueError(f"Only modes {list(permitted)} are supported for {channels} channels, got {mode!r}")
        if dtype == numpy.uint8:
            return mode or permitted[0]
    raise TypeError(f"Input type {dtype} with {channels} channels is not supported")


def normalize(tensor: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """Return (tensor - mean) / std for each channel of a float tensor (..., C, H, W).

    Raises ``TypeError`` for other types, ``ValueError`` for fewer dimensions or a ``std`` of zero.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    return tensors.normalize(tensor, mean, std, inplace)


def _output_size(image_size: tuple[int, int], size: Sequence[int], max_size: int | None) -> tuple[int, int]:
    """Return the (height, width) that ``resize`` gives an image of ``image_size`` (height, width)."""
    if len(size) == 2:
        return int(size[0]), int(size[1])
    height, width = image_size
    shorter, longer = (width, height) if width <= height else (height, width)
    wanted = int(size[0])
    new_shorter, new_longer = wanted, int(wanted * longer / shorter)
    if max_size is not None:
        if max_size <= wanted:
            raise ValueError(
                f"max_size = {max_size} must be strictly greater than the requested size for the smaller edge "
                f"size = {wanted}"
            )
        if new_longer > max_size:
            new_shorter, new_longer = int(max_size * new_shorter / new_longer), max_size
    return (new_longer, new_shorter) if width <= height else (new_shorter, new_longer)


def resize(
    img: AnyImage,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    max_size: int | None = None,
    antialias: bool | None = True,
) -> AnyImage:
    """Return the image resized to ``size`` (height, width), or its shorter side to the one number.

    With one number the longer side keeps the ratio, truncated, and is at most ``max_size``.
    ``antialias`` concerns tensors with bilinear or bicubic interpolation; Pillow always antialiases these.
    """
    interpolation = interpolation_mode(interpolation)
    sizes = [size] if isinstance(size, int) else list(size)
    if len(sizes) not in (1, 2):
        raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(sizes)} element tuple/list")
    if max_size is not None and len(sizes) != 1:
        raise ValueError(
            "max_size should only be passed if size specifies the length of the smaller edge, "
            "i.e. size should be an int or a sequence of length 1."
        )
    _, height, width = get_dimensions(img)
    output_size = _output_size((height, width), sizes, max_size)
    if output_size == (height, width):
        return img
    if isinstance(img, Image.Image):
        return pil.resize(img, output_size, PILLOW_RESAMPLING[interpolation])
    mode = interpolation.value
    if mode not in ("nearest", "nearest-exact", "bilinear", "bicubic"):
        raise ValueError(f"This interpolation mode is unsupported with Tensor input: {mode}")
    return tensors.resize(img, output_size, mode, bool(antialias))


def _four_paddings(padding: int | Sequence[int]) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom)."""
    if isinstance(padding, int):
        return padding, padding, padding, padding
    values = tuple(padding)
    if len(values) == 1:
        return values * 4
    if len(values) == 2:
        return values * 2
    if len(values) == 4:
        return values
    raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(values)} element tuple")


def pad(
    img: AnyImage,
    padding: int | Sequence[int],
    fill: float | Sequence[float] = 0,
    padding_mode: str = "constant",
) -> AnyImage:
    """Return the image with pixels added on each side.

    ``padding`` is one number, (left and right, top and bottom), or (left, top, right, bottom).
    ``padding_mode`` is "constant" (``fill``), "edge", "reflect" (without the edge pixel) or "symmetric" (with it).
    """
    if not isinstance(padding, int | tuple | list):
        raise TypeError(f"Got inappropriate padding arg: {padding!r}")
    if not isinstance(fill, int | float | tuple | list):
        raise TypeError(f"Got inappropriate fill arg: {fill!r}")
    if not isinstance(padding_mode, str):
        raise TypeError(f"Got inappropriate padding_mode arg: {padding_mode!r}")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(f"Padding mode should be either constant, edge, reflect or symmetric, got {padding_mode!r}")
    paddings = _four_paddings(padding)
    if isinstance(img, Image.Image):
        return pil.pad(img, paddings, fill, padding_mode)
    if not isinstance(fill, int | float):
        if len(fill) != 1:
            raise TypeError(f"Got inappropriate fill arg: {fill!r}; a Tensor is filled with one number")
        fill = fill[0]
    return tensors.pad(img, paddings, fill, padding_mode)


def crop(img: AnyImage, top: int, left: int, height: int, width: int) -> AnyImage:
    """Return the rectangle of the image with that corner and size; what lies outside the image is zero."""
    if isinstance(img, Image.Image):
        return pil.crop(img, top, left, height, width)
    return tensors.crop(img, top, left, height, width)


def _two_sizes(size: int | Sequence[int]) -> tuple[int, int]:
    if isinstance(size, int):
        return size, size
    if len(size) == 1:
        return size[0], size[0]
    return size[0], size[1]


def center_crop(img: AnyImage, output_size: int | Sequence[int]) -> AnyImage:
    """Return the middle of the image, (height, width) or a square, padded with zeros where the image is smaller."""
    height, width = _two_sizes(output_size)
    _, image_height, image_width = get_dimensions(img)
    missing_width, missing_height = max(width - image_width, 0), max(height - image_height, 0)
    if missing_width or missing_height:
        borders = [missing_width // 2, missing_height // 2, (missing_width + 1) // 2, (missing_height + 1) // 2]
        img = pad(img, borders, fill=0)
        _, image_height, image_width = get_dimensions(img)
    if (image_height, image_width) == (height, width):
        return img
    top = round((image_height - height) / 2.0)
    left = round((image_width - width) / 2.0)
    return crop(img, top, left, height, width)


def resized_crop(
    img: AnyImage,
    top: int,
    left: int,
    height: int,
    width: int,
    size: int | Sequence[int],
    interpolation: InterpolationMode = InterpolationMode.BILINEAR,
    antialias: bool | None = True,
) -> AnyImage:
    """Return the rectangle of the image, resized."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def hflip(img: AnyImage) -> AnyImage:
    """Return the image mirrored left to right."""
    if isinstance(img, Image.Image):
        return img.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    tensors.assert_image(img)
    return img.flip(-1)


def vflip(img: AnyImage) -> AnyImage:
    """Return the image turned upside down."""
    if isinstance(img, Image.Image):
        return img.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    tensors.assert_image(img)
    return img.flip(-2)


def five_crop(img: AnyImage, size: int | Sequence[int]) -> tuple[AnyImage, AnyImage, AnyImage, AnyImage, AnyImage]:
    """Return the crops of that size at top left, top right, bottom left, bottom right and centre."""
    height, width = _two_sizes(size)
    _, image_height, image_width = get_dimensions(img)
    if width > image_width or height > image_height:
        raise ValueError(
            f"Requested crop size {(height, width)} is bigger than input size {(image_height, image_width)}"
        )
    bottom, right = image_height - height, image_width - width
    return (
        crop(img, 0, 0, height, width),
        crop(img, 0, right, height, width),
        crop(img, bottom, 0, height, width),
        crop(img, bottom, right, height, width),
        center_crop(img, [height, width]),
    )


def ten_crop(img: AnyImage, size: int | Sequence[int], vertical_flip: bool = False) -> tuple[AnyImage, ...]:
    """Return the five crops of the image and those of its mirror image, left to right or upside down."""
    mirrored = vflip(img) if vertical_flip else hflip(img)
    return five_crop(img, size) + five_crop(mirrored, size)


def rotate(
    img: AnyImage,
    angle: float,
    interpolation: InterpolationMode = InterpolationMode.NEAREST,
    expand: bool = False,
    center: Sequence[float] | None = None,
    fill: float | Sequence[float] | None = None,
) -> AnyImage:
    """Return the image turned by ``angle`` degrees, against the clock, around its middle or ``center`` (x, y).

    ``interpolation`` is nearest or bilinear, for Pillow images also bicubic. ``expand`` makes the result large enough
    for the whole turned image, which is right only without ``center``. ``fill`` is the colour outside, else black.
    """
    if not isinstance(angle, int | float):
        raise TypeError(f"Argument angle should be int or float, got {type(angle).__name__}")
    if center is not None and (not isinstance(center, list | tuple) or len(center) != 2):
        raise TypeError(f"Argument center should be a sequence of two numbers, got {center!r}")
    interpolation = interpolation_mode(interpolation)
    if isinstance(img, Image.Image):
        return pil.rotate(img, angle, PILLOW_RESAMPLING[interpolation], expand, center, fill)
    if interpolation not in (InterpolationMode.NEAREST, InterpolationMode.BILINEAR):
        raise ValueError(f"This interpolation mode is unsupported with Tensor input: {interpolation.value}")
    colour = [fill] if isinstance(fill, int | float) else fill
    channels = get_image_num_channels(img)
    if colour is not None and len(colour) not in (1, channels):
        raise ValueError(
            "The number of elements in 'fill' does not match the number of channels of the image "
            f"({len(colour)} != {channels})"
        )
    return rotation.rotate(img, angle, interpolation.value, expand, center, colour)


def to_grayscale(img: Image.Image, num_output_channels: int = 1) -> Image.Image:
    """Return the Pillow image in grey, as mode L (1 channel) or RGB (3)."""
    if not isinstance(img, Image.Image):
        raise TypeError(f"Input should be PIL Image, got {type(img)}")
    return pil.to_grayscale(img, num_output_channels)


def rgb_to_grayscale(img: AnyImage, num_output_channels: int = 1) -> AnyImage:
    """Return the image in grey with 1 channel, or with 3 equal ones; the weights are those of ITU-R BT.601."""
    if isinstance(img, Image.Image):
        return pil.to_grayscale(img, num_output_channels)
    return tensors.rgb_to_grayscale(img, num_output_channels)


def adjust_brightness(img: AnyImage, brightness_factor: float) -> AnyImage:
    """Return the image with its brightness multiplied: 0 gives black, 1 the image itself."""
    color.check_factor("brightness_factor", brightness_factor)
    if isinstance(img, Image.Image):
        return color.adjust_pil_brightness(img, brightness_factor)
    return color.adjust_brightness(img, brightness_factor)


def adjust_contrast(img: AnyImage, contrast_factor: float) -> AnyImage:
    """Return the image with its distance from its mean grey multiplied: 0 gives grey, 1 the image itself."""
    color.check_factor("contrast_factor", contrast_factor)
    if isinstance(img, Image.Image):
        return color.adjust_pil_contrast(img, contrast_factor)
    return color.adjust_contrast(img, contrast_factor)


def adjust_saturation(img: AnyImage, saturation_factor: float) -> AnyImage:
    """Return the image with its distance from its own grey version multiplied: 0 gives grey, 1 the image itself."""
    color.check_factor("saturation_factor", saturation_factor)
    if isinstance(img, Image.Image):
        return color.adjust_pil_saturation(img, saturation_factor)
    return color.adjust_saturation(img, saturation_factor)


def adjust_hue(img: AnyImage, hue_factor: float) -> AnyImage:
    """Return the image with its hue turned by ``hue_factor``, from -0.5 to 0.5, of a full circle."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    if isinstance(img, Image.Image):
        return color.adjust_pil_hue(img, hue_factor)
    return color.adjust_hue(img, hue_factor)
