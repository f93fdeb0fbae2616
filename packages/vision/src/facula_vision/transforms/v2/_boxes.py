"""Transforms of bounding boxes and key points, and taking away those that are no use."""

from typing import Any

from facula import Tensor
from facula.utils.pytree import tree_flatten, tree_unflatten

from facula_vision import tv_tensors
from facula_vision.transforms.v2 import functional as F
from facula_vision.transforms.v2._labels import LabelsGetter, parse_labels_getter
from facula_vision.transforms.v2._transform import Transform
from facula_vision.transforms.v2._utils import get_bounding_boxes, get_keypoints

__all__ = [
    "ClampBoundingBoxes",
    "ClampKeyPoints",
    "ConvertBoundingBoxFormat",
    "SanitizeBoundingBoxes",
    "SanitizeKeyPoints",
    "SetClampingMode",
]


class ConvertBoundingBoxFormat(Transform):
    """Convert boxes to another format, "XYXY", "XYWH" or "CXCYWH"."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, format: str | tv_tensors.BoundingBoxFormat) -> None:
        super().__init__()
        self.format = format

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the converted boxes."""
        return F.convert_bounding_box_format(inpt, new_format=self.format)


class ClampBoundingBoxes(Transform):
    """Cut off what lies outside of the canvas; "auto" does it as the boxes themselves want it."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, clamping_mode: str | None = "auto") -> None:
        super().__init__()
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the boxes inside the canvas."""
        return F.clamp_bounding_boxes(inpt, clamping_mode=self.clamping_mode)


class ClampKeyPoints(Transform):
    """Move points to the nearest pixel of the canvas."""

    _transformed_types = (tv_tensors.KeyPoints,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the points inside the canvas."""
        return F.clamp_keypoints(inpt)


class SetClampingMode(Transform):
    """Set what transforms do to boxes that leave the image: None, "soft" or "hard"."""

    _transformed_types = (tv_tensors.BoundingBoxes,)

    def __init__(self, clamping_mode: str | None) -> None:
        super().__init__()
        if clamping_mode not in (None, "soft", "hard"):
            raise ValueError(f"clamping_mode must be None, soft or hard, got {clamping_mode}.")
        self.clamping_mode = clamping_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the boxes with that mode."""
        return tv_tensors.wrap(inpt.clone().as_subclass(Tensor), like=inpt, clamping_mode=self.clamping_mode)


class _Sanitizes(Transform):
    """Keeps some of the objects of a sample: of what `transform` finds to be a list of them."""

    kinds: tuple[type, ...]

    def __init__(self, labels_getter: LabelsGetter) -> None:
        super().__init__()
        self.labels_getter = labels_getter
        self._labels_getter = parse_labels_getter(labels_getter)

    def which(self, flat_inputs: list[Any]) -> tuple[Tensor, int]:
        """Return which objects stay, and of how many."""
        raise NotImplementedError

    def forward(self, *inputs: Any) -> Any:
        """Return the sample with the objects that stay, their masks and labels."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels_getter(sample)
        labels = () if labels is None else (labels,) if isinstance(labels, Tensor) else labels
        if not isinstance(labels, tuple | list) or not all(isinstance(each, Tensor) for each in labels):
            raise ValueError(
                f"The labels in the input to forward() must be tensors or None, got {type(labels)} instead."
            )
        flat_inputs, spec = tree_flatten(sample)
        valid, count = self.which(flat_inputs)
        for each in labels:
            if each.shape[0] != count:
                raise ValueError(f"There are {count} objects, but labels of shape {tuple(each.shape)}.")
        params = {"valid": valid, "labels": labels}
        return tree_unflatten([self.transform(inpt, params) for inpt in flat_inputs], spec)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the objects that stay, when this is a list of them."""
        is_label = any(inpt is each for each in params["labels"])
        if not is_label and not isinstance(inpt, self.kinds):
            return inpt
        if inpt.ndim == 0 or inpt.shape[0] != params["valid"].shape[0]:
            return inpt
        kept = inpt[params["valid"]]
        return tv_tensors.wrap(kept, like=inpt) if isinstance(inpt, tv_tensors.TVTensor) and not is_label else kept


class SanitizeBoundingBoxes(_Sanitizes):
    """Take away boxes outside of the canvas or with sides below ``min_size`` or areas below ``min_area``.

    Their masks and labels go too; ``labels_getter`` finds these in a sample, None when there are none.
    """

    kinds = (tv_tensors.BoundingBoxes, tv_tensors.Mask)

    def __init__(self, min_size: float = 1.0, min_area: float = 1.0, labels_getter: LabelsGetter = "default") -> None:
        super().__init__(labels_getter)
        if min_size < 1:
            raise ValueError(f"min_size must be >= 1, got {min_size}.")
        if min_area < 1:
            raise ValueError(f"min_area must be >= 1, got {min_area}.")
        self.min_size = min_size
        self.min_area = min_area

    def which(self, flat_inputs: list[Any]) -> tuple[Tensor, int]:
        """Return which boxes stay, and of how many."""
        boxes = get_bounding_boxes(flat_inputs)
        _, valid = F.sanitize_bounding_boxes(boxes, min_size=self.min_size, min_area=self.min_area)
        return valid, boxes.shape[0]


class SanitizeKeyPoints(_Sanitizes):
    """Take away points (or groups of them) outside of the canvas, and their labels."""

    kinds = (tv_tensors.KeyPoints,)

    def __init__(self, labels_getter: LabelsGetter = "default") -> None:
        super().__init__(labels_getter)

    def which(self, flat_inputs: list[Any]) -> tuple[Tensor, int]:
        """Return which points stay, and of how many."""
        points = get_keypoints(flat_inputs)
        _, valid = F.sanitize_keypoints(points)
        return valid, points.shape[0]
