"""Types and conversions, normalising, blur and noise, functions."""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import facula
import numpy
import PIL.Image
from facula import Tensor
from facula.utils.pytree import tree_map

from facula_vision import transforms as v1
from facula_vision import tv_tensors
from facula_vision.transforms.v2 import functional as F
from facula_vision.transforms.v2._transform import Transform
from facula_vision.transforms.v2._utils import is_pure_tensor

__all__ = [
    "ConvertImageDtype",
    "GaussianBlur",
    "GaussianNoise",
    "Identity",
    "Lambda",
    "LinearTransformation",
    "Normalize",
    "PILToTensor",
    "ToDtype",
    "ToImage",
    "ToPILImage",
    "ToPureTensor",
    "ToTensor",
    "UniformTemporalSubsample",
]


class Identity(Transform):
    """Change nothing."""

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the input."""
        return inpt


class Lambda(Transform):
    """Apply a function to each input of ``types`` (default: all)."""

    _transformed_types = (object,)

    def __init__(self, lambd: Callable[[Any], Any], *types: type) -> None:
        super().__init__()
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd
        self.types = types or self._transformed_types

    def forward(self, *inputs: Any) -> Any:
        """Return the sample with the function applied; plain tensors are no exception."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        return tree_map(lambda inpt: self.lambd(inpt) if isinstance(inpt, self.types) else inpt, sample)


class LinearTransformation(Transform):
    """Subtract ``mean_vector`` from all values of an image and multiply by ``transformation_matrix``."""

    _transformed_types = (is_pure_tensor, tv_tensors.Image, tv_tensors.Video)

    def __init__(self, transformation_matrix: Tensor, mean_vector: Tensor) -> None:
        super().__init__()
        self._linear = (v1.LinearTransformation(transformation_matrix, mean_vector),)
        self.transformation_matrix = transformation_matrix
        self.mean_vector = mean_vector

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the whitened image."""
        output = self._linear[0](inpt.as_subclass(Tensor))
        return output if is_pure_tensor(inpt) else tv_tensors.wrap(output, like=inpt)


class Normalize(Transform):
    """Subtract ``mean`` and divide by ``std``, one number a channel."""

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        super().__init__()
        self.mean = list(mean)
        self.std = list(std)
        self.inplace = inplace

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for Pillow images."""
        if any(isinstance(inpt, PIL.Image.Image) for inpt in flat_inputs):
            raise TypeError(f"{type(self).__name__}() does not support PIL images.")

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the normalized image."""
        return self._call_kernel(F.normalize, inpt, mean=self.mean, std=self.std, inplace=self.inplace)


class GaussianBlur(Transform, v1.GaussianBlur):
    """Smooth with a Gaussian whose width is drawn from the interval ``sigma``, or is that one number."""

    def __init__(self, kernel_size: int | Sequence[int], sigma: float | Sequence[float] = (0.1, 2.0)) -> None:
        v1.GaussianBlur.__init__(self, kernel_size, sigma)
        self.sigma = list(self.sigma)

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Draw the width."""
        sigma = self.get_params(self.sigma[0], self.sigma[1])
        return {"sigma": [sigma, sigma]}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the smoothed image."""
        return self._call_kernel(F.gaussian_blur, inpt, self.kernel_size, **params)


class GaussianNoise(Transform):
    """Add normal noise, cut to the image's range with ``clip``; ``sigma`` counts from 0 to 1."""

    def __init__(self, mean: float = 0.0, sigma: float = 0.1, clip: bool = True) -> None:
        super().__init__()
        self.mean = mean
        self.sigma = sigma
        self.clip = clip

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the noisy image."""
        return self._call_kernel(F.gaussian_noise, inpt, mean=self.mean, sigma=self.sigma, clip=self.clip)


class ToDtype(Transform):
    """Convert images to another type; ``scale`` scales their values to its range.

    A dict gives a type, or None for no change, for each kind of input; "others" stands for those not named.
    """

    _transformed_types = (Tensor,)

    def __init__(self, dtype: facula.dtype | dict[type | str, facula.dtype | None], scale: bool = False) -> None:
        super().__init__()
        if not isinstance(dtype, dict | facula.dtype):
            raise ValueError(f"dtype must be a dict or a facula.dtype, got {type(dtype)} instead")
        if isinstance(dtype, dict) and Tensor in dtype and (tv_tensors.Image in dtype or tv_tensors.Video in dtype):
            warnings.warn(
                "A plain Tensor is left as it is in a sample with an Image or Video, whatever its dtype here says.",
                stacklevel=2,
            )
        self.dtype = dtype
        self.scale = scale

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the input in the type for its kind."""
        is_image = is_pure_tensor(inpt) or isinstance(inpt, tv_tensors.Image | tv_tensors.Video)
        dtype: facula.dtype | None
        if not isinstance(self.dtype, dict):
            dtype = self.dtype if is_image else None
        elif type(inpt) in self.dtype or "others" in self.dtype:
            dtype = self.dtype[type(inpt)] if type(inpt) in self.dtype else self.dtype["others"]
            if dtype is None and self.scale and is_image:
                warnings.warn("scale=True, but no dtype for images or videos: nothing is scaled.", stacklevel=2)
        else:
            raise ValueError(
                f'No dtype was specified for type {type(inpt)}; "others": None in the dict leaves what is not named.'
            )
        return inpt if dtype is None else self._call_kernel(F.to_dtype, inpt, dtype=dtype, scale=self.scale)


