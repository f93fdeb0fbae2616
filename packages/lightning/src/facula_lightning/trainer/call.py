"""Calling hooks: the callbacks', then the module's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer.trainer import Trainer


def call_callbacks(trainer: Trainer, hook: str, *args: object, monitoring: bool | None = None) -> None:
    """Call a hook of all callbacks; ``monitoring`` keeps to those that watch metrics, or to the others."""
    logging = trainer._logging
    before, logging.current_hook = logging.current_hook, hook
    module = trainer.lightning_module
    for callback in trainer.callbacks:
        if monitoring is None or callback.watches_metrics is monitoring:
            if trainer._profiler is None:
                getattr(callback, hook)(trainer, module, *args)
            else:
                with trainer._profiler.profile(f"[Callback]{callback.state_key}.{hook}"):
                    getattr(callback, hook)(trainer, module, *args)
    logging.current_hook = before


def call_module(trainer: Trainer, hook: str, *args: object, **kwargs: Any) -> Any:
    """Call a hook of the module and return its result."""
    logging = trainer._logging
    before, logging.current_hook = logging.current_hook, hook
    if trainer._profiler is None:
        result = getattr(trainer.lightning_module, hook)(*args, **kwargs)
    else:
        with trainer._profiler.profile(_action(trainer, hook)):
            result = getattr(trainer.lightning_module, hook)(*args, **kwargs)
    logging.current_hook = before
    return result


def call_both(trainer: Trainer, hook: str, *args: object) -> None:
    """Call a hook of all callbacks and then of the module."""
    call_callbacks(trainer, hook, *args)
    call_module(trainer, hook, *args)


def call_data(trainer: Trainer, hook: str, *args: object) -> Any:
    """Call a data hook: the data module's where it has its own, else the module's."""
    logging = trainer._logging
    owner: LightningModule | LightningDataModule | None = trainer.lightning_module
    if trainer.datamodule is not None and is_overridden(hook, trainer.datamodule):
        owner = trainer.datamodule
    before, logging.current_hook = logging.current_hook, hook
    if trainer._profiler is None:
        result = getattr(owner, hook)(*args)
    else:
        kind = "LightningDataModule" if owner is trainer.datamodule else "LightningModule"
        with trainer._profiler.profile(f"[{kind}]{type(owner).__name__}.{hook}"):
            result = getattr(owner, hook)(*args)
    logging.current_hook = before
    return result


def _action(trainer: Trainer, hook: str) -> str:
    """Return the name of a profiled hook of the module; Lightning has the strategy call steps and the backward pass."""
    if hook in ("backward", "training_step", "validation_step", "test_step", "predict_step"):
        return f"[Strategy]{type(trainer.strategy).__name__}.{hook}"
    return f"[LightningModule]{type(trainer.lightning_module).__name__}.{hook}"


def is_overridden(method: str, instance: object) -> bool:
    """Return whether an object has its own version of a hook."""
    from facula_lightning.datamodule import LightningDataModule
    from facula_lightning.module import LightningModule

    if instance is None:
        return False
    own = getattr(instance, method, None)
    if own is None:
        return False
    parent = LightningDataModule if isinstance(instance, LightningDataModule) else LightningModule
    default = getattr(parent, method, None)
    return getattr(own, "__func__", own) is not default


def accepts(step: Callable[..., Any], name: str, least: int) -> bool:
    """Return whether a step has an argument of that name, or at least ``least`` arguments, or takes any."""
    parameters = inspect.signature(step).parameters
    if any(
        each.kind in (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL) for each in parameters.values()
    ):
        return True
    return name in parameters or len(parameters) >= least
