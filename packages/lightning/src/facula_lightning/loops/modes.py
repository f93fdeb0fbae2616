"""The modes an evaluation runs in, and their restoration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import facula

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


@contextmanager
def restored_modes(module: facula.nn.Module | None) -> Iterator[None]:
    """Give each submodule, on leaving, the training or evaluation mode it had; nothing for None."""
    modes = {} if module is None else {each: each.training for each in module.modules()}
    yield
    for each, training in modes.items():
        each.training = training


def inference_context(trainer: Trainer) -> AbstractContextManager[Any]:
    """Return the context without gradients that the trainer was told to evaluate in.

    Within fit that is never `inference_mode`: what validation keeps may be trained with.
    """
    with_inference = trainer.inference_mode and trainer.training_stage != "fit"
    return facula.inference_mode() if with_inference else facula.no_grad()


def step_context(trainer: Trainer, stage: str) -> AbstractContextManager[Any]:
    """Return the context of the trainer's precision for an evaluation step; ``stage`` is validation, test or predict."""
    precision = trainer.precision_plugin
    if trainer.has_plain_precision:
        return nullcontext()
    name = "val" if stage == "validation" else stage
    context: AbstractContextManager[Any] = getattr(precision, f"{name}_step_context")()
    return context
