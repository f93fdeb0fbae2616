"""Timer: ending training after a time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_info

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class Timer(Callback):
    """Measures training, validation and test, and ends training after ``duration``; resumed runs count on."""

    def __init__(
        self,
        duration: str | timedelta | dict[str, int] | None = None,
        interval: str = "step",
        verbose: bool = True,
    ) -> None:
        from facula_lightning.trainer.flags import resolve_time

        if interval not in ("step", "epoch"):
            raise MisconfigurationException(
                f"Unsupported parameter value `Timer(interval={interval})`, expected step or epoch"
            )
        limit = resolve_time(duration, "duration")
        self._duration = None if limit is None else limit.total_seconds()
        self._interval = interval
        self._verbose = verbose
        self._start: dict[str, float] = {}
        self._end: dict[str, float] = {}
        self._offset = 0.0

    def start_time(self, stage: str = "train") -> float | None:
        """Return when a stage (train, validate, test) began, on the monotonic clock."""
        return self._start.get(stage)

    def end_time(self, stage: str = "train") -> float | None:
        """Return when a stage ended, on the monotonic clock."""
        return self._end.get(stage)

    def time_elapsed(self, stage: str = "train") -> float:
        """Return the seconds a stage has taken."""
        offset = self._offset if stage == "train" else 0.0
        if stage not in self._start:
            return offset
        return self._end.get(stage, time.monotonic()) - self._start[stage] + offset

    def time_remaining(self, stage: str = "train") -> float | None:
        """Return the seconds left, or None without a limit."""
        return None if self._duration is None else self._duration - self.time_elapsed(stage)

    def _begin(self, stage: str) -> None:
        self._start[stage] = time.monotonic()
        self._end.pop(stage, None)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End at once when a resumed run has had its time."""
        if self._duration is not None and self._offset >= self._duration:
            self._check(trainer)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._begin("train")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._end["train"] = time.monotonic()

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._begin("validate")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._end["validate"] = time.monotonic()

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._begin("test")

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop the clock."""
        self._end["test"] = time.monotonic()

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Check the time."""
        if self._interval == "step" and self._duration is not None:
            self._check(trainer)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check the time."""
        if self._interval == "epoch" and self._duration is not None:
            self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        if self._duration is None or not trainer.strategy.broadcast(self.time_elapsed() >= self._duration):
            return
        if self._verbose and not trainer.should_stop:
            rank_zero_info(f"Time limit reached. Elapsed time is {timedelta(seconds=int(self.time_elapsed()))}.")
        trainer.should_stop = True

    def state_dict(self) -> dict[str, Any]:
        """Return the time that training has taken."""
        return {"time_elapsed": {"train": self.time_elapsed()}}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Count on from the time that training had taken."""
        self._offset = state_dict["time_elapsed"]["train"]
