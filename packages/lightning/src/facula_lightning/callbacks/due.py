"""LoggingIsDue: whether what a callback measures in a hook by batch is to be logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facula_lightning.trainer import Trainer


class LoggingIsDue:
    """Counts the batches of an evaluation or prediction; in training the trainer's steps count."""

    def __init__(self) -> None:
        self._batches = 0

    def begin(self) -> None:
        """An evaluation begins."""
        self._batches = 0

    def count(self) -> int:
        """One more batch of it begins; return its number, from 1."""
        self._batches += 1
        return self._batches

    def __call__(self, trainer: Trainer) -> bool:
        """Return whether to log, every `Trainer.log_every_n_steps` steps or batches."""
        every = trainer.log_every_n_steps
        if every == 0 or trainer.sanity_checking:
            return False
        step = trainer.fit_loop.batches_that_stepped + 1 if trainer.training else self._batches
        return step % every == 0 or trainer.should_stop
