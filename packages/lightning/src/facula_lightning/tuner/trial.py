"""Runs that leave no trace: a trainer of their own, and everything else put back where it was."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import facula
from facula import nn
from facula.utils.data import DataLoader

from facula_lightning.callbacks.callback import Callback
from facula_lightning.loggers.logger import DummyLogger, Logger
from facula_lightning.module import LightningModule
from facula_lightning.optimizer import LightningOptimizer
from facula_lightning.trainer.apart import apart
from facula_lightning.trainer.data import DataSource
from facula_lightning.trainer.optimization import Optimization
from facula_lightning.tuner.keeping import Keeper
from facula_lightning.utilities.exceptions import SIGTERMException
from facula_lightning.utilities.seed import collect_rng_states, set_rng_states

if TYPE_CHECKING:
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.trainer.trainer import Trainer


class Enough(Exception):
    """Raised by a callback to end a trial."""


class Trials:
    """Context whose trials train or evaluate a trainer's model and data and leave both as they were, down to the last bit.

    A trial has loops, counters, metrics, callbacks and loggers of its own and writes no files. What it shares with the trainer
    is put back, whatever ended it: weights, gradients and other attributes of the model and the data module, optimizers,
    schedulers, the loss scaler, samplers, and all generators of random numbers. Nothing of it is on the disk.
    """

    def __init__(
        self,
        trainer: Trainer,
        *callbacks: Callback,
        model: LightningModule | None = None,
        datamodule: LightningDataModule | None = None,
    ) -> None:
        self.trainer = trainer
        self._callbacks = callbacks
        self._model = trainer.lightning_module if model is None else model
        self._datamodule = trainer.datamodule if model is None else datamodule
        self._keeper = Keeper()

    def __enter__(self) -> Self:
        self._generators = collect_rng_states()
        trainer = self.trainer
        self._should_stop = trainer.should_stop
        optimization = trainer._optimization
        schedulers = [each.scheduler for each in optimization.schedulers]
        named = [] if optimization.named is None else [optimization.named, *optimization.named.named.values()]
        with facula.inference_mode(False), facula.no_grad():
            self._keeper.keep(trainer.precision_plugin, *optimization.optimizers, *schedulers, *named)
            if isinstance(self._model, nn.Module):
                self._keeper.keep(self._model)
            if self._datamodule is not None:
                self._keeper.keep(self._datamodule, copies=False)
            self._keeper.keep(*self._callbacks)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.restore()
        self.trainer.should_stop = self._should_stop
        if isinstance(error, SIGTERMException):
            self.trainer.received_sigterm = False

    def restore(self) -> None:
        """Put everything back where it was when the context was entered."""
        with facula.inference_mode(False):
            self._keeper.restore()
        set_rng_states(self._generators)

    def begin(self, callbacks: list[Callback]) -> Trainer:
        """Return a trainer for the next trial, with these callbacks only."""
        outer = self.trainer
        trainer = apart(outer)
        trainer._data = _Data(trainer, self._keeper)
        trainer._data.given = outer._data.given
        trainer._optimization = _optimization_for(trainer, outer._optimization)
        trainer.loggers = [_Silent(each) for each in outer.loggers]
        trainer.callbacks = trainer._own_callbacks = callbacks
        trainer.received_sigterm = trainer.interrupted = False
        loop, model = trainer.fit_loop, outer.fit_loop
        loop.epoch_progress = copy.deepcopy(model.epoch_progress)
        loop.batches_that_stepped = model.batches_that_stepped
        if isinstance(self._model, LightningModule):
            self._model.trainer = trainer
        if self._datamodule is not None:
            self._datamodule.trainer = trainer
        return trainer


class _Data(DataSource):
    """The loaders of a trial: copies, so that the trainer's own stay in their place."""

    def __init__(self, trainer: Trainer, keeper: Keeper) -> None:
        super().__init__(trainer)
        self._keeper = keeper

    def taken(self, loader: Iterable[Any]) -> Iterable[Any]:
        """Return a copy of a loader, with the same data and samplers, whose places are remembered."""
        with facula.inference_mode(False), facula.no_grad():
            self._keeper.keep_data(loader)
        return copy.copy(loader) if isinstance(loader, DataLoader) else loader


class _Silent(DummyLogger):
    """What stands for a logger in a trial: it knows the folder, and writes nothing."""

    def __init__(self, logger: Logger) -> None:
        super().__init__()
        self._logger = logger

    @property
    def save_dir(self) -> str | None:
        """The folder of all experiments."""
        return self._logger.save_dir


def _optimization_for(trainer: Trainer, given: Optimization) -> Optimization:
    """Return the optimization of a trial: the same optimizers and schedulers, counted apart."""
    made = copy.copy(given)
    made.trainer = trainer
    made.wrapped = [LightningOptimizer(each, made) for each in made.optimizers]
    if given.named is not None:
        made.named = copy.copy(given.named)
        made.named.optimization = made
    return made


def at_most(limit: int | float, count: int) -> int | float:
    """Return a limit on batches that is no higher than ``count``; a true fraction stays."""
    if isinstance(limit, float):
        return limit if limit < 1.0 else count
    return min(limit, count)


def is_fresh(trainer: Trainer) -> bool:
    """Return whether no step was made yet, and none is to be gone on from."""
    used = trainer.global_step or trainer.fit_loop.resuming
    return not used and not any(each.state for each in trainer.optimizers)


def configure_again(trainer: Trainer) -> None:
    """Ask the module for new optimizers and schedulers, that know what a finder has found."""
    generators = collect_rng_states()
    trainer._optimization = Optimization(trainer)
    trainer._optimization.configure()
    set_rng_states(generators)
