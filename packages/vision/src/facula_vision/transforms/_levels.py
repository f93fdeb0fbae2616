"""Gamma, sharpness, blur, contrast by the histogram, fewer levels, inversion, erasing; Pillow images and tensors."""

from collections.abc import Sequence
from typing import TypeVar

import facula
import facula.nn.functional as F
from facula import Tensor
from PIL import Image, ImageEnhance, ImageOps

from facula_vision.transforms import _functional_pil as pil
from facula_vision.transforms._functional_color import blend, check_factor
from facula_vision.transforms._functional_tensor import (
    as_float_batch,
    assert_channels,
    assert_image,
    convert_image_dtype,
    max_value,
    rounded_to,
)

AnyImage = TypeVar("AnyImage", Image.Image, Tensor)


def _assert_grey_or_colour(image: Tensor) -> None:
    """Raise ``TypeError`` when this is no tensor (..., C, H, W) with one or three channels."""
    assert_image(image)
    if image.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {image.ndim}")
    assert_channels(image, [1, 3])


def _assert_bytes(image: Tensor) -> None:
    if image.dtype != facula.uint8:
        raise TypeError(f"Only uint8 image tensors are supported, but found {image.dtype}")


def adjust_gamma(img: AnyImage, gamma: float, gain: float = 1) -> AnyImage:
    """Return ``gain`` times the image to the power ``gamma``, its values taken as from 0 to 1."""
    if gamma < 0:
        raise ValueError(f"Gamma should be a non-negative real number, got {gamma}")
    if isinstance(img, Image.Image):
        # Just below 256, so that the brightest of the 256 levels is as wide as the others.
        table = [int(255.999 * gain * (level / 255.0) ** gamma) for level in range(256)]
        mode = img.mode
        adjusted = img.convert("RGB").point(table * 3)
        return adjusted.convert(mode)
    assert_image(img)
    assert_channels(img, [1, 3])
    unit = img if img.is_floating_point() else convert_image_dtype(img, facula.float32)
    return convert_image_dtype((gain * unit**gamma).clamp(0, 1), img.dtype)


def adjust_sharpness(img: AnyImage, sharpness_factor: float) -> AnyImage:
    """Return the image blended with a smoothed one: 0 gives the smoothed, 1 the image itself, 2 a sharper one."""
    check_factor("sharpness_factor", sharpness_factor)
    if isinstance(img, Image.Image):
        return ImageEnhance.Sharpness(img).enhance(sharpness_factor)
    assert_image(img)
    assert_channels(img, [1, 3])
    height, width = img.shape[-2:]
    if height <= 2 or width <= 2:
        return img
    batch = as_float_batch(img)
    kernel = facula.tensor([[1.0, 1.0, 1.0], [1.0, 5.0, 1.0], [1.0, 1.0, 1.0]]).to(batch) / 13.0
    channels = batch.shape[1]
    inner = F.conv2d(batch, kernel.expand(channels, 1, 3, 3), groups=channels)
    # The pixels at the border have no neighbourhood and stay.
    smooth = img.clone()
    smooth[..., 1:-1, 1:-1] = rounded_to(inner, img.dtype).reshape(*img.shape[:-2], height - 2, width - 2)
    return blend(img, smooth, sharpness_factor)


def autocontrast(img: AnyImage) -> AnyImage:
    """Return the image with the values of each channel stretched over the whole range."""
    if isinstance(img, Image.Image):
        return ImageOps.autocontrast(img)
    _assert_grey_or_colour(img)
    bound = max_value(img.dtype)
    values = img if img.is_floating_point() else img.to(facula.float32)
    lowest = values.amin(dim=(-2, -1), keepdim=True)
    spread = values.amax(dim=(-2, -1), keepdim=True) - lowest
    flat = spread == 0
    # By the reciprocal, as in torchvision: the last bit decides how integers are truncated.
    scale = facula.where(flat, facula.full_like(spread, 1.0 / bound), spread).reciprocal() * bound
    scale = facula.where(flat, facula.ones_like(scale), scale)
    lowest = facula.where(flat, facula.zeros_like(lowest), lowest)
    return ((values - lowest) * scale).clamp(0, bound).to(img.dtype)


def equalize(img: AnyImage) -> AnyImage:
    """Return the 8-bit image with the values of each channel spread evenly over the range, by the histogram."""
    if isinstance(img, Image.Image):
        return ImageOps.equalize(img)
    _assert_grey_or_colour(img)
    _assert_bytes(img)
    channels = img.reshape(-1, img.shape[-2] * img.shape[-1])
    if channels.numel() == 0:
        return img
    return facula.stack([_equalized(channel) for channel in channels]).reshape(img.shape)


