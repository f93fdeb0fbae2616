"""Pictures of what a network answers."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any

from facula import Tensor

from facula_lightning.learner.shapes import class_numbers


def draw_results(samples: Sequence[Any], scores: Tensor) -> Any:
    """Return matplotlib's figure of images (C, H, W) or (H, W), each titled with its class and with that of its scores (N, C).

    What was taken for another class is titled in red. ValueError for samples that are no pairs of image and class.
    """
    for sample in samples:
        if not (isinstance(sample, (list, tuple)) and len(sample) >= 2 and getattr(sample[0], "ndim", 0) in (2, 3)):
            raise ValueError("expected pairs of an image (C, H, W) or (H, W) and a class: other data cannot be drawn")
    pyplot = importlib.import_module("matplotlib.pyplot")
    columns = min(len(samples), 3)
    lines = -(-len(samples) // columns)
    figure, axes = pyplot.subplots(lines, columns, squeeze=False, figsize=(2 * columns, 2.3 * lines))
    for axis in axes.flat:
        axis.axis("off")
    for axis, (image, target, *_), guess in zip(axes.flat, samples, scores.argmax(1).tolist()):
        wanted = int(class_numbers(target.unsqueeze(0))) if isinstance(target, Tensor) else int(target)
        # Channels come last in pictures; one channel alone is shades of grey.
        shown = image.movedim(0, -1) if image.ndim == 3 else image
        shown = shown.squeeze(-1) if shown.shape[-1] == 1 else shown
        axis.imshow(shown.detach().cpu().numpy(), cmap="gray")
        axis.set_title(f"{wanted}, taken for {guess}", color="black" if wanted == guess else "red")
    figure.tight_layout()
    return figure
