"""Sizes, and formats of bounding boxes."""

import PIL.Image
from facula import Tensor

from facula_vision import tv_tensors
from facula_vision.transforms import functional as v1
from facula_vision.transforms.v2.functional._dispatch import (
    as_floating,
    clamped,
    clamped_points,
    from_xyxy,
    is_pure_tensor,
    to_xyxy,
)
from facula_vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask

__all__ = [
    "clamp_bounding_boxes",
    "clamp_keypoints",
    "convert_bounding_box_format",
    "get_dimensions",
    "get_image_num_channels",
    "get_image_size",
    "get_num_channels",
    "get_num_frames",
    "get_size",
]

Image = Tensor | PIL.Image.Image


def get_dimensions(inpt: Image) -> list[int]:
    """Return [channels, height, width] of an image or video."""
    if isinstance(inpt, Mask | BoundingBoxes | KeyPoints):
        raise TypeError(f"get_dimensions supports images and videos, but got {type(inpt)} instead.")
    return v1.get_dimensions(inpt)


def get_num_channels(inpt: Image) -> int:
    """Return the number of channels of an image or video."""
    return get_dimensions(inpt)[0]


get_image_num_channels = get_num_channels


def get_size(inpt: Image) -> list[int]:
    """Return [height, width] of an image, video or mask, or of that which boxes or points lie in."""
    if isinstance(inpt, BoundingBoxes | KeyPoints):
        return list(inpt.canvas_size)
    if isinstance(inpt, Mask):
        return list(inpt.shape[-2:])
    return get_dimensions(inpt)[1:]


def get_image_size(inpt: Image) -> list[int]:
    """Return [width, height], as before `get_size`."""
    height, width = get_size(inpt)
    return [width, height]


def get_num_frames(inpt: Tensor) -> int:
    """Return the number of frames of a video."""
    if not isinstance(inpt, Tensor) or (not is_pure_tensor(inpt) and not isinstance(inpt, tv_tensors.Video)):
        raise TypeError(f"get_num_frames supports videos, but got {type(inpt)} instead.")
    return int(inpt.shape[-4])


def _as_format(format: BoundingBoxFormat | str) -> BoundingBoxFormat:
    return BoundingBoxFormat[format.upper()] if isinstance(format, str) else format


def convert_bounding_box_format(
    inpt: Tensor,
    old_format: BoundingBoxFormat | str | None = None,
    new_format: BoundingBoxFormat | str | None = None,
    inplace: bool = False,
) -> Tensor:
    """Return boxes in another format; plain tensors need ``old_format``, BoundingBoxes know it."""
    if new_format is None:
        raise TypeError("convert_bounding_box_format() missing 1 required argument: 'new_format'")
    target = _as_format(new_format)
    if isinstance(inpt, BoundingBoxes):
        if old_format is not None:
            raise ValueError("For bounding box tv_tensor inputs, `old_format` must not be passed.")
        converted = from_xyxy(to_xyxy(inpt.as_subclass(Tensor), inpt.format), target)
        return BoundingBoxes.wrap(converted.clone(), inpt, format=target)
    if not is_pure_tensor(inpt):
        raise TypeError(
            f"Input can either be a plain tensor or a bounding box tv_tensor, but got {type(inpt)} instead."
        )
    if old_format is None:
        raise ValueError("For pure tensor inputs, `old_format` has to be passed.")
    converted = from_xyxy(to_xyxy(inpt, _as_format(old_format)), target)
    return inpt.copy_(converted) if inplace else converted.clone()


def clamp_bounding_boxes(
    inpt: Tensor,
    format: BoundingBoxFormat | str | None = None,
    canvas_size: tuple[int, int] | None = None,
    clamping_mode: str | None = "auto",
) -> Tensor:
    """Return boxes with what lies outside of the canvas cut off; plain tensors need ``format`` and ``canvas_size``."""
    if isinstance(inpt, BoundingBoxes):
        if format is not None or canvas_size is not None:
            raise ValueError("For bounding box tv_tensor inputs, `format` and `canvas_size` must not be passed.")
        mode = inpt.clamping_mode if clamping_mode == "auto" else clamping_mode
        return BoundingBoxes.wrap(_clamped(inpt.as_subclass(Tensor), inpt.format, inpt.canvas_size, mode), inpt)
    if not is_pure_tensor(inpt):
        raise TypeError(
            f"Input can either be a plain tensor or a bounding box tv_tensor, but got {type(inpt)} instead."
        )
    if format is None or canvas_size is None or clamping_mode == "auto":
        raise ValueError("For pure tensor inputs, `format`, `canvas_size` and `clamping_mode` have to be passed.")
    return _clamped(inpt, _as_format(format), canvas_size, clamping_mode)


def _clamped(boxes: Tensor, format: BoundingBoxFormat, canvas_size: tuple[int, int], mode: str | None) -> Tensor:
    if mode is None:
        return boxes.clone()
    if mode not in ("hard", "soft"):
        raise ValueError(f"clamping_mode must be None, hard or soft, got {mode}.")
    inside = clamped(to_xyxy(as_floating(boxes), format), canvas_size)
    return from_xyxy(inside, format).to(boxes.dtype)


def clamp_keypoints(inpt: Tensor, canvas_size: tuple[int, int] | None = None) -> Tensor:
    """Return points moved to the nearest pixel of the canvas; plain tensors need ``canvas_size``."""
    if isinstance(inpt, KeyPoints):
        if canvas_size is not None:
            raise ValueError("For keypoints tv_tensor inputs, `canvas_size` must not be passed.")
        return KeyPoints.wrap(clamped_points(inpt.as_subclass(Tensor), inpt.canvas_size), inpt)
    if canvas_size is None:
        raise ValueError("For pure tensor inputs, `canvas_size` has to be passed.")
    return clamped_points(inpt, canvas_size)
