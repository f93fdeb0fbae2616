"""Making a module or data module from a checkpoint."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, TypeVar

from facula_lightning.checkpointing.io import MapLocation, PathLike, read_checkpoint

if TYPE_CHECKING:
    from facula_lightning.hparams import HyperparametersMixin

T = TypeVar("T", bound="HyperparametersMixin")


def construct_from_checkpoint(
    cls: type[T], path: PathLike, map_location: MapLocation, kwargs: dict[str, Any]
) -> tuple[T, dict[str, Any]]:
    """Return an object of ``cls`` made with the hyper-parameters in a checkpoint, and the checkpoint."""
    return construct_from_content(cls, read_checkpoint(path, map_location), kwargs)


def construct_from_content(
    cls: type[T], checkpoint: dict[str, Any], kwargs: dict[str, Any]
) -> tuple[T, dict[str, Any]]:
    """Return an object of ``cls`` made with the hyper-parameters in a checkpoint that was read, and the checkpoint."""
    saved = dict(checkpoint.get(cls.CHECKPOINT_HYPER_PARAMS_KEY) or {})
    saved.update(kwargs)
    parameters = inspect.signature(cls.__init__).parameters
    name = checkpoint.get(cls.CHECKPOINT_HYPER_PARAMS_NAME, "kwargs")
    if name != "kwargs" and name in parameters and name not in kwargs:
        return cls(**{name: saved, **{key: value for key, value in kwargs.items() if key in parameters}}), checkpoint
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    if not takes_any:
        saved = {key: value for key, value in saved.items() if key in parameters}
    return cls(**saved), checkpoint
