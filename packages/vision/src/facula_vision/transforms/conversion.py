"""Between Pillow images, arrays and tensors, and between number types and ranges."""

from collections.abc import Sequence

import facula
import numpy
from facula import Tensor, nn
from PIL import Image

from facula_vision.transforms import functional as F

__all__ = ["ConvertImageDtype", "Normalize", "PILToTensor", "ToPILImage", "ToTensor"]


class ToTensor:
    """Make a (C, H, W) tensor of a Pillow image or an (H, W, C) array; 8-bit values become floats from 0 to 1."""

    def __call__(self, pic: Image.Image | numpy.ndarray) -> Tensor:
        """Return the tensor."""
        return F.to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class PILToTensor:
    """Make a (C, H, W) tensor of a Pillow image, its values as they are: uint8 for 8-bit images."""

    def __call__(self, pic: Image.Image) -> Tensor:
        """Return the tensor."""
        return F.pil_to_tensor(pic)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class ConvertImageDtype(nn.Module):
    """Convert a tensor image to another type, its values scaled to that type's range."""

    def __init__(self, dtype: facula.dtype) -> None:
        super().__init__()
        if not isinstance(dtype, facula.dtype):
            raise TypeError(f"Argument dtype should be of type facula.dtype, got {type(dtype).__name__!r}")
        self.dtype = dtype

    def forward(self, image: Tensor) -> Tensor:
        """Return the converted image."""
        return F.convert_image_dtype(image, self.dtype)


class ToPILImage:
    """Make a Pillow image of a (C, H, W) tensor or an (H, W, C) array; floats are taken to be from 0 to 1."""

    def __init__(self, mode: str | None = None) -> None:
        self.mode = mode

    def __call__(self, pic: Tensor | numpy.ndarray) -> Image.Image:
        """Return the Pillow image."""
        return F.to_pil_image(pic, self.mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class Normalize(nn.Module):
    """Subtract ``mean`` and divide by ``std``, one number a channel, in a float tensor (..., C, H, W)."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor: Tensor) -> Tensor:
        """Return the normalized image."""
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"
