"""Types, normalising, blur, noise, erasing, compression; conversions; boxes and points that are no use."""

import io
from collections.abc import Sequence

import facula
import numpy
import PIL.Image
from facula import Tensor

from facula_vision import tv_tensors
from facula_vision.transforms import functional as v1
from facula_vision.transforms._functional_tensor import max_value
from facula_vision.transforms._warping import AnyImage
from facula_vision.transforms.v2.functional._dispatch import add_kernel, as_floating, dispatched, image_kernel, to_xyxy
from facula_vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask

__all__ = [
    "convert_image_dtype",
    "erase",
    "gaussian_blur",
    "gaussian_noise",
    "jpeg",
    "normalize",
    "pil_to_tensor",
    "sanitize_bounding_boxes",
    "sanitize_keypoints",
    "to_dtype",
    "to_image",
    "to_pil_image",
    "to_tensor",
    "uniform_temporal_subsample",
]

_TENSORS = (Tensor, tv_tensors.Image, tv_tensors.Video)


def to_dtype_image(image: Tensor, dtype: facula.dtype = facula.float, scale: bool = False) -> Tensor:
    """Return the image in another type, with ``scale`` its values scaled to that type's range."""
    if image.dtype == dtype or not scale:
        return image.to(dtype)
    if not image.is_floating_point() and dtype.is_floating_point:
        return image.to(dtype) * (1.0 / max_value(image.dtype))
    return v1.convert_image_dtype(image, dtype)


def convert_image_dtype(image: Tensor, dtype: facula.dtype = facula.float32) -> Tensor:
    """Return the image in another type, its values scaled to that type's range, as before `to_dtype`."""
    return to_dtype_image(image, dtype, scale=True)


@dispatched(*_TENSORS)
def to_dtype(inpt: Tensor, dtype: facula.dtype = facula.float, scale: bool = False) -> Tensor:
    """Return the input in another type; ``scale`` scales the values of images to that type's range."""
    return to_dtype_image(inpt, dtype, scale)


def _to_dtype_only(inpt: Tensor, dtype: facula.dtype = facula.float, scale: bool = False) -> Tensor:
    return inpt.to(dtype)


for _kind in (Mask, BoundingBoxes, KeyPoints):
    add_kernel(to_dtype, _kind, _to_dtype_only)


