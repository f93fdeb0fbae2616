"""History: what was measured, epoch by epoch."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.callbacks.callback import Callback

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class History(Callback):
    """Keeps what is logged by epoch: ``history``, lists by name, ``epoch``, its numbers, and ``params``, as in Keras.

    Numbers of validation are there for the epochs that had one. A resumed run has those of the epochs before.

    >>> History().history
    {}
    """

    watches_metrics = True

    def __init__(self, verbose: str | int = "auto") -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}
        self.params: dict[str, Any] = {"verbose": verbose, "epochs": None, "steps": None}
        self._validated: dict[str, float] = {}

    def state_dict(self) -> dict[str, Any]:
        """Return what was kept so far."""
        history = {name: list(values) for name, values in self.history.items()}
        return {"epoch": list(self.epoch), "history": history, "validated": dict(self._validated)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self.epoch, self.history = state_dict["epoch"], state_dict["history"]
        self._validated = state_dict["validated"]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note how long the run is to be."""
        self.params |= {"epochs": trainer.max_epochs, "steps": trainer.num_training_batches}

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the numbers of a validation until the epoch ends."""
        if trainer.training_stage == "fit" and not trainer.sanity_checking:
            self._validated = _numbers(trainer.fit_loop.validation.results.metrics(on_step=False)["callback"])

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Keep the numbers of the epoch."""
        self.epoch.append(trainer.current_epoch)
        found = _numbers(trainer.fit_loop.results.metrics(on_step=False)["callback"])
        for name, value in (found | self._validated).items():
            self.history.setdefault(name, []).append(value)
        self._validated = {}

    def plot(self, *names: str) -> Any:
        """Return matplotlib's figure of what was measured, training beside validation; of ``names`` only where given."""
        pyplot = importlib.import_module("matplotlib.pyplot")
        shown = [each for each in self.history if not each.startswith("val_") or each[4:] not in self.history]
        unknown = sorted(set(names) - set(self.history))
        if unknown:
            raise ValueError(f"expected some of {list(self.history)}, got {unknown}")
        shown = list(names) or shown
        figure, axes = pyplot.subplots(1, max(len(shown), 1), squeeze=False, figsize=(4 * max(len(shown), 1), 3))
        for axis, name in zip(axes[0], shown):
            for label in (name, f"val_{name}"):
                if label in self.history:
                    values = self.history[label]
                    every = len(self.epoch) // len(values)
                    axis.plot(self.epoch[every - 1 :: every][: len(values)], values, label=label)
            axis.set_xlabel("epoch")
            axis.legend()
        figure.tight_layout()
        return figure


def _numbers(metrics: dict[str, Tensor]) -> dict[str, float]:
    return {name: value.item() for name, value in metrics.items()}
