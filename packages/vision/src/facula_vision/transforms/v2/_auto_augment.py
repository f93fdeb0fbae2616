"""AutoAugment, RandAugment, TrivialAugment and AugMix for samples of any nesting, and for floating images."""

from collections.abc import Callable
from typing import Any

import facula
import PIL.Image
from facula import Tensor

from facula_vision import transforms as v1
from facula_vision import tv_tensors
from facula_vision.transforms._functional_tensor import max_value
from facula_vision.transforms.autoaugment import Space, _apply_op, _google_space, _posterized, _space
from facula_vision.transforms.interpolation import named_interpolation_mode
from facula_vision.transforms.v2 import functional as F
from facula_vision.transforms.v2._fill import Fill, fill_for, filled
from facula_vision.transforms.v2._transform import Transform
from facula_vision.transforms.v2._utils import check_type, is_pure_tensor
from facula_vision.transforms.v2.functional._geometry import Interpolation

__all__ = ["AugMix", "AutoAugment", "RandAugment", "TrivialAugmentWide"]

_REFUSED = (tv_tensors.BoundingBoxes, tv_tensors.Mask, tv_tensors.KeyPoints)


def _magnitude(magnitudes: Tensor | None, signed: bool, index: Callable[[], int]) -> float:
    """Return the chosen magnitude, with a random sign where it has one."""
    if magnitudes is None:
        return 0.0
    magnitude = float(magnitudes[index()])
    return -magnitude if signed and facula.rand(()) <= 0.5 else magnitude


class _Automatic(Transform):
    """Transforms the one image or video of a sample by `augment`."""

    def __init__(self, interpolation: Interpolation, fill: Fill) -> None:
        super().__init__()
        self.interpolation = interpolation
        self.fill, self._fill = fill, filled(fill)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for what must move with the image, and for none or several images."""
        for inpt in flat_inputs:
            if isinstance(inpt, _REFUSED):
                raise TypeError(f"Inputs of type {type(inpt).__name__} are not supported by {type(self).__name__}()")
        images = (is_pure_tensor, tv_tensors.Image, tv_tensors.Video, PIL.Image.Image)
        wanted = self._needs_transform_list(flat_inputs)
        found = [inpt for inpt, needed in zip(flat_inputs, wanted, strict=True) if needed and check_type(inpt, images)]
        if not found:
            raise TypeError("Found no image in the sample.")
        if len(found) > 1:
            raise TypeError(f"Auto augment transformations take one image or video, but found {len(found)}.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the augmented image."""
        height, width = F.get_size(inpt)
        return self.augment(inpt, height, width)

    def augment(self, image: Any, height: int, width: int) -> Any:
        """Return the augmented image."""
        raise NotImplementedError

    def _operated(self, image: Any, name: str, magnitude: float) -> Any:
        if isinstance(image, Tensor) and name in ("Posterize", "Equalize", "Solarize"):
            if name == "Solarize":
                return F.solarize(image, max_value(image.dtype) * magnitude / 255.0)
            return F.posterize(image, int(magnitude)) if name == "Posterize" else F.equalize(image)
        plain = image.as_subclass(Tensor) if isinstance(image, Tensor) else image
        changed = _apply_op(
            plain, name, magnitude, named_interpolation_mode(self.interpolation), fill_for(self._fill, image)
        )
        return tv_tensors.wrap(changed, like=image) if isinstance(image, tv_tensors.TVTensor) else changed

    def _drawn(self, space: Space, index: Callable[[], int]) -> tuple[str, float]:
        name = list(space)[int(facula.randint(len(space), ()))]
        return name, _magnitude(*space[name], index)


