"""Averages of the weights over training: moving ones, and those of the last part (SWA)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor
from facula.optim.swa_utils import SWALR, AveragedModel, get_ema_avg_fn

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.finetuning import BATCH_NORMS
from facula_lightning.optimizer import LRSchedulerConfig
from facula_lightning.trainer.call import accepts
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_info, rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class WeightAveraging(Callback):
    """Keeps the average of the weights, validates with it, and leaves it in the module when training ends.

    ``kwargs`` go to `facula.optim.swa_utils.AveragedModel` (``avg_fn``, ``multi_avg_fn``); without them all updates weigh alike.
    A subclass chooses when to update by `should_update`. A checkpoint's ``state_dict`` is the average; the weights that
    training goes on with are in ``current_model_state``.
    """

    def __init__(
        self, device: facula.device | str | int | None = None, use_buffers: bool = True, **kwargs: Any
    ) -> None:
        self._device = device
        self._use_buffers = use_buffers
        self._kwargs = kwargs
        self._average_model: AveragedModel | None = None
        self._latest_update_step = 0
        self._latest_update_epoch = -1

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Return whether to take in the weights after a step of the optimizer, or at the end of an epoch; the other is None."""
        return step_idx is not None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average, of the weights as they are."""
        if stage != "fit":
            return
        attached, pl_module._trainer = pl_module._trainer, None  # a copy needs no trainer
        try:
            device = pl_module.device if self._device is None else self._device
            self._average_model = AveragedModel(pl_module, device, use_buffers=self._use_buffers, **self._kwargs)
        finally:
            pl_module._trainer = attached

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Take in the weights after a step, where `should_update` says so."""
        if trainer.global_step > self._latest_update_step and self.should_update(step_idx=trainer.global_step - 1):
            self._average().update_parameters(pl_module)
            self._latest_update_step = trainer.global_step

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take in the weights after an epoch, where `should_update` says so."""
        epoch = trainer.current_epoch
        if epoch > self._latest_update_epoch and self.should_update(epoch_idx=epoch):
            self._average().update_parameters(pl_module)
            self._latest_update_epoch = epoch

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the average in the module."""
        with facula.no_grad():
            for average, current in self._pairs(pl_module):
                current.copy_(average)

    def on_validation_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Validate with the average."""
        self._swap(pl_module)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Go on with the weights that are trained."""
        self._swap(pl_module)

    def state_dict(self) -> dict[str, Any]:
        """Return when the average was last updated."""
        return {"latest_update_step": self._latest_update_step, "latest_update_epoch": self._latest_update_epoch}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; Lightning's own checkpoints have the step only."""
        self._latest_update_step = state_dict["latest_update_step"]
        self._latest_update_epoch = state_dict.get("latest_update_epoch", -1)

    def on_save_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Put the average in the place of the weights, and these beside it."""
        if self._average_model is None:
            return
        state = self._average_model.state_dict()
        checkpoint["current_model_state"] = checkpoint["state_dict"]
        checkpoint["state_dict"] = {
            name.removeprefix("module."): value for name, value in state.items() if name.startswith("module.")
        }
        checkpoint["averaging_state"] = {name: value for name, value in state.items() if not name.startswith("module.")}

    def on_load_checkpoint(self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]) -> None:
        """Take the average and the weights from a checkpoint."""
        if self._average_model is None:
            rank_zero_warn(
                f"{type(self).__name__}: a checkpoint loaded outside of fit does not bring back the average; its weights"
                " are the average already."
            )
        elif "current_model_state" in checkpoint and "averaging_state" in checkpoint:
            state = {f"module.{name}": value for name, value in checkpoint["state_dict"].items()}
            self._average_model.load_state_dict({**state, **checkpoint["averaging_state"]})
            pl_module.load_state_dict(checkpoint["current_model_state"])
        else:
            rank_zero_warn(
                f"The checkpoint was not created with {type(self).__name__}: the average begins with its weights."
            )
            self._average_model.module.load_state_dict(deepcopy(checkpoint["state_dict"]), strict=False)

    def _average(self) -> AveragedModel:
        assert self._average_model is not None, "the average is made when fit begins"
        return self._average_model

    def _pairs(self, pl_module: LightningModule) -> list[tuple[Tensor, Tensor]]:
        average = self._average().module
        averages = itertools.chain(average.parameters(), average.buffers())
        return list(zip(averages, itertools.chain(pl_module.parameters(), pl_module.buffers()), strict=True))

    def _swap(self, pl_module: LightningModule) -> None:
        if self._average_model is None:
            return
        with facula.no_grad():
            for average, current in self._pairs(pl_module):
                kept = average.clone()
                average.copy_(current)
                current.copy_(kept)


class EMAWeightAveraging(WeightAveraging):
    """The exponential moving average: after each update ``decay`` of it stays, the rest is of the weights.

    Updates come every ``update_every_n_steps`` steps, from ``update_starting_at_step`` on, or each epoch from
    ``update_starting_at_epoch`` on.
    """

    def __init__(
        self,
        device: facula.device | str | int | None = None,
        use_buffers: bool = True,
        decay: float = 0.999,
        update_every_n_steps: int = 1,
        update_starting_at_step: int | None = None,
        update_starting_at_epoch: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(device, use_buffers, **kwargs, avg_fn=get_ema_avg_fn(decay))
        self.update_every_n_steps = update_every_n_steps
        self.update_starting_at_step = update_starting_at_step
        self.update_starting_at_epoch = update_starting_at_epoch

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        """Return whether it is time."""
        if step_idx is not None:
            begun = self.update_starting_at_step is None or step_idx >= self.update_starting_at_step
            return begun and step_idx % self.update_every_n_steps == 0
        start = self.update_starting_at_epoch
        return epoch_idx is not None and start is not None and epoch_idx >= start


class StochasticWeightAveraging(Callback):
    """Stochastic weight averaging (Izmailov et al. 2018, arXiv 1803.05407): from ``swa_epoch_start`` on the learning rate goes to
    ``swa_lrs`` and stays, and the average of the weights that these epochs begin with is what training leaves.

    ``swa_epoch_start`` is an epoch, or a share of all. Batch norm's statistics are taken again at the end, in one more pass
    over the training data.
    """

    def __init__(
        self,
        swa_lrs: float | list[float],
        swa_epoch_start: int | float = 0.8,
        annealing_epochs: int = 10,
        annealing_strategy: str = "cos",
        avg_fn: Callable[[Tensor, Tensor, Tensor | int], Tensor] | None = None,
        device: facula.device | str | None = facula.device("cpu"),
    ) -> None:
        wrong_start = f"swa_epoch_start should be a >0 integer or a float between 0 and 1, got {swa_epoch_start!r}."
        if isinstance(swa_epoch_start, bool) or not isinstance(swa_epoch_start, (int, float)):
            raise MisconfigurationException(wrong_start)
        if swa_epoch_start < (1 if isinstance(swa_epoch_start, int) else 0):
            raise MisconfigurationException(wrong_start)
        if isinstance(swa_epoch_start, float) and swa_epoch_start > 1:
            raise MisconfigurationException(wrong_start)
        rates = swa_lrs if isinstance(swa_lrs, list) else [swa_lrs]
        if not all(isinstance(rate, (float, int)) and rate > 0 for rate in rates):
            raise MisconfigurationException(
                f"The `swa_lrs` should be positive floats, or a list of them, got {swa_lrs!r}."
            )
        if avg_fn is not None and not callable(avg_fn):
            raise MisconfigurationException(f"The `avg_fn` should be callable, got {avg_fn!r}.")
        self._rates = swa_lrs
        self._epoch_start = swa_epoch_start
        self._annealing_epochs = annealing_epochs
        self._annealing_strategy = annealing_strategy
        self._avg_fn = avg_fn
        self._device = device
        self._average_model: AveragedModel | None = None
        self._scheduler: SWALR | None = None
        self._restored: dict[str, Any] | None = None
        self._first = 0
        self._taken_in = -1

    @property
    def swa_start(self) -> int:
        """The first epoch whose weights are averaged."""
        return self._first

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make the average."""
        if stage != "fit":
            return
        attached, pl_module._trainer = pl_module._trainer, None
        try:
            device = pl_module.device if self._device is None else self._device
            self._average_model = AveragedModel(pl_module, device, avg_fn=self._avg_fn)
        finally:
            pl_module._trainer = attached

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Find when to begin; one optimizer and a known end are needed."""
        if len(trainer.optimizers) != 1:
            raise MisconfigurationException("SWA currently works with 1 `optimizer`.")
        if len(trainer.lr_scheduler_configs) > 1:
            raise MisconfigurationException("SWA currently not supported for more than 1 `lr_scheduler`.")
        epochs = trainer.max_epochs
        if epochs is None or epochs < 0:
            raise MisconfigurationException("SWA needs `max_epochs`, to know when the last part of training begins")
        # Epochs count from 0: the first of the averaged ones has this number.
        share = isinstance(self._epoch_start, float)
        self._first = max(int(epochs * self._epoch_start) if share else int(self._epoch_start), 1) - 1

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take in the weights that each epoch from the first averaged one begins with; the learning rate is then SWA's."""
        epoch = trainer.current_epoch
        if epoch < self._first:
            return
        if self._scheduler is None:
            self._begin(trainer)
        if epoch > self._taken_in:
            assert self._average_model is not None
            self._average_model.update_parameters(pl_module)
            self._taken_in = epoch

    def _begin(self, trainer: Trainer) -> None:
        optimizer = trainer.optimizers[0]
        rates = self._rates if isinstance(self._rates, list) else [self._rates] * len(optimizer.param_groups)
        for rate, group in zip(rates, optimizer.param_groups, strict=True):
            group["initial_lr"] = rate
        self._scheduler = SWALR(
            optimizer,
            swa_lr=rates,
            anneal_epochs=self._annealing_epochs,
            anneal_strategy=self._annealing_strategy,
            last_epoch=trainer.max_epochs if self._annealing_strategy == "cos" else -1,
        )
        if self._restored is not None:
            self._scheduler.load_state_dict(self._restored)
        elif trainer.current_epoch != self._first:
            rank_zero_warn(
                f"SWA begins in epoch {trainer.current_epoch} and not {self._first}: the checkpoint has no state of it"
            )
        given = trainer.lr_scheduler_configs
        if given:
            rank_zero_info(f"Swapping scheduler `{type(given[0].scheduler).__name__}` for `SWALR`")
        given[:] = [LRSchedulerConfig(self._scheduler)]

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the average in the module, with batch norm's statistics taken again."""
        if self._average_model is None or int(self._average_model.n_averaged) == 0:
            return
        with facula.no_grad():
            for average, current in zip(self._average_model.module.parameters(), pl_module.parameters(), strict=True):
                current.copy_(average)
        norms = [each for each in pl_module.modules() if isinstance(each, BATCH_NORMS)]
        if norms:
            self._take_statistics(trainer, pl_module, norms)

    def _take_statistics(self, trainer: Trainer, pl_module: LightningModule, norms: list[Any]) -> None:
        """Take the running statistics of batch norms again, as plain means over a pass of training steps."""
        momenta = [norm.momentum for norm in norms]
        takes_index = accepts(pl_module.training_step, "batch_idx", 2)
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
        # What this pass logs is of no epoch.
        vars(pl_module).update(log=_nothing, log_dict=_nothing)
        pl_module.train()
        try:
            with facula.no_grad():
                loader: Any = trainer.train_dataloader
                for index, batch in enumerate(loader):
                    moved = trainer._transfer(batch, 0)
                    pl_module.training_step(*((moved, index) if takes_index else (moved,)))
        finally:
            del pl_module.log, pl_module.log_dict
            for norm, momentum in zip(norms, momenta, strict=True):
                norm.momentum = momentum

    def state_dict(self) -> dict[str, Any]:
        """Return the average, its scheduler and how far they are."""
        average = self._average_model
        return {
            "average_model_state": None if average is None else average.state_dict(),
            "scheduler_state": None if self._scheduler is None else self._scheduler.state_dict(),
            "taken_in": self._taken_in,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._taken_in = state_dict["taken_in"]
        self._restored = state_dict["scheduler_state"]
        if self._average_model is not None and state_dict["average_model_state"] is not None:
            self._average_model.load_state_dict(state_dict["average_model_state"])


def _nothing(*args: Any, **kwargs: Any) -> None:
    return None