class ConvertImageDtype(Transform):
    """Convert images to another type with their values scaled to its range, as before `ToDtype`."""

    def __init__(self, dtype: facula.dtype = facula.float32) -> None:
        super().__init__()
        self.dtype = dtype

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the converted image."""
        is_image = is_pure_tensor(inpt) or isinstance(inpt, tv_tensors.Image | tv_tensors.Video)
        return F.to_dtype(inpt, dtype=self.dtype, scale=True) if is_image else inpt


class PILToTensor(Transform):
    """Make a (C, H, W) tensor of a Pillow image, its values as they are."""

    _transformed_types = (PIL.Image.Image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the tensor."""
        return F.pil_to_tensor(inpt)


class ToImage(Transform):
    """Make an Image of a tensor, an array (H, W, C) or a Pillow image, its values as they are."""

    _transformed_types = (is_pure_tensor, PIL.Image.Image, numpy.ndarray)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the Image."""
        return F.to_image(inpt)


class ToPILImage(Transform):
    """Make a Pillow image of a tensor or an array (H, W, C)."""

    _transformed_types = (is_pure_tensor, tv_tensors.Image, numpy.ndarray)

    def __init__(self, mode: str | None = None) -> None:
        super().__init__()
        self.mode = mode

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the Pillow image."""
        return F.to_pil_image(inpt, mode=self.mode)


class ToPureTensor(Transform):
    """Make plain tensors of all that say what they hold."""

    _transformed_types = (tv_tensors.TVTensor,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the plain tensor."""
        return inpt.as_subclass(Tensor)


class ToTensor(Transform):
    """Make a float tensor from 0 to 1, as before `ToImage` and `ToDtype`, which do it now; this warns."""

    _transformed_types = (PIL.Image.Image, numpy.ndarray)

    def __init__(self) -> None:
        warnings.warn(
            "v2.ToTensor() is deprecated: use v2.Compose([v2.ToImage(), v2.ToDtype(facula.float32, scale=True)])",
            stacklevel=2,
        )
        super().__init__()

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the tensor."""
        return F.to_tensor(inpt)


class UniformTemporalSubsample(Transform):
    """Keep ``num_samples`` frames of a video, evenly spread."""

    _transformed_types = (Tensor,)

    def __init__(self, num_samples: int) -> None:
        super().__init__()
        self.num_samples = num_samples

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return the frames."""
        return self._call_kernel(F.uniform_temporal_subsample, inpt, self.num_samples)
