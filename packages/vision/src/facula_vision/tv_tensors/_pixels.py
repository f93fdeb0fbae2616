"""Images, videos and masks."""

from typing import Any

import facula
import numpy
import PIL.Image
from facula import Tensor

from facula_vision.tv_tensors._base import TVTensor, TypeOrDevice

__all__ = ["Image", "Mask", "Video"]


def _pixels(data: Any) -> Any:
    """Return the data, a Pillow image as a (C, H, W) tensor."""
    if not isinstance(data, PIL.Image.Image):
        return data
    pixels = numpy.asarray(data)
    channels_last = pixels[:, :, None] if pixels.ndim == 2 else pixels
    return facula.from_numpy(channels_last.transpose(2, 0, 1).copy())


class Image(TVTensor):
    """An image (..., C, H, W), of a tensor, what can become one, or a Pillow image; (H, W) becomes (1, H, W)."""

    def __new__(
        cls,
        data: Any,
        *,
        dtype: facula.dtype | None = None,
        device: TypeOrDevice = None,
        requires_grad: bool | None = None,
    ) -> "Image":
        tensor: Tensor = cls._to_tensor(_pixels(data), dtype, device, requires_grad)
        if tensor.ndim < 2:
            raise ValueError(f"expected an image with height and width, got {tensor.ndim} dimensions")
        return (tensor.unsqueeze(0) if tensor.ndim == 2 else tensor).as_subclass(cls)


class Video(TVTensor):
    """A video (..., T, C, H, W)."""

    def __new__(
        cls,
        data: Any,
        *,
        dtype: facula.dtype | None = None,
        device: TypeOrDevice = None,
        requires_grad: bool | None = None,
    ) -> "Video":
        tensor: Tensor = cls._to_tensor(data, dtype, device, requires_grad)
        if tensor.ndim < 4:
            raise ValueError(f"expected a video (..., T, C, H, W), got {tensor.ndim} dimensions")
        return tensor.as_subclass(cls)


class Mask(TVTensor):
    """A segmentation (..., H, W), or one mask an object; of a Pillow image of one channel, (H, W)."""

    def __new__(
        cls,
        data: Any,
        *,
        dtype: facula.dtype | None = None,
        device: TypeOrDevice = None,
        requires_grad: bool | None = None,
    ) -> "Mask":
        pixels = _pixels(data)
        if isinstance(data, PIL.Image.Image) and pixels.shape[0] == 1:
            pixels = pixels[0]
        return cls._to_tensor(pixels, dtype, device, requires_grad).as_subclass(cls)
