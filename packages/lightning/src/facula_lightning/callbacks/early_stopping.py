"""Early stopping: ending training when a metric no longer improves."""

from __future__ import annotations

import math
from enum import Enum
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class EarlyStoppingReason(Enum):
    """Why training was stopped."""

    NOT_STOPPED = 0
    STOPPING_THRESHOLD = 1
    DIVERGENCE_THRESHOLD = 2
    PATIENCE_EXHAUSTED = 3
    NON_FINITE_METRIC = 4


class EarlyStopping(Callback):
    """Stops training when ``monitor`` has not improved by more than ``min_delta`` in ``patience`` checks.

    ``stopping_threshold`` ends training as soon as the metric is better than it, ``divergence_threshold`` as soon as it is
    worse. Checks are made after each training epoch, or after validation where that does not run once in each.

    >>> EarlyStopping("val_loss", patience=5).patience
    5
    """

    watches_metrics = True

    def __init__(
        self,
        monitor: str,
        min_delta: float = 0.0,
        patience: int = 3,
        verbose: bool = False,
        mode: str = "min",
        strict: bool = True,
        check_finite: bool = True,
        stopping_threshold: float | None = None,
        divergence_threshold: float | None = None,
        check_on_train_epoch_end: bool | None = None,
        log_rank_zero_only: bool = False,
    ) -> None:
        if mode not in ("min", "max"):
            raise MisconfigurationException(f"`mode` can be min, max, got {mode}")
        self.monitor = monitor
        self.min_delta = min_delta if mode == "max" else -min_delta
        self.patience = patience
        self.verbose = verbose
        self.mode = mode
        self.strict = strict
        self.check_finite = check_finite
        self.stopping_threshold = stopping_threshold
        self.divergence_threshold = divergence_threshold
        self.log_rank_zero_only = log_rank_zero_only
        self.wait_count = 0
        self.stopped_epoch = 0
        self.stopping_reason = EarlyStoppingReason.NOT_STOPPED
        self.stopping_reason_message: str | None = None
        self.best_score = facula.tensor(math.inf if mode == "min" else -math.inf)
        self._check_on_train_epoch_end = check_on_train_epoch_end

    @property
    def state_key(self) -> str:
        """The name of the callback's state in a checkpoint."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def state_dict(self) -> dict[str, Any]:
        """Return the counters."""
        names = ("wait_count", "stopped_epoch", "best_score", "patience")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the counters back."""
        for name, value in state_dict.items():
            setattr(self, name, value)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Decide when to check: after the training epoch, unless validation runs more or less often than once in each."""
        if self._check_on_train_epoch_end is None:
            every_epoch = trainer.val_check_interval == 1.0 and trainer.check_val_every_n_epoch == 1
            self._check_on_train_epoch_end = every_epoch

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, when it is due here."""
        if self._check_on_train_epoch_end:
            self._check(trainer)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check, when it is due here."""
        if not self._check_on_train_epoch_end and trainer.training_stage == "fit" and not trainer.sanity_checking:
            self._check(trainer)

    def _check(self, trainer: Trainer) -> None:
        if trainer.fast_dev_run:
            return
        if self.monitor not in trainer.callback_metrics:
            available = "`, `".join(trainer.callback_metrics)
            message = (
                f"Early stopping conditioned on metric `{self.monitor}` which is not available."
                " Pass in or modify your `EarlyStopping` callback to use any of the following:"
                f" `{available}`"
            )
            if self.strict:
                raise RuntimeError(message)
            rank_zero_warn(message, category=RuntimeWarning)
            return
        # All processes go by the number of the first.
        current = trainer.strategy.broadcast(trainer.callback_metrics[self.monitor].detach().cpu())
        should_stop, reason = self._evaluate_stopping_criteria(current)
        if should_stop:
            trainer.should_stop = True
            self.stopped_epoch = trainer.current_epoch
            self.stopping_reason_message = reason
        if reason and self.verbose:
            rank_zero_info(reason)

    def _is_better(self, value: float, than: float) -> bool:
        return value < than if self.mode == "min" else value > than

    def _evaluate_stopping_criteria(self, current: Tensor) -> tuple[bool, str | None]:
        value, best = current.item(), self.best_score.item()
        sign = "<" if self.mode == "min" else ">"
        if self.check_finite and not math.isfinite(value):
            self.stopping_reason = EarlyStoppingReason.NON_FINITE_METRIC
            return True, (
                f"Monitored metric {self.monitor} = {value} is not finite."
                f" Previous best value was {best:.3f}. Signaling Trainer to stop."
            )
        if self.stopping_threshold is not None and self._is_better(value, self.stopping_threshold):
            self.stopping_reason = EarlyStoppingReason.STOPPING_THRESHOLD
            return True, (
                f"Stopping threshold reached: {self.monitor} = {value} {sign} {self.stopping_threshold}."
                " Signaling Trainer to stop."
            )
        if self.divergence_threshold is not None and self._is_better(-value, -self.divergence_threshold):
            self.stopping_reason = EarlyStoppingReason.DIVERGENCE_THRESHOLD
            return True, (
                f"Divergence threshold reached: {self.monitor} = {value} {sign} {self.divergence_threshold}."
                " Signaling Trainer to stop."
            )
        if self._is_better((current - self.min_delta).item(), best):
            if math.isfinite(best):
                gain = f" by {abs(best - value):.3f} >= min_delta = {abs(self.min_delta)}"
            else:
                gain = ""
            self.best_score = current
            self.wait_count = 0
            return False, f"Metric {self.monitor} improved{gain}. New best score: {value:.3f}"
        self.wait_count += 1
        if self.wait_count < self.patience:
            return False, None
        self.stopping_reason = EarlyStoppingReason.PATIENCE_EXHAUSTED
        return True, (
            f"Monitored metric {self.monitor} did not improve in the last {self.wait_count} records."
            f" Best score: {best:.3f}. Signaling Trainer to stop."
        )
