"""Boxes ``(x1, y1, x2, y2)``: their areas, overlaps and other forms, and which of them to keep."""

import math

import facula
from facula import Tensor, regions

__all__ = [
    "batched_nms",
    "box_area",
    "box_convert",
    "box_iou",
    "clip_boxes_to_image",
    "complete_box_iou",
    "distance_box_iou",
    "generalized_box_iou",
    "masks_to_boxes",
    "nms",
    "remove_small_boxes",
]

_FORMATS = ("xyxy", "xywh", "cxcywh")


def _wide(boxes: Tensor) -> Tensor:
    """Return boxes in a type in which areas do not overflow."""
    if boxes.is_floating_point():
        return boxes if boxes.dtype in (facula.float32, facula.float64) else boxes.float()
    return boxes if boxes.dtype in (facula.int32, facula.int64) else boxes.int()


def box_area(boxes: Tensor) -> Tensor:
    """Return the area of each box, ``[N]``.

    >>> box_area(facula.tensor([[0.0, 0.0, 2.0, 3.0]]))
    tensor([6.])
    """
    x1, y1, x2, y2 = _wide(boxes).unbind(-1)
    return (x2 - x1) * (y2 - y1)


def _intersection_and_union(boxes1: Tensor, boxes2: Tensor) -> tuple[Tensor, Tensor]:
    corner = facula.maximum(boxes1[:, None, :2], boxes2[:, :2])
    opposite = facula.minimum(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = _wide(opposite - corner).clamp(min=0)
    intersection = sides[..., 0] * sides[..., 1]
    return intersection, box_area(boxes1)[:, None] + box_area(boxes2) - intersection


def box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return intersection over union of each of N boxes with each of M, ``[N, M]``.

    >>> box_iou(facula.tensor([[0.0, 0.0, 2.0, 2.0]]), facula.tensor([[1.0, 0.0, 3.0, 2.0]]))
    tensor([[0.3333]])
    """
    intersection, union = _intersection_and_union(boxes1, boxes2)
    return intersection / union


def generalized_box_iou(boxes1: Tensor, boxes2: Tensor) -> Tensor:
    """Return the generalised IoU of each pair, ``[N, M]`` in (-1, 1] (Rezatofighi et al. 2019, arXiv 1902.09630)."""
    intersection, union = _intersection_and_union(boxes1, boxes2)
    corner = facula.minimum(boxes1[:, None, :2], boxes2[:, :2])
    opposite = facula.maximum(boxes1[:, None, 2:], boxes2[:, 2:])
    sides = _wide(opposite - corner).clamp(min=0)
    hull = sides[..., 0] * sides[..., 1]
    return intersection / union - (hull - union) / hull


def _distance_iou(boxes1: Tensor, boxes2: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Return IoU less the squared distance of the centres over that of the hull's corners; and IoU."""
    overlap = box_iou(boxes1, boxes2)
    corner = facula.minimum(boxes1[:, None, :2], boxes2[:, :2])
    opposite = facula.maximum(boxes1[:, None, 2:], boxes2[:, 2:])
    diagonal = (_wide(opposite - corner).clamp(min=0) ** 2).sum(-1) + eps
    centre1, centre2 = ((boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (boxes1, boxes2))
    distance = (_wide(centre1[:, None] - centre2) ** 2).sum(-1)
    return overlap - distance / diagonal, overlap


def distance_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return the distance IoU of each pair, ``[N, M]`` (Zheng et al. 2019, arXiv 1911.08287)."""
    return _distance_iou(_wide(boxes1), _wide(boxes2), eps)[0]


def complete_box_iou(boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7) -> Tensor:
    """Return the complete IoU of each pair, ``[N, M]``: distance IoU less a term for the aspect (arXiv 1911.08287)."""
    boxes1, boxes2 = _wide(boxes1), _wide(boxes2)
    distance_iou, overlap = _distance_iou(boxes1, boxes2, eps)
    aspect1, aspect2 = (facula.atan((b[:, 2] - b[:, 0]) / (b[:, 3] - b[:, 1])) for b in (boxes1, boxes2))
    difference = (4 / math.pi**2) * (aspect1[:, None] - aspect2) ** 2
    with facula.no_grad():
        weight = difference / (1 - overlap + difference + eps)
    return distance_iou - weight * difference


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices of the boxes kept by non-maximum suppression, best score first, int64.

    Of two boxes that overlap by more than ``iou_threshold`` the one of lower score goes.

    >>> boxes = facula.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.1], [5.0, 5.0, 6.0, 6.0]])
    >>> nms(boxes, facula.tensor([0.5, 0.9, 0.3]), 0.5)
    tensor([1, 2])
    """
    return regions.nms(boxes, scores, iou_threshold)


def batched_nms(boxes: Tensor, scores: Tensor, idxs: Tensor, iou_threshold: float) -> Tensor:
    """Return what `nms` keeps when only boxes of the same category, given by ``idxs``, suppress each other."""
    if not boxes.numel():
        return facula.empty(0, dtype=facula.int64, device=boxes.device)
    # Boxes of different categories are moved so far apart that they cannot overlap.
    offsets = idxs.to(boxes) * (boxes.max() + 1)
    return nms(boxes + offsets[:, None], scores, iou_threshold)


def remove_small_boxes(boxes: Tensor, min_size: float) -> Tensor:
    """Return the indices of the boxes both of whose sides are at least ``min_size``."""
    sides = boxes[:, 2:] - boxes[:, :2]
    return facula.where((sides >= min_size).all(1))[0]


def clip_boxes_to_image(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the boxes cut off at the border of an image of ``size`` (height, width)."""
    height, width = size
    xs, ys = boxes[..., 0::2].clamp(min=0, max=width), boxes[..., 1::2].clamp(min=0, max=height)
    return facula.stack((xs, ys), dim=boxes.dim()).reshape(boxes.shape)


def box_convert(boxes: Tensor, in_fmt: str, out_fmt: str) -> Tensor:
    """Return boxes in another form: corners "xyxy", corner and size "xywh", or centre and size "cxcywh".

    >>> box_convert(facula.tensor([[0.0, 0.0, 2.0, 4.0]]), "xyxy", "cxcywh")
    tensor([[1., 2., 2., 4.]])
    """
    for name in (in_fmt, out_fmt):
        if name not in _FORMATS:
            raise ValueError(f"Unsupported bounding box format {name!r}; expected one of {', '.join(_FORMATS)}")
    if in_fmt == out_fmt:
        return boxes.clone()
    first, second = boxes[..., :2], boxes[..., 2:]
    if in_fmt == "xywh":
        second = first + second
    elif in_fmt == "cxcywh":
        first, second = first - second / 2, first + second / 2
    if out_fmt == "xywh":
        second = second - first
    elif out_fmt == "cxcywh":
        first, second = (first + second) / 2, second - first
    return facula.cat((first, second), -1)


def masks_to_boxes(masks: Tensor) -> Tensor:
    """Return the box around each of N masks ``[N, H, W]``, ``[N, 4]``; zeros for an empty mask."""
    boxes = facula.zeros(len(masks), 4, device=masks.device)
    for index, mask in enumerate(masks):
        ys, xs = facula.where(mask != 0)
        if len(ys):
            boxes[index] = facula.stack((xs.min(), ys.min(), xs.max(), ys.max())).float()
    return boxes
