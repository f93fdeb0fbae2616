"""Transforms of place: resizing, cropping, padding, flipping, turning and warping."""

from collections.abc import Sequence
from typing import Any

import facula
import PIL.Image
from facula import Tensor

from facula_vision import transforms as v1
from facula_vision import tv_tensors
from facula_vision.ops.boxes import box_iou
from facula_vision.transforms._arguments import two_sizes
from facula_vision.transforms.functional import _four_paddings
from facula_vision.transforms.interpolation import named_interpolation_mode
from facula_vision.transforms.v2 import functional as F
from facula_vision.transforms.v2._fill import Fill, fill_for, filled
from facula_vision.transforms.v2._transform import RandomApplyTransform, Transform
from facula_vision.transforms.v2._utils import get_bounding_boxes, has_all, has_any, is_pure_tensor, query_size
from facula_vision.transforms.v2.functional._geometry import Interpolation

__all__ = [
    "CenterCrop",
    "ElasticTransform",
    "FiveCrop",
    "Pad",
    "RandomAffine",
    "RandomCrop",
    "RandomHorizontalFlip",
    "RandomIoUCrop",
    "RandomPerspective",
    "RandomResize",
    "RandomResizedCrop",
    "RandomRotation",
    "RandomShortestSize",
    "RandomVerticalFlip",
    "RandomZoomOut",
    "Resize",
    "ScaleJitter",
    "TenCrop",
]


def _uniform(low: float, high: float) -> float:
    return float(facula.empty(1).uniform_(low, high).item())


def _of_size(size: Sequence[int]) -> Tensor:
    """Return an image of that (height, width) with nothing in it, for functions that ask for its size only."""
    return facula.empty(0, *size)


class RandomHorizontalFlip(RandomApplyTransform):
    """Mirror left to right with probability ``p``."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the mirrored input."""
        return self._call_kernel(F.horizontal_flip, inpt)


class RandomVerticalFlip(RandomApplyTransform):
    """Turn upside down with probability ``p``."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the turned input."""
        return self._call_kernel(F.vertical_flip, inpt)


