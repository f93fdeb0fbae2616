"""Erasing, compression, and mixing the images of a batch."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import facula
import facula.nn.functional
import PIL.Image
from facula import Tensor
from facula.utils.pytree import tree_flatten, tree_unflatten

from facula_vision import transforms as v1
from facula_vision import tv_tensors
from facula_vision.transforms.v2 import functional as F
from facula_vision.transforms.v2._labels import parse_labels_getter
from facula_vision.transforms.v2._transform import RandomApplyTransform, Transform
from facula_vision.transforms.v2._utils import has_any, is_pure_tensor, query_chw, query_size

__all__ = ["JPEG", "CutMix", "MixUp", "RandomErasing"]


class RandomErasing(RandomApplyTransform):
    """Fill a random rectangle with probability ``p`` (Zhong et al. 2017, arXiv 1708.04896).

    ``value`` is a number, one a channel, or "random" for noise.
    """

    _v1_transform_cls = v1.RandomErasing

    def __init__(
        self,
        p: float = 0.5,
        scale: Sequence[float] = (0.02, 0.33),
        ratio: Sequence[float] = (0.3, 3.3),
        value: float | str | Sequence[float] | None = 0.0,
        inplace: bool = False,
    ) -> None:
        super().__init__(p=p)
        v1.RandomErasing(p, scale, ratio, "random" if value is None else value)
        self.scale = scale
        self.ratio = ratio
        self.value: list[float] | None = None
        if isinstance(value, int | float):
            self.value = [float(value)]
        elif value is not None and not isinstance(value, str):
            self.value = [float(each) for each in value]
        self.inplace = inplace

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the rectangle and what fills it, None when no rectangle fits."""
        size = query_chw(flat_inputs)
        if self.value is not None and len(self.value) not in (1, size[0]):
            raise ValueError(
                f"If value is a sequence, it should have either a single value or {size[0]} (number of channels)"
            )
        # Only the size of the image is looked at.
        image = facula.empty(1).expand(size)
        rectangle = v1.RandomErasing.get_params(image, self.scale, self.ratio, self.value)
        *place, fill = rectangle
        return {**dict(zip("ijhw", place, strict=True)), "v": None if fill is image else fill}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the image with an erased rectangle."""
        if params["v"] is None:
            return inpt
        return self._call_kernel(F.erase, inpt, **params, inplace=self.inplace)


class _MixesBatch(Transform):
    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: str | Callable[[Any], Any] | None = "default",
    ) -> None:
        super().__init__()
        self.alpha = float(alpha)
        self._distribution = facula.distributions.Beta(facula.tensor([self.alpha]), facula.tensor([self.alpha]))
        self.num_classes = num_classes
        self._labels_getter = parse_labels_getter(labels_getter)

    def _labels(self, inputs: Any) -> Tensor:
        labels = self._labels_getter(inputs)
        if not isinstance(labels, Tensor):
            raise ValueError(f"The labels must be a tensor, but got {type(labels)} instead.")
        if labels.ndim not in (1, 2):
            raise ValueError(f"labels should be of shape (batch) or (batch, classes), but got {tuple(labels.shape)}.")
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[-1]):
            raise ValueError(f"labels have {labels.shape[-1]} classes, but num_classes is {self.num_classes}")
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError("num_classes must be passed if the labels are index-based (1D)")
        return labels

    def forward(self, *inputs: Any) -> Any:
        """Return the batch with its images and labels mixed."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat_inputs, spec = tree_flatten(sample)
        refused = (PIL.Image.Image, tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)
        if has_any(flat_inputs, *refused):
            raise ValueError(
                f"{type(self).__name__}() does not support PIL images, bounding boxes, keypoints and masks."
            )
        labels = self._labels(sample)
        needed = self._needs_transform_list(flat_inputs)
        images = [inpt for inpt, wanted in zip(flat_inputs, needed, strict=True) if wanted]
        params = {"labels": labels, "batch_size": labels.shape[0], **self.make_params(images)}
        outputs = [
            self.transform(inpt, params) if wanted or inpt is labels else inpt
            for inpt, wanted in zip(flat_inputs, needed, strict=True)
        ]
        return tree_unflatten(outputs, spec)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the mixed labels or images."""
        if inpt is params["labels"]:
            labels = inpt
            if labels.ndim == 1:
                assert self.num_classes is not None  # _labels refuses such labels without it
                labels = facula.nn.functional.one_hot(labels, num_classes=self.num_classes)
            labels = labels if labels.is_floating_point() else labels.float()
            return labels.roll(1, 0) * (1.0 - params["lam"]) + labels * params["lam"]
        is_image = is_pure_tensor(inpt) or isinstance(inpt, tv_tensors.Image | tv_tensors.Video)
        if not is_image:
            return inpt
        dimensions = 5 if isinstance(inpt, tv_tensors.Video) else 4
        if inpt.ndim != dimensions:
            raise ValueError(
                f"Expected a batched input with {dimensions} dims, but got {inpt.ndim} dimensions instead."
            )
        if inpt.shape[0] != params["batch_size"]:
            raise ValueError(f"The batch has {inpt.shape[0]} images, but {params['batch_size']} labels.")
        mixed = self.mix(inpt.as_subclass(Tensor), params)
        return mixed if is_pure_tensor(inpt) else tv_tensors.wrap(mixed, like=inpt)

    def mix(self, images: Tensor, params: dict[str, Any]) -> Tensor:
        """Return each image mixed with the one before it."""
        raise NotImplementedError


class MixUp(_MixesBatch):
    """Mix each image and label with those before them in the batch (Zhang et al. 2017, arXiv 1710.09412).

    The share is drawn from Beta(alpha, alpha). Labels become (batch, classes).
    """

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the share of the image itself."""
        return {"lam": float(self._distribution.sample(()))}

    def mix(self, images: Tensor, params: dict[str, Any]) -> Tensor:
        """Return the sums."""
        return images.roll(1, 0) * (1.0 - params["lam"]) + images * params["lam"]


class CutMix(_MixesBatch):
    """Paste a rectangle of the image before it into each image of the batch (Yun et al. 2019, arXiv 1905.04899)."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the rectangle."""
        share = float(self._distribution.sample(()))
        height, width = query_size(flat_inputs)
        x, y = int(facula.randint(width, size=(1,))), int(facula.randint(height, size=(1,)))
        half = 0.5 * math.sqrt(1.0 - share)
        across, down = int(half * width), int(half * height)
        left, right = max(x - across, 0), min(x + across, width)
        top, bottom = max(y - down, 0), min(y + down, height)
        return {
            "box": (left, top, right, bottom),
            "lam": 1.0 - (right - left) * (bottom - top) / (width * height),
        }

    def mix(self, images: Tensor, params: dict[str, Any]) -> Tensor:
        """Return the images with the rectangles pasted."""
        left, top, right, bottom = params["box"]
        mixed = images.clone()
        mixed[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
        return mixed


class JPEG(Transform):
    """Write as JPEG, of a quality or one drawn from (low, high), and read."""

    def __init__(self, quality: int | Sequence[int]) -> None:
        super().__init__()
        interval = [quality, quality] if isinstance(quality, int) else list(quality)
        if len(interval) != 2 or not 1 <= interval[0] <= interval[1] <= 100:
            raise ValueError(f"quality must be one or two integers from 1 to 100, got {quality}")
        self.quality = interval

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the quality."""
        return {"quality": int(facula.randint(self.quality[0], self.quality[1] + 1, ()))}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the compressed image."""
        return self._call_kernel(F.jpeg, inpt, **params)
