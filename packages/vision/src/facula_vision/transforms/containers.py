"""Transforms made of other transforms, and of functions."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import facula
from facula import nn

__all__ = ["Compose", "Lambda", "RandomApply", "RandomChoice", "RandomOrder"]

Transform = Callable[..., Any]


def _lines(transforms: Sequence[Transform]) -> str:
    return "".join(f"\n    {transform}" for transform in transforms)


class Compose:
    """Apply the transforms one after the other.

    >>> from facula_vision import transforms
    >>> Compose([transforms.CenterCrop(4), transforms.ToTensor()])
    Compose(
        CenterCrop(size=(4, 4))
        ToTensor()
    )
    """

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        """Return the transformed image."""
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_lines(self.transforms)}\n)"


class Lambda:
    """Apply a function as a transform; ``TypeError`` when it cannot be called."""

    def __init__(self, lambd: Transform) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        """Return what the function makes of the image."""
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomApply(nn.Module):
    """Apply all the transforms with probability ``p``, else none."""

    def __init__(self, transforms: Sequence[Transform], p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        """Return the image, transformed or not."""
        if self.p < facula.rand(1):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(\n    p={self.p}{_lines(self.transforms)}\n)"


def _checked_sequence(transforms: Sequence[Transform]) -> Sequence[Transform]:
    if not isinstance(transforms, Sequence):
        raise TypeError(f"Argument transforms should be a sequence, got {type(transforms).__name__!r}")
    return transforms


class RandomChoice:
    """Apply one of the transforms, drawn with the weights ``p`` from Python's random numbers."""

    def __init__(self, transforms: Sequence[Transform], p: Sequence[float] | None = None) -> None:
        self.transforms = _checked_sequence(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError(f"Argument p should be a sequence, got {type(p).__name__!r}")
        self.p = p

    def __call__(self, img: Any) -> Any:
        """Return the transformed image."""
        [transform] = random.choices(self.transforms, weights=self.p)
        return transform(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_lines(self.transforms)}\n)(p={self.p})"


class RandomOrder:
    """Apply all the transforms, in an order drawn from Python's random numbers."""

    def __init__(self, transforms: Sequence[Transform]) -> None:
        self.transforms = _checked_sequence(transforms)

    def __call__(self, img: Any) -> Any:
        """Return the transformed image."""
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for index in order:
            img = self.transforms[index](img)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_lines(self.transforms)}\n)"
