"""A trainer among several processes: starting them, and what only the first of them does."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar

from facula_lightning.loggers.logger import DummyExperiment, Logger

if TYPE_CHECKING:
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.module import LightningModule
    from facula_lightning.plugins.environments import ClusterEnvironment
    from facula_lightning.strategies.strategy import Strategy
    from facula_lightning.trainer.trainer import Trainer

P = ParamSpec("P")
R = TypeVar("R")


def launched(method: Callable[Concatenate[Any, P], R]) -> Callable[Concatenate[Any, P], R]:
    """Return a method of the trainer that first starts the processes, or joins them where it is one of them."""

    @functools.wraps(method)
    def wrapped(trainer: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        strategy = trainer.strategy
        if strategy.launcher is not None:
            from facula_lightning.trainer.job import TrainerJob

            found: R = strategy.launcher.launch(TrainerJob(trainer, method.__name__, args, kwargs))
            return found
        strategy.setup_environment()
        # One that was sent here from another process computes on this one's.
        trainer.device = strategy.root_device
        if strategy.is_distributed:
            share_loggers(trainer)
            if trainer.progress_bar_callback is not None and not trainer.is_global_zero:
                trainer.progress_bar_callback.disable()
            loops = (trainer.fit_loop, trainer.fit_loop.validation, trainer.validate_loop, trainer.test_loop)
            for loop in loops:
                loop.results.gather = strategy.all_gather_object
        return method(trainer, *args, **kwargs)

    return wrapped


def prepares_data(trainer: Trainer, owner: LightningModule | LightningDataModule) -> bool:
    """Return whether this process is the one to download and write: the first of its machine, or of all."""
    per_node = getattr(owner, "prepare_data_per_node", True)
    return trainer.local_rank == 0 if per_node else trainer.is_global_zero


def split_plugins(plugins: object) -> tuple[ClusterEnvironment | None, object]:
    """Return the environment among the plugins, if there is one, and the others."""
    if plugins is None:
        return None, None
    from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment

    given = list(plugins) if isinstance(plugins, (list, tuple)) else [plugins]
    environments = [each for each in given if isinstance(each, ClusterEnvironment)]
    return (environments[0] if environments else None), [each for each in given if each not in environments]


class SilentLogger(Logger):
    """What every process but the first has for a logger: it knows where that writes, and writes nothing."""

    def __init__(self, logger: Logger, places: dict[str, Any]) -> None:
        self._logger = logger
        self._places = places

    @property
    def name(self) -> str | None:
        """The name of the experiment."""
        return self._places["name"]

    @property
    def version(self) -> int | str | None:
        """The version of the experiment."""
        return self._places["version"]

    @property
    def root_dir(self) -> str | None:
        """The folder of all versions."""
        return self._places["root_dir"]

    @property
    def log_dir(self) -> str | None:
        """The folder of this version."""
        return self._places["log_dir"]

    @property
    def save_dir(self) -> str | None:
        """The folder of all experiments."""
        return self._places["save_dir"]

    @property
    def experiment(self) -> DummyExperiment:
        """An object all of whose methods do nothing."""
        return DummyExperiment()

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        """Do nothing."""

    def log_hyperparams(self, params: object) -> None:
        """Do nothing."""


def share_loggers(trainer: Trainer) -> None:
    """Let the first process alone write logs, and all know where."""
    trainer.loggers = shared(trainer.loggers, trainer.strategy)


def shared(loggers: list[Logger], strategy: Strategy) -> list[Logger]:
    """Return the loggers in the first process, and in the others such as know where those write."""
    if not strategy.is_distributed:
        return loggers
    names = ("name", "version", "root_dir", "log_dir", "save_dir")
    loggers = [each._logger if isinstance(each, SilentLogger) else each for each in loggers]
    own = [{name: getattr(each, name) for name in names} for each in loggers] if strategy.is_global_zero else []
    places = strategy.broadcast(own)
    if strategy.is_global_zero:
        return loggers
    return [SilentLogger(each, place) for each, place in zip(loggers, places)]
