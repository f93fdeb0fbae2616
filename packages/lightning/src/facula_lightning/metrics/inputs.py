"""Predictions and targets of classification, brought to labels."""

from __future__ import annotations

import facula
from facula import Tensor


def check_choice(name: str, value: object, choices: tuple[object, ...]) -> None:
    """Refuse what is none of the choices."""
    if value not in choices:
        raise ValueError(f"Expected argument `{name}` to be one of {choices}, but got {value!r}")


def check_threshold(threshold: float) -> None:
    """Refuse what is no probability."""
    if not (isinstance(threshold, float) and 0 <= threshold <= 1):
        raise ValueError(f"Expected argument `threshold` to be a float in the [0,1] range, but got {threshold}.")


def as_probabilities(preds: Tensor) -> Tensor:
    """Return probabilities: what is given, or its sigmoid where not all lies between 0 and 1."""
    outside = preds.numel() > 0 and bool(((preds < 0) | (preds > 1)).any())
    return preds.sigmoid() if outside else preds


def need_one_shape(preds: Tensor, target: Tensor) -> None:
    """Refuse predictions and targets of different shapes."""
    if preds.shape != target.shape:
        raise RuntimeError(
            "Predictions and targets are expected to have the same shape, but got "
            f"{tuple(preds.shape)} and {tuple(target.shape)}."
        )


def _need_labels(target: Tensor, count: int, ignore_index: int | None) -> None:
    if target.is_floating_point():
        raise ValueError(
            f"Expected argument `target` to be an int or long tensor with ground truth labels, got {target.dtype}"
        )
    if target.numel() == 0:
        return
    kept = target if ignore_index is None else target[target != ignore_index]
    if kept.numel() and (int(kept.min()) < 0 or int(kept.max()) >= count):
        raise RuntimeError(
            f"Detected values in `target` outside 0 to {count - 1}: from {int(kept.min())} to {int(kept.max())}"
            + ("." if ignore_index is None else f", apart from ignore_index={ignore_index}.")
        )


def binary_labels(preds: Tensor, target: Tensor, threshold: float, ignore_index: int | None) -> tuple[Tensor, Tensor]:
    """Return predicted and true labels, 0 or 1, flat, without those to ignore."""
    need_one_shape(preds, target)
    _need_labels(target, 2, ignore_index)
    if preds.is_floating_point():
        preds = as_probabilities(preds) > threshold
    preds, target = preds.reshape(-1).long(), target.reshape(-1).long()
    if ignore_index is None:
        return preds, target
    kept = target != ignore_index
    return preds[kept], target[kept]


def multiclass_labels(
    preds: Tensor, target: Tensor, num_classes: int, top_k: int, ignore_index: int | None
) -> tuple[Tensor, Tensor]:
    """Return predicted and true classes, flat. With ``top_k`` the true class is the predicted one where it is among the
    most likely so many.
    """
    _need_labels(target, num_classes, ignore_index)
    target_flat = target.reshape(-1).long()
    if preds.dim() == target.dim() + 1:
        if not preds.is_floating_point() or preds.shape[1] != num_classes or preds.shape[2:] != target.shape[1:]:
            raise ValueError(
                f"Expected float predictions ({target.shape[0]}, {num_classes}, …) for targets of shape {tuple(target.shape)}, "
                f"but got {preds.dtype} of shape {tuple(preds.shape)}."
            )
        scores = preds.movedim(1, -1).reshape(-1, num_classes)
        labels = scores.argmax(1)
        if top_k > 1:
            among = (scores.topk(top_k, 1).indices == target_flat.unsqueeze(1)).any(1)
            labels = target_flat.where(among, labels)
    elif preds.shape == target.shape and not preds.is_floating_point():
        labels = preds.reshape(-1).long()
    else:
        raise ValueError(
            "Either `preds` and `target` both should have the (same) shape (N, ...), or `target` should be (N, ...) and `preds` "
            f"should be (N, C, ...), but got {tuple(preds.shape)} and {tuple(target.shape)}."
        )
    if ignore_index is None:
        return labels, target_flat
    kept = target_flat != ignore_index
    return labels[kept], target_flat[kept]


def multilabel_labels(preds: Tensor, target: Tensor, num_labels: int, threshold: float) -> tuple[Tensor, Tensor]:
    """Return predicted and true labels (N, num_labels), with what is to be ignored still in."""
    need_one_shape(preds, target)
    if preds.dim() < 2 or preds.shape[1] != num_labels:
        raise ValueError(
            f"Expected both `target.shape[1]` and `preds.shape[1]` to be {num_labels}, but got shape {tuple(preds.shape)}."
        )
    if preds.is_floating_point():
        preds = as_probabilities(preds) > threshold
    return (
        preds.movedim(1, -1).reshape(-1, num_labels).long(),
        target.movedim(1, -1).reshape(-1, num_labels).long(),
    )


def confusion(labels: Tensor, target: Tensor, num_classes: int) -> Tensor:
    """Return how often each class (row) was taken for each (column)."""
    counts: Tensor = facula.bincount(target * num_classes + labels, minlength=num_classes * num_classes)
    return counts.reshape(num_classes, num_classes)
