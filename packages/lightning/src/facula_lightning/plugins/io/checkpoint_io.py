"""CheckpointIO: the interface of what writes and reads checkpoints."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from facula_lightning.checkpointing.io import MapLocation, PathLike


class CheckpointIO(ABC):
    """Base of what writes and reads checkpoints; derive from it to keep them in another place or format."""

    @abstractmethod
    def save_checkpoint(self, checkpoint: dict[str, Any], path: PathLike, storage_options: Any | None = None) -> None:
        """Write a checkpoint, so that ``path`` is the old one or the new one and never part of one."""

    @abstractmethod
    def load_checkpoint(
        self, path: PathLike, map_location: MapLocation = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the checkpoint at ``path``, tensors on ``map_location``."""

    @abstractmethod
    def remove_checkpoint(self, path: PathLike) -> None:
        """Delete the checkpoint at ``path``."""

    def teardown(self) -> None:
        """Finish what is under way; called when a run ends."""
