"""Finding models and their published weights by name."""

import fnmatch
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import facula
from facula import nn

from facula_vision.models._hub import load_state_dict_from_url

__all__ = [
    "Weights",
    "WeightsEnum",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "get_weight",
    "list_models",
    "register_model",
]

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}
_WEIGHTS: dict[str, type["WeightsEnum"]] = {}


@dataclass
class Weights:
    """Where published weights are, the transforms they want, and facts about them."""

    url: str
    transforms: Callable[..., nn.Module]
    meta: dict[str, object]


class WeightsEnum(Enum):
    """The base of a model's enumeration of published weights; each value is a ``Weights``."""

    @classmethod
    def verify(cls, obj: object) -> "WeightsEnum | None":
        """Return ``obj`` as a member: itself, or the one of that name ("IMAGENET1K_V1", "DEFAULT"); None stays None.

        Raises ``TypeError`` for anything else, ``KeyError`` for an unknown name.
        """
        if obj is None or isinstance(obj, cls):
            return obj
        if not isinstance(obj, str):
            raise TypeError(
                f"Invalid Weight class provided; expected {cls.__name__} but received {type(obj).__name__}."
            )
        name = obj.removeprefix(cls.__name__ + ".")
        if name not in cls.__members__:
            raise KeyError(f"{cls.__name__} has no {name!r}; it has {', '.join(cls.__members__)}")
        return cls[name]

    def get_state_dict(self, progress: bool = True, check_hash: bool = False) -> dict[str, Any]:
        """Return the weights, downloaded once into the cache folder."""
        return load_state_dict_from_url(self.url, progress=progress, check_hash=check_hash)

    def __repr__(self) -> str:
        return f"{type(self).__name__}.{self.name}"

    @property
    def _weights(self) -> Weights:
        weights: Weights = self.value
        return weights

    @property
    def url(self) -> str:
        """Where the file is."""
        return self._weights.url

    @property
    def transforms(self) -> Callable[..., nn.Module]:
        """What makes the function that prepares an image for the model."""
        return self._weights.transforms

    @property
    def meta(self) -> dict[str, object]:
        """Facts: number of parameters, smallest image, metrics, recipe."""
        return self._weights.meta


def register_model(name: str | None = None, weights: type[WeightsEnum] | None = None) -> Callable[[Builder], Builder]:
    """Return a decorator that makes a builder known by ``name`` (default: its own), with its published weights."""

    def register(builder: Builder) -> Builder:
        key = name if name is not None else builder.__name__
        if key in _BUILDERS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        _BUILDERS[key] = builder
        if weights is not None:
            _WEIGHTS[key] = weights
        return builder

    return register


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """Return the sorted names of the models, of one module, matching and not matching wildcards as in file names.

    >>> list_models(include="resnet1*", exclude="*152")
    ['resnet101', 'resnet18']
    """
    names = set(_BUILDERS)
    if module is not None:
        package = module.__name__
        names = {name for name in names if _BUILDERS[name].__module__.rsplit(".", 1)[0] == package}
    if include:
        patterns = [include] if isinstance(include, str) else include
        names = {name for pattern in patterns for name in fnmatch.filter(names, pattern)}
    if exclude:
        patterns = [exclude] if isinstance(exclude, str) else exclude
        names -= {name for pattern in patterns for name in fnmatch.filter(names, pattern)}
    return sorted(names)


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """Return the function that builds the model; ``ValueError`` for an unknown name."""
    builder = _BUILDERS.get(name.lower())
    if builder is None:
        raise ValueError(f"Unknown model {name}")
    return builder


def get_model(name: str, **config: Any) -> nn.Module:
    """Return the model of that name, built with these arguments.

    >>> get_model("resnet18", num_classes=10).fc.out_features
    10
    """
    return get_model_builder(name)(**config)


def get_model_weights(name: str | Callable[..., nn.Module]) -> type[WeightsEnum]:
    """Return the enumeration of a model's published weights, by its name or builder."""
    key = name.lower() if isinstance(name, str) else name.__name__
    if key not in _WEIGHTS:
        raise ValueError(f"No published weights are known for the model {key!r}")
    return _WEIGHTS[key]


def get_weight(name: str) -> WeightsEnum:
    """Return the weights of a full name.

    >>> get_weight("ResNet50_Weights.IMAGENET1K_V2")
    ResNet50_Weights.IMAGENET1K_V2
    """
    enum_name, separator, member = name.partition(".")
    if not separator:
        raise ValueError(f"Invalid weight name provided: '{name}'.")
    for enumeration in _WEIGHTS.values():
        if enumeration.__name__ == enum_name:
            if member not in enumeration.__members__:
                raise ValueError(f"{enum_name} has no {member!r}; it has {', '.join(enumeration.__members__)}")
            return enumeration[member]
    raise ValueError(f"The weight enum '{enum_name}' is not known.")


WeightsLike = WeightsEnum | str | os.PathLike[str] | None


def resolve_weights(enumeration: type[WeightsEnum] | None, weights: WeightsLike) -> WeightsEnum | Path | None:
    """Return what a builder's ``weights`` means: a member of the enumeration, the path of a checkpoint, or None.

    A string is a member's name when it is one; else it must be an existing file.
    """
    if weights is None or isinstance(weights, os.PathLike):
        return None if weights is None else Path(weights)
    if isinstance(weights, str):
        known = enumeration.__members__ if enumeration is not None else {}
        if enumeration is not None and weights.removeprefix(enumeration.__name__ + ".") in known:
            return enumeration.verify(weights)
        if not os.path.isfile(weights):
            names = f"one of {', '.join(known)}" if known else "a checkpoint"
            raise ValueError(f"weights={weights!r}: expected {names} or the path of an existing checkpoint file")
        return Path(weights)
    if enumeration is None:
        raise TypeError(f"weights should be None or the path of a checkpoint, got {type(weights).__name__}")
    return enumeration.verify(weights)


def load_weights(model: nn.Module, weights: WeightsEnum | Path | None, progress: bool = True) -> None:
    """Load resolved weights into the model; the checkpoint is a state dict, or a dict with one under "state_dict"."""
    if weights is None:
        return
    if isinstance(weights, WeightsEnum):
        state_dict = weights.get_state_dict(progress=progress, check_hash=True)
    else:
        state_dict = facula.load(weights, map_location="cpu", weights_only=True)
        if not isinstance(state_dict, Mapping):
            raise ValueError(f"{weights}: expected a state dict, got {type(state_dict).__name__}")
        if isinstance(state_dict.get("state_dict"), Mapping):
            state_dict = state_dict["state_dict"]
    model.load_state_dict(state_dict)


def default_num_classes(weights: WeightsEnum | Path | None, num_classes: int | None) -> int:
    """Return the number of classes to build for: the weights' when they are published ones, which must agree."""
    if isinstance(weights, WeightsEnum):
        published = int(str(weights.meta["num_classes"]))
        if num_classes is not None and num_classes != published:
            raise ValueError(f"The parameter 'num_classes' expected value {published} but got {num_classes} instead.")
        return published
    return 1000 if num_classes is None else num_classes
