"""Optional packages, imported where they are first used."""

from __future__ import annotations

import importlib
from types import ModuleType


def imported(module: str, user: str, package: str, install: str | None = None) -> ModuleType:
    """Return a module of an optional package; ModuleNotFoundError says who needs it and what to install."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{user} needs the package {package}: pip install {install or package}") from error
