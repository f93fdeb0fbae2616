"""ReduceLROnPlateau: smaller learning rates when a metric no longer improves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

_FALLING = ("loss", "error", "perplexity", "entropy", "mse", "mae")
_RISING = ("acc", "auroc", "auc", "f1", "precision", "recall", "r2")


class ReduceLROnPlateau(Callback):
    """Multiplies the learning rates by ``factor`` when ``monitor`` has not improved by more than ``min_delta`` for ``patience``
    epochs; arguments and rules are Keras's.

    It looks at the end of each training epoch, and not for ``cooldown`` epochs after a reduction. ``mode`` "auto" goes by the
    metric's name. The rate of each epoch is logged as ``learning_rate``. (The scheduler of this name that `facula.optim` has,
    like PyTorch's, waits one epoch longer, and takes ``min_delta`` as a part of the metric.)

    >>> ReduceLROnPlateau("val_accuracy", patience=5).mode
    'max'
    """

    watches_metrics = True

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        if factor >= 1.0:
            raise ValueError(f"ReduceLROnPlateau does not support a factor >= 1.0. Received factor={factor}")
        if mode not in ("auto", "min", "max"):
            raise ValueError(f"expected 'auto', 'min' or 'max' for `mode`, got {mode!r}")
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.verbose = verbose
        self.mode = _mode_of(monitor) if mode == "auto" else mode
        self.min_delta = abs(min_delta)
        self.cooldown = cooldown
        self.min_lr = min_lr
        self.best: float | None = None
        self.wait = 0
        self.cooldown_counter = 0
        self._resumed = False

    @property
    def state_key(self) -> str:
        """The name of the callback's state in a checkpoint."""
        return self._generate_state_key(monitor=self.monitor, mode=self.mode)

    def state_dict(self) -> dict[str, Any]:
        """Return the counters."""
        return {"best": self.best, "wait": self.wait, "cooldown_counter": self.cooldown_counter}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the counters back."""
        self._resumed = True
        for name, value in state_dict.items():
            setattr(self, name, value)

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin anew, unless a run goes on."""
        if not self._resumed:
            self.best, self.wait, self.cooldown_counter = None, 0, 0
        self._resumed = False

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the rate."""
        if trainer.optimizers:
            pl_module.log("learning_rate", float(trainer.optimizers[0].param_groups[0]["lr"]))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Count the epoch, and reduce the rates when it is time."""
        if self.monitor not in trainer.callback_metrics:
            rank_zero_warn(
                f"Learning rate reduction is conditioned on metric `{self.monitor}` which is not available."
                f" Available metrics are: {','.join(trainer.callback_metrics)}."
            )
            return
        # All processes go by the number of the first.
        current = trainer.strategy.broadcast(trainer.callback_metrics[self.monitor].item())
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.wait = 0
        if self._improves(current):
            self.best = current
            self.wait = 0
        elif self.cooldown_counter <= 0:
            self.wait += 1
            if self.wait >= self.patience and self._reduce(trainer):
                self.cooldown_counter = self.cooldown
                self.wait = 0

    def _improves(self, current: float) -> bool:
        if self.best is None:
            return True
        return current < self.best - self.min_delta if self.mode == "min" else current > self.best + self.min_delta

    def _reduce(self, trainer: Trainer) -> bool:
        """Make the rates smaller; return whether there were any above the smallest."""
        groups = [group for optimizer in trainer.optimizers for group in optimizer.param_groups]
        above = [group for group in groups if group["lr"] > self.min_lr]
        for group in above:
            group["lr"] = max(group["lr"] * self.factor, self.min_lr)
        if above and self.verbose:
            rates = ", ".join(str(group["lr"]) for group in groups)
            trainer.print(f"Epoch {trainer.current_epoch}: ReduceLROnPlateau reducing learning rate to {rates}.")
        return bool(above)


def _mode_of(monitor: str) -> str:
    """Return whether a metric of this name is to fall or to rise. ValueError where the name does not say."""
    for mode, parts in (("max", _RISING), ("min", _FALLING)):
        if any(part in monitor.lower() for part in parts):
            return mode
    raise ValueError(
        f"whether {monitor!r} is to fall or to rise is not clear from its name: give `mode='min'` or 'max'"
    )