@dispatched(*_TENSORS)
def normalize(inpt: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> Tensor:
    """Return (inpt - mean) / std for each channel."""
    return v1.normalize(inpt, mean, std, inplace)


@dispatched()
def gaussian_blur(
    inpt: AnyImage, kernel_size: int | Sequence[int], sigma: float | Sequence[float] | None = None
) -> AnyImage:
    """Return the image smoothed with a Gaussian of width ``sigma`` (x, y), cut to ``kernel_size`` (x, y) pixels."""
    return v1.gaussian_blur(inpt, kernel_size, sigma)


@dispatched()
def gaussian_noise(inpt: AnyImage, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> AnyImage:
    """Return the image with normal noise added, cut to its range with ``clip``; ``sigma`` counts from 0 to 1."""
    if isinstance(inpt, PIL.Image.Image):
        return v1.to_pil_image(_noisy(v1.pil_to_tensor(inpt), mean, sigma, clip), mode=inpt.mode)
    return _noisy(inpt, mean, sigma, clip)


def _noisy(image: Tensor, mean: float, sigma: float, clip: bool) -> Tensor:
    if sigma < 0:
        raise ValueError(f"sigma shouldn't be negative. Got {sigma}")
    if image.is_floating_point():
        noisy = image + mean + facula.randn_like(image) * sigma
        return noisy.clamp(0, 1) if clip else noisy
    if image.dtype != facula.uint8:
        raise ValueError(f"Input tensor is expected to be in uint8 or float dtype, got dtype={image.dtype}")
    # Wider than 8 bits, so that what leaves the range can be cut off.
    noise = (mean * 255 + facula.randn(image.shape) * sigma * 255).to(facula.int16)
    noisy = image.to(facula.int16) + noise
    return (noisy.clamp(0, 255) if clip else noisy).to(facula.uint8)


@dispatched()
def erase(inpt: AnyImage, i: int, j: int, h: int, w: int, v: Tensor, inplace: bool = False) -> AnyImage:
    """Return the image with ``v`` in the rectangle of ``h`` rows and ``w`` columns from row ``i``, column ``j``."""
    if isinstance(inpt, PIL.Image.Image):
        return v1.to_pil_image(v1.erase(v1.pil_to_tensor(inpt), i, j, h, w, v), mode=inpt.mode)
    return v1.erase(inpt, i, j, h, w, v, inplace)


@dispatched()
def jpeg(inpt: AnyImage, quality: int) -> AnyImage:
    """Return the 8-bit image after it has been written as JPEG of that quality, 1 to 100, and read."""
    if not 1 <= quality <= 100:
        raise ValueError(f"quality must be an integer from 1 to 100, got {quality}")
    if isinstance(inpt, PIL.Image.Image):
        file = io.BytesIO()
        inpt.save(file, "JPEG", quality=quality)
        return PIL.Image.open(file).convert(inpt.mode)
    images = inpt.reshape(-1, *inpt.shape[-3:])
    return facula.stack([v1.pil_to_tensor(jpeg(v1.to_pil_image(image), quality)) for image in images]).reshape(
        inpt.shape
    )


@dispatched(Tensor, tv_tensors.Video)
def uniform_temporal_subsample(inpt: Tensor, num_samples: int) -> Tensor:
    """Return ``num_samples`` frames of the video (..., T, C, H, W), evenly spread from the first to the last."""
    frames = facula.linspace(0, inpt.shape[-4] - 1, num_samples).long().to(inpt.device)
    return inpt.index_select(-4, frames)


def to_image(inpt: Tensor | PIL.Image.Image | numpy.ndarray) -> tv_tensors.Image:
    """Return an Image of a tensor, a Pillow image or an array (H, W, C) or (H, W); values stay as they are."""
    if isinstance(inpt, numpy.ndarray):
        pixels = numpy.atleast_3d(inpt)
        return tv_tensors.Image(facula.from_numpy(numpy.ascontiguousarray(pixels.transpose(2, 0, 1))))
    if isinstance(inpt, PIL.Image.Image):
        return tv_tensors.Image(v1.pil_to_tensor(inpt))
    if isinstance(inpt, Tensor):
        return tv_tensors.Image(inpt.as_subclass(Tensor))
    raise TypeError(f"Input can either be a pure Tensor, a numpy array, or a PIL image, but got {type(inpt)} instead.")


def to_pil_image(inpt: Tensor | numpy.ndarray, mode: str | None = None) -> PIL.Image.Image:
    """Return a Pillow image of a (C, H, W) tensor or an (H, W, C) array."""
    return v1.to_pil_image(inpt.as_subclass(Tensor) if isinstance(inpt, Tensor) else inpt, mode)


def to_tensor(inpt: PIL.Image.Image | numpy.ndarray) -> Tensor:
    """Return the image as a (C, H, W) tensor, 8-bit values as floats from 0 to 1, as before `to_image`."""
    return v1.to_tensor(inpt)


pil_to_tensor = v1.pil_to_tensor


def sanitize_bounding_boxes(
    bounding_boxes: Tensor,
    format: BoundingBoxFormat | str | None = None,
    canvas_size: tuple[int, int] | None = None,
    min_size: float = 1.0,
    min_area: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Return the boxes inside the canvas with sides of ``min_size`` and areas of ``min_area``, and which they are.

    Plain tensors need ``format`` and ``canvas_size``.
    """
    if isinstance(bounding_boxes, BoundingBoxes):
        if format is not None or canvas_size is not None:
            raise ValueError("For bounding box tv_tensor inputs, `format` and `canvas_size` must not be passed.")
        format, canvas_size = bounding_boxes.format, bounding_boxes.canvas_size
    elif format is None or canvas_size is None:
        raise ValueError("For pure tensor inputs, `format` and `canvas_size` have to be passed.")
    plain = bounding_boxes.as_subclass(Tensor)
    kind = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
    valid = _useful(plain, kind, canvas_size, min_size, min_area)
    kept = plain[valid]
    if isinstance(bounding_boxes, BoundingBoxes):
        kept = BoundingBoxes.wrap(kept, bounding_boxes)
    return kept, valid


def _useful(
    boxes: Tensor, format: BoundingBoxFormat, canvas_size: tuple[int, int], min_size: float, min_area: float
) -> Tensor:
    height, width = canvas_size
    left, top, right, bottom = to_xyxy(as_floating(boxes), format).unbind(dim=-1)
    across, down = right - left, bottom - top
    large = (across >= min_size) & (down >= min_size) & (across * down >= min_area)
    return large & (left >= 0) & (top >= 0) & (right <= width) & (bottom <= height)


def sanitize_keypoints(key_points: Tensor, canvas_size: tuple[int, int] | None = None) -> tuple[Tensor, Tensor]:
    """Return the points (or groups of them) inside the canvas, and which they are; plain tensors need ``canvas_size``."""
    if isinstance(key_points, KeyPoints):
        if canvas_size is not None:
            raise ValueError("For keypoints tv_tensor inputs, `canvas_size` must not be passed.")
        canvas_size = key_points.canvas_size
    elif canvas_size is None:
        raise ValueError("For pure tensor inputs, `canvas_size` has to be passed.")
    height, width = canvas_size
    plain = key_points.as_subclass(Tensor)
    x, y = plain[..., 0], plain[..., 1]
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    valid = inside.reshape(inside.shape[0], -1).all(dim=-1)
    kept = plain[valid]
    return (KeyPoints.wrap(kept, key_points) if isinstance(key_points, KeyPoints) else kept), valid


# What is done to images, for those who have nothing else.
normalize_image = image_kernel(normalize)
gaussian_blur_image = image_kernel(gaussian_blur)
gaussian_noise_image = image_kernel(gaussian_noise)
erase_image = image_kernel(erase)
jpeg_image = image_kernel(jpeg)
