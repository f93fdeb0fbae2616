"""GradientAccumulationScheduler: changing the accumulation from epoch to epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class GradientAccumulationScheduler(Callback):
    """Accumulates gradients over the number of batches given for the newest epoch in ``scheduling``.

    >>> GradientAccumulationScheduler({0: 8, 4: 4}).get_accumulate_grad_batches(5)
    4
    """

    def __init__(self, scheduling: dict[int, int]) -> None:
        if not scheduling:
            raise TypeError("Empty dict cannot be interpreted correctly")
        for epoch, batches in scheduling.items():
            if not isinstance(epoch, int) or epoch < 0:
                raise MisconfigurationException(f"Epoch should be an int greater than or equal to 0. Got {epoch}.")
            if not isinstance(batches, int) or batches < 1:
                raise MisconfigurationException(f"Accumulation factor should be an int greater than 0. Got {batches}.")
        self.scheduling = {0: 1, **scheduling}
        self.epochs = sorted(self.scheduling)

    def get_accumulate_grad_batches(self, epoch: int) -> int:
        """Return the number of batches for an epoch."""
        return self.scheduling[max(each for each in self.epochs if each <= epoch)]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that nobody else decides on the accumulation."""
        if not pl_module.automatic_optimization:
            raise RuntimeError(
                "Automatic gradient accumulation and the `GradientAccumulationScheduler` is not supported for manual optimization."
            )
        if trainer.accumulate_grad_batches != 1:
            raise ValueError(
                "You have set `accumulate_grad_batches` and are using the `GradientAccumulationScheduler` callback."
                " Either remove `accumulate_grad_batches` from the Trainer or remove the callback."
            )
        # A run that goes on within an epoch does not begin it.
        self.on_train_epoch_start(trainer, pl_module)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set the epoch's number."""
        trainer.accumulate_grad_batches = self.get_accumulate_grad_batches(trainer.current_epoch)
