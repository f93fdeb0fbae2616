"""Random affine maps, perspectives and elastic distortions."""

from collections.abc import Sequence

import facula
from facula import Tensor, nn

from facula_vision.transforms import functional as F
from facula_vision.transforms._warping import AnyImage, Fill
from facula_vision.transforms.interpolation import InterpolationMode, interpolation_mode

__all__ = ["ElasticTransform", "RandomAffine", "RandomPerspective"]


def _uniform(low: float, high: float) -> float:
    return float(facula.empty(1).uniform_(float(low), float(high)).item())


def _randint(low: int, high: int) -> int:
    return int(facula.randint(low, high, size=(1,)).item())


def _checked_angles(value: float | Sequence[float], name: str, lengths: tuple[int, ...] = (2,)) -> list[float]:
    """Return the interval of angles: -x to x for a number x."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive, got {value}.")
        return [-float(value), float(value)]
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a number or a sequence, got {value!r}.")
    if len(value) not in lengths:
        raise ValueError(f"{name} should be a sequence of length {' or '.join(map(str, lengths))}, got {value!r}.")
    return [float(each) for each in value]


def _checked_pair(value: Sequence[float], name: str) -> Sequence[float]:
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a sequence of length 2, got {value!r}.")
    if len(value) != 2:
        raise ValueError(f"{name} should be a sequence of length 2, got {value!r}.")
    return value


def _checked_fill(fill: Fill) -> float | Sequence[float]:
    if fill is None:
        return 0
    if not isinstance(fill, int | float | Sequence):
        raise TypeError(f"Fill should be either a sequence or a number, got {fill!r}.")
    return fill


class RandomAffine(nn.Module):
    """Turn, move, scale and shear by random amounts.

    ``degrees`` and ``shear`` (along x, or the intervals along x and y) are a number x for -x to x, or intervals;
    ``translate`` the largest shares of width and height; ``scale`` an interval.
    """

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Fill = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        super().__init__()
        self.degrees = _checked_angles(degrees, "degrees")
        self.translate = translate
        if translate is not None and not all(0.0 <= share <= 1.0 for share in _checked_pair(translate, "translate")):
            raise ValueError(f"translation values should be between 0 and 1, got {translate}")
        self.scale = scale
        if scale is not None and min(_checked_pair(scale, "scale")) <= 0:
            raise ValueError(f"scale values should be positive, got {scale}")
        self.shear = None if shear is None else _checked_angles(shear, "shear", (2, 4))
        self.interpolation = interpolation_mode(interpolation)
        self.fill = _checked_fill(fill)
        self.center = None if center is None else _checked_pair(center, "center")

    @staticmethod
    def get_params(
        degrees: Sequence[float],
        translate: Sequence[float] | None,
        scale_ranges: Sequence[float] | None,
        shears: Sequence[float] | None,
        img_size: Sequence[int],
    ) -> tuple[float, tuple[int, int], float, tuple[float, float]]:
        """Return a random angle, (right, down) move, scale and (x, y) shear; ``img_size`` is (width, height)."""
        angle = _uniform(degrees[0], degrees[1])
        move = (0, 0)
        if translate is not None:
            right, down = (share * size for share, size in zip(translate, img_size, strict=True))
            move = (round(_uniform(-right, right)), round(_uniform(-down, down)))
        scale = 1.0 if scale_ranges is None else _uniform(scale_ranges[0], scale_ranges[1])
        shear_x = shear_y = 0.0
        if shears is not None:
            shear_x = _uniform(shears[0], shears[1])
            if len(shears) == 4:
                shear_y = _uniform(shears[2], shears[3])
        return angle, move, scale, (shear_x, shear_y)

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the transformed image."""
        _, height, width = F.get_dimensions(img)
        amounts = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return F.affine(img, *amounts, interpolation=self.interpolation, fill=self.fill, center=self.center)

    def __repr__(self) -> str:
        shown = [f"degrees={self.degrees}"]
        shown += [
            f"{name}={getattr(self, name)}"
            for name in ("translate", "scale", "shear")
            if getattr(self, name) is not None
        ]
        if self.interpolation is not InterpolationMode.NEAREST:
            shown.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            shown.append(f"fill={self.fill}")
        if self.center is not None:
            shown.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(shown)})"


Corners = list[list[int]]


class RandomPerspective(nn.Module):
    """Look from elsewhere with probability ``p``: each corner moves inwards by up to half ``distortion_scale``."""

    def __init__(
        self,
        distortion_scale: float = 0.5,
        p: float = 0.5,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        fill: Fill = 0,
    ) -> None:
        super().__init__()
        self.distortion_scale = distortion_scale
        self.p = p
        self.interpolation = interpolation_mode(interpolation)
        self.fill = _checked_fill(fill)

    @staticmethod
    def get_params(width: int, height: int, distortion_scale: float) -> tuple[Corners, Corners]:
        """Return the four corners (x, y), from top left with the clock, and where they go."""
        across = int(distortion_scale * (width // 2))
        down = int(distortion_scale * (height // 2))
        left, top = (0, across + 1), (0, down + 1)
        right, bottom = (width - across - 1, width), (height - down - 1, height)
        ends = [[_randint(*x), _randint(*y)] for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))]
        starts = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return starts, ends

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the image, transformed or not."""
        if facula.rand(1) >= self.p:
            return img
        _, height, width = F.get_dimensions(img)
        starts, ends = self.get_params(width, height, self.distortion_scale)
        return F.perspective(img, starts, ends, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


class ElasticTransform(nn.Module):
    """Move each pixel by a random amount of strength ``alpha``, smoothed by a Gaussian of width ``sigma``.

    Both are a number or (x, y).
    """

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        fill: Fill = 0,
    ) -> None:
        super().__init__()
        self.alpha = _two_numbers(alpha, "alpha")
        self.sigma = _two_numbers(sigma, "sigma")
        self.interpolation = interpolation_mode(interpolation)
        fill = _checked_fill(fill)
        self.fill = [float(fill)] if isinstance(fill, int | float) else [float(each) for each in fill]

    @staticmethod
    def get_params(alpha: Sequence[float], sigma: Sequence[float], size: Sequence[int]) -> Tensor:
        """Return a random displacement ``[1, H, W, 2]`` for an image of ``size`` (H, W)."""
        height, width = size
        moves = []
        for strength, smoothness, extent in zip(alpha, sigma, (width, height), strict=True):
            move = facula.rand([1, 1, height, width]) * 2 - 1
            if smoothness > 0.0:
                # An odd number of pixels.
                kernel = int(8 * smoothness + 1) | 1
                move = F.gaussian_blur(move, [kernel, kernel], list(sigma))
            moves.append(move * strength / extent)
        return facula.cat(moves, 1).permute([0, 2, 3, 1])

    def forward(self, tensor: AnyImage) -> AnyImage:
        """Return the distorted image."""
        _, height, width = F.get_dimensions(tensor)
        displacement = self.get_params(self.alpha, self.sigma, [height, width])
        return F.elastic_transform(tensor, displacement, self.interpolation, self.fill)

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(alpha={self.alpha}, sigma={self.sigma}, interpolation={self.interpolation}, "
            f"fill={self.fill})"
        )


def _two_numbers(value: float | Sequence[float], name: str) -> list[float]:
    if isinstance(value, int | float):
        return [float(value)] * 2
    if not isinstance(value, Sequence):
        raise TypeError(f"{name} should be a number or a sequence of two, got {value!r}")
    if len(value) not in (1, 2):
        raise ValueError(f"If {name} is a sequence its length should be 2. Got {len(value)}")
    return [float(value[0]), float(value[-1])]
