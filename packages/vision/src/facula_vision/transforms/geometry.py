"""Resizing, cropping, padding and flipping, the same for every image or at random."""

import math
from collections.abc import Sequence

import facula
from facula import Tensor, nn
from PIL import Image

from facula_vision.transforms import functional as F
from facula_vision.transforms._arguments import two_sizes
from facula_vision.transforms.functional import AnyImage
from facula_vision.transforms.interpolation import InterpolationMode, interpolation_mode

__all__ = [
    "CenterCrop",
    "FiveCrop",
    "Pad",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomVerticalFlip",
    "Resize",
    "TenCrop",
]


class Resize(nn.Module):
    """Resize to ``size`` (height, width), or the shorter side to one number, the longer one at most ``max_size``."""

    def __init__(
        self,
        size: int | Sequence[int],
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if not isinstance(size, int | Sequence):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError(f"If size is a sequence, it should have 1 or 2 values, got {len(size)}")
        self.size = size
        self.max_size = max_size
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the resized image."""
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, interpolation={self.interpolation.value}, "
            f"max_size={self.max_size}, antialias={self.antialias})"
        )


class CenterCrop(nn.Module):
    """Keep the middle of that size, padded with zeros where the image is smaller."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = two_sizes(size)

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the middle of the image."""
        return F.center_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class Pad(nn.Module):
    """Add pixels on each side.

    ``padding`` is one number, (left and right, top and bottom) or (left, top, right, bottom).
    ``padding_mode`` is "constant" (``fill``), "edge", "reflect" (without the edge pixel) or "symmetric" (with it).
    """

    def __init__(
        self,
        padding: int | Sequence[int],
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        if not isinstance(padding, int | tuple | list):
            raise TypeError(f"Got inappropriate padding arg: {padding!r}")
        if not isinstance(fill, int | float | tuple | list):
            raise TypeError(f"Got inappropriate fill arg: {fill!r}")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                f"Padding mode should be either constant, edge, reflect or symmetric, got {padding_mode!r}"
            )
        if not isinstance(padding, int) and len(padding) not in (1, 2, 4):
            raise ValueError(
                f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the padded image."""
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class FiveCrop(nn.Module):
    """Make five crops of that size: top left, top right, bottom left, bottom right and centre."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = two_sizes(size)

    def forward(self, img: AnyImage) -> tuple[AnyImage, ...]:
        """Return the five crops."""
        return F.five_crop(img, self.size)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size})"


class TenCrop(nn.Module):
    """Make the five crops of the image and of its mirror image, left to right or upside down."""

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        super().__init__()
        self.size = two_sizes(size)
        self.vertical_flip = vertical_flip

    def forward(self, img: AnyImage) -> tuple[AnyImage, ...]:
        """Return the ten crops."""
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"


class RandomHorizontalFlip(nn.Module):
    """Mirror left to right with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the image, mirrored or not."""
        return F.hflip(img) if facula.rand(1) < self.p else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomVerticalFlip(nn.Module):
    """Turn upside down with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the image, turned or not."""
        return F.vflip(img) if facula.rand(1) < self.p else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class RandomCrop(nn.Module):
    """Keep a rectangle of that size at a random place, after padding the image.

    ``pad_if_needed`` pads an image that is smaller; without it such an image is a ``ValueError``.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: float | Sequence[float] = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        height, width = two_sizes(size)
        self.size = (height, width)
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img: Image.Image | Tensor, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return a random (top, left, height, width) of that size inside the image."""
        _, height, width = F.get_dimensions(img)
        wanted_height, wanted_width = output_size
        if height < wanted_height or width < wanted_width:
            raise ValueError(
                f"Required crop size {(wanted_height, wanted_width)} is larger than input image size {(height, width)}"
            )
        if (height, width) == (wanted_height, wanted_width):
            return 0, 0, height, width
        top = int(facula.randint(0, height - wanted_height + 1, size=(1,)).item())
        left = int(facula.randint(0, width - wanted_width + 1, size=(1,)).item())
        return top, left, wanted_height, wanted_width

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the crop."""
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        if self.pad_if_needed:
            _, height, width = F.get_dimensions(img)
            if width < self.size[1]:
                img = F.pad(img, [self.size[1] - width, 0], self.fill, self.padding_mode)
            if height < self.size[0]:
                img = F.pad(img, [0, self.size[0] - height], self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self) -> str:
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


class RandomRotation(nn.Module):
    """Turn by a random angle, in degrees against the clock, from ``degrees`` (low, high) or from -degrees to degrees.

    The other arguments are those of ``functional.rotate``.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: float | Sequence[float] = 0,
    ) -> None:
        super().__init__()
        if isinstance(degrees, int | float):
            if degrees < 0:
                raise ValueError(f"If degrees is a single number, it must be positive, got {degrees}.")
            degrees = (-degrees, degrees)
        if not isinstance(degrees, Sequence):
            raise TypeError(f"degrees should be a number or a sequence of length 2, got {degrees!r}.")
        if len(degrees) != 2:
            raise ValueError(f"degrees should be a sequence of length 2, got {degrees!r}.")
        self.degrees = [float(degree) for degree in degrees]
        self.interpolation = interpolation_mode(interpolation)
        self.expand = expand
        self.center = center
        self.fill = fill

    @staticmethod
    def get_params(degrees: Sequence[float]) -> float:
        """Return a random angle."""
        return float(facula.empty(1).uniform_(float(degrees[0]), float(degrees[1])).item())

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the turned image."""
        angle = self.get_params(self.degrees)
        return F.rotate(img, angle, self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self) -> str:
        center = "" if self.center is None else f", center={self.center}"
        fill = "" if self.fill is None else f", fill={self.fill}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}{fill})"
        )


