"""TerminateOnNaN: ending training when the loss is no number any more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

from facula_lightning.callbacks.callback import Callback

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class TerminateOnNaN(Callback):
    """Ends training after a batch whose loss is infinite or not a number, as Keras does.

    The optimizer has stepped by then; `CrashCapsule` stops before it does, with an error, and keeps the batch.
    """

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Check the loss, or the losses where each optimizer has its own."""
        if not isinstance(outputs, dict):
            return
        named = trainer._optimization.named
        for name in ("loss",) if named is None else named.named:
            loss = outputs.get(name)
            if isinstance(loss, Tensor) and not facula.isfinite(loss).all():
                trainer.print(f"Batch {batch_idx}: Invalid loss, terminating training")
                trainer.should_stop = True
