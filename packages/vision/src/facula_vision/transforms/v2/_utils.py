"""What transforms ask about a sample: which kinds of input it has, and their size."""

from collections.abc import Callable, Sequence
from typing import Any

import PIL.Image

from facula_vision import tv_tensors
from facula_vision.transforms.v2.functional import get_dimensions, get_size, is_pure_tensor
from facula_vision.transforms.v2.functional._dispatch import _get_kernel  # noqa: F401

__all__ = [
    "check_type",
    "get_bounding_boxes",
    "get_keypoints",
    "has_all",
    "has_any",
    "is_pure_tensor",
    "query_chw",
    "query_size",
]

Check = type | Callable[[Any], bool]


def check_type(obj: Any, types_or_checks: Sequence[Check]) -> bool:
    """Return whether something is of one of the types, or passes one of the checks."""
    return any(isinstance(obj, each) if isinstance(each, type) else each(obj) for each in types_or_checks)


def has_any(flat_inputs: Sequence[Any], *types_or_checks: Check) -> bool:
    """Return whether one of the inputs is of one of the types, or passes one of the checks."""
    return any(check_type(inpt, types_or_checks) for inpt in flat_inputs)


def has_all(flat_inputs: Sequence[Any], *types_or_checks: Check) -> bool:
    """Return whether there is an input for each of the types and checks."""
    return all(has_any(flat_inputs, each) for each in types_or_checks)


def get_bounding_boxes(flat_inputs: Sequence[Any]) -> tv_tensors.BoundingBoxes:
    """Return the boxes of a sample; ``ValueError`` when it has none."""
    for inpt in flat_inputs:
        if isinstance(inpt, tv_tensors.BoundingBoxes):
            return inpt
    raise ValueError("No bounding boxes were found in the sample")


def get_keypoints(flat_inputs: Sequence[Any]) -> tv_tensors.KeyPoints:
    """Return the key points of a sample; ``ValueError`` when it has none."""
    for inpt in flat_inputs:
        if isinstance(inpt, tv_tensors.KeyPoints):
            return inpt
    raise ValueError("No keypoints were found in the sample")


_IMAGES: tuple[Check, ...] = (is_pure_tensor, tv_tensors.Image, PIL.Image.Image, tv_tensors.Video)
_SIZED: tuple[Check, ...] = (*_IMAGES, tv_tensors.Mask, tv_tensors.BoundingBoxes, tv_tensors.KeyPoints)


def query_chw(flat_inputs: Sequence[Any]) -> tuple[int, int, int]:
    """Return (channels, height, width) of a sample's images, which must agree."""
    found = {tuple(get_dimensions(inpt)) for inpt in flat_inputs if check_type(inpt, _IMAGES)}
    if not found:
        raise TypeError("No image or video was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple CxHxW dimensions in the sample: {sorted(found)}")
    channels, height, width = found.pop()
    return channels, height, width


def query_size(flat_inputs: Sequence[Any]) -> tuple[int, int]:
    """Return (height, width) of a sample's images, masks, boxes and points, which must agree."""
    found = {tuple(get_size(inpt)) for inpt in flat_inputs if check_type(inpt, _SIZED)}
    if not found:
        raise TypeError("No image, video, mask, bounding box of keypoint was found in the sample")
    if len(found) > 1:
        raise ValueError(f"Found multiple HxW dimensions in the sample: {sorted(found)}")
    height, width = found.pop()
    return height, width
