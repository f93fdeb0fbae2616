"""What is outside of an image: one colour for all inputs, or one for each kind."""

from collections.abc import Sequence
from typing import Any

Colour = float | Sequence[float] | None
Fill = Colour | dict[type | str, Colour]


def filled(fill: Fill) -> dict[type | str, Colour]:
    """Return ``fill`` as a dict from the kind of input, "others" standing for those not named."""
    if isinstance(fill, dict):
        return {kind: _checked(colour) for kind, colour in fill.items()}
    return {"others": _checked(fill)}


def _checked(colour: Colour) -> Colour:
    if colour is None or isinstance(colour, int | float):
        return colour
    if not isinstance(colour, tuple | list):
        raise TypeError(f"Got inappropriate fill arg {colour!r}, only numbers, tuples, lists and dicts are allowed.")
    return [float(value) for value in colour]


def fill_for(fill: dict[type | str, Colour], inpt: Any) -> Colour:
    """Return the colour for an input."""
    return fill[type(inpt)] if type(inpt) in fill else fill.get("others")
