"""Boxes that overlap, and means of regions with their gradient."""

import numpy as np
import pytest
from facula.ops import regions


def boxes_of(count: int, spread: float = 100.0) -> np.ndarray:
    random = np.random.default_rng(count)
    corners = random.random((count, 2)) * spread
    return np.concatenate([corners, corners + random.random((count, 2)) * 30], 1).astype(np.float32)


@pytest.mark.parametrize("threshold", [-1.0, 0.0, 0.3, 0.7, 1.0])
@pytest.mark.parametrize("count", [0, 1, 15, 16, 17, 300])
def test_nms(held, count, threshold) -> None:
    boxes, order = boxes_of(count), np.random.default_rng(0).permutation(count)
    held(regions._nms, boxes, order, threshold=threshold)


def test_overlaps_equal_to_the_threshold_stay(held) -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 3], [0, 0, 7, 10], [0, 0, 10, 5]], np.float32)
    for threshold in (0.3, 0.5, 0.7):
        held(regions._nms, boxes, np.arange(4), threshold=threshold)
    assert held(regions._nms, boxes, np.array([0, 3]), threshold=0.5).tolist() == [0, 1]


def test_boxes_that_are_none(held) -> None:
    boxes = boxes_of(40)
    boxes[3, 1], boxes[17, 2], boxes[20] = np.nan, np.inf, 0
    boxes[25] = boxes[25, [2, 3, 0, 1]]
    held(regions._nms, boxes, np.arange(40), threshold=0.1)


def regions_of(count: int, images: int, size: float) -> np.ndarray:
    random = np.random.default_rng(count)
    numbers = random.integers(0, images, (count, 1))
    corners = random.random((count, 2)) * size - 3
    return np.concatenate([numbers, corners, corners + random.random((count, 2)) * size], 1).astype(np.float32)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("samples", [-1, 1, 3])
@pytest.mark.parametrize(
    ("shape", "count", "size"), [((1, 1, 1, 1), 2, (1, 1)), ((2, 5, 20, 33), 40, (7, 3)), ((1, 3, 9, 8), 0, (2, 2))]
)
def test_roi_align(held, shape, count, size, samples, aligned) -> None:
    random = np.random.default_rng(1)
    x = random.standard_normal(shape).astype(np.float32)
    boxes = regions_of(count, shape[0], shape[2])
    options = {"size": size, "scale": 0.7, "samples": samples, "aligned": aligned}
    found = held(regions._roi_align, x, boxes, absolute=2e-5, **options)
    g = random.standard_normal(found.shape).astype(np.float32)
    held(regions._roi_align_gradient, g, boxes, shape=shape, absolute=1e-4, **options)


def test_what_is_declined(held) -> None:
    options = {"size": (2, 2), "scale": 1.0, "samples": 2, "aligned": False}
    held(regions._roi_align, np.ones((1, 1, 3, 3)), np.zeros((1, 5)), accepts=False, **options)
    held(regions._nms, np.ones((3, 4)), np.arange(3), threshold=0.5, accepts=False)
