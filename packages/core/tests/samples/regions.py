"""Rows of boxes in images: which to keep, and means of the regions they name."""

import math

import numpy as np

from samples.sample import Sample, case, numbers

BOXES = np.array([[0, 0, 4, 4], [0.5, 0, 4, 4.5], [5, 5, 7, 9], [0, 0, 4, 3], [5, 5, 7, 8.5], [6, 6, 6, 6.0]])
SCORES = np.array([0.3, 0.9, 0.2, 0.8, 0.7, 0.1])


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Return intersection over union of two boxes."""
    sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    common = np.prod(np.maximum(sides, 0))
    return common / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - common)


def nms(boxes: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        if all(not overlap(boxes[at], boxes[before]) > threshold for before in kept):
            kept.append(at)
    return np.array(kept, np.int64)


def bilinear(image: np.ndarray, y: float, x: float) -> np.ndarray:
    """Return the channels (C, H, W) at one place; zero further than a pixel outside."""
    height, width = image.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(len(image))
    y, x = min(max(y, 0), height - 1), min(max(x, 0), width - 1)
    top, left = int(y), int(x)
    bottom, right = min(top + 1, height - 1), min(left + 1, width - 1)
    down, across = y - top, x - left
    upper = image[:, top, left] * (1 - across) + image[:, top, right] * across
    lower = image[:, bottom, left] * (1 - across) + image[:, bottom, right] * across
    return upper * (1 - down) + lower * down


def roi_align(x, boxes, size, spatial_scale=1.0, sampling_ratio=-1, aligned=False) -> np.ndarray:
    rows, columns = (size, size) if isinstance(size, int) else size
    result = np.zeros((len(boxes), x.shape[1], rows, columns))
    for at, (number, *corners) in enumerate(boxes):
        left, top, right, bottom = np.array(corners) * spatial_scale - (0.5 if aligned else 0)
        high, wide = bottom - top, right - left
        if not aligned:
            high, wide = max(high, 1), max(wide, 1)
        counts = [sampling_ratio] * 2 if sampling_ratio > 0 else [math.ceil(high / rows), math.ceil(wide / columns)]
        for row in range(rows):
            for column in range(columns):
                places = [
                    (
                        top + (row + (i + 0.5) / counts[0]) * high / rows,
                        left + (column + (j + 0.5) / counts[1]) * wide / columns,
                    )
                    for i in range(counts[0])
                    for j in range(counts[1])
                ]
                result[at, :, row, column] = np.mean([bilinear(x[int(number)], *each) for each in places], 0)
    return result


IMAGES = numbers(2, 3, 7, 9)
REGIONS = np.array([[0, 1, 0.5, 6, 5], [1, -3, -2, 3.25, 4.125], [0, 5, 5, 14, 12], [1, 2.25, 3.125, 2.375, 3.25]])

ROWS = [
    Sample(
        "regions.nms",
        [case(BOXES, SCORES, 0.5), case(BOXES, SCORES, 0.05), case(BOXES[:0], SCORES[:0], 0.5)],
        nms,
        result="int64",
        derivatives=0,
    ),
    Sample(
        "regions.roi_align",
        [
            case(IMAGES, REGIONS, (3, 2), 1.0, 2),
            case(IMAGES, REGIONS, 2, sampling_ratio=-1, aligned=True),
            case(IMAGES, REGIONS, (1, 4), 0.5),
            case(IMAGES, REGIONS[:0], 2),
        ],
        roi_align,
        differentiable=(0,),
        slack=4,
    ),
]
