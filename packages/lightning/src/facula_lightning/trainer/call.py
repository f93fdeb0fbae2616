"""Calling hooks: the callbacks', then the module's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.module import LightningModule
    from facula_lightning.profilers import Profiler
    from facula_lightning.trainer.trainer import Trainer


# These are called some ten times a step: they do no more than they say.


def call_callbacks(trainer: Trainer, hook: str, *args: object) -> None:
    """Call a hook of all callbacks."""
    logging, module, profiler = trainer._logging, trainer.lightning_module, trainer._profiler
    before, logging.current_hook = logging.current_hook, hook
    for callback in trainer.callbacks:
        method = getattr(callback, hook)
        if profiler is not None:
            method = recorded(profiler, f"[Callback]{callback.state_key}.{hook}", method)
        method(trainer, module, *args)
    logging.current_hook = before


def call_module(trainer: Trainer, hook: str, *args: object, **kwargs: Any) -> Any:
    """Call a hook of the module and return its result."""
    logging = trainer._logging
    before, logging.current_hook = logging.current_hook, hook
    method = getattr(trainer.lightning_module, hook)
    if trainer._profiler is not None:
        method = recorded(trainer._profiler, _action(trainer, hook), method)
    result = method(*args, **kwargs) if kwargs else method(*args)
    logging.current_hook = before
    return result


def call_both(trainer: Trainer, hook: str, *args: object) -> Any:
    """Call a hook of all callbacks and then of the module; return the module's result."""
    logging, module, profiler = trainer._logging, trainer.lightning_module, trainer._profiler
    before, logging.current_hook = logging.current_hook, hook
    for callback in trainer.callbacks:
        method = getattr(callback, hook)
        if profiler is not None:
            method = recorded(profiler, f"[Callback]{callback.state_key}.{hook}", method)
        method(trainer, module, *args)
    method = getattr(module, hook)
    if profiler is not None:
        method = recorded(profiler, _action(trainer, hook), method)
    result = method(*args)
    logging.current_hook = before
    return result


def call_data(trainer: Trainer, hook: str, *args: object) -> Any:
    """Call a data hook: the data module's where it has its own, else the module's."""
    logging = trainer._logging
    owner: LightningModule | LightningDataModule | None = trainer.lightning_module
    if trainer.datamodule is not None and is_overridden(hook, trainer.datamodule):
        owner = trainer.datamodule
    before, logging.current_hook = logging.current_hook, hook
    method = getattr(owner, hook)
    if trainer._profiler is not None:
        kind = "LightningDataModule" if owner is trainer.datamodule else "LightningModule"
        method = recorded(trainer._profiler, f"[{kind}]{type(owner).__name__}.{hook}", method)
    result = method(*args)
    logging.current_hook = before
    return result


def recorded(profiler: Profiler, action: str, method: Callable[..., Any]) -> Callable[..., Any]:
    """Return a method that is recorded under a name each time it is called."""

    def timed(*args: object, **kwargs: Any) -> Any:
        with profiler.profile(action):
            return method(*args, **kwargs)

    return timed


def _action(trainer: Trainer, hook: str) -> str:
    """Return the name of a profiled hook of the module; Lightning has the strategy call steps and the backward pass."""
    if hook in ("backward", "training_step", "validation_step", "test_step", "predict_step"):
        return f"[Strategy]{type(trainer.strategy).__name__}.{hook}"
    return f"[LightningModule]{type(trainer.lightning_module).__name__}.{hook}"


def is_overridden(method: str, instance: object) -> bool:
    """Return whether an object has its own version of a hook."""
    own = getattr(instance, method, None)
    if own is None:
        return False
    data_module, module = _bases()
    default = getattr(data_module if isinstance(instance, data_module) else module, method, None)
    return getattr(own, "__func__", own) is not default


@cache
def _bases() -> tuple[type[LightningDataModule], type[LightningModule]]:
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.module import LightningModule

    return LightningDataModule, LightningModule


def accepts(step: Callable[..., Any], name: str, least: int) -> bool:
    """Return whether a step has an argument of that name, or at least ``least`` arguments, or takes any."""
    parameters = inspect.signature(step).parameters
    if any(
        each.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL) for each in parameters.values()
    ):
        return True
    return name in parameters or len(parameters) >= least
