"""Transform: what takes samples of any nesting apart, and transforms the inputs that it knows."""

from collections.abc import Callable
from enum import Enum
from typing import Any, ClassVar

import facula
import PIL.Image
from facula import Tensor, nn
from facula.utils.pytree import tree_flatten, tree_unflatten

from facula_vision import tv_tensors
from facula_vision.transforms.v2._utils import Check, check_type, has_any, is_pure_tensor
from facula_vision.transforms.v2.functional._dispatch import _get_kernel

__all__ = ["Transform"]


class Transform(nn.Module):
    """The base of transforms: write `transform`, and where they draw something, `make_params`.

    A plain tensor is an image when it is the sample's first and there is no Image, Video or Pillow image; else it is
    left alone.

    >>> import facula
    >>> class Darker(Transform):
    ...     def make_params(self, flat_inputs):
    ...         return {"factor": 0.5}
    ...     def transform(self, inpt, params):
    ...         return inpt * params["factor"]
    >>> image, label = Darker()(facula.ones(1, 1, 1), 7)
    >>> image.item(), label
    (0.5, 7)
    """

    _transformed_types: ClassVar[tuple[Check, ...]] = (Tensor, PIL.Image.Image)
    #: The transform of images only whose ``get_params`` this one has, too.
    _v1_transform_cls: ClassVar[type | None] = None
    get_params: ClassVar[Callable[..., Any]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        get_params = getattr(cls._v1_transform_cls, "get_params", None)
        if get_params is not None and "get_params" not in vars(cls):
            cls.get_params = staticmethod(get_params)

    def check_inputs(self, flat_inputs: list[Any]) -> None:
        """Raise for a sample that the transform cannot take."""

    def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
        """Return what is the same for all inputs of a sample, such as what was drawn."""
        return {}

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        """Return one transformed input."""
        raise NotImplementedError(f"{type(self).__name__} has no transform()")

    def _call_kernel(self, functional: Callable[..., Any], inpt: Any, *args: Any, **kwargs: Any) -> Any:
        """Return what the function makes of the input, or the input when the function does nothing to its kind."""
        return _get_kernel(functional, type(inpt), allow_passthrough=True)(inpt, *args, **kwargs)

    def _skips(self) -> bool:
        """Return whether, by chance, this sample is left as it is."""
        return False

    def forward(self, *inputs: Any) -> Any:
        """Return the sample, transformed."""
        sample = inputs if len(inputs) > 1 else inputs[0]
        flat_inputs, spec = tree_flatten(sample)
        self.check_inputs(flat_inputs)
        if self._skips():
            return sample
        needed = self._needs_transform_list(flat_inputs)
        params = self.make_params([inpt for inpt, wanted in zip(flat_inputs, needed, strict=True) if wanted])
        outputs = [
            self.transform(inpt, params) if wanted else inpt for inpt, wanted in zip(flat_inputs, needed, strict=True)
        ]
        return tree_unflatten(outputs, spec)

    def _needs_transform_list(self, flat_inputs: list[Any]) -> list[bool]:
        takes_plain = not has_any(flat_inputs, tv_tensors.Image, tv_tensors.Video, PIL.Image.Image)
        needed = []
        for inpt in flat_inputs:
            wanted = check_type(inpt, self._transformed_types)
            if wanted and is_pure_tensor(inpt):
                wanted, takes_plain = takes_plain, False
            needed.append(wanted)
        return needed

    # Not that of the transforms of images only, which some inherit from.
    __repr__ = nn.Module.__repr__

    def extra_repr(self) -> str:
        """Return the arguments."""
        return ", ".join(
            f"{name}={value}"
            for name, value in vars(self).items()
            if not name.startswith("_")
            and name != "training"
            and isinstance(value, bool | int | float | str | tuple | list | Enum)
        )


class RandomApplyTransform(Transform):
    """The base of transforms that happen with probability ``p``."""

    def __init__(self, p: float = 0.5) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"`p` should be a floating point value in the interval [0.0, 1.0], got {p}.")
        super().__init__()
        self.p = p

    def _skips(self) -> bool:
        return bool(facula.rand(1) >= self.p)
