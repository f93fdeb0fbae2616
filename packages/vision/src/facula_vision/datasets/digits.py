"""Digits: 1,797 real handwritten digits that come with the package."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import facula
from facula import Tensor

from facula_vision.datasets.idx import read_idx
from facula_vision.datasets.in_memory import InMemoryImages

__all__ = ["Digits"]

_FOLDER = Path(__file__).parent / "data"
_TEST_EVERY = 5


class Digits(InMemoryImages):
    """Handwritten digits of 8x8 pixels in 10 classes: 1,442 images for training, 355 for test; no download.

    The images are the test part of "Optical Recognition of Handwritten Digits" (E. Alpaydin and C. Kaynak, 1998, UCI
    Machine Learning Repository, doi 10.24432/C50P49, CC BY 4.0), by 13 writers. Its 17 grey levels, 0 to 16, are spread
    over 0 to 255 here. It has no split of its own; ours takes, of each class in the file's order, every fifth image for
    test. So a writer may be on both sides.

    An item is (Pillow image in mode L, class index). Attributes: ``data`` (uint8, N x 8 x 8), ``targets`` (int64, N),
    ``classes`` and ``class_to_idx``.

    >>> image, label = Digits(train=True)[0]
    >>> image.size, image.mode, label
    ((8, 8), 'L', 0)
    """

    classes = [str(digit) for digit in range(10)]

    def __init__(
        self,
        train: bool = True,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(None, train, transform, target_transform)
        levels = read_idx(_FOLDER / "digits-images-idx3-ubyte.gz").to(facula.int64)
        labels = read_idx(_FOLDER / "digits-labels-idx1-ubyte.gz").to(facula.int64)
        chosen = facula.tensor([index for index, test in enumerate(_is_test(labels)) if test != train])
        self.data = ((levels[chosen] * 255 + 8) // 16).to(facula.uint8)
        self.targets = labels[chosen]


def _is_test(labels: Tensor) -> list[bool]:
    """Return for each image whether it is every fifth of its class."""
    seen: dict[int, int] = {}
    marks = []
    for label in labels.tolist():
        seen[label] = seen.get(label, 0) + 1
        marks.append(seen[label] % _TEST_EVERY == 0)
    return marks
