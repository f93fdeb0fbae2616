"""InMemoryImages: the base of the data sets that hold all their images in one tensor."""

import os
from collections.abc import Callable
from typing import Any

from facula import Tensor
from PIL import Image

from facula_vision.datasets.vision import VisionDataset

__all__ = ["InMemoryImages"]


class InMemoryImages(VisionDataset):
    """Images in ``data`` (uint8, N x H x W) with labels in ``targets`` (int64, N), given out as (Pillow image, int).

    A subclass sets ``classes``, ``data`` and ``targets``.
    """

    classes: list[str] = []
    data: Tensor
    targets: Tensor

    def __init__(
        self,
        root: str | os.PathLike[str] | None,
        train: bool,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train

    @property
    def class_to_idx(self) -> dict[str, int]:
        """Each class's index."""
        return {name: index for index, name in enumerate(self.classes)}

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        # Through Pillow even though the numbers are at hand: every data set gives images of the same kind.
        image = Image.fromarray(self.data[index].numpy())
        target = int(self.targets[index])
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Return the line with the split."""
        return f"Split: {'Train' if self.train else 'Test'}"
