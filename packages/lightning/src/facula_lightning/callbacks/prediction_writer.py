"""BasePredictionWriter: predictions that are written while they are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

_INTERVALS = ("batch", "epoch", "batch_and_epoch")


class BasePredictionWriter(Callback):
    """Base: a subclass writes in ``write_on_batch_end``, ``write_on_epoch_end`` or both, as ``write_interval`` says.

    With ``trainer.predict(…, return_predictions=False)`` and an interval of "batch" no prediction is kept. ``batch_indices`` are
    the places in the data set of a batch's samples, None where the loader has no batch sampler.

    >>> class Lines(BasePredictionWriter):
    ...     def write_on_batch_end(self, trainer, pl_module, prediction, batch_indices, batch, batch_idx, dataloader_idx):
    ...         print(batch_idx, prediction)
    """

    def __init__(self, write_interval: Literal["batch", "epoch", "batch_and_epoch"] = "batch") -> None:
        if write_interval not in _INTERVALS:
            raise MisconfigurationException(
                f"`write_interval` should be one of {list(_INTERVALS)}, got {write_interval!r}."
            )
        self.interval = write_interval
        self.keeps_predictions = write_interval != "batch"

    def write_on_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        prediction: Any,
        batch_indices: Sequence[int] | None,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int,
    ) -> None:
        """Write the predictions of a batch."""
        raise NotImplementedError(f"{type(self).__name__} must define write_on_batch_end")

    def write_on_epoch_end(
        self, trainer: Trainer, pl_module: LightningModule, predictions: Sequence[Any], batch_indices: Sequence[Any]
    ) -> None:
        """Write all predictions: a list for each batch, and with several loaders a list of such lists."""
        raise NotImplementedError(f"{type(self).__name__} must define write_on_epoch_end")

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Write a batch."""
        if self.interval in ("batch", "batch_and_epoch"):
            indices = trainer.predict_loop.current_batch_indices
            self.write_on_batch_end(trainer, pl_module, outputs, indices, batch, batch_idx, dataloader_idx)

    def on_predict_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Write everything."""
        if self.interval in ("epoch", "batch_and_epoch"):
            loop = trainer.predict_loop
            self.write_on_epoch_end(trainer, pl_module, loop.predictions, loop.epoch_batch_indices)
