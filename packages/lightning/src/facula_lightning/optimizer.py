"""Optimizers as the trainer sees them: counted steps, and schedulers with their plans."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facula.optim import Optimizer
from facula.optim.lr_scheduler import ReduceLROnPlateau

from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.rank_zero import rank_zero_warn

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.optimization import Optimization


class LightningOptimizer:
    """An optimizer whose steps the trainer counts and surrounds with hooks; all else is the optimizer's own."""

    def __init__(self, optimizer: Optimizer, optimization: Optimization | None = None) -> None:
        self._optimizer = optimizer
        self._optimization = optimization

    @property
    def optimizer(self) -> Optimizer:
        """The optimizer itself."""
        return self._optimizer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._optimizer, name)

    def __repr__(self) -> str:
        return f"Lightning{self._optimizer!r}"

    @contextmanager
    def toggle_model(self, sync_grad: bool = True) -> Iterator[None]:
        """Let only this optimizer's parameters require gradients inside the context."""
        module = None if self._optimization is None else self._optimization.trainer.lightning_module
        with nullcontext() if module is None else module.toggled_optimizer(self):
            yield

    def step(self, closure: Callable[[], Any] | None = None, **kwargs: Any) -> object:
        """Step the optimizer after the hooks before a step; return what ``closure`` returned."""
        if closure is not None and not callable(closure):
            raise MisconfigurationException("When `optimizer.step(closure)` is called, the closure should be callable")
        if self._optimization is None:
            return self._optimizer.step(closure, **kwargs)
        return self._optimization.step(self._optimizer, closure, **kwargs)


@dataclass
class LRSchedulerConfig:
    """A learning rate scheduler and when to step it."""

    scheduler: Any
    name: str | None = None
    interval: str = "epoch"
    frequency: int = 1
    reduce_on_plateau: bool = False
    monitor: str | None = None
    strict: bool = True


_SCHEDULER_KEYS = tuple(LRSchedulerConfig.__dataclass_fields__)


def read_configuration(
    module: LightningModule, returned: object, several: bool = False
) -> tuple[list[Optimizer], list[LRSchedulerConfig]]:
    """Return the optimizers and scheduler plans in what ``configure_optimizers`` returned; ``several`` may be automatic.

    Raises MisconfigurationException for a form it may not have.
    """
    monitor = None
    schedulers: list[object]
    if returned is None:
        rank_zero_warn("`LightningModule.configure_optimizers` returned `None`, this fit will run with no optimizer")
        optimizers, schedulers = [], []
    elif isinstance(returned, Optimizer):
        optimizers, schedulers = [returned], []
    elif isinstance(returned, dict):
        optimizers, schedulers, monitor = _read_dictionary(returned)
    elif (
        isinstance(returned, (list, tuple))
        and len(returned) == 2
        and all(isinstance(x, (list, tuple)) for x in returned)
    ):
        optimizers, schedulers = list(returned[0]), list(returned[1])
    elif isinstance(returned, (list, tuple)) and returned and all(isinstance(each, dict) for each in returned):
        optimizers, schedulers = [], []
        for each in returned:
            own_optimizers, own_schedulers, own_monitor = _read_dictionary(each)
            optimizers += own_optimizers
            schedulers += [_with_monitor(scheduler, own_monitor) for scheduler in own_schedulers]
    elif isinstance(returned, (list, tuple)) and all(isinstance(each, Optimizer) for each in returned):
        optimizers, schedulers = list(returned), []
    else:
        raise MisconfigurationException(
            "Unknown configuration for model optimizers. Output from `model.configure_optimizers()` should be one of:"
            " an `Optimizer`, a list of them, two lists (optimizers and schedulers), a dictionary with the key 'optimizer'"
            f" or a list of such dictionaries; got {returned!r}"
        )
    for each in optimizers:
        if not isinstance(each, Optimizer):
            raise MisconfigurationException(f"`configure_optimizers` should give optimizers, got {each!r}")
    if module.automatic_optimization and len(optimizers) > 1 and not several:
        raise MisconfigurationException(
            "Training with multiple optimizers is only supported with manual optimization, or with a dictionary of them"
            " from `configure_optimizers` and one with their losses, by the same names, from `training_step`."
            " Set `self.automatic_optimization = False`, then access your optimizers in `training_step` with"
            " `opt1, opt2, ... = self.optimizers()`."
        )
    return optimizers, [_scheduler_config(each, monitor, module.automatic_optimization) for each in schedulers]


def _read_dictionary(given: dict[str, Any]) -> tuple[list[Optimizer], list[object], str | None]:
    unknown = set(given) - {"optimizer", "lr_scheduler", "monitor"}
    if unknown:
        rank_zero_warn(f"Found unsupported keys in the optimizer configuration: {sorted(unknown)}")
    if "optimizer" not in given:
        raise MisconfigurationException(f"an optimizer's dictionary needs the key 'optimizer', got {sorted(given)}")
    schedulers = [given["lr_scheduler"]] if given.get("lr_scheduler") is not None else []
    return [given["optimizer"]], schedulers, given.get("monitor")


def _with_monitor(scheduler: object, monitor: str | None) -> dict[str, Any]:
    config = dict(scheduler) if isinstance(scheduler, dict) else {"scheduler": scheduler}
    if monitor is not None:
        config.setdefault("monitor", monitor)
    return config


def _scheduler_config(given: object, monitor: str | None, automatic: bool) -> LRSchedulerConfig:
    values = _with_monitor(given, monitor)
    unknown = set(values) - set(_SCHEDULER_KEYS)
    if unknown:
        rank_zero_warn(f"Found unsupported keys in the lr scheduler dict: {sorted(unknown)}.")
    if "scheduler" not in values:
        raise MisconfigurationException(
            'The lr scheduler dict must have the key "scheduler" with its item being an lr scheduler'
        )
    config = LRSchedulerConfig(**{key: value for key, value in values.items() if key in _SCHEDULER_KEYS})
    if not hasattr(config.scheduler, "step"):
        raise MisconfigurationException(f"The lr scheduler {config.scheduler!r} has no method `step`")
    if config.interval not in ("epoch", "step"):
        raise MisconfigurationException(
            f'The "interval" key in lr scheduler dict must be "step" or "epoch" but is "{config.interval}"'
        )
    if not isinstance(config.frequency, int) or config.frequency < 1:
        raise MisconfigurationException(
            f'The "frequency" key in lr scheduler dict must be a positive integer but is {config.frequency!r}'
        )
    if isinstance(config.scheduler, ReduceLROnPlateau):
        config.reduce_on_plateau = True
    if automatic and config.reduce_on_plateau and config.monitor is None:
        raise MisconfigurationException(
            "The lr scheduler dict must include a monitor when a `ReduceLROnPlateau` scheduler is used."
            ' For example: {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "monitor": "your_loss"}}'
        )
    return config
