"""The modes an evaluation runs in, and their restoration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
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
    """Return the context without gradients that the trainer was told to evaluate in."""
    return facula.inference_mode() if trainer.inference_mode else facula.no_grad()
