"""Augmentations that combine many: AutoAugment, RandAugment, TrivialAugment and AugMix."""

import math
from collections.abc import Callable
from enum import Enum
from typing import Any

import facula
from facula import Tensor, nn
from PIL import Image

from facula_vision.transforms import functional as F
from facula_vision.transforms._warping import AnyImage, Fill
from facula_vision.transforms.interpolation import InterpolationMode

__all__ = ["AugMix", "AutoAugment", "AutoAugmentPolicy", "RandAugment", "TrivialAugmentWide"]

#: For each operation its magnitudes (none for those that have no strength), and whether the sign is random.
Space = dict[str, tuple[Tensor | None, bool]]


def _shear(axis: int) -> Callable[..., Any]:
    def apply(img: Any, magnitude: float, interpolation: InterpolationMode, fill: Fill) -> Any:
        shear = [0.0, 0.0]
        shear[axis] = math.degrees(math.atan(magnitude))
        return F.affine(img, 0.0, [0, 0], 1.0, shear, interpolation, fill, center=[0, 0])

    return apply


def _translate(axis: int) -> Callable[..., Any]:
    def apply(img: Any, magnitude: float, interpolation: InterpolationMode, fill: Fill) -> Any:
        move = [0, 0]
        move[axis] = int(magnitude)
        return F.affine(img, 0.0, move, 1.0, [0.0, 0.0], interpolation, fill)

    return apply


def _rotate(img: Any, magnitude: float, interpolation: InterpolationMode, fill: Fill) -> Any:
    return F.rotate(img, magnitude, interpolation, fill=fill)


#: Operations that need to know how to sample, and what is outside.
_GEOMETRY: dict[str, Callable[..., Any]] = {
    "ShearX": _shear(0),
    "ShearY": _shear(1),
    "TranslateX": _translate(0),
    "TranslateY": _translate(1),
    "Rotate": _rotate,
}
_LEVELS: dict[str, Callable[..., Any]] = {
    "Brightness": lambda img, magnitude: F.adjust_brightness(img, 1.0 + magnitude),
    "Color": lambda img, magnitude: F.adjust_saturation(img, 1.0 + magnitude),
    "Contrast": lambda img, magnitude: F.adjust_contrast(img, 1.0 + magnitude),
    "Sharpness": lambda img, magnitude: F.adjust_sharpness(img, 1.0 + magnitude),
    "Posterize": lambda img, magnitude: F.posterize(img, int(magnitude)),
    "Solarize": lambda img, magnitude: F.solarize(img, magnitude),
    "AutoContrast": lambda img, magnitude: F.autocontrast(img),
    "Equalize": lambda img, magnitude: F.equalize(img),
    "Invert": lambda img, magnitude: F.invert(img),
    "Identity": lambda img, magnitude: img,
}


def _apply_op(img: Any, op_name: str, magnitude: float, interpolation: InterpolationMode, fill: Fill) -> Any:
    """Return the image after the operation of that name."""
    if op_name in _GEOMETRY:
        return _GEOMETRY[op_name](img, magnitude, interpolation, fill)
    if op_name in _LEVELS:
        return _LEVELS[op_name](img, magnitude)
    raise ValueError(f"The provided operator {op_name} is not recognized.")


def _posterized(bits: int, bins: int, taken: int) -> Tensor:
    """Return how many bits are kept at each strength: ``taken`` fewer at the last."""
    return bits - (facula.arange(bins) / ((bins - 1) / taken)).round().int()


def _space(bins: int, shear: float, move: tuple[float, float], turn: float, bits: Tensor, strength: float) -> Space:
    """Return the operations with their magnitudes; ``move`` is the largest (right, down) in pixels."""

    def up_to(largest: float) -> tuple[Tensor, bool]:
        return facula.linspace(0.0, largest, bins), True

    return {
        "ShearX": up_to(shear),
        "ShearY": up_to(shear),
        "TranslateX": up_to(move[0]),
        "TranslateY": up_to(move[1]),
        "Rotate": up_to(turn),
        "Brightness": up_to(strength),
        "Color": up_to(strength),
        "Contrast": up_to(strength),
        "Sharpness": up_to(strength),
        "Posterize": (bits, False),
        "Solarize": (facula.linspace(255.0, 0.0, bins), False),
        "AutoContrast": (None, False),
        "Equalize": (None, False),
    }


