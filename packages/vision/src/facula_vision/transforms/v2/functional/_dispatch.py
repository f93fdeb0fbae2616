"""Functions that do to each kind of input what is right for it: images, masks, boxes, points."""

import functools
import inspect
import sys
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import facula
import PIL.Image
from facula import Tensor

from facula_vision import tv_tensors
from facula_vision.tv_tensors import BoundingBoxes, BoundingBoxFormat, KeyPoints, Mask, TVTensor

__all__ = ["is_pure_tensor", "register_kernel"]

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Kernel = Callable[..., Any]

_KERNELS: dict[Kernel, dict[type, Kernel]] = {}
_OWN = "facula_vision.transforms.v2.functional"
_IMAGES = (Tensor, PIL.Image.Image, tv_tensors.Image, tv_tensors.Video)
_BUILT_IN = (tv_tensors.Image, tv_tensors.Video, Mask, BoundingBoxes, KeyPoints)


def is_pure_tensor(inpt: Any) -> bool:
    """Return whether this is a Tensor that says nothing about what it holds."""
    return isinstance(inpt, Tensor) and not isinstance(inpt, TVTensor)


def dispatched(*kinds: type) -> Callable[[Callable[Arguments, Result]], Callable[Arguments, Result]]:
    """Return a decorator of a kernel for ``kinds`` (default: all images), which makes it a function of any input."""

    def decorate(kernel: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
        @functools.wraps(kernel)
        def function(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
            if not args:
                name = next(iter(inspect.signature(kernel).parameters))
                args = (kwargs.pop(name),)  # type: ignore[assignment]  # no tuple is of a ParamSpec
            result: Result = _get_kernel(function, type(args[0]))(*args, **kwargs)
            return result

        for kind in kinds or _IMAGES:
            add_kernel(function, kind, kernel)
        return function

    return decorate


def add_kernel(function: Kernel, kind: type, kernel: Kernel) -> None:
    """Make ``kernel``, of plain tensors, what ``function`` does to inputs of that kind; the result is of it too."""
    registry = _KERNELS.setdefault(function, {})
    registry[kind] = _wrapping(kernel) if issubclass(kind, TVTensor) else kernel


def image_kernel(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return what a function does to plain tensors that are images."""
    return _KERNELS[function][Tensor]


def _wrapping(kernel: Kernel) -> Kernel:
    @functools.wraps(kernel)
    def call(inpt: TVTensor, *args: Any, **kwargs: Any) -> Any:
        output = kernel(inpt.as_subclass(Tensor), *args, **kwargs)
        if isinstance(output, tuple):
            return tuple(tv_tensors.wrap(part, like=inpt) for part in output)
        return tv_tensors.wrap(output, like=inpt)

    return call


def add_mask_kernel(function: Kernel, **fixed: Any) -> Kernel:
    """Do to masks what is done to images, with some arguments fixed: masks are not interpolated."""
    image_kernel = _KERNELS[function][Tensor]
    signature = inspect.signature(image_kernel)

    @functools.wraps(image_kernel)
    def mask_kernel(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.arguments.update(fixed)
        return image_kernel(*bound.args, **bound.kwargs)

    add_kernel(function, Mask, mask_kernel)
    return mask_kernel


#: Moves points (..., 2), (x, y) each; the new canvas (height, width); whether what leaves it is cut off.
Motion = tuple[Callable[[Tensor], Tensor], tuple[int, int], bool]


def add_motion(
    function: Kernel, points_motion: Callable[..., Motion] | None = None
) -> Callable[[Callable[..., Motion]], Callable[..., Motion]]:
    """Return a decorator of what a function does to places, which makes it do that to boxes and key points.

    ``points_motion`` is what it does to key points, where that differs: they are pixels, boxes lie between them.
    """

    def decorate(motion: Callable[..., Motion]) -> Callable[..., Motion]:
        @functools.wraps(function)
        def boxes_kernel(inpt: BoundingBoxes, *args: Any, **kwargs: Any) -> BoundingBoxes:
            move, canvas, cuts = motion(inpt.canvas_size, *args, **kwargs)
            boxes = inpt.as_subclass(Tensor)
            # Four corners each, whose bounds are the new box.
            corners = to_xyxy(as_floating(boxes), inpt.format)[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
            bounds = bounds_of(move(corners))
            if cuts and inpt.clamping_mode is not None:
                bounds = clamped(bounds, canvas)
            result = from_xyxy(bounds, inpt.format).to(boxes.dtype)
            return BoundingBoxes.wrap(result, inpt, canvas_size=canvas)

        @functools.wraps(function)
        def points_kernel(inpt: KeyPoints, *args: Any, **kwargs: Any) -> KeyPoints:
            # Points outside of the image stay: `sanitize_keypoints` takes them away.
            move, canvas, _ = (points_motion or motion)(inpt.canvas_size, *args, **kwargs)
            points = inpt.as_subclass(Tensor)
            moved = move(as_floating(points))
            return KeyPoints.wrap(moved.to(points.dtype), inpt, canvas_size=canvas)

        registry = _KERNELS.setdefault(function, {})
        registry[BoundingBoxes], registry[KeyPoints] = boxes_kernel, points_kernel
        return motion

    return decorate


def as_floating(values: Tensor) -> Tensor:
    """Return the numbers in a floating type."""
    return values if values.is_floating_point() else values.float()


def bounds_of(corners: Tensor) -> Tensor:
    """Return the boxes [N, 4], XYXY, around corners [N, 4, 2]."""
    return facula.cat([corners.amin(dim=1), corners.amax(dim=1)], dim=-1)


def _refuse_turned(format: BoundingBoxFormat) -> None:
    if tv_tensors.is_rotated_bounding_format(format):
        raise NotImplementedError(f"transforms of rotated boxes, here {format.value}, are not implemented")


def to_xyxy(boxes: Tensor, format: BoundingBoxFormat) -> Tensor:
    """Return the boxes as left, top, right, bottom."""
    _refuse_turned(format)
    if format is BoundingBoxFormat.XYXY:
        return boxes
    first, size = boxes[..., :2], boxes[..., 2:]
    if format is BoundingBoxFormat.CXCYWH:
        # The half is truncated for integers.
        half = size / 2 if boxes.is_floating_point() else facula.div(size, 2, rounding_mode="trunc")
        first = first - half
    return facula.cat([first, first + size], dim=-1)


def from_xyxy(boxes: Tensor, format: BoundingBoxFormat) -> Tensor:
    """Return boxes that are left, top, right, bottom in another format."""
    _refuse_turned(format)
    if format is BoundingBoxFormat.XYXY:
        return boxes
    first, last = boxes[..., :2], boxes[..., 2:]
    if format is BoundingBoxFormat.CXCYWH:
        total = first + last
        middle = total / 2 if boxes.is_floating_point() else facula.div(total, 2, rounding_mode="floor")
        return facula.cat([middle, last - first], dim=-1)
    return facula.cat([first, last - first], dim=-1)


def clamped(boxes: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Return boxes XYXY with what lies outside of the canvas cut off."""
    height, width = canvas_size
    x, y = boxes[..., 0::2].clamp(0, width), boxes[..., 1::2].clamp(0, height)
    return facula.stack([x[..., 0], y[..., 0], x[..., 1], y[..., 1]], dim=-1)


def clamped_points(points: Tensor, canvas_size: tuple[int, int]) -> Tensor:
    """Return points moved to the nearest pixel of the canvas."""
    height, width = canvas_size
    return facula.stack([points[..., 0].clamp(0, width - 1), points[..., 1].clamp(0, height - 1)], dim=-1)


def _get_kernel(functional: Kernel, input_type: type, *, allow_passthrough: bool = False) -> Kernel:
    """Return what a function does to that type; with ``allow_passthrough``, nothing when it knows nothing to do."""
    registry = _KERNELS.get(functional)
    if registry is None:
        raise ValueError(f"No kernel registered for functional {getattr(functional, '__name__', functional)}.")
    for kind in input_type.__mro__:
        if kind in registry:
            return registry[kind]
        if kind is TVTensor:
            # A user's own kind is no image.
            break
    if allow_passthrough:
        return lambda inpt, *args, **kwargs: inpt
    known = ", ".join(kind.__name__ for kind in registry)
    raise TypeError(f"{functional.__name__} supports inputs of type {known}, but got {input_type} instead.")


def register_kernel(functional: Kernel | str, tv_tensor_cls: type) -> Callable[[Kernel], Kernel]:
    """Return a decorator that makes a function what ``functional`` does to a TVTensor class of one's own."""
    if isinstance(functional, str):
        name = functional
        found: Kernel | None = getattr(sys.modules[_OWN], name, None)
        if found is None:
            raise ValueError(f"Could not find functional with name '{name}' in {_OWN}.")
        functional = found
    if functional not in _KERNELS:
        raise ValueError(f"Kernels can only be registered on functionals from {_OWN}, but got {functional}.")
    if not (isinstance(tv_tensor_cls, type) and issubclass(tv_tensor_cls, TVTensor)):
        raise ValueError(f"Kernels can only be registered for subclasses of TVTensor, but got {tv_tensor_cls}.")
    if tv_tensor_cls in _BUILT_IN:
        raise ValueError(f"Kernels cannot be registered for the builtin tv_tensor classes, but got {tv_tensor_cls}")
    registry = _KERNELS[functional]
    if tv_tensor_cls in registry:
        raise ValueError(f"{functional} already has a kernel registered for type {tv_tensor_cls}.")

    def decorate(kernel: Kernel) -> Kernel:
        registry[tv_tensor_cls] = kernel
        return kernel

    return decorate
