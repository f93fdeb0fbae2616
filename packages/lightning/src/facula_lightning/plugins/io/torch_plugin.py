"""TorchCheckpointIO: checkpoints in PyTorch's format."""

from __future__ import annotations

from typing import Any

from facula_lightning.checkpointing.io import (
    MapLocation,
    PathLike,
    read_checkpoint,
    remove_checkpoint,
    write_checkpoint,
)
from facula_lightning.plugins.io.checkpoint_io import CheckpointIO


class TorchCheckpointIO(CheckpointIO):
    """Writes PyTorch's format, which ``facula.load`` and ``torch.load`` read, with hashes; reads every format.

    Files are written whole or not at all, and nothing in them is executed when they are read.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: PathLike, storage_options: Any | None = None) -> None:
        """Write a checkpoint; TypeError for ``storage_options``, which it does not have."""
        if storage_options is not None:
            raise TypeError(
                "`Trainer.save_checkpoint(..., storage_options=...)` with `storage_options` arg is not supported for"
                f" `{type(self).__name__}`. Please implement your custom `CheckpointIO` to define how you'd like to use"
                " `storage_options`."
            )
        self._write(checkpoint, path)

    def _write(self, checkpoint: dict[str, Any], path: PathLike) -> None:
        write_checkpoint(checkpoint, path)

    def load_checkpoint(
        self, path: PathLike, map_location: MapLocation = None, weights_only: bool | None = None
    ) -> dict[str, Any]:
        """Return the checkpoint at ``path``; nothing in it is executed, whatever ``weights_only`` says."""
        return read_checkpoint(path, map_location)

    def remove_checkpoint(self, path: PathLike) -> None:
        """Delete the checkpoint at ``path``, if it is there."""
        remove_checkpoint(path)
