"""The list of callbacks: the defaults, the model's own, and their order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.checkpoint import Checkpoint
from facula_lightning.callbacks.model_checkpoint import ModelCheckpoint
from facula_lightning.callbacks.model_summary import ModelSummary
from facula_lightning.callbacks.progress import PlainProgressBar, ProgressBar, RichProgressBar
from facula_lightning.callbacks.rich_model_summary import RichModelSummary
from facula_lightning.callbacks.timer import Timer
from facula_lightning.trainer.call import call_module
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


def configure_callbacks(
    given: Sequence[Callback] | Callback | None,
    checkpointing: bool | None,
    progress_bar: bool | None,
    model_summary: bool | None,
    max_time: timedelta | None,
) -> list[Callback]:
    """Return the callbacks given and those the trainer adds by itself."""
    callbacks = [given] if isinstance(given, Callback) else list(given or [])
    for each in callbacks:
        if not isinstance(each, Callback):
            raise TypeError(f"expected a Callback or a list of them for `callbacks`, got {type(each).__name__}")
    # A bar drawn by rich asks for a table drawn by it.
    is_rich = any(isinstance(each, RichProgressBar) for each in callbacks)
    summary: type[ModelSummary] = RichModelSummary if is_rich else ModelSummary
    for kind, wanted, argument, make in (
        (Checkpoint, checkpointing, "enable_checkpointing", ModelCheckpoint),
        (ModelSummary, model_summary, "enable_model_summary", summary),
        (ProgressBar, progress_bar, "enable_progress_bar", PlainProgressBar),
    ):
        there = any(isinstance(each, kind) for each in callbacks)
        if there and wanted is False and kind is not ModelSummary:
            raise MisconfigurationException(
                f"Trainer was configured with `{argument}=False` but found `{kind.__name__}` in callbacks list."
            )
        if not there and wanted is not False:
            callbacks.append(make())
    if max_time is not None:
        callbacks.append(Timer(duration=max_time, interval="step"))
    _check_keys(callbacks)
    return _checkpoints_last(callbacks)


def attach_model_callbacks(trainer: Trainer, own: list[Callback]) -> list[Callback]:
    """Return the trainer's callbacks with those of the model, which take the place of others of their type."""
    from_model = call_module(trainer, "configure_callbacks") or []
    from_model = [from_model] if isinstance(from_model, Callback) else list(from_model)
    types = {type(each) for each in from_model}
    callbacks = [each for each in own if type(each) not in types] + from_model
    for each in callbacks:
        # A callback logs as the module does.
        for name in ("log", "log_dict"):
            if not hasattr(type(each), name):
                setattr(each, name, getattr(trainer.lightning_module, name))
    _check_keys(callbacks)
    return _checkpoints_last(callbacks)


def _check_keys(callbacks: list[Callback]) -> None:
    seen: set[str] = set()
    for each in callbacks:
        if type(each).state_dict is Callback.state_dict:
            continue
        if each.state_key in seen:
            raise RuntimeError(
                f"Found more than one stateful callback of type `{type(each).__name__}`. In the current configuration, this"
                " callback does not support being saved alongside other instances of the same type. Please consult the"
                f" documentation of `{type(each).__name__}` regarding valid settings for the callback state to be"
                " checkpointable."
            )
        seen.add(each.state_key)


def _checkpoints_last(callbacks: list[Callback]) -> list[Callback]:
    """Move those that save to the end, so that they save what all others did."""
    others = [each for each in callbacks if not isinstance(each, Checkpoint)]
    return others + [each for each in callbacks if isinstance(each, Checkpoint)]
