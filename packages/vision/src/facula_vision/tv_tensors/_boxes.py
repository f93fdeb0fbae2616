"""Bounding boxes and key points, which know the size of the image that they lie in."""

from enum import Enum
from typing import Any

import facula
from facula import Tensor

from facula_vision.tv_tensors._base import TVTensor, TypeOrDevice

__all__ = ["BoundingBoxFormat", "BoundingBoxes", "KeyPoints", "is_rotated_bounding_format"]


class BoundingBoxFormat(Enum):
    """What the numbers of a box are: corners, corner and size, centre and size; R is an angle in degrees."""

    XYXY = "XYXY"
    XYWH = "XYWH"
    CXCYWH = "CXCYWH"
    XYWHR = "XYWHR"
    CXCYWHR = "CXCYWHR"
    XYXYXYXY = "XYXYXYXY"


_ROTATED = ("XYWHR", "CXCYWHR", "XYXYXYXY")


def is_rotated_bounding_format(format: BoundingBoxFormat | str) -> bool:
    """Return whether boxes of that format may be turned."""
    if not isinstance(format, BoundingBoxFormat | str):
        raise ValueError(f"format should be str or BoundingBoxFormat, got {type(format)}")
    return (format if isinstance(format, str) else format.value) in _ROTATED


def _checked_clamping(mode: str | None) -> str | None:
    if mode not in (None, "hard", "soft"):
        raise ValueError(f"clamping_mode must be None, hard or soft, got {mode}.")
    return mode


class BoundingBoxes(TVTensor):
    """Boxes ``[N, 4]`` (5 or 8 numbers for turned ones) in an image of ``canvas_size`` (height, width).

    ``clamping_mode`` says what transforms do to what leaves the image: None leaves it, "soft" and "hard" cut it off.
    """

    format: BoundingBoxFormat
    canvas_size: tuple[int, int]
    clamping_mode: str | None

    def __new__(
        cls,
        data: Any,
        *,
        format: BoundingBoxFormat | str,
        canvas_size: tuple[int, int],
        clamping_mode: str | None = "soft",
        dtype: facula.dtype | None = None,
        device: TypeOrDevice = None,
        requires_grad: bool | None = None,
    ) -> "BoundingBoxes":
        tensor = cls._to_tensor(data, dtype, device, requires_grad)
        if is_rotated_bounding_format(format) and not tensor.is_floating_point():
            raise ValueError(f"Rotated bounding boxes should be floating point tensors, got {tensor.dtype}")
        return cls._made(tensor, format, canvas_size, clamping_mode)

    @classmethod
    def _made(
        cls, tensor: Tensor, format: BoundingBoxFormat | str, canvas_size: tuple[int, int], clamping_mode: str | None
    ) -> "BoundingBoxes":
        if tensor.ndim == 1:
            tensor = tensor.unsqueeze(0)
        elif tensor.ndim != 2:
            raise ValueError(f"Expected a 1D or 2D tensor, got {tensor.ndim}D")
        made = tensor.as_subclass(cls)
        made.format = BoundingBoxFormat[format.upper()] if isinstance(format, str) else format
        made.canvas_size = canvas_size
        made.clamping_mode = _checked_clamping(clamping_mode)
        return made

    @classmethod
    def wrap(cls, tensor: Tensor, like: TVTensor, **kwargs: Any) -> "BoundingBoxes":
        """Return the tensor as boxes with the format, canvas and clamping of ``like``, or of the keywords."""
        names = ("format", "canvas_size", "clamping_mode")
        facts: list[Any] = [kwargs.get(name, getattr(like, name, None)) for name in names]
        return cls._made(tensor, *facts)

    @classmethod
    def _wrap_output(cls, output: Any, like: TVTensor) -> Any:
        # What is no longer a list of boxes, as one column of them, is a plain tensor.
        if isinstance(output, Tensor) and output.ndim != 2:
            return output
        return super()._wrap_output(output, like)

    def _facts(self) -> dict[str, Any]:
        return {"format": self.format, "canvas_size": self.canvas_size, "clamping_mode": self.clamping_mode}


class KeyPoints(TVTensor):
    """Points (..., 2), each (x, y), in an image of ``canvas_size`` (height, width)."""

    canvas_size: tuple[int, int]

    def __new__(
        cls,
        data: Any,
        *,
        canvas_size: tuple[int, int],
        dtype: facula.dtype | None = None,
        device: TypeOrDevice = None,
        requires_grad: bool | None = None,
    ) -> "KeyPoints":
        return cls._made(cls._to_tensor(data, dtype, device, requires_grad), canvas_size)

    @classmethod
    def _made(cls, tensor: Tensor, canvas_size: tuple[int, int]) -> "KeyPoints":
        if tensor.ndim == 1:
            tensor = tensor.unsqueeze(0)
        if tensor.shape[-1] != 2:
            raise ValueError(f"Expected a tensor of shape (..., 2), not {tuple(tensor.shape)}")
        made = tensor.as_subclass(cls)
        made.canvas_size = canvas_size
        return made

    @classmethod
    def wrap(cls, tensor: Tensor, like: TVTensor, **kwargs: Any) -> "KeyPoints":
        """Return the tensor as points with the canvas of ``like``, or of the keywords."""
        canvas_size: Any = kwargs.get("canvas_size", getattr(like, "canvas_size", None))
        return cls._made(tensor, canvas_size)

    @classmethod
    def _wrap_output(cls, output: Any, like: TVTensor) -> Any:
        if isinstance(output, Tensor) and (output.ndim < 2 or output.shape[-1] != 2):
            return output
        return super()._wrap_output(output, like)

    def _facts(self) -> dict[str, Any]:
        return {"canvas_size": self.canvas_size}
