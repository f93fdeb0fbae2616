"""Brightness, contrast, saturation and hue, of Pillow images and of tensors."""

import facula
import numpy
from facula import Tensor
from PIL import Image, ImageEnhance

from facula_vision.transforms._functional_tensor import (
    assert_channels,
    assert_image,
    channel_count,
    convert_image_dtype,
    max_value,
    rgb_to_grayscale,
)


def check_factor(name: str, factor: float) -> None:
    """Raise ``ValueError`` when a blending factor is negative."""
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")


def blend(first: Tensor, second: Tensor, ratio: float) -> Tensor:
    """Return ratio * first + (1 - ratio) * second, kept within the type's range."""
    # An integer would leave integers integer, and 8 bits overflow.
    ratio = float(ratio)
    mixed = ratio * first + (1.0 - ratio) * second
    return mixed.clamp(0, max_value(first.dtype)).to(first.dtype)


def adjust_brightness(image: Tensor, factor: float) -> Tensor:
    """Return the image blended with black."""
    assert_image(image)
    assert_channels(image, [1, 3])
    return blend(image, facula.zeros_like(image), factor)


def adjust_contrast(image: Tensor, factor: float) -> Tensor:
    """Return the image blended with the mean of its grey."""
    assert_image(image)
    assert_channels(image, [1, 3])
    dtype = image.dtype if image.is_floating_point() else facula.float32
    grey = rgb_to_grayscale(image, 1) if channel_count(image) == 3 else image
    dimensions = tuple(range(-min(image.ndim, 3), 0))
    mean = grey.to(dtype).mean(dim=dimensions, keepdim=True)
    return blend(image, mean, factor)


def adjust_saturation(image: Tensor, factor: float) -> Tensor:
    """Return the image blended with its grey."""
    assert_image(image)
    assert_channels(image, [1, 3])
    if channel_count(image) == 1:
        return image
    return blend(image, rgb_to_grayscale(image, 1), factor)


def adjust_hue(image: Tensor, factor: float) -> Tensor:
    """Return the image with its hue turned by ``factor`` of a full circle."""
    assert_image(image)
    assert_channels(image, [1, 3])
    if channel_count(image) == 1:
        return image
    unit = convert_image_dtype(image, image.dtype if image.is_floating_point() else facula.float32)
    hue, saturation, value = _rgb_to_hsv(unit)
    turned = _hsv_to_rgb((hue + factor) % 1.0, saturation, value)
    return convert_image_dtype(turned, image.dtype)


def _rgb_to_hsv(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    red, green, blue = image.unbind(dim=-3)
    highest = image.amax(dim=-3)
    lowest = image.amin(dim=-3)
    is_grey = highest == lowest
    spread = highest - lowest
    one = facula.ones_like(highest)
    saturation = spread / facula.where(is_grey, one, highest)
    divisor = facula.where(is_grey, one, spread)
    to_red, to_green, to_blue = ((highest - channel) / divisor for channel in (red, green, blue))
    is_red = highest == red
    is_green = (highest == green) & ~is_red
    is_blue = ~is_green & ~is_red
    sixths = is_red * (to_blue - to_green) + is_green * (2.0 + to_red - to_blue) + is_blue * (4.0 + to_green - to_red)
    return (sixths / 6.0 + 1.0) % 1.0, saturation, highest


def _hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    sector = (hue * 6.0).floor()
    fraction = hue * 6.0 - sector
    low = (value * (1.0 - saturation)).clamp(0.0, 1.0)
    falling = (value * (1.0 - saturation * fraction)).clamp(0.0, 1.0)
    rising = (value * (1.0 - saturation * (1.0 - fraction))).clamp(0.0, 1.0)
    sector = sector.to(facula.int64) % 6
    red = _choose(sector, [value, falling, low, low, rising, value])
    green = _choose(sector, [rising, value, value, falling, low, low])
    blue = _choose(sector, [low, low, rising, value, value, falling])
    return facula.stack([red, green, blue], dim=-3)


def _choose(index: Tensor, choices: list[Tensor]) -> Tensor:
    return facula.stack(choices).gather(0, index.unsqueeze(0)).squeeze(0)


def adjust_pil_brightness(image: Image.Image, factor: float) -> Image.Image:
    """Return the image blended with black."""
    return ImageEnhance.Brightness(image).enhance(factor)


def adjust_pil_contrast(image: Image.Image, factor: float) -> Image.Image:
    """Return the image blended with the mean of its grey."""
    return ImageEnhance.Contrast(image).enhance(factor)


def adjust_pil_saturation(image: Image.Image, factor: float) -> Image.Image:
    """Return the image blended with its grey."""
    return ImageEnhance.Color(image).enhance(factor)


def adjust_pil_hue(image: Image.Image, factor: float) -> Image.Image:
    """Return the image with its hue turned by ``factor`` of a full circle, in steps of 1/256."""
    if image.mode in ("L", "1", "I", "F"):
        return image
    hue, saturation, value = image.convert("HSV").split()
    turned = numpy.asarray(hue).astype(numpy.int32) + int(factor * 255)
    hue = Image.fromarray((turned % 256).astype(numpy.uint8))
    return Image.merge("HSV", (hue, saturation, value)).convert(image.mode)
