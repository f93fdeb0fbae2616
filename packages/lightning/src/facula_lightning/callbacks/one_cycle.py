"""OneCycle: the learning rate up once and down, momentum the other way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.layers import even_rates

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class OneCycle(Callback):
    """Sets learning rates and momentum before each batch, as fastai's ``fit_one_cycle`` does.

    In the first ``pct_start`` of all batches the rate goes from ``lr_max / div`` up to ``lr_max``, then down to
    ``lr_max / div_final``, along halves of a cosine; momentum (Adam's first beta) goes through ``moms``. With a slice each
    of the optimizer's groups has a rate of its own, from the first to the last; without ``lr_max`` each its own rate.
    Smith 2018, arXiv 1803.09820.

    >>> [round(OneCycle(1.0).share_of_peak(done), 4) for done in (0.0, 0.25, 1.0)]
    [0.04, 1.0, 0.0]
    """

    def __init__(
        self,
        lr_max: float | slice | Sequence[float] | None = None,
        div: float = 25.0,
        div_final: float = 1e5,
        pct_start: float = 0.25,
        moms: tuple[float, float, float] | None = (0.95, 0.85, 0.95),
    ) -> None:
        if not 0 <= pct_start <= 1:
            raise ValueError(f"expected a share from 0 to 1 for `pct_start`, got {pct_start}")
        if moms is not None and len(moms) != 3:
            raise ValueError(f"expected three values or None for `moms`, got {moms}")
        self.lr_max = lr_max
        self.div = div
        self.div_final = div_final
        self.pct_start = pct_start
        self.moms = moms
        #: For each optimizer and group, what was set before training.
        self._before: list[list[dict[str, Any]]] = []

    def state_dict(self) -> dict[str, Any]:
        """Return what was set before training: a resumed run finds other numbers in its optimizer."""
        return {"before": self._before}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._before = state_dict["before"]

    def share_of_peak(self, done: float) -> float:
        """Return the learning rate, as a part of its highest, when a part of the batches is done."""
        return self._between(1 / self.div, 1.0, 1 / self.div_final, done)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Remember what is set, and check that the length of training is known."""
        if trainer.max_steps == -1 and (trainer.max_epochs == -1 or math.isinf(trainer.num_training_batches)):
            raise MisconfigurationException(
                "OneCycle needs to know how long training is: set `max_steps`, or `max_epochs` and a loader with a length"
            )
        names = ("lr", "momentum", "betas")
        if not self._before:
            self._before = [
                [{name: group[name] for name in names if name in group} for group in optimizer.param_groups]
                for optimizer in trainer.optimizers
            ]

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Set what was set before."""
        for optimizer, before in zip(trainer.optimizers, self._before):
            for group, values in zip(optimizer.param_groups, before):
                group.update(values)
        self._before = []

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Set the rates and the momentum."""
        if trainer.max_steps != -1:
            done = trainer.fit_loop.batches_that_stepped / trainer.max_steps
        else:
            done = (trainer.current_epoch + batch_idx / trainer.num_training_batches) / trainer.max_epochs
        share = self.share_of_peak(done)
        for optimizer, before in zip(trainer.optimizers, self._before):
            own = [values["lr"] for values in before]
            peaks = own if self.lr_max is None else even_rates(self.lr_max, len(own))
            for group, peak in zip(optimizer.param_groups, peaks):
                group["lr"] = peak * share
                if self.moms is None:
                    continue
                momentum = self._between(*self.moms, done)
                if "betas" in group:
                    group["betas"] = (momentum, *group["betas"][1:])
                elif "momentum" in group:
                    group["momentum"] = momentum

    def _between(self, first: float, middle: float, last: float, done: float) -> float:
        if done < self.pct_start:
            return _cosine(first, middle, done / self.pct_start)
        return _cosine(middle, last, (done - self.pct_start) / (1 - self.pct_start)) if self.pct_start < 1 else middle


def _cosine(first: float, last: float, done: float) -> float:
    return first + (1 - math.cos(math.pi * done)) * (last - first) / 2
