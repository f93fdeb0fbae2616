"""Making a module or data module from a checkpoint."""

from __future__ import annotations

import ast
import inspect
import os
from typing import TYPE_CHECKING, Any, TypeVar

from facula_lightning.checkpointing.io import MapLocation, PathLike, read_checkpoint

if TYPE_CHECKING:
    from facula_lightning.hparams import HyperparametersMixin

T = TypeVar("T", bound="HyperparametersMixin")


def construct_from_checkpoint(
    cls: type[T],
    path: PathLike,
    map_location: MapLocation,
    kwargs: dict[str, Any],
    hparams_file: PathLike | None = None,
) -> tuple[T, dict[str, Any]]:
    """Return an object of ``cls`` made with the hyper-parameters in a checkpoint, and the checkpoint.

    Those in ``hparams_file`` take the place of the checkpoint's, and ``kwargs`` the place of both.
    """
    checkpoint = read_checkpoint(path, map_location)
    if hparams_file is not None:
        checkpoint[cls.CHECKPOINT_HYPER_PARAMS_KEY] = read_hparams(hparams_file)
    return construct_from_content(cls, checkpoint, kwargs)


def read_hparams(path: PathLike) -> dict[str, Any]:
    """Return the hyper-parameters in a file: a YAML mapping, or CSV with a name and a value in each row.

    ValueError for another ending; YAML needs the package PyYAML.
    """
    ending = os.path.splitext(path)[1].lower()
    if ending == ".csv":
        import csv

        with open(path, newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file))
        return {row[0]: _literal(row[1]) for row in rows if len(row) > 1 and row != ["key", "value"]}
    if ending not in (".yml", ".yaml"):
        raise ValueError(".csv, .yml or .yaml is required for `hparams_file`")
    try:
        import yaml
    except ImportError:
        raise ModuleNotFoundError("reading hyper-parameters from YAML needs PyYAML: pip install pyyaml") from None
    with open(path, encoding="utf-8") as file:
        found = yaml.safe_load(file)
    if not isinstance(found, dict):
        raise ValueError(f"{os.fspath(path)} should hold a mapping, got {type(found).__name__}")
    return found


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


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
