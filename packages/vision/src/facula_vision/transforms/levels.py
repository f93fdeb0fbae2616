"""Random blur, erasing, inversion, fewer levels, sharpness and contrast; a linear map of all pixels."""

import math
from collections.abc import Sequence

import facula
from facula import Tensor, nn

from facula_vision.transforms import functional as F
from facula_vision.transforms._levels import AnyImage, _two_odd_sizes

__all__ = [
    "GaussianBlur",
    "LinearTransformation",
    "RandomAdjustSharpness",
    "RandomAutocontrast",
    "RandomEqualize",
    "RandomErasing",
    "RandomInvert",
    "RandomPosterize",
    "RandomSolarize",
]


class _AtRandom(nn.Module):
    """Apply `change` with probability ``p``."""

    shown: tuple[str, ...] = ()

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def change(self, img: AnyImage) -> AnyImage:
        """Return the changed image."""
        raise NotImplementedError

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the image, changed or not."""
        return self.change(img) if facula.rand(1).item() < self.p else img

    def __repr__(self) -> str:
        return f"{type(self).__name__}({','.join(f'{name}={getattr(self, name)}' for name in (*self.shown, 'p'))})"


class RandomInvert(_AtRandom):
    """Take the negative with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, img: AnyImage) -> AnyImage:
        """Return the negative."""
        return F.invert(img)


class RandomPosterize(_AtRandom):
    """Keep the highest ``bits`` of each value with probability ``p``."""

    shown = ("bits",)

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p)
        self.bits = bits

    def change(self, img: AnyImage) -> AnyImage:
        """Return the image with fewer levels."""
        return F.posterize(img, self.bits)


class RandomSolarize(_AtRandom):
    """Invert the values of at least ``threshold`` with probability ``p``."""

    shown = ("threshold",)

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.threshold = threshold

    def change(self, img: AnyImage) -> AnyImage:
        """Return the image with its bright values inverted."""
        return F.solarize(img, self.threshold)


class RandomAdjustSharpness(_AtRandom):
    """Change the sharpness by ``sharpness_factor`` with probability ``p``."""

    shown = ("sharpness_factor",)

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p)
        self.sharpness_factor = sharpness_factor

    def change(self, img: AnyImage) -> AnyImage:
        """Return the image with another sharpness."""
        return F.adjust_sharpness(img, self.sharpness_factor)


class RandomAutocontrast(_AtRandom):
    """Stretch each channel over the whole range with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, img: AnyImage) -> AnyImage:
        """Return the stretched image."""
        return F.autocontrast(img)


class RandomEqualize(_AtRandom):
    """Spread each channel's values evenly with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def change(self, img: AnyImage) -> AnyImage:
        """Return the equalized image."""
        return F.equalize(img)


