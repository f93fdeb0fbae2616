"""Enumerations whose members are text, whatever its case."""

from __future__ import annotations

import warnings
from enum import Enum, StrEnum
from typing import Literal, Self

Source = Literal["key", "value", "any"]


class LightningEnum(StrEnum):
    """An enumeration whose members equal text: that of their values, in small letters or capitals.

    >>> class Stage(LightningEnum):
    ...     FIT = "fit"
    >>> Stage.FIT == "Fit", Stage.from_str("fit")
    (True, <Stage.FIT: 'fit'>)
    """

    @classmethod
    def from_str(cls, value: str, source: Source = "key") -> Self:
        """Return the member with a key, a value or any of the two, keys first; ValueError where there is none."""
        if source in ("key", "any"):
            for key, member in cls.__members__.items():
                if key.lower() == value.lower():
                    return member
        if source in ("value", "any"):
            for member in cls:
                if member == value:
                    return member
        raise ValueError(f"Invalid match: expected one of {cls._matches(source)}, but got {value}.")

    @classmethod
    def try_from_str(cls, value: str, source: Source = "key") -> Self | None:
        """Return what `from_str` does, but None and a warning where there is no such member."""
        try:
            return cls.from_str(value, source)
        except ValueError:
            warnings.warn(f"Invalid string: expected one of {cls._matches(source)}, but got {value}.", stacklevel=2)
            return None

    @classmethod
    def _matches(cls, source: str) -> list[str]:
        keys, values = list(cls.__members__), [str(member.value) for member in cls]
        return {"key": keys, "value": values}.get(source, keys + values)

    def __eq__(self, other: object) -> bool:
        text = other.value if isinstance(other, Enum) else other
        return str(self.value).lower() == str(text).lower()

    def __hash__(self) -> int:
        return hash(str(self.value).lower())


class GradClipAlgorithmType(LightningEnum):
    """How gradients are clipped: each by its value, or all by their common norm."""

    VALUE = "value"
    NORM = "norm"

    @staticmethod
    def supported_type(val: str) -> bool:
        """Return whether there is such an algorithm."""
        return val in GradClipAlgorithmType.supported_types()

    @staticmethod
    def supported_types() -> list[str]:
        """Return the names of all."""
        return [str(member.value) for member in GradClipAlgorithmType]
