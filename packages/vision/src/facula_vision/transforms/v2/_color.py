"""Transforms of colours and levels."""

from typing import Any

import facula

from facula_vision import transforms as v1
from facula_vision.transforms.v2 import functional as F
from facula_vision.transforms.v2._transform import RandomApplyTransform, Transform
from facula_vision.transforms.v2._utils import query_chw

__all__ = [
    "RGB",
    "ColorJitter",
    "Grayscale",
    "RandomAdjustSharpness",
    "RandomAutocontrast",
    "RandomChannelPermutation",
    "RandomEqualize",
    "RandomGrayscale",
    "RandomInvert",
    "RandomPhotometricDistort",
    "RandomPosterize",
    "RandomSolarize",
]

Interval = tuple[float, float]


class Grayscale(Transform):
    """Turn into grey with 1 channel, or with 3 equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image in grey."""
        return self._call_kernel(F.rgb_to_grayscale, inpt, num_output_channels=self.num_output_channels)


class RandomGrayscale(RandomApplyTransform):
    """Turn into grey with probability ``p``, keeping the number of channels."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__(p=p)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return the number of channels."""
        return {"num_output_channels": query_chw(flat_inputs)[0]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image in grey."""
        return self._call_kernel(F.rgb_to_grayscale, inpt, **params)


class RGB(Transform):
    """Turn grey into three equal channels."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image with three channels."""
        return self._call_kernel(F.grayscale_to_rgb, inpt)


#: In the order in which they are numbered.
_ADJUSTMENTS = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)


class ColorJitter(Transform, v1.ColorJitter):
    """Change brightness, contrast, saturation and hue by random amounts, in a random order."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the order and the amounts."""
        order, *amounts = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        return {"order": order.tolist(), "amounts": amounts}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the changed image."""
        for index in params["order"]:
            if params["amounts"][index] is not None:
                inpt = self._call_kernel(_ADJUSTMENTS[index], inpt, params["amounts"][index])
        return inpt


class RandomChannelPermutation(Transform):
    """Put the channels into a random order."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the order."""
        return {"permutation": facula.randperm(query_chw(flat_inputs)[0])}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image with its channels in that order."""
        return self._call_kernel(F.permute_channels, inpt, **params)


class RandomPhotometricDistort(Transform):
    """Change brightness, contrast, saturation, hue and the order of channels, each with probability ``p``.

    The amounts are drawn from the intervals (Liu et al. 2015, arXiv 1512.02325).
    """

    def __init__(
        self,
        brightness: Interval = (0.875, 1.125),
        contrast: Interval = (0.5, 1.5),
        saturation: Interval = (0.5, 1.5),
        hue: Interval = (-0.05, 0.05),
        p: float = 0.5,
    ) -> None:
        super().__init__()
        self.brightness = brightness
        self.contrast = contrast
        self.hue = hue
        self.saturation = saturation
        self.p = p

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the amounts, None for what is left, whether contrast comes before the others, and the order."""
        channels, _, _ = query_chw(flat_inputs)
        brightness, contrast, saturation, hue = (
            facula.empty(1).uniform_(low, high).item() if facula.rand(1) < self.p else None
            for low, high in (self.brightness, self.contrast, self.saturation, self.hue)
        )
        first = bool(facula.rand(()) < 0.5)
        order = facula.randperm(channels) if facula.rand(1) < self.p else None
        steps = [
            (F.adjust_brightness, brightness),
            (F.adjust_contrast, contrast if first else None),
            (F.adjust_saturation, saturation),
            (F.adjust_hue, hue),
            (F.adjust_contrast, None if first else contrast),
            (F.permute_channels, order),
        ]
        return {"steps": [(function, amount) for function, amount in steps if amount is not None]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the changed image."""
        for function, amount in params["steps"]:
            inpt = self._call_kernel(function, inpt, amount)
        return inpt


class RandomEqualize(RandomApplyTransform):
    """Spread each channel's values evenly with probability ``p``."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the equalized image."""
        return self._call_kernel(F.equalize, inpt)


class RandomInvert(RandomApplyTransform):
    """Take the negative with probability ``p``."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the negative."""
        return self._call_kernel(F.invert, inpt)


class RandomPosterize(RandomApplyTransform):
    """Keep the highest ``bits`` of each value with probability ``p``."""

    def __init__(self, bits: int, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.bits = bits

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image with fewer levels."""
        return self._call_kernel(F.posterize, inpt, bits=self.bits)


class RandomSolarize(RandomApplyTransform):
    """Invert the values of at least ``threshold`` with probability ``p``."""

    def __init__(self, threshold: float, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.threshold = threshold

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image with its bright values inverted."""
        return self._call_kernel(F.solarize, inpt, threshold=self.threshold)


class RandomAutocontrast(RandomApplyTransform):
    """Stretch each channel over the whole range with probability ``p``."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the stretched image."""
        return self._call_kernel(F.autocontrast, inpt)


class RandomAdjustSharpness(RandomApplyTransform):
    """Change the sharpness by ``sharpness_factor`` with probability ``p``."""

    def __init__(self, sharpness_factor: float, p: float = 0.5) -> None:
        super().__init__(p=p)
        self.sharpness_factor = sharpness_factor

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image with another sharpness."""
        return self._call_kernel(F.adjust_sharpness, inpt, sharpness_factor=self.sharpness_factor)
