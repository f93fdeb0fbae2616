"""LearningRateMonitor: logging the learning rates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula.optim import Optimizer

    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class LearningRateMonitor(Callback):
    """Logs the learning rate of every optimizer as ``lr-Adam`` (``lr-Adam/pg1`` … with several groups).

    ``logging_interval`` is "step", "epoch" or None for both.
    """

    def __init__(
        self, logging_interval: str | None = None, log_momentum: bool = False, log_weight_decay: bool = False
    ) -> None:
        if logging_interval not in (None, "step", "epoch"):
            raise MisconfigurationException("logging_interval should be `step` or `epoch` or `None`.")
        self.logging_interval = logging_interval
        self.log_momentum = log_momentum
        self.log_weight_decay = log_weight_decay
        self.lrs: dict[str, list[float]] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Check that there is a logger."""
        if not trainer.loggers:
            raise MisconfigurationException(
                "Cannot use `LearningRateMonitor` callback with `Trainer` that has no logger."
            )
        self.lrs = {name: [] for name, _, _ in _groups(trainer)}

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Log by step, when the loggers are due."""
        stepped = trainer.fit_loop.batches_that_stepped
        if self.logging_interval != "epoch" and stepped % trainer.log_every_n_steps == 0:
            self._log(trainer)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log by epoch."""
        if self.logging_interval != "step":
            self._log(trainer)

    def _log(self, trainer: Trainer) -> None:
        numbers: dict[str, float] = {}
        for name, _, group in _groups(trainer):
            numbers[name] = float(group["lr"])
            self.lrs.setdefault(name, []).append(numbers[name])
            if self.log_momentum:
                betas = group.get("betas")
                numbers[f"{name}-momentum"] = betas[0] if betas else group.get("momentum", 0)
            if self.log_weight_decay:
                numbers[f"{name}-weight_decay"] = group.get("weight_decay", 0)
        trainer._logging.write(numbers)


def _groups(trainer: Trainer) -> list[tuple[str, Optimizer, dict[str, Any]]]:
    """Return the name, optimizer and group of every learning rate; a scheduler's name comes first."""
    named = {id(config.scheduler.optimizer): config.name for config in trainer.lr_scheduler_configs if config.name}
    found = []
    counts: dict[str, int] = {}
    for optimizer in trainer.optimizers:
        base = named.get(id(optimizer)) or f"lr-{type(optimizer).__name__}"
        count = counts.get(base, 0)
        counts[base] = count + 1
        base = base if not count else f"{base}-{count}"
        several = len(optimizer.param_groups) > 1
        for index, group in enumerate(optimizer.param_groups, 1):
            label = group.get("name", f"pg{index}")
            found.append((f"{base}/{label}" if several else base, optimizer, group))
    return found