def _google_space(bins: int, height: int, width: int) -> Space:
    """Return the operations as AutoAugment has them."""
    move = (150.0 / 331.0 * width, 150.0 / 331.0 * height)
    return _space(bins, 0.3, move, 30.0, _posterized(8, bins, 4), 0.9)


def _drawn(space: Space, magnitude_of: Callable[[Tensor], int]) -> tuple[str, float]:
    """Return a random operation and its magnitude, with a random sign where it has one."""
    name = list(space)[int(facula.randint(len(space), (1,)).item())]
    magnitudes, signed = space[name]
    magnitude = 0.0 if magnitudes is None else float(magnitudes[magnitude_of(magnitudes)].item())
    if signed and facula.randint(2, (1,)):
        magnitude = -magnitude
    return name, magnitude


def _fill_for(img: Image.Image | Tensor, fill: Fill) -> Fill:
    if not isinstance(img, Tensor) or fill is None:
        return fill
    if isinstance(fill, int | float):
        return [float(fill)] * F.get_dimensions(img)[0]
    return [float(each) for each in fill]


class AutoAugmentPolicy(Enum):
    """The data that a policy of AutoAugment was found on."""

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


Policy = tuple[tuple[str, float, int | None], tuple[str, float, int | None]]


def _policies(text: str) -> list[Policy]:
    """Return the pairs of (operation, probability, strength) that the text lists, a pair a line."""
    found: list[Any] = []
    for line in text.strip().splitlines():
        pair = []
        for each in line.split(","):
            name, probability, *strength = each.split()
            pair.append((name, float(probability), int(strength[0]) if strength else None))
        found.append(tuple(pair))
    return found


