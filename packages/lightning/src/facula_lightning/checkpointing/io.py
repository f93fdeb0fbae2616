"""Checkpoint files: written whole or not at all, read with the file's name in every error."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import facula

PathLike = str | os.PathLike[str]
MapLocation = facula.device | str | dict[str, str] | Callable[[object, str], object] | None


class CheckpointFileError(RuntimeError):
    """Raised for a checkpoint file that is damaged or is no checkpoint."""


def write_checkpoint(checkpoint: dict[str, Any], path: PathLike) -> None:
    """Write ``checkpoint`` to ``path``: a temporary file beside it is written, synchronised, and then renamed.

    Whoever reads ``path``, after a crash too, finds the old file or the new one.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            facula.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _synchronise_folder(target.parent)


def _synchronise_folder(folder: Path) -> None:
    """Bring a rename to the disk, where folders can be opened (not on Windows)."""
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_checkpoint(path: PathLike, map_location: MapLocation = None) -> dict[str, Any]:
    """Return the checkpoint in ``path``, tensors on ``map_location``; nothing in the file is executed.

    Raises FileNotFoundError, or CheckpointFileError naming the file and what is wrong with it.
    """
    if not os.path.isfile(path):
        raise FileNotFoundError(f"Checkpoint file not found: {os.fspath(path)}")
    try:
        checkpoint = facula.load(path, map_location=map_location, weights_only=True)
    except Exception as error:
        raise CheckpointFileError(
            f"The checkpoint {os.fspath(path)} cannot be read, it is damaged or in another format: {error}"
        ) from error
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        found = sorted(map(str, checkpoint)) if isinstance(checkpoint, dict) else type(checkpoint).__name__
        raise CheckpointFileError(
            f"The file {os.fspath(path)} is no checkpoint of a trainer: expected a dictionary with the key 'state_dict', got {found}"
        )
    return checkpoint


def remove_checkpoint(path: PathLike) -> None:
    """Delete a checkpoint file or link, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)
