"""BackupAndRestore: a run that was killed goes on when it is started again."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.checkpoint import Checkpoint

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class BackupAndRestore(Checkpoint):
    """Saves the run in ``backup_dir`` after each epoch, or every ``save_freq`` batches; ``fit`` goes on from what is there.

    As in Keras nothing has to be said when the run is started again, and the backup is deleted when it has ended well, unless
    ``delete_checkpoint`` is False. It goes on exactly, bit for bit; a ``ckpt_path`` that is given takes precedence.

    >>> BackupAndRestore("folder").path.endswith("backup.ckpt")
    True
    """

    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: str | int = "epoch",
        delete_checkpoint: bool = True,
    ) -> None:
        if not os.fspath(backup_dir):
            raise ValueError("Empty `backup_dir` argument passed")
        if save_freq != "epoch" and (isinstance(save_freq, (str, bool)) or save_freq < 1):
            raise ValueError(f"expected 'epoch' or a positive integer for `save_freq`, got {save_freq!r}")
        self.backup_dir = os.fspath(backup_dir)
        self.save_freq = save_freq
        self.delete_checkpoint = delete_checkpoint

    @property
    def path(self) -> str:
        """The file of the backup."""
        return os.path.join(self.backup_dir, "backup.ckpt")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Save, every so many batches."""
        if isinstance(self.save_freq, int) and trainer.fit_loop.batch_progress.total.ready % self.save_freq == 0:
            self._save(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Save."""
        if self.save_freq == "epoch":
            self._save(trainer)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Delete the backup of a run that has ended well."""
        if stage == "fit" and self.delete_checkpoint and not trainer.fast_dev_run and trainer.is_global_zero:
            trainer.checkpoint_io.remove_checkpoint(self.path)

    def _save(self, trainer: Trainer) -> None:
        if not trainer.fast_dev_run:
            trainer.save_checkpoint(self.path)


def find_backup(trainer: Trainer) -> str | None:
    """Return the file that a run without a ``ckpt_path`` goes on from; None where there is none."""
    paths = [each.path for each in trainer.callbacks if isinstance(each, BackupAndRestore)]
    return None if trainer.fast_dev_run else next(filter(os.path.exists, paths), None)
