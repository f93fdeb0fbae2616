"""The transforms of images that are tensors of shape (..., C, H, W)."""

from collections.abc import Sequence

import facula
import facula.nn.functional as F
import numpy
from facula import Tensor

from facula_vision.transforms._resample import resize_antialiased

_INTEGER_DTYPES = (facula.uint8, facula.int8, facula.int16, facula.int32, facula.int64)
_PADDING_MODES = {"constant": "constant", "edge": "replicate", "reflect": "reflect"}


def assert_image(image: object) -> None:
    """Raise ``TypeError`` when this is not a tensor with height and width."""
    if not isinstance(image, Tensor):
        raise TypeError(f"Unexpected type {type(image)}: expected a Pillow image or a Tensor")
    if image.ndim < 2:
        raise TypeError(f"Tensor is not a torch image: expected at least 2 dimensions, got {image.ndim}")


def channel_count(image: Tensor) -> int:
    """Return the number of channels; 1 when there is only height and width."""
    return 1 if image.ndim == 2 else image.shape[-3]


def assert_channels(image: Tensor, permitted: Sequence[int]) -> None:
    """Raise ``TypeError`` when the number of channels is none of ``permitted``."""
    count = channel_count(image)
    if count not in permitted:
        raise TypeError(f"Input image tensor permitted channel values are {list(permitted)}, but found {count}")


def max_value(dtype: facula.dtype) -> int:
    """Return the value that stands for full brightness: the largest of an integer type, 1 of a float."""
    return facula.iinfo(dtype).max if dtype in _INTEGER_DTYPES else 1


def convert_image_dtype(image: Tensor, dtype: facula.dtype) -> Tensor:
    """Return the image in another type with its values scaled to that type's range."""
    if image.dtype == dtype:
        return image
    if image.is_floating_point():
        if dtype.is_floating_point:
            return image.to(dtype)
        # A float cannot count to the largest value of these integers.
        too_wide = (facula.int32, facula.int64) if image.dtype == facula.float32 else (facula.int64,)
        if dtype in too_wide:
            raise RuntimeError(f"The cast from {image.dtype} to {dtype} cannot be performed safely.")
        # Just below max + 1, so that every integer gets an equally wide interval and 1.0 does not overflow.
        return image.mul(max_value(dtype) + 1.0 - 1e-3).to(dtype)
    if dtype.is_floating_point:
        return image.to(dtype) / max_value(image.dtype)
    source, target = max_value(image.dtype), max_value(dtype)
    if source > target:
        factor = (source + 1) // (target + 1)
        return facula.div(image, factor, rounding_mode="floor").to(dtype)
    factor = (target + 1) // (source + 1)
    return image.to(dtype) * factor


def normalize(image: Tensor, mean: Sequence[float], std: Sequence[float], inplace: bool) -> Tensor:
    """Return (image - mean) / std per channel."""
    if not image.is_floating_point():
        raise TypeError(f"Input tensor should be a float tensor. Got {image.dtype}.")
    if image.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tuple(image.shape)}"
        )
    means = facula.as_tensor(mean, dtype=image.dtype, device=image.device)
    deviations = facula.as_tensor(std, dtype=image.dtype, device=image.device)
    if bool((deviations == 0).any()):
        raise ValueError(f"std evaluated to zero after conversion to {image.dtype}, leading to division by zero.")
    if means.ndim == 1:
        means = means.view(-1, 1, 1)
    if deviations.ndim == 1:
        deviations = deviations.view(-1, 1, 1)
    if inplace:
        return image.sub_(means).div_(deviations)
    return image.sub(means).div_(deviations)


def as_float_batch(image: Tensor) -> Tensor:
    """Return the image as (N, C, H, W), in a float type."""
    if image.dtype not in (facula.float32, facula.float64):
        image = image.to(facula.float32)
    return image.reshape(-1, channel_count(image), *image.shape[-2:])


def rounded_to(image: Tensor, dtype: facula.dtype) -> Tensor:
    """Return the float image in another type, rounded for an integer one."""
    if dtype in _INTEGER_DTYPES:
        image = image.round()
    return image.to(dtype)


