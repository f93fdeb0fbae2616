"""InterpolationMode: how a resized or rotated image gets its values."""

from enum import Enum

__all__ = ["InterpolationMode"]


class InterpolationMode(Enum):
    """The interpolation of resizing and rotating; box, hamming and lanczos are for Pillow images only.

    ``NEAREST`` takes the pixel at ``floor(i * scale)`` on tensors, ``NEAREST_EXACT`` the one at
    ``floor((i + 0.5) * scale)``, which is what Pillow takes in both cases.
    """

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"
    HAMMING = "hamming"
    LANCZOS = "lanczos"


PILLOW_RESAMPLING = {
    InterpolationMode.NEAREST: 0,
    InterpolationMode.NEAREST_EXACT: 0,
    InterpolationMode.BILINEAR: 2,
    InterpolationMode.BICUBIC: 3,
    InterpolationMode.BOX: 4,
    InterpolationMode.HAMMING: 5,
    InterpolationMode.LANCZOS: 1,
}

_FROM_PILLOW = {
    0: InterpolationMode.NEAREST,
    1: InterpolationMode.LANCZOS,
    2: InterpolationMode.BILINEAR,
    3: InterpolationMode.BICUBIC,
    4: InterpolationMode.BOX,
    5: InterpolationMode.HAMMING,
}


def interpolation_mode(interpolation: InterpolationMode | int) -> InterpolationMode:
    """Return the mode itself, or the one that a Pillow resampling constant stands for; ``TypeError`` for others."""
    if isinstance(interpolation, InterpolationMode):
        return interpolation
    # Pillow's Resampling is an IntEnum.
    if isinstance(interpolation, int) and int(interpolation) in _FROM_PILLOW:
        return _FROM_PILLOW[int(interpolation)]
    raise TypeError(
        "Argument interpolation should be a InterpolationMode or a corresponding Pillow integer constant, "
        f"got {interpolation!r}"
    )


def named_interpolation_mode(interpolation: InterpolationMode | int | str) -> InterpolationMode:
    """Return what `interpolation_mode` does, or the mode of a name such as "bilinear"."""
    if not isinstance(interpolation, str):
        return interpolation_mode(interpolation)
    names = [mode.value for mode in InterpolationMode]
    if interpolation not in names:
        raise ValueError(f"expected an interpolation of {', '.join(names)}, got {interpolation!r}")
    return InterpolationMode(interpolation)