class RandomResizedCrop(nn.Module):
    """Keep a random part of the image and resize it, the augmentation of "Going Deeper with Convolutions" (2014).

    The part's area is drawn from ``scale`` times the image's, its width over height from ``ratio``, uniformly in the
    logarithm.
    """

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.size = two_sizes(size)
        for name, interval in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(interval, Sequence):
                raise TypeError(f"{name} should be a sequence, got {type(interval)}")
            if interval[0] > interval[1]:
                raise ValueError(f"{name} should be of kind (min, max), got {tuple(interval)}")
        self.interpolation = interpolation_mode(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(
        img: Image.Image | Tensor, scale: Sequence[float], ratio: Sequence[float]
    ) -> tuple[int, int, int, int]:
        """Return a random (top, left, height, width) inside the image; its middle when ten draws do not fit."""
        _, height, width = F.get_dimensions(img)
        area = height * width
        low, high = facula.log(facula.tensor(ratio)).tolist()
        for _ in range(10):
            target_area = area * facula.empty(1).uniform_(scale[0], scale[1]).item()
            aspect_ratio = facula.exp(facula.empty(1).uniform_(low, high)).item()
            crop_width = round(math.sqrt(target_area * aspect_ratio))
            crop_height = round(math.sqrt(target_area / aspect_ratio))
            if 0 < crop_width <= width and 0 < crop_height <= height:
                top = int(facula.randint(0, height - crop_height + 1, size=(1,)).item())
                left = int(facula.randint(0, width - crop_width + 1, size=(1,)).item())
                return top, left, crop_height, crop_width
        image_ratio = width / height
        crop_height, crop_width = height, width
        if image_ratio < min(ratio):
            crop_height = round(width / min(ratio))
        elif image_ratio > max(ratio):
            crop_width = round(height * max(ratio))
        return (height - crop_height) // 2, (width - crop_width) // 2, crop_height, crop_width

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the resized crop."""
        rectangle = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *rectangle, self.size, self.interpolation, antialias=self.antialias)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(size={self.size}, scale={tuple(round(value, 4) for value in self.scale)}, "
            f"ratio={tuple(round(value, 4) for value in self.ratio)}, interpolation={self.interpolation.value}, "
            f"antialias={self.antialias})"
        )