class GaussianBlur(nn.Module):
    """Smooth with a Gaussian whose width is drawn from the interval ``sigma``, or is that one number."""

    def __init__(self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = tuple(_two_odd_sizes(kernel_size))
        if not isinstance(sigma, int | float | Sequence):
            raise TypeError(f"sigma should be a single number or a list/tuple with length 2, got {sigma!r}")
        interval = (sigma, sigma) if isinstance(sigma, int | float) else tuple(sigma)
        if len(interval) != 2:
            raise ValueError(f"sigma should be a single number or a list/tuple with length 2, got {sigma!r}")
        if not 0.0 < interval[0] <= interval[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max). Got {interval}")
        self.sigma: Sequence[float] = interval

    @staticmethod
    def get_params(sigma_min: float, sigma_max: float) -> float:
        """Return a random width."""
        return float(facula.empty(1).uniform_(sigma_min, sigma_max).item())

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the smoothed image."""
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self) -> str:
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomErasing(nn.Module):
    """Fill a random rectangle of a tensor with probability ``p`` (Zhong et al. 2017, arXiv 1708.04896).

    Its area is drawn from ``scale`` times the image's, its height over width from ``ratio``, uniformly in the
    logarithm. ``value`` is a number, one a channel, or "random" for noise.
    """

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] = 0,
        inplace: bool = False,
    ) -> None:
        super().__init__()
        if not isinstance(value, int | float | str | tuple | list):
            raise TypeError(f"Argument value should be either a number or str or a sequence, got {value!r}")
        if isinstance(value, str) and value != "random":
            raise ValueError(f"If value is str, it should be 'random', got {value!r}")
        for name, interval in (("Scale", scale), ("Ratio", ratio)):
            if not isinstance(interval, Sequence):
                raise TypeError(f"{name} should be a sequence, got {interval!r}")
            if interval[0] > interval[1]:
                raise ValueError(f"{name} should be of kind (min, max), got {tuple(interval)}")
        if scale[0] < 0 or scale[1] > 1:
            raise ValueError(f"Scale should be between 0 and 1, got {tuple(scale)}")
        if not 0 <= p <= 1:
            raise ValueError(f"Random erasing probability should be between 0 and 1, got {p}")
        self.p = p
        self.scale = scale
        self.ratio = ratio
        self.value = value
        self.inplace = inplace

    @staticmethod
    def get_params(
        img: Tensor, scale: Sequence[float], ratio: Sequence[float], value: Sequence[float] | None = None
    ) -> tuple[int, int, int, int, Tensor]:
        """Return a random (top, left, height, width) and what to fill it with; all of the image when none fits."""
        channels, height, width = img.shape[-3:]
        low, high = facula.log(facula.tensor(ratio)).tolist()
        for _ in range(10):
            area = height * width * facula.empty(1).uniform_(scale[0], scale[1]).item()
            aspect_ratio = facula.exp(facula.empty(1).uniform_(low, high)).item()
            rows, columns = round(math.sqrt(area * aspect_ratio)), round(math.sqrt(area / aspect_ratio))
            if rows >= height or columns >= width:
                continue
            if value is None:
                fill = facula.empty([channels, rows, columns], dtype=facula.float32).normal_()
            else:
                fill = facula.tensor(value)[:, None, None]
            top = int(facula.randint(0, height - rows + 1, size=(1,)).item())
            left = int(facula.randint(0, width - columns + 1, size=(1,)).item())
            return top, left, rows, columns, fill
        return 0, 0, height, width, img

    def forward(self, img: Tensor) -> Tensor:
        """Return the image, with or without an erased rectangle."""
        if facula.rand(1) >= self.p:
            return img
        value: Sequence[float] | None
        if isinstance(self.value, int | float):
            value = [float(self.value)]
        else:
            value = None if isinstance(self.value, str) else [float(each) for each in self.value]
        if value is not None and len(value) not in (1, img.shape[-3]):
            raise ValueError(
                "If value is a sequence, it should have either a single value or "
                f"{img.shape[-3]} (number of input channels), got {len(value)}"
            )
        top, left, height, width, fill = self.get_params(img, self.scale, self.ratio, value)
        return F.erase(img, top, left, height, width, fill, self.inplace)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(p={self.p}, scale={self.scale}, ratio={self.ratio}, value={self.value}, "
            f"inplace={self.inplace})"
        )


class LinearTransformation(nn.Module):
    """Subtract ``mean_vector`` ``[D]`` from the D values of an image (..., C, H, W) and multiply by a matrix ``[D, D]``."""

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        size = transformation_matrix.shape[0]
        if tuple(transformation_matrix.shape) != (size, size):
            raise ValueError(f"transformation_matrix should be square. Got {tuple(transformation_matrix.shape)}.")
        if mean_vector.shape[0] != size:
            raise ValueError(
                f"mean_vector should have length {size}, as transformation_matrix. Got {len(mean_vector)}."
            )
        if transformation_matrix.device != mean_vector.device:
            raise ValueError(
                "Input tensors should be on the same device. "
                f"Got {transformation_matrix.device} and {mean_vector.device}"
            )
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def forward(self, tensor: Tensor) -> Tensor:
        """Return the whitened image."""
        shape = tuple(tensor.shape)
        size = shape[-3] * shape[-2] * shape[-1]
        if size != self.transformation_matrix.shape[0]:
            raise ValueError(
                f"Input tensor and transformation matrix have incompatible shape: {shape}, of {size} values, "
                f"and {tuple(self.transformation_matrix.shape)}"
            )
        flat = tensor.reshape(-1, size) - self.mean_vector
        return (flat @ self.transformation_matrix).reshape(shape)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(transformation_matrix={self.transformation_matrix.tolist()}, "
            f"mean_vector={self.mean_vector.tolist()})"
        )