class AutoAugment(_Automatic):
    """Two operations that were found to help on a data set (Cubuk et al. 2018, arXiv 1805.09501)."""

    _v1_transform_cls = v1.AutoAugment

    def __init__(
        self,
        policy: v1.AutoAugmentPolicy = v1.AutoAugmentPolicy.IMAGENET,
        interpolation: Interpolation = "nearest",
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        self.policy = policy
        self._policies = v1.AutoAugment(policy).policies

    def augment(self, image: Any, height: int, width: int) -> Any:
        """Return the image after one of the policies."""
        space: Space = {**_google_space(10, height, width), "Invert": (None, False)}
        for name, probability, strength in self._policies[int(facula.randint(len(self._policies), ()))]:
            if facula.rand(()) <= probability:
                magnitude = _magnitude(*space[name], lambda chosen=strength: chosen)  # type: ignore[misc]  # default not inferred
                image = self._operated(image, name, magnitude)
        return image


class RandAugment(_Automatic):
    """``num_ops`` random operations of one strength (Cubuk et al. 2019, arXiv 1909.13719)."""

    def __init__(
        self,
        num_ops: int = 2,
        magnitude: int = 9,
        num_magnitude_bins: int = 31,
        interpolation: Interpolation = "nearest",
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not isinstance(num_ops, int) or num_ops < 0:
            raise ValueError(f"num_ops should be a non-negative integer, but got {num_ops} instead.")
        self.num_ops = num_ops
        self.magnitude = magnitude
        self.num_magnitude_bins = num_magnitude_bins

    def augment(self, image: Any, height: int, width: int) -> Any:
        """Return the image after some operations."""
        space: Space = {"Identity": (None, False), **_google_space(self.num_magnitude_bins, height, width)}
        for _ in range(self.num_ops):
            image = self._operated(image, *self._drawn(space, lambda: self.magnitude))
        return image


class TrivialAugmentWide(_Automatic):
    """One random operation of random strength (Müller and Hutter 2021, arXiv 2103.10158)."""

    def __init__(
        self, num_magnitude_bins: int = 31, interpolation: Interpolation = "nearest", fill: Fill = None
    ) -> None:
        super().__init__(interpolation, fill)
        self.num_magnitude_bins = num_magnitude_bins

    def augment(self, image: Any, height: int, width: int) -> Any:
        """Return the image after an operation."""
        bins = self.num_magnitude_bins
        wide = _space(bins, 0.99, (32.0, 32.0), 135.0, _posterized(8, bins, 6), 0.99)
        space: Space = {"Identity": (None, False), **wide}
        return self._operated(image, *self._drawn(space, lambda: int(facula.randint(bins, ()))))


class AugMix(_Automatic):
    """The image mixed with ``mixture_width`` chains of operations (Hendrycks et al. 2019, arXiv 1912.02781)."""

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: Interpolation = "bilinear",
        fill: Fill = None,
    ) -> None:
        super().__init__(interpolation, fill)
        # In a tuple, so that it does not become a part that is shown.
        self._mixers = (v1.AugMix(severity, mixture_width, chain_depth, alpha, all_ops),)
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def augment(self, image: Any, height: int, width: int) -> Any:
        """Return the mixed image."""
        plain = image.as_subclass(Tensor) if isinstance(image, Tensor) else F.pil_to_tensor(image)
        space = self._mixers[0]._augmentation_space(height, width)
        least = 5 if isinstance(image, tv_tensors.Video) else 4
        batch = plain.reshape((1,) * max(least - plain.ndim, 0) + tuple(plain.shape))
        each = (batch.shape[0],) + (1,) * (batch.ndim - 1)
        share = self._mixers[0]._weights(2, batch.shape[0]).to(batch.device)
        weights = self._mixers[0]._weights(self.mixture_width, batch.shape[0]).to(batch.device) * share[:, 1:]
        mixed = share[:, 0].view(each) * batch
        for chain in range(self.mixture_width):
            augmented = batch
            depth = self.chain_depth if self.chain_depth > 0 else int(facula.randint(1, 4, size=(1,)).item())
            for _ in range(depth):
                drawn = self._drawn(space, lambda: int(facula.randint(self.severity, ())))
                augmented = self._operated(augmented, *drawn)
            mixed += weights[:, chain].view(each) * augmented
        result = mixed.reshape(plain.shape).to(plain.dtype)
        if isinstance(image, PIL.Image.Image):
            return F.to_pil_image(result)
        return tv_tensors.wrap(result, like=image) if isinstance(image, tv_tensors.TVTensor) else result
