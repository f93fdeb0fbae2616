"""Losses of detection: focal loss, and 1 - IoU in its forms. ``reduction`` is "none", "mean" or "sum"."""

import math

import facula
from facula import Tensor
from facula.nn import functional as F

__all__ = ["complete_box_iou_loss", "distance_box_iou_loss", "generalized_box_iou_loss", "sigmoid_focal_loss"]


def _reduced(loss: Tensor, reduction: str) -> Tensor:
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean() if loss.numel() else 0.0 * loss.sum()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(f"Invalid Value for arg 'reduction': '{reduction}'; supported are 'none', 'mean', 'sum'")


def sigmoid_focal_loss(
    inputs: Tensor, targets: Tensor, alpha: float = 0.25, gamma: float = 2, reduction: str = "none"
) -> Tensor:
    """Return the focal loss of logits against 0/1 targets of the same shape (Lin et al. 2017, arXiv 1708.02002).

    ``alpha`` in [0, 1] weighs the positive against the negative; below 0 nothing is weighed.
    """
    if not (0 <= alpha <= 1) and alpha != -1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1 for ignore.")
    p = inputs.sigmoid()
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_of_truth = p * targets + (1 - p) * (1 - targets)
    loss = loss * (1 - p_of_truth) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    return _reduced(loss, reduction)


def _pairwise(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return, for each pair of boxes: IoU, the union, and the hull's sides."""
    sides = (facula.minimum(boxes1[..., 2:], boxes2[..., 2:]) - facula.maximum(boxes1[..., :2], boxes2[..., :2])).clamp(
        0
    )
    intersection = sides.prod(-1)
    areas = [(boxes[..., 2:] - boxes[..., :2]).prod(-1) for boxes in (boxes1, boxes2)]
    union = areas[0] + areas[1] - intersection
    hull = facula.maximum(boxes1[..., 2:], boxes2[..., 2:]) - facula.minimum(boxes1[..., :2], boxes2[..., :2])
    return intersection / (union + eps), union, hull[..., 0], hull[..., 1]


def _in_float(boxes: Tensor) -> Tensor:
    return boxes if boxes.dtype in (facula.float32, facula.float64) else boxes.float()


def generalized_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """Return 1 less the generalised IoU of boxes ``[N, 4]`` with those of the same row (arXiv 1902.09630)."""
    overlap, union, width, height = _pairwise(_in_float(boxes1), _in_float(boxes2), eps)
    hull = width * height
    return _reduced(1 - overlap + (hull - union) / (hull + eps), reduction)


def _distance_loss(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    overlap, _, width, height = _pairwise(boxes1, boxes2, eps)
    centres = [(boxes[..., :2] + boxes[..., 2:]) / 2 for boxes in (boxes1, boxes2)]
    distance = ((centres[0] - centres[1]) ** 2).sum(-1)
    return 1 - overlap + distance / (width**2 + height**2 + eps), overlap


def distance_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """Return 1 less the distance IoU of boxes ``[N, 4]`` with those of the same row (arXiv 1911.08287)."""
    return _reduced(_distance_loss(_in_float(boxes1), _in_float(boxes2), eps)[0], reduction)


def complete_box_iou_loss(boxes1: Tensor, boxes2: Tensor, reduction: str = "none", eps: float = 1e-7) -> Tensor:
    """Return 1 less the complete IoU of boxes ``[N, 4]`` with those of the same row (arXiv 1911.08287)."""
    boxes1, boxes2 = _in_float(boxes1), _in_float(boxes2)
    loss, overlap = _distance_loss(boxes1, boxes2, eps)
    aspects = [facula.atan((b[..., 2] - b[..., 0]) / (b[..., 3] - b[..., 1])) for b in (boxes1, boxes2)]
    difference = (4 / math.pi**2) * (aspects[1] - aspects[0]) ** 2
    with facula.no_grad():
        weight = difference / (1 - overlap + difference + eps)
    return _reduced(loss + weight * difference, reduction)
