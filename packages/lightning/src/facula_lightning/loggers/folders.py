"""Loggers that write into folders: ``save_dir/name/version_N``, N the first free number."""

from __future__ import annotations

import os
from argparse import Namespace
from collections.abc import Mapping
from typing import Any

from facula_lightning.loggers.logger import Logger


def next_version(folder: str) -> int:
    """Return the first number that no folder ``version_N`` in a folder has."""
    if not os.path.isdir(folder):
        return 0
    numbers = [name.removeprefix("version_") for name in os.listdir(folder) if name.startswith("version_")]
    return max((int(number) for number in numbers if number.isdigit()), default=-1) + 1


def as_mapping(params: Mapping[str, object] | Namespace) -> dict[str, object]:
    """Return hyper-parameters as a dictionary."""
    return dict(vars(params)) if isinstance(params, Namespace) else dict(params)


def flattened(params: Mapping[str, Any], separator: str = "/") -> dict[str, Any]:
    """Return nested hyper-parameters as one level, names joined; what is no number, text or None as text."""
    found: dict[str, Any] = {}
    for key, value in params.items():
        if isinstance(value, Namespace):
            value = vars(value)
        if isinstance(value, Mapping):
            found.update({f"{key}{separator}{inner}": each for inner, each in flattened(value, separator).items()})
        else:
            found[str(key)] = value if isinstance(value, (bool, int, float, str)) or value is None else str(value)
    return found


class FolderLogger(Logger):
    """Base: where such a logger writes."""

    LOGGER_JOIN_CHAR = "-"

    def __init__(
        self, save_dir: str | os.PathLike[str], name: str | None, version: int | str | None, prefix: str
    ) -> None:
        self._save_dir = os.fspath(save_dir)
        self._name = name or ""
        self._version = version
        self._prefix = prefix

    @property
    def name(self) -> str:
        """The name of the experiment."""
        return self._name

    @property
    def version(self) -> int | str:
        """The version: what was given, or the first free number."""
        if self._version is None:
            self._version = next_version(self.root_dir)
        return self._version

    @property
    def root_dir(self) -> str:
        """The folder of all versions."""
        return os.path.join(self._save_dir, self._name)

    @property
    def log_dir(self) -> str:
        """The folder of this version."""
        version = self.version if isinstance(self.version, str) else f"version_{self.version}"
        return os.path.join(self.root_dir, version)

    @property
    def save_dir(self) -> str:
        """The folder of all experiments."""
        return self._save_dir

    def _prefixed(self, metrics: Mapping[str, Any]) -> dict[str, Any]:
        if not self._prefix:
            return dict(metrics)
        return {f"{self._prefix}{self.LOGGER_JOIN_CHAR}{key}": value for key, value in metrics.items()}

    def _is_continued(self, state_dict: Mapping[str, Any]) -> bool:
        """Return whether a logger whose state was saved wrote where this one does, or may: no other version was asked for."""
        same_folder = os.path.realpath(state_dict["save_dir"]) == os.path.realpath(self.save_dir)
        return same_folder and state_dict["name"] == self.name and self._version in (None, state_dict["version"])
