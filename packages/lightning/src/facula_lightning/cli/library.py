"""The door to jsonargparse: what is there without it, and what older versions call otherwise."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser, Namespace

#: A function that makes an object, the class it is for, and whether it is for the subclasses too.
Instantiators = list[tuple[Callable[..., Any], type, bool]]


def _is_installed() -> bool:
    try:
        jsonargparse()
    except ModuleNotFoundError:
        return False
    return True


def jsonargparse() -> Any:
    """Return the package jsonargparse; ModuleNotFoundError says how to install it."""
    found: Any = imported("jsonargparse", "facula_lightning.cli", "jsonargparse", "'facula-lightning[cli]'")
    settings = getattr(found, "set_parsing_settings", None)
    if settings is not None and importlib.util.find_spec("fsspec") is not None:
        # Configurations lie in remote file systems too.
        settings(config_read_mode_fsspec_enabled=True)
    return found


def namespace_class() -> type:
    """Return jsonargparse's Namespace, or argparse's where it is missing."""
    found: type = jsonargparse().Namespace if _is_installed() else argparse.Namespace
    return found


def parser_base() -> type:
    """Return jsonargparse's ArgumentParser, or a class that says, when an object is made of it, that it is missing."""
    if _is_installed():
        base: type = jsonargparse().ArgumentParser
        return base

    class NoArgumentParser:
        """Stands where jsonargparse is not installed."""

        def __init__(self, *args: object, **kwargs: object) -> None:
            jsonargparse()

    return NoArgumentParser


def instantiate(parser: ArgumentParser, config: Namespace, instantiators: Instantiators | None = None) -> Namespace:
    """Return a configuration with every class in it replaced by the object that it describes."""
    if hasattr(parser, "instantiate"):
        return parser.instantiate(config, instantiators=instantiators or [])
    old: Any = parser  # before 4.49
    for function, kind, with_subclasses in instantiators or ():
        old.add_instantiator(function, kind, subclasses=with_subclasses)
    return old.instantiate_classes(config)


def with_unset() -> dict[str, Any]:
    """Return the option of a parser's ``dump`` and ``save`` that keeps values which are None."""
    return {"skip_unset" if hasattr(jsonargparse().ArgumentParser, "instantiate") else "skip_none": False}
