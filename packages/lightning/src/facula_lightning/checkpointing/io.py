"""Checkpoint files: written whole or not at all, read with the file's name in every error."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import facula

PathLike = str | os.PathLike[str]
MapLocation = facula.device | str | dict[str, str] | Callable[[object, str], object] | None


class CheckpointFileError(RuntimeError):
    """Raised for a checkpoint file that is damaged or is no checkpoint."""


# What writes and reads files is imported when it is first used: many programs have no checkpoint.


def write_checkpoint(checkpoint: dict[str, Any], path: PathLike) -> None:
    """Write ``checkpoint`` to ``path`` in PyTorch's format, with hashes, whole or not at all."""
    from facula_lightning.checkpointing import files

    files.write_checkpoint(checkpoint, path)


def read_checkpoint(path: PathLike, map_location: MapLocation = None) -> dict[str, Any]:
    """Return the checkpoint in ``path``, in any format, tensors on ``map_location``; nothing in the file is executed.

    Raises FileNotFoundError, or CheckpointFileError naming the file and what is wrong with it.
    """
    from facula_lightning.checkpointing import files

    return files.read_checkpoint(path, map_location)


def remove_checkpoint(path: PathLike) -> None:
    """Delete a checkpoint file or link, if it is there."""
    with suppress(FileNotFoundError):
        os.unlink(path)