def _equalized(channel: Tensor) -> Tensor:
    """Return the values of one channel with Pillow's table: the step leaves out the brightest value's pixels."""
    values = channel.to(facula.int64)
    histogram = facula.bincount(values, minlength=256)
    step = (channel.numel() - int(histogram[int(values.max())])) // 255
    if step == 0:
        return channel
    below = histogram.cumsum(0) - histogram
    table = ((below + step // 2) // step).clamp(0, 255)
    return table[values].to(facula.uint8)


def invert(img: AnyImage) -> AnyImage:
    """Return the negative of the image."""
    if isinstance(img, Image.Image):
        return ImageOps.invert(img)
    _assert_grey_or_colour(img)
    return max_value(img.dtype) - img


def posterize(img: AnyImage, bits: int) -> AnyImage:
    """Return the 8-bit image with all but the highest ``bits`` (0 to 8) of each value set to zero."""
    if not 0 <= bits <= 8:
        raise ValueError(f"The number if bits should be between 0 and 8. Got {bits}")
    if isinstance(img, Image.Image):
        # Pillow keeps one bit at least.
        return ImageOps.posterize(img, bits) if bits else img.point(lambda level: 0)
    _assert_grey_or_colour(img)
    _assert_bytes(img)
    return img & (256 - 2 ** (8 - bits) if bits else 0)


def solarize(img: AnyImage, threshold: float) -> AnyImage:
    """Return the image with the values of at least ``threshold`` inverted."""
    if isinstance(img, Image.Image):
        return ImageOps.solarize(img, threshold)  # type: ignore[arg-type]  # Pillow compares only
    _assert_grey_or_colour(img)
    if threshold > max_value(img.dtype):
        raise TypeError(f"Threshold should be less than bound of img, {max_value(img.dtype)}, got {threshold}")
    return facula.where(img >= threshold, invert(img), img)


def erase(img: Tensor, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> Tensor:
    """Return the tensor image with ``v`` in the rectangle of ``h`` rows and ``w`` columns from row ``i``, column ``j``."""
    if not isinstance(img, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(img)}")
    image = img if inplace else img.clone()
    image[..., i : i + h, j : j + w] = v
    return image


def _two_odd_sizes(kernel_size: int | Sequence[int]) -> list[int]:
    if not isinstance(kernel_size, int | list | tuple):
        raise TypeError(f"kernel_size should be int or a sequence of integers. Got {type(kernel_size)}")
    sizes = [kernel_size] * 2 if isinstance(kernel_size, int) else list(kernel_size)
    if len(sizes) != 2:
        raise ValueError(f"If kernel_size is a sequence its length should be 2. Got {len(sizes)}")
    if any(size <= 0 or size % 2 == 0 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {sizes}")
    return sizes


def _two_sigmas(sigma: float | Sequence[float] | None, sizes: Sequence[int]) -> list[float]:
    if sigma is None:
        return [size * 0.15 + 0.35 for size in sizes]
    if not isinstance(sigma, int | float | list | tuple):
        raise TypeError(f"sigma should be either float or sequence of floats. Got {type(sigma)}")
    sigmas = [float(sigma)] * 2 if isinstance(sigma, int | float) else [float(each) for each in sigma]
    if len(sigmas) == 1:
        sigmas = sigmas * 2
    if len(sigmas) != 2:
        raise ValueError(f"If sigma is a sequence, its length should be 2. Got {len(sigmas)}")
    if min(sigmas) <= 0:
        raise ValueError(f"sigma should have positive values. Got {sigmas}")
    return sigmas


def gaussian_blur(
    img: AnyImage, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None
) -> AnyImage:
    """Return the image smoothed with a Gaussian of width ``sigma`` (x, y), cut to ``kernel_size`` (x, y) pixels.

    ``sigma`` is 0.15 times the size plus 0.35 by default. The image goes on mirrored at its border.
    """
    sizes = _two_odd_sizes(kernel_size)
    sigmas = _two_sigmas(sigma, sizes)
    if isinstance(img, Image.Image):
        return pil.from_tensor(gaussian_blur(pil.to_tensor(img), sizes, sigmas), img.mode)
    assert_image(img)
    batch = as_float_batch(img)
    channels = batch.shape[1]
    x, y = (_gaussian(size, width).to(batch) for size, width in zip(sizes, sigmas, strict=True))
    across, down = sizes[0] // 2, sizes[1] // 2
    padded = F.pad(batch, [across, across, down, down], mode="reflect")
    blurred = F.conv2d(padded, x.view(1, 1, 1, -1).expand(channels, 1, 1, -1), groups=channels)
    blurred = F.conv2d(blurred, y.view(1, 1, -1, 1).expand(channels, 1, -1, 1), groups=channels)
    return rounded_to(blurred, img.dtype).reshape(img.shape)


def _gaussian(size: int, sigma: float) -> Tensor:
    """Return the values of a Gaussian at ``size`` places one apart, adding up to 1."""
    places = facula.arange(size, dtype=facula.float64) - (size - 1) / 2
    values = (-0.5 * (places / sigma) ** 2).exp()
    return values / values.sum()
