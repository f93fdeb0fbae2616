"""Transforms made of other transforms."""

from collections.abc import Callable, Sequence
from typing import Any

import facula
from facula import nn

from facula_vision.transforms.v2._transform import Transform

__all__ = ["Compose", "RandomApply", "RandomChoice", "RandomOrder"]

AnyTransform = Callable[..., Any]
Transforms = Sequence[AnyTransform] | nn.ModuleList


def _checked(transforms: Any) -> Transforms:
    if not isinstance(transforms, Sequence | nn.ModuleList):
        raise TypeError(f"Argument transforms should be a sequence of callables, got {type(transforms).__name__!r}")
    if not transforms:
        raise ValueError("Pass at least one transform")
    return transforms


class _Several(Transform):
    transforms: Transforms

    def __init__(self, transforms: Transforms) -> None:
        super().__init__()
        self.transforms = _checked(transforms)

    def extra_repr(self) -> str:
        """Return the transforms, a line each."""
        return "\n".join(f"    {transform}" for transform in self.transforms)


def _in_turn(transforms: Transforms, inputs: tuple[Any, ...]) -> Any:
    """Return what the transforms make of the inputs, one after the other."""
    outputs: Any = inputs if len(inputs) > 1 else inputs[0]
    for transform in transforms:
        outputs = transform(*outputs) if len(inputs) > 1 else transform(outputs)
    return outputs


class Compose(_Several):
    """Apply the transforms one after the other.

    >>> from facula_vision.transforms import v2
    >>> Compose([v2.CenterCrop(2), v2.RandomHorizontalFlip()])
    Compose(
          CenterCrop(size=(2, 2))
          RandomHorizontalFlip(p=0.5)
    )
    """

    def forward(self, *inputs: Any) -> Any:
        """Return the transformed sample."""
        return _in_turn(self.transforms, inputs)


class RandomApply(_Several):
    """Apply all the transforms with probability ``p``, else none."""

    def __init__(self, transforms: Transforms, p: float = 0.5) -> None:
        super().__init__(transforms)
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"`p` should be a floating point value in the interval [0.0, 1.0], got {p}.")
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        """Return the sample, transformed or not."""
        if facula.rand(1) >= self.p:
            return inputs if len(inputs) > 1 else inputs[0]
        return _in_turn(self.transforms, inputs)


class RandomChoice(_Several):
    """Apply one of the transforms, drawn with the weights ``p``."""

    def __init__(self, transforms: Transforms, p: Sequence[float] | None = None) -> None:
        super().__init__(transforms)
        weights = [1.0] * len(transforms) if p is None else list(p)
        if len(weights) != len(transforms):
            raise ValueError(f"Length of p doesn't match the number of transforms: {len(weights)} != {len(transforms)}")
        self.p = [weight / sum(weights) for weight in weights]

    def forward(self, *inputs: Any) -> Any:
        """Return the transformed sample."""
        return self.transforms[int(facula.multinomial(facula.tensor(self.p), 1))](*inputs)


class RandomOrder(_Several):
    """Apply all the transforms, in a random order."""

    def forward(self, *inputs: Any) -> Any:
        """Return the transformed sample."""
        order = facula.randperm(len(self.transforms)).tolist()
        return _in_turn([self.transforms[index] for index in order], inputs)
