"""Grey, brightness, contrast, saturation and hue, the same for every image or at random."""

from collections.abc import Sequence

import facula
from facula import Tensor, nn

from facula_vision.transforms import functional as F
from facula_vision.transforms.functional import AnyImage

__all__ = ["ColorJitter", "Grayscale", "RandomGrayscale"]


class Grayscale(nn.Module):
    """Turn into grey with 1 channel, or with 3 equal ones."""

    def __init__(self, num_output_channels: int = 1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the image in grey."""
        return F.rgb_to_grayscale(img, num_output_channels=self.num_output_channels)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


class RandomGrayscale(nn.Module):
    """Turn into grey with probability ``p``, keeping the number of channels."""

    def __init__(self, p: float = 0.1) -> None:
        super().__init__()
        self.p = p

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the image, in grey or as it was."""
        channels, _, _ = F.get_dimensions(img)
        if facula.rand(1) < self.p:
            return F.rgb_to_grayscale(img, num_output_channels=channels)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(p={self.p})"


Interval = tuple[float, float]


class ColorJitter(nn.Module):
    """Change brightness, contrast, saturation and hue by random amounts, in a random order.

    A number x means a factor from max(0, 1 - x) to 1 + x, for ``hue`` a turn from -x to x; a pair gives the interval.
    """

    def __init__(
        self,
        brightness: float | Interval = 0,
        contrast: float | Interval = 0,
        saturation: float | Interval = 0,
        hue: float | Interval = 0,
    ) -> None:
        super().__init__()
        self.brightness = _interval("brightness", brightness)
        self.contrast = _interval("contrast", contrast)
        self.saturation = _interval("saturation", saturation)
        self.hue = _interval("hue", hue, centre=0.0, bound=(-0.5, 0.5))

    @staticmethod
    def get_params(
        brightness: Interval | None,
        contrast: Interval | None,
        saturation: Interval | None,
        hue: Interval | None,
    ) -> tuple[Tensor, float | None, float | None, float | None, float | None]:
        """Return a random order of the four changes and the random amount of each, None where it has no interval."""
        order = facula.randperm(4)
        amounts = [
            None if interval is None else facula.empty(1).uniform_(interval[0], interval[1]).item()
            for interval in (brightness, contrast, saturation, hue)
        ]
        return order, amounts[0], amounts[1], amounts[2], amounts[3]

    def forward(self, img: AnyImage) -> AnyImage:
        """Return the changed image."""
        order, *amounts = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        changes = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for index in order.tolist():
            amount = amounts[index]
            if amount is not None:
                img = changes[index](img, amount)
        return img

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


def _interval(
    name: str,
    value: float | Sequence[float],
    centre: float = 1.0,
    bound: tuple[float, float] = (0.0, float("inf")),
) -> Interval | None:
    """Return the interval to draw from, or None when it holds only the value that changes nothing."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative, got {value}.")
        low, high = centre - value, centre + value
        if name != "hue":
            low = max(low, 0.0)
    elif isinstance(value, Sequence) and len(value) == 2:
        low, high = float(value[0]), float(value[1])
    else:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2, got {value!r}.")
    if not bound[0] <= low <= high <= bound[1]:
        raise ValueError(f"{name} values should be between {bound}, but got {[low, high]}.")
    return None if low == high == centre else (low, high)
