"""Boxes in images: which of many that overlap to keep, and averages of the regions that boxes name."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from facula import native
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = ["nms", "roi_align"]


@primitive()
def _nms(xp, boxes, order, *, threshold):
    """Return the places in ``order`` of the boxes to keep."""
    boxes = boxes[order]
    corner, opposite = boxes[:, :2], boxes[:, 2:]
    area = (opposite - corner).prod(-1)
    candidate = xp.ones(len(boxes), bool)
    kept = []
    for at in range(len(boxes)):
        if not candidate[at]:
            continue
        kept.append(at)
        rest = slice(at + 1, None)
        sides = xp.minimum(opposite[at], opposite[rest]) - xp.maximum(corner[at], corner[rest])
        common = xp.maximum(sides, 0).prod(-1)
        overlap = common / (area[at] + area[rest] - common)
        candidate[rest] &= ~(overlap.astype(xp.float64) > threshold)
    return xp.asarray(kept, dtype=xp.int64)


@_nms.kernel("native")
def _nms_native(boxes, order, *, threshold):
    return native.kernels.nms(np.ascontiguousarray(boxes[order]), float(threshold))


def nms(boxes: Tensor, scores: Tensor, iou_threshold: float) -> Tensor:
    """Return the indices (int64) of the boxes that non-maximum suppression keeps, the best score first.

    Of two boxes (x1, y1, x2, y2) whose intersection over union is above ``iou_threshold`` that of lower score goes.

    >>> boxes = facula.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.1], [5.0, 5.0, 6.0, 6.0]])
    >>> facula.regions.nms(boxes, facula.tensor([0.5, 0.9, 0.3]), 0.5)
    tensor([1, 2])
    """
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise ValueError(f"boxes should be a 2D tensor of shape [N, 4], got {list(boxes.shape)}")
    if scores.dim() != 1 or len(scores) != len(boxes):
        raise ValueError(f"scores should have one element for each of the {len(boxes)} boxes, got {list(scores.shape)}")
    order = scores.detach().argsort(descending=True, stable=True)
    wide = boxes.detach() if boxes.dtype.name in ("float32", "float64") else boxes.detach().float()
    return order[_nms(wide, order, threshold=iou_threshold)]


# The mean of bilinear samples on a grid is a product of two matrices with the image: along each side, a row of shares for
# each of the bins.


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, x_shape, boxes, size, scale, samples, aligned: _roi_align_gradient(
            g, boxes, shape=x_shape, size=size, scale=scale, samples=samples, aligned=aligned
        )
    },
)
def _roi_align(xp, x, boxes, *, size, scale, samples, aligned):
    result = xp.zeros((len(boxes), x.shape[1], *size), x.dtype)
    for at, box in enumerate(boxes):
        rows, columns = _shares(xp, box, x.shape, size, scale, samples, aligned)
        result[at] = rows @ x[int(box[0])] @ columns.T
    return result


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, boxes, size, scale, samples, aligned: _roi_align(
            g, boxes, size=size, scale=scale, samples=samples, aligned=aligned
        )
    },
)
def _roi_align_gradient(xp, x, boxes, *, shape, size, scale, samples, aligned):
    """Return the gradient for the images of this shape."""
    result = xp.zeros(shape, x.dtype)
    for at, box in enumerate(boxes):
        rows, columns = _shares(xp, box, shape, size, scale, samples, aligned)
        result[int(box[0])] += rows.T @ x[at] @ columns
    return result


def _shares(xp, box, shape, size, scale, samples, aligned):
    """Return for rows and for columns what part of each (bins, length) a bin takes."""
    first = box[1:].dtype.type(0.5 if aligned else 0.0)
    starts = box[1:] * box.dtype.type(scale) - first
    found = []
    for start, end, length, bins in (
        (starts[1], starts[3], shape[2], size[0]),
        (starts[0], starts[2], shape[3], size[1]),
    ):
        extent = end - start if aligned else xp.maximum(end - start, box.dtype.type(1))
        step = extent / box.dtype.type(bins)
        count = samples if samples > 0 else max(math.ceil(float(step)), 0)
        share = xp.zeros((bins, length), box.dtype)
        inner = (xp.arange(count) + 0.5).astype(box.dtype)
        for bin in range(bins):
            places = start + bin * step + inner * step / box.dtype.type(max(count, 1))
            inside = (places >= -1) & (places <= length)
            places = xp.clip(places[inside], 0, length - 1)
            low = places.astype(int)
            high = xp.minimum(low + 1, length - 1)
            part = places - low
            xp.add.at(share[bin], low, (1 - part) / box.dtype.type(count))
            xp.add.at(share[bin], high, part / box.dtype.type(count))
        found.append(share)
    return found


@_roi_align.kernel("native")
def _roi_align_native(x, boxes, *, size, scale, samples, aligned):
    if x.dtype != np.float32:
        return NotImplemented
    arrays = np.ascontiguousarray(x), np.ascontiguousarray(boxes)
    return native.kernels.roi_align(*arrays, *size, float(scale), samples, aligned)


@_roi_align_gradient.kernel("native")
def _roi_align_gradient_native(x, boxes, *, shape, size, scale, samples, aligned):
    if x.dtype != np.float32:
        return NotImplemented
    arrays = np.ascontiguousarray(x), np.ascontiguousarray(boxes)
    return native.kernels.roi_align_gradient(*arrays, *shape, float(scale), samples, aligned)


def roi_align(
    input: Tensor,
    boxes: Tensor,
    output_size: int | Sequence[int],
    spatial_scale: float = 1.0,
    sampling_ratio: int = -1,
    aligned: bool = False,
) -> Tensor:
    """Return the means of the bins of regions, (K, C, height, width), of images (N, C, H, W) at boxes (K, 5).

    A box is the number of an image and the corners x1, y1, x2, y2, which times ``spatial_scale`` are places in it. Each
    bin is the mean of ``sampling_ratio`` by so many bilinear samples, or of one a pixel where that is not positive.
    ``aligned`` takes pixels to be at whole numbers and a half. He et al. 2017, arXiv 1703.06870.

    >>> image = facula.arange(16.0).reshape(1, 1, 4, 4)
    >>> facula.regions.roi_align(image, facula.tensor([[0.0, 0.0, 0.0, 3.0, 3.0]]), 2, sampling_ratio=2)
    tensor([[[[ 3.7500,  5.2500],
              [ 9.7500, 11.2500]]]])
    """
    if input.dim() != 4:
        raise ValueError(f"roi_align: expected images (N, C, H, W), got {list(input.shape)}")
    if boxes.dim() != 2 or boxes.shape[1] != 5:
        raise ValueError(
            f"roi_align: expected boxes (K, 5): an image's number and two corners, got {list(boxes.shape)}"
        )
    size = (output_size,) * 2 if isinstance(output_size, int) else tuple(output_size)
    numbers = boxes.detach()[:, 0]
    if len(boxes) and not 0 <= float(numbers.min()) <= float(numbers.max()) < input.shape[0]:
        raise IndexError(f"roi_align: boxes name images that are not among the {input.shape[0]} given")
    return _roi_align(
        input, boxes.detach(), size=size, scale=spatial_scale, samples=sampling_ratio, aligned=bool(aligned)
    )