def resize(image: Tensor, size: tuple[int, int], mode: str, antialias: bool) -> Tensor:
    """Return the image with the given height and width; ``mode`` is nearest, nearest-exact, bilinear or bicubic."""
    assert_image(image)
    shape = (*image.shape[:-2], *size)
    if mode in ("nearest", "nearest-exact"):
        rows = _nearest_index(image.shape[-2], size[0], mode, image.device)
        columns = _nearest_index(image.shape[-1], size[1], mode, image.device)
        return image.index_select(-2, rows).index_select(-1, columns)
    batch = as_float_batch(image)
    if antialias:
        resized = resize_antialiased(batch, size, mode)
    else:
        resized = F.interpolate(batch, size=list(size), mode=mode, align_corners=False)
    if mode == "bicubic" and image.dtype == facula.uint8:
        # The cubic kernel overshoots.
        resized = resized.clamp(min=0, max=255)
    return rounded_to(resized, image.dtype).reshape(shape)


def _nearest_index(source: int, target: int, mode: str, device: facula.device) -> Tensor:
    """Return which pixel is taken for each of the target's, with the rounding of PyTorch's single precision."""
    scale = numpy.float32(source) / numpy.float32(target)
    position = numpy.arange(target, dtype=numpy.float32)
    offset = numpy.float32(0.0 if mode == "nearest" else 0.5)
    place = numpy.floor((position + offset) * scale)
    return facula.from_numpy(numpy.minimum(place.astype(numpy.int64), source - 1)).to(device)


def pad(image: Tensor, padding: Sequence[int], fill: float, mode: str) -> Tensor:
    """Return the image with ``padding`` (left, top, right, bottom) pixels more; negative ones crop."""
    assert_image(image)
    left, top, right, bottom = padding
    if mode == "symmetric":
        return _pad_symmetric(image, left, top, right, bottom)
    borders = [left, right, top, bottom]
    if mode == "constant":
        return F.pad(image, borders, mode="constant", value=float(fill))
    batch = as_float_batch(image)
    padded = F.pad(batch, borders, mode=_PADDING_MODES[mode])
    return rounded_to(padded, image.dtype).reshape(*image.shape[:-2], *padded.shape[-2:])


def _pad_symmetric(image: Tensor, left: int, top: int, right: int, bottom: int) -> Tensor:
    height, width = image.shape[-2:]
    rows = _mirrored_index(height, top, bottom, image.device)
    columns = _mirrored_index(width, left, right, image.device)
    return image.index_select(-2, rows).index_select(-1, columns)


def _mirrored_index(size: int, before: int, after: int, device: facula.device) -> Tensor:
    """Return which pixel stands at each place: 1 0 | 0 1 2 | 2 1; negative amounts crop."""
    indices = [*range(size), *range(size - 1, -1, -1)]
    wanted = [indices[position % (2 * size)] for position in range(-before, size + after)]
    return facula.tensor(wanted, dtype=facula.int64, device=device)


def crop(image: Tensor, top: int, left: int, height: int, width: int) -> Tensor:
    """Return the rectangle; what lies outside the image is zero."""
    assert_image(image)
    image_height, image_width = image.shape[-2:]
    bottom, right = top + height, left + width
    inside = image[..., max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if top >= 0 and left >= 0 and bottom <= image_height and right <= image_width:
        return inside
    missing = [
        max(min(right, 0) - left, 0),
        max(right - max(image_width, left), 0),
        max(min(bottom, 0) - top, 0),
        max(bottom - max(image_height, top), 0),
    ]
    return F.pad(inside, missing, mode="constant", value=0.0)


def rgb_to_grayscale(image: Tensor, num_output_channels: int) -> Tensor:
    """Return the luma of ITU-R BT.601, 0.2989 R + 0.587 G + 0.114 B, in 1 or 3 equal channels."""
    assert_image(image)
    if image.ndim < 3:
        raise TypeError(f"Input image tensor should have at least 3 dimensions, but found {image.ndim}")
    assert_channels(image, [1, 3])
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels should be either 1 or 3, got {num_output_channels}")
    if image.shape[-3] == 3:
        red, green, blue = image.unbind(dim=-3)
        luma = (0.2989 * red + 0.587 * green + 0.114 * blue).to(image.dtype).unsqueeze(dim=-3)
    else:
        luma = image.clone()
    if num_output_channels == 3:
        return luma.expand(*luma.shape[:-3], 3, *luma.shape[-2:])
    return luma