#: The published policies (Cubuk et al. 2018, arXiv 1805.09501): operation, probability, strength of ten.
_POLICIES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 0.4 8, Rotate 0.6 9
        Solarize 0.6 5, AutoContrast 0.6
        Equalize 0.8, Equalize 0.6
        Posterize 0.6 7, Posterize 0.6 6
        Equalize 0.4, Solarize 0.2 4
        Equalize 0.4, Rotate 0.8 8
        Solarize 0.6 3, Equalize 0.6
        Posterize 0.8 5, Equalize 1.0
        Rotate 0.2 3, Solarize 0.6 8
        Equalize 0.6, Posterize 0.4 6
        Rotate 0.8 8, Color 0.4 0
        Rotate 0.4 9, Equalize 0.6
        Equalize 0.0, Equalize 0.8
        Invert 0.6, Equalize 1.0
        Color 0.6 4, Contrast 1.0 8
        Rotate 0.8 8, Color 1.0 2
        Color 0.8 8, Solarize 0.8 7
        Sharpness 0.4 7, Invert 0.6
        ShearX 0.6 5, Equalize 1.0
        Color 0.4 0, Equalize 0.6
        Equalize 0.4, Solarize 0.2 4
        Solarize 0.6 5, AutoContrast 0.6
        Invert 0.6, Equalize 1.0
        Color 0.6 4, Contrast 1.0 8
        Equalize 0.8, Equalize 0.6
    """,
    AutoAugmentPolicy.CIFAR10: """
        Invert 0.1, Contrast 0.2 6
        Rotate 0.7 2, TranslateX 0.3 9
        Sharpness 0.8 1, Sharpness 0.9 3
        ShearY 0.5 8, TranslateY 0.7 9
        AutoContrast 0.5, Equalize 0.9
        ShearY 0.2 7, Posterize 0.3 7
        Color 0.4 3, Brightness 0.6 7
        Sharpness 0.3 9, Brightness 0.7 9
        Equalize 0.6, Equalize 0.5
        Contrast 0.6 7, Sharpness 0.6 5
        Color 0.7 7, TranslateX 0.5 8
        Equalize 0.3, AutoContrast 0.4
        TranslateY 0.4 3, Sharpness 0.2 6
        Brightness 0.9 6, Color 0.2 8
        Solarize 0.5 2, Invert 0.0
        Equalize 0.2, AutoContrast 0.6
        Equalize 0.2, Equalize 0.6
        Color 0.9 9, Equalize 0.6
        AutoContrast 0.8, Solarize 0.2 8
        Brightness 0.1 3, Color 0.7 0
        Solarize 0.4 5, AutoContrast 0.9
        TranslateY 0.9 9, TranslateY 0.7 9
        AutoContrast 0.9, Solarize 0.8 3
        Equalize 0.8, Invert 0.1
        TranslateY 0.7 9, AutoContrast 0.9
    """,
    AutoAugmentPolicy.SVHN: """
        ShearX 0.9 4, Invert 0.2
        ShearY 0.9 8, Invert 0.7
        Equalize 0.6, Solarize 0.6 6
        Invert 0.9, Equalize 0.6
        Equalize 0.6, Rotate 0.9 3
        ShearX 0.9 4, AutoContrast 0.8
        ShearY 0.9 8, Invert 0.4
        ShearY 0.9 5, Solarize 0.2 6
        Invert 0.9, AutoContrast 0.8
        Equalize 0.6, Rotate 0.9 3
        ShearX 0.9 4, Solarize 0.3 3
        ShearY 0.8 8, Invert 0.7
        Equalize 0.9, TranslateY 0.6 6
        Invert 0.9, Equalize 0.6
        Contrast 0.3 3, Rotate 0.8 4
        Invert 0.8, TranslateY 0.0 2
        ShearY 0.7 6, Solarize 0.4 8
        Invert 0.6, Rotate 0.8 4
        ShearY 0.3 7, TranslateX 0.9 3
        ShearX 0.1 6, Invert 0.6
        Solarize 0.7 2, TranslateY 0.6 7
        ShearY 0.8 4, Invert 0.8
        ShearX 0.7 9, TranslateY 0.8 3
        ShearY 0.8 5, AutoContrast 0.7
        ShearX 0.7 2, Invert 0.1
    """,
}


class AutoAugment(nn.Module):
    """Two operations that were found to help on a data set (Cubuk et al. 2018, arXiv 1805.09501), for 8-bit images."""

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__()
        if policy not in _POLICIES:
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.interpolation = interpolation
        self.fill = fill
        self.policies = _policies(_POLICIES[policy])

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Tensor, Tensor]:
        """Return which policy, and a random number and a random sign for both operations."""
        policy = int(facula.randint(transform_num, (1,)).item())
        return policy, facula.rand((2,)), facula.randint(2, (2,))

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the augmented image."""
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        index, draws, signs = self.get_params(len(self.policies))
        space: Space = {**_google_space(10, height, width), "Invert": (None, False)}
        for (name, probability, strength), draw, sign in zip(self.policies[index], draws, signs, strict=True):
            if draw > probability:
                continue
            magnitudes, signed = space[name]
            magnitude = float(magnitudes[strength].item()) if magnitudes is not None and strength is not None else 0.0
            if signed and sign == 0:
                magnitude = -magnitude
            img = _apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"


class RandAugment(nn.Module):
    """``num_ops`` random operations of one strength (Cubuk et al. 2019, arXiv 1909.13719), for 8-bit images."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__()
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the augmented image."""
        fill = _fill_for(img, self.fill)
        _, height, width = F.get_dimensions(img)
        space: Space = {"Identity": (None, False), **_google_space(self.num_magnitude_bins, height, width)}
        for _ in range(self.num_ops):
            name, magnitude = _drawn(space, lambda magnitudes: self.magnitude)
            img = _apply_op(img, name, magnitude, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_ops={self.num_ops}, magnitude={self.magnitude}, "
            f"num_magnitude_bins={self.num_magnitude_bins}, interpolation={self.interpolation}, fill={self.fill})"
        )


