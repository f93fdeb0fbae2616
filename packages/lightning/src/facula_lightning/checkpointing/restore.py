"""Making a module or data module from a checkpoint."""

from __future__ import annotations

import inspect
from typing import TypeVar

from facula_lightning.checkpointing.io import PathLike, read_checkpoint

T = TypeVar("T")


def construct_from_checkpoint(
    cls: type[T], path: PathLike, map_location: object, kwargs: dict[str, object]
) -> tuple[T, dict[str, object]]:
    """Return an object of ``cls`` made with the hyper-parameters in a checkpoint, and the checkpoint."""
    checkpoint = read_checkpoint(path, map_location)
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
