"""Colours and levels of images and videos."""

from collections.abc import Sequence

import facula
import PIL.Image
from facula import Tensor

from facula_vision.transforms import functional as v1
from facula_vision.transforms._functional_tensor import max_value
from facula_vision.transforms._warping import AnyImage
from facula_vision.transforms.v2.functional._dispatch import dispatched, image_kernel
from facula_vision.transforms.v2.functional._misc import to_dtype_image

__all__ = [
    "adjust_brightness",
    "adjust_contrast",
    "adjust_gamma",
    "adjust_hue",
    "adjust_saturation",
    "adjust_sharpness",
    "autocontrast",
    "equalize",
    "grayscale_to_rgb",
    "invert",
    "permute_channels",
    "posterize",
    "rgb_to_grayscale",
    "solarize",
    "to_grayscale",
]


@dispatched()
def rgb_to_grayscale(inpt: AnyImage, num_output_channels: int = 1) -> AnyImage:
    """Return the image in grey with 1 channel, or with 3 equal ones."""
    return v1.rgb_to_grayscale(inpt, num_output_channels)


to_grayscale = rgb_to_grayscale


@dispatched()
def grayscale_to_rgb(inpt: AnyImage) -> AnyImage:
    """Return the grey image with three equal channels; one with three or more stays."""
    if isinstance(inpt, PIL.Image.Image):
        return inpt.convert("RGB")
    return inpt if inpt.shape[-3] >= 3 else v1.rgb_to_grayscale(inpt, 3)


@dispatched()
def adjust_brightness(inpt: AnyImage, brightness_factor: float) -> AnyImage:
    """Return the image with its brightness multiplied."""
    return v1.adjust_brightness(inpt, brightness_factor)


@dispatched()
def adjust_saturation(inpt: AnyImage, saturation_factor: float) -> AnyImage:
    """Return the image with its distance from its own grey version multiplied."""
    return v1.adjust_saturation(inpt, saturation_factor)


@dispatched()
def adjust_contrast(inpt: AnyImage, contrast_factor: float) -> AnyImage:
    """Return the image with its distance from its mean grey multiplied."""
    return v1.adjust_contrast(inpt, contrast_factor)


@dispatched()
def adjust_sharpness(inpt: AnyImage, sharpness_factor: float) -> AnyImage:
    """Return the image blended with a smoothed one: 1 changes nothing, more sharpens."""
    return v1.adjust_sharpness(inpt, sharpness_factor)


@dispatched()
def adjust_hue(inpt: AnyImage, hue_factor: float) -> AnyImage:
    """Return the image with its hue turned by ``hue_factor``, from -0.5 to 0.5, of a full circle."""
    return v1.adjust_hue(inpt, hue_factor)


@dispatched()
def adjust_gamma(inpt: AnyImage, gamma: float, gain: float = 1) -> AnyImage:
    """Return ``gain`` times the image to the power ``gamma``, its values taken as from 0 to 1."""
    return v1.adjust_gamma(inpt, gamma, gain)


@dispatched()
def posterize(inpt: AnyImage, bits: int) -> AnyImage:
    """Return the image with all but the highest ``bits`` of each value set to zero; floats get 2**bits levels."""
    if isinstance(inpt, Tensor) and inpt.is_floating_point():
        levels = 1 << bits
        return (inpt * levels).floor().clamp(0, levels - 1) * (1.0 / levels)
    return v1.posterize(inpt, bits)


@dispatched()
def solarize(inpt: AnyImage, threshold: float) -> AnyImage:
    """Return the image with the values of at least ``threshold`` inverted."""
    if isinstance(inpt, PIL.Image.Image):
        return v1.solarize(inpt, threshold)
    if threshold > max_value(inpt.dtype):
        raise TypeError(f"Threshold should be at most {max_value(inpt.dtype)}, the largest value, but got {threshold}")
    return facula.where(inpt >= threshold, max_value(inpt.dtype) - inpt, inpt)


@dispatched()
def autocontrast(inpt: AnyImage) -> AnyImage:
    """Return the image with the values of each channel stretched over the whole range."""
    return v1.autocontrast(inpt)


@dispatched()
def equalize(inpt: AnyImage) -> AnyImage:
    """Return the image with the values of each channel spread evenly over the range, in 256 levels."""
    if isinstance(inpt, PIL.Image.Image) or inpt.dtype == facula.uint8:
        return v1.equalize(inpt)
    return to_dtype_image(v1.equalize(to_dtype_image(inpt, facula.uint8, True)), inpt.dtype, True)


@dispatched()
def invert(inpt: AnyImage) -> AnyImage:
    """Return the negative of the image."""
    if isinstance(inpt, PIL.Image.Image):
        return v1.invert(inpt)
    return max_value(inpt.dtype) - inpt


@dispatched()
def permute_channels(inpt: AnyImage, permutation: Sequence[int] | Tensor) -> AnyImage:
    """Return the image with its channels in the order ``permutation``."""
    order = permutation.tolist() if isinstance(permutation, Tensor) else list(permutation)
    count = v1.get_image_num_channels(inpt)
    if len(order) != count:
        raise ValueError(f"Length of permutation does not match number of channels: {len(order)} != {count}")
    if isinstance(inpt, PIL.Image.Image):
        return v1.to_pil_image(v1.pil_to_tensor(inpt)[order], mode=inpt.mode)
    return inpt[..., order, :, :]


# What is done to images, for those who have nothing else.
rgb_to_grayscale_image = image_kernel(rgb_to_grayscale)
grayscale_to_rgb_image = image_kernel(grayscale_to_rgb)
adjust_brightness_image = image_kernel(adjust_brightness)
adjust_saturation_image = image_kernel(adjust_saturation)
adjust_contrast_image = image_kernel(adjust_contrast)
adjust_sharpness_image = image_kernel(adjust_sharpness)
adjust_hue_image = image_kernel(adjust_hue)
adjust_gamma_image = image_kernel(adjust_gamma)
posterize_image = image_kernel(posterize)
solarize_image = image_kernel(solarize)
autocontrast_image = image_kernel(autocontrast)
equalize_image = image_kernel(equalize)
invert_image = image_kernel(invert)
permute_channels_image = image_kernel(permute_channels)