class TrivialAugmentWide(nn.Module):
    """One random operation of random strength (Müller and Hutter 2021, arXiv 2103.10158), for 8-bit images."""

    def __init__(
        self,
        num_magnitude_bins: int = 31,
        interpolation: InterpolationMode = InterpolationMode.NEAREST,
        fill: Fill = None,
    ) -> None:
        super().__init__()
        self.num_magnitude_bins = num_magnitude_bins
        self.interpolation = interpolation
        self.fill = fill

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the augmented image."""
        bins = self.num_magnitude_bins
        wide = _space(bins, 0.99, (32.0, 32.0), 135.0, _posterized(8, bins, 6), 0.99)
        name, magnitude = _drawn(
            {"Identity": (None, False), **wide}, lambda magnitudes: int(facula.randint(len(magnitudes), (1,)).item())
        )
        return _apply_op(img, name, magnitude, self.interpolation, _fill_for(img, self.fill))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(num_magnitude_bins={self.num_magnitude_bins}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )


class AugMix(nn.Module):
    """The image mixed with ``mixture_width`` chains of operations (Hendrycks et al. 2019, arXiv 1912.02781), 8-bit.

    ``severity`` is from 1 to 10; ``chain_depth`` of 0 or less draws a depth from 1 to 3 for each chain.
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode = InterpolationMode.BILINEAR,
        fill: Fill = None,
    ) -> None:
        super().__init__()
        if not 1 <= severity <= 10:
            raise ValueError(f"The severity must be between [1, 10]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops
        self.interpolation = interpolation
        self.fill = fill

    def _augmentation_space(self, height: int, width: int) -> Space:
        space = _space(10, 0.3, (width / 3.0, height / 3.0), 30.0, _posterized(4, 10, 4), 0.9)
        # What is drawn depends on the order: the optional ones come last.
        optional = {name: space.pop(name) for name in ("Brightness", "Color", "Contrast", "Sharpness")}
        return {**space, **optional} if self.all_ops else space

    def _weights(self, count: int, batch: int) -> Tensor:
        """Return ``batch`` rows of ``count`` random weights that add up to 1."""
        return facula.distributions.Dirichlet(facula.full((batch, count), float(self.alpha))).sample()

    def forward(self, orig_img: AnyImage) -> AnyImage:
        """Return the mixed image."""
        img = orig_img if isinstance(orig_img, Tensor) else F.pil_to_tensor(orig_img)
        fill = _fill_for(orig_img, self.fill)
        space = self._augmentation_space(*img.shape[-2:])
        batch = img.reshape((1,) * max(4 - img.ndim, 0) + tuple(img.shape))
        each = (batch.shape[0],) + (1,) * (batch.ndim - 1)
        share = self._weights(2, batch.shape[0]).to(batch.device)
        weights = self._weights(self.mixture_width, batch.shape[0]).to(batch.device) * share[:, 1:]
        mixed = share[:, 0].view(each) * batch
        for chain in range(self.mixture_width):
            augmented = batch
            depth = self.chain_depth if self.chain_depth > 0 else int(facula.randint(1, 4, size=(1,)).item())
            for _ in range(depth):
                name, magnitude = _drawn(space, lambda magnitudes: int(facula.randint(self.severity, (1,)).item()))
                augmented = _apply_op(augmented, name, magnitude, self.interpolation, fill)
            mixed += weights[:, chain].view(each) * augmented
        result = mixed.view(img.shape).to(img.dtype)
        return result if isinstance(orig_img, Tensor) else F.to_pil_image(result)

    def __repr__(self) -> str:
        names = ("severity", "mixture_width", "chain_depth", "alpha", "all_ops", "interpolation", "fill")
        return f"{type(self).__name__}({', '.join(f'{name}={getattr(self, name)}' for name in names)})"
