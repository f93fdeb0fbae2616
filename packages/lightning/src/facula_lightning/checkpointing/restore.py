"""Making a module or data module from a checkpoint."""

from __future__ import annotations

import ast
import inspect
import os
import sys
from typing import TYPE_CHECKING, Any, TypeVar

from facula_lightning.checkpointing.io import MapLocation, PathLike, read_checkpoint

if TYPE_CHECKING:
    from facula_lightning.hparams import HyperparametersMixin

T = TypeVar("T", bound="HyperparametersMixin")

#: What a checkpoint may name as the function that makes its module: Lightning's mean ours.
_INSTANTIATORS = {
    f"{package}.cli.instantiate_module" for package in ("facula_lightning", "lightning.pytorch", "pytorch_lightning")
}


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
    """Return an object of ``cls`` made with the hyper-parameters in a checkpoint that was read, and the checkpoint.

    Those that a `LightningCLI` had saved may describe objects by their classes, and name a subclass of ``cls``.
    """
    saved = dict(checkpoint.get(cls.CHECKPOINT_HYPER_PARAMS_KEY) or {})
    saved.update(kwargs)
    instantiator = saved.pop("_instantiator", None)
    if instantiator is not None:
        if instantiator not in _INSTANTIATORS:
            raise ValueError(
                f"The checkpoint asks for the instantiator {instantiator!r}, which is not one of {sorted(_INSTANTIATORS)}."
                " It was not called, since it could be anything."
            )
        cls = _imported_subclass(saved.pop("_class_path", None), cls)
    parameters = inspect.signature(cls.__init__).parameters
    name = checkpoint.get(cls.CHECKPOINT_HYPER_PARAMS_NAME, "kwargs")
    if name != "kwargs" and name in parameters and name not in kwargs:
        return cls(**{name: saved, **{key: value for key, value in kwargs.items() if key in parameters}}), checkpoint
    takes_any = any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values())
    if not takes_any:
        saved = {key: value for key, value in saved.items() if key in parameters}
    if instantiator is None:
        return cls(**saved), checkpoint
    _check_imported(saved, set(kwargs))
    from facula_lightning.cli import instantiate_module

    return instantiate_module(cls, saved), checkpoint


def _imported_subclass(path: object, cls: type[T]) -> type[T]:
    """Return the class that a checkpoint names, ``cls`` where it names none; ValueError unless it is imported already."""
    if path is None:
        return cls
    found = _imported(path)
    if not (isinstance(found, type) and issubclass(found, cls)):
        raise ValueError(
            f"The checkpoint was saved by a {path!r}, which is not the name of an imported subclass of {cls.__name__}."
            " A checkpoint is not trusted to import anything: import the module of the class before loading."
        )
    return found


def _check_imported(value: object, skip: set[str] = frozenset()) -> None:  # type: ignore[assignment]
    """Raise ValueError for a class described in ``value`` whose module has not been imported."""
    if isinstance(value, dict):
        if "class_path" in value and _imported(value["class_path"]) is None:
            raise ValueError(
                f"The hyper-parameters in the checkpoint describe a {value['class_path']!r}, which is not imported. A"
                " checkpoint is not trusted to import anything: import the module of the class before loading."
            )
        for key, each in value.items():
            if key not in skip:
                _check_imported(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            _check_imported(each)


def _imported(path: object) -> object:
    """Return what a dotted path names, None where that would need an import."""
    if not isinstance(path, str):
        return None
    module, _, name = path.rpartition(".")
    return getattr(sys.modules.get(module), name, None)
