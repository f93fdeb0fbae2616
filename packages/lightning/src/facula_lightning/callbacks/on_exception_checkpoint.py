"""OnExceptionCheckpoint: saving what there is when a run fails."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from facula_lightning.callbacks.checkpoint import Checkpoint

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class OnExceptionCheckpoint(Checkpoint):
    """Saves a checkpoint when an exception ends a run, and deletes it when a later one ends well.

    A run resumed from it does the batch again in which the exception was raised, with the same random numbers.

    >>> OnExceptionCheckpoint("folder").ckpt_path.endswith("on_exception.ckpt")
    True
    """

    repeats_interrupted_batches = True
    FILE_EXTENSION = ".ckpt"

    def __init__(self, dirpath: str | os.PathLike[str], filename: str = "on_exception") -> None:
        if not filename:
            raise ValueError("The filename cannot be empty")
        self.dirpath = os.fspath(dirpath)
        self.filename = filename

    @property
    def ckpt_path(self) -> str:
        """The path of the checkpoint."""
        return os.path.join(self.dirpath, self.filename + self.FILE_EXTENSION)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Save a checkpoint."""
        # The other processes may not have failed, and would be waited for in vain.
        if trainer.world_size == 1:
            trainer.save_checkpoint(self.ckpt_path)
        else:
            path = os.path.join(self.dirpath, f"{self.filename}-rank={trainer.global_rank}{self.FILE_EXTENSION}")
            trainer._checkpoints.save(path, weights_only=False, alone=True)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Delete the checkpoint, which is not needed any more."""
        trainer.checkpoint_io.remove_checkpoint(self.ckpt_path)