class Resize(Transform):
    """Resize to ``size`` (height, width), or the shorter side to one number, or, with None, the longer to ``max_size``."""

    def __init__(
        self,
        size: int | Sequence[int] | None,
        interpolation: Interpolation = "bilinear",
        max_size: int | None = None,
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        if size is None and not isinstance(max_size, int):
            raise ValueError(f"max_size must be an integer when size is None, but got {max_size} instead.")
        if size is not None and not isinstance(size, int) and (not isinstance(size, Sequence) or len(size) > 2):
            raise ValueError(f"size can be an integer, a sequence of one or two integers, or None, but got {size}.")
        self.size = [size] if isinstance(size, int) else None if size is None else list(size)
        self.interpolation = interpolation
        self.max_size = max_size
        self.antialias = antialias

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the resized input."""
        return self._call_kernel(F.resize, inpt, self.size, self.interpolation, self.max_size, self.antialias)


class CenterCrop(Transform):
    """Keep the middle of that size, padded with zeros where the image is smaller."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = two_sizes(size)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the middle of the input."""
        return self._call_kernel(F.center_crop, inpt, self.size)


class RandomResizedCrop(Transform):
    """Keep a random part and resize it; its area is drawn from ``scale``, its width over height from ``ratio``."""

    _v1_transform_cls = v1.RandomResizedCrop

    def __init__(
        self,
        size: int | Sequence[int],
        scale: Sequence[float] = (0.08, 1.0),
        ratio: Sequence[float] = (3.0 / 4.0, 4.0 / 3.0),
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        # It checks the arguments.
        self.size = v1.RandomResizedCrop(size, scale, ratio, named_interpolation_mode(interpolation)).size
        self.scale = scale
        self.ratio = ratio
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the rectangle."""
        rectangle = v1.RandomResizedCrop.get_params(_of_size(query_size(flat_inputs)), self.scale, self.ratio)
        return dict(zip(("top", "left", "height", "width"), rectangle, strict=True))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the resized crop."""
        options = {"size": self.size, "interpolation": self.interpolation, "antialias": self.antialias}
        return self._call_kernel(F.resized_crop, inpt, **params, **options)


class FiveCrop(Transform):
    """Make five crops of that size: top left, top right, bottom left, bottom right and centre."""

    def __init__(self, size: int | Sequence[int]) -> None:
        super().__init__()
        self.size = two_sizes(size)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for boxes and masks."""
        if has_any(flat_inputs, tv_tensors.BoundingBoxes, tv_tensors.Mask):
            raise TypeError(f"BoundingBoxes'es and Mask's are not supported by {type(self).__name__}()")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the five crops."""
        return self._call_kernel(F.five_crop, inpt, self.size)


class TenCrop(FiveCrop):
    """Make the five crops of the image and of its mirror image, left to right or upside down."""

    def __init__(self, size: int | Sequence[int], vertical_flip: bool = False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the ten crops."""
        return self._call_kernel(F.ten_crop, inpt, self.size, vertical_flip=self.vertical_flip)


class Pad(Transform):
    """Add pixels on each side; ``fill`` may be a dict from the kind of input."""

    def __init__(self, padding: int | Sequence[int], fill: Fill = 0, padding_mode: str = "constant") -> None:
        super().__init__()
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(f"Padding mode should be constant, edge, reflect or symmetric, got {padding_mode!r}")
        _four_paddings(padding)
        self.padding = padding if isinstance(padding, int) else list(padding)
        self.fill, self._fill = fill, filled(fill)
        self.padding_mode = padding_mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the padded input."""
        return self._call_kernel(F.pad, inpt, self.padding, fill_for(self._fill, inpt), self.padding_mode)


class RandomZoomOut(RandomApplyTransform):
    """Put into a larger canvas with probability ``p``; its sides are up to ``side_range`` times as long."""

    def __init__(self, fill: Fill = 0, side_range: Sequence[float] = (1.0, 4.0), p: float = 0.5) -> None:
        super().__init__(p=p)
        if len(side_range) != 2 or not 1.0 <= side_range[0] <= side_range[1]:
            raise ValueError(f"Invalid canvas side range provided {side_range}.")
        self.fill, self._fill = fill, filled(fill)
        self.side_range = side_range

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the padding."""
        height, width = query_size(flat_inputs)
        ratio = self.side_range[0] + facula.rand(1) * (self.side_range[1] - self.side_range[0])
        canvas_width, canvas_height = int(width * ratio), int(height * ratio)
        across, down = facula.rand(2)
        left, top = int((canvas_width - width) * across), int((canvas_height - height) * down)
        return {"padding": [left, top, canvas_width - (left + width), canvas_height - (top + height)]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the padded input."""
        return self._call_kernel(F.pad, inpt, **params, fill=fill_for(self._fill, inpt))


class _KeepsAsGiven(Transform):
    """Keeps ``interpolation`` and ``fill`` as they are given, where transforms of images keep what these stand for."""

    interpolation: Any
    fill: Any

    def _keep(self, interpolation: Interpolation, fill: Fill) -> None:
        self.interpolation = interpolation
        self.fill, self._fill = fill, filled(fill)


class RandomRotation(_KeepsAsGiven, v1.RandomRotation):
    """Turn by a random angle, in degrees against the clock, from ``degrees`` (low, high) or from -degrees to degrees."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        interpolation: Interpolation = "nearest",
        expand: bool = False,
        center: Sequence[float] | None = None,
        fill: Fill = 0,
    ) -> None:
        v1.RandomRotation.__init__(self, degrees, named_interpolation_mode(interpolation), expand, center)
        self._keep(interpolation, fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the angle."""
        return {"angle": self.get_params(self.degrees)}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the turned input."""
        options = {"interpolation": self.interpolation, "expand": self.expand, "center": self.center}
        return self._call_kernel(F.rotate, inpt, **params, **options, fill=fill_for(self._fill, inpt))


class RandomAffine(_KeepsAsGiven, v1.RandomAffine):
    """Turn, move, scale and shear by random amounts."""

    def __init__(
        self,
        degrees: float | Sequence[float],
        translate: Sequence[float] | None = None,
        scale: Sequence[float] | None = None,
        shear: float | Sequence[float] | None = None,
        interpolation: Interpolation = "nearest",
        fill: Fill = 0,
        center: Sequence[float] | None = None,
    ) -> None:
        mode = named_interpolation_mode(interpolation)
        v1.RandomAffine.__init__(self, degrees, translate, scale, shear, mode, center=center)
        self._keep(interpolation, fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the amounts."""
        height, width = query_size(flat_inputs)
        amounts = self.get_params(self.degrees, self.translate, self.scale, self.shear, [width, height])
        return dict(zip(("angle", "translate", "scale", "shear"), amounts, strict=True))

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the transformed input."""
        options = {"interpolation": self.interpolation, "center": self.center}
        return self._call_kernel(F.affine, inpt, **params, **options, fill=fill_for(self._fill, inpt))


class RandomCrop(Transform):
    """Keep a rectangle of that size at a random place, after padding."""

    _v1_transform_cls = v1.RandomCrop

    def __init__(
        self,
        size: int | Sequence[int],
        padding: int | Sequence[int] | None = None,
        pad_if_needed: bool = False,
        fill: Fill = 0,
        padding_mode: str = "constant",
    ) -> None:
        super().__init__()
        self.size = two_sizes(size)
        self.padding = None if not padding else list(_four_paddings(padding))
        self.pad_if_needed = pad_if_needed
        self.fill, self._fill = fill, filled(fill)
        self.padding_mode = padding_mode

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the place, of the padded image."""
        height, width = query_size(flat_inputs)
        left, top, right, bottom = self.padding or (0, 0, 0, 0)
        wanted_height, wanted_width = self.size
        if self.pad_if_needed:
            down = max(wanted_height - (height + top + bottom), 0)
            across = max(wanted_width - (width + left + right), 0)
            left, top, right, bottom = left + across, top + down, right + across, bottom + down
        height, width = height + top + bottom, width + left + right
        if height < wanted_height or width < wanted_width:
            raise ValueError(
                f"Required crop size {(wanted_height, wanted_width)} is larger than input image size {(height, width)}."
            )
        places = [
            int(facula.randint(0, size - wanted + 1, size=())) if size > wanted else 0
            for size, wanted in ((height, wanted_height), (width, wanted_width))
        ]
        return {
            "padding": [left, top, right, bottom],
            "crops": (height, width) != (wanted_height, wanted_width),
            "rectangle": (*places, wanted_height, wanted_width),
        }

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the crop."""
        if any(params["padding"]):
            inpt = self._call_kernel(F.pad, inpt, params["padding"], fill_for(self._fill, inpt), self.padding_mode)
        return self._call_kernel(F.crop, inpt, *params["rectangle"]) if params["crops"] else inpt


class RandomPerspective(RandomApplyTransform):
    """Look from elsewhere with probability ``p``: each corner moves inwards by up to half ``distortion_scale``."""

    _v1_transform_cls = v1.RandomPerspective

    def __init__(
        self, distortion_scale: float = 0.5, p: float = 0.5, interpolation: Interpolation = "bilinear", fill: Fill = 0
    ) -> None:
        super().__init__(p=p)
        if not 0 <= distortion_scale <= 1:
            raise ValueError(f"Argument distortion_scale value should be between 0 and 1, got {distortion_scale}")
        self.distortion_scale = distortion_scale
        self.interpolation = interpolation
        self.fill, self._fill = fill, filled(fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw where the corners go."""
        height, width = query_size(flat_inputs)
        starts, ends = v1.RandomPerspective.get_params(width, height, self.distortion_scale)
        return {"startpoints": starts, "endpoints": ends}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the input seen from elsewhere."""
        options = {"interpolation": self.interpolation, "fill": fill_for(self._fill, inpt)}
        return self._call_kernel(F.perspective, inpt, **params, **options)


class ElasticTransform(_KeepsAsGiven, v1.ElasticTransform):
    """Move each pixel by a random amount of strength ``alpha``, smoothed by a Gaussian of width ``sigma``."""

    def __init__(
        self,
        alpha: float | Sequence[float] = 50.0,
        sigma: float | Sequence[float] = 5.0,
        interpolation: Interpolation = "bilinear",
        fill: Fill = 0,
    ) -> None:
        v1.ElasticTransform.__init__(self, alpha, sigma, named_interpolation_mode(interpolation))
        self._keep(interpolation, fill)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the displacement."""
        return {"displacement": self.get_params(self.alpha, self.sigma, query_size(flat_inputs))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the distorted input."""
        options = {"interpolation": self.interpolation, "fill": fill_for(self._fill, inpt)}
        return self._call_kernel(F.elastic, inpt, **params, **options)


class RandomIoUCrop(Transform):
    """Crop so that boxes stay which overlap the crop enough (Liu et al. 2015, arXiv 1512.02325).

    A box whose middle is outside becomes empty: `SanitizeBoundingBoxes` takes these away.
    """

    def __init__(
        self,
        min_scale: float = 0.3,
        max_scale: float = 1.0,
        min_aspect_ratio: float = 0.5,
        max_aspect_ratio: float = 2.0,
        sampler_options: list[float] | None = None,
        trials: int = 40,
    ) -> None:
        super().__init__()
        self.min_scale = min_scale
        self.max_scale = max_scale
        self.min_aspect_ratio = min_aspect_ratio
        self.max_aspect_ratio = max_aspect_ratio
        self.options = [0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0] if sampler_options is None else sampler_options
        self.trials = trials

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for a sample without an image or without boxes."""
        has_image = has_any(flat_inputs, PIL.Image.Image, tv_tensors.Image, is_pure_tensor)
        if not (has_image and has_all(flat_inputs, tv_tensors.BoundingBoxes)):
            raise TypeError(f"{type(self).__name__}() requires a sample with an image and bounding boxes.")

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the least overlap and a crop that has it; nothing when the image is to stay."""
        height, width = query_size(flat_inputs)
        given = get_bounding_boxes(flat_inputs)
        boxes = F.convert_bounding_box_format(given.as_subclass(Tensor), given.format, "XYXY")
        middle_x, middle_y = 0.5 * (boxes[:, 0] + boxes[:, 2]), 0.5 * (boxes[:, 1] + boxes[:, 3])
        while True:
            overlap = self.options[int(facula.randint(0, len(self.options), size=(1,)))]
            if overlap >= 1.0:
                return {}
            for _ in range(self.trials):
                across, down = self.min_scale + (self.max_scale - self.min_scale) * facula.rand(2)
                crop_width, crop_height = int(width * across), int(height * down)
                if not self.min_aspect_ratio <= crop_width / crop_height <= self.max_aspect_ratio:
                    continue
                across, down = facula.rand(2)
                left, top = int((width - crop_width) * across), int((height - crop_height) * down)
                right, bottom = left + crop_width, top + crop_height
                if left == right or top == bottom:
                    continue
                inside = (left < middle_x) & (middle_x < right) & (top < middle_y) & (middle_y < bottom)
                if not inside.any():
                    continue
                crop = facula.tensor([[left, top, right, bottom]], dtype=boxes.dtype, device=boxes.device)
                if box_iou(boxes[inside], crop).max() >= overlap:
                    return {"rectangle": (top, left, crop_height, crop_width), "is_within_crop_area": inside}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the crop."""
        if not params:
            return inpt
        output = self._call_kernel(F.crop, inpt, *params["rectangle"])
        if isinstance(output, tv_tensors.BoundingBoxes):
            output[~params["is_within_crop_area"]] = 0
        return output


class _RandomSize(Transform):
    """Resize to what `make_params` draws as ``size``."""

    interpolation: Interpolation
    antialias: bool | None

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the resized input."""
        return self._call_kernel(
            F.resize, inpt, params["size"], interpolation=self.interpolation, antialias=self.antialias
        )


class ScaleJitter(_RandomSize):
    """Resize to fit ``target_size`` times a random number from ``scale_range``."""

    def __init__(
        self,
        target_size: tuple[int, int],
        scale_range: tuple[float, float] = (0.1, 2.0),
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.target_size = target_size
        self.scale_range = scale_range
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the size."""
        height, width = query_size(flat_inputs)
        scale = self.scale_range[0] + facula.rand(1) * (self.scale_range[1] - self.scale_range[0])
        # Height by the target's second number and width by its first, as in torchvision.
        ratio = min(self.target_size[1] / height, self.target_size[0] / width) * scale
        return {"size": (int(height * ratio), int(width * ratio))}


class RandomShortestSize(_RandomSize):
    """Resize the shorter side to one of ``min_size``, the longer one being at most ``max_size``."""

    def __init__(
        self,
        min_size: int | Sequence[int],
        max_size: int | None = None,
        interpolation: Interpolation = "bilinear",
        antialias: bool | None = True,
    ) -> None:
        super().__init__()
        self.min_size = [min_size] if isinstance(min_size, int) else list(min_size)
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the size."""
        height, width = query_size(flat_inputs)
        ratio = self.min_size[int(facula.randint(len(self.min_size), ()))] / min(height, width)
        if self.max_size is not None:
            ratio = min(ratio, self.max_size / max(height, width))
        return {"size": (int(height * ratio), int(width * ratio))}


class RandomResize(_RandomSize):
    """Resize the shorter side to a random number from ``min_size`` to below ``max_size``."""

    def __init__(
        self, min_size: int, max_size: int, interpolation: Interpolation = "bilinear", antialias: bool | None = True
    ) -> None:
        super().__init__()
        self.min_size = min_size
        self.max_size = max_size
        self.interpolation = interpolation
        self.antialias = antialias

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the size."""
        return {"size": [int(facula.randint(self.min_size, self.max_size, ()))]}
