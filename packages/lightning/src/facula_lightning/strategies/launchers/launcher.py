"""Launcher: starts the processes of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class Launcher(ABC):
    """Base of the launchers."""

    #: Whether it can be used where there is no script, as in a notebook.
    is_interactive_compatible = False

    def __init__(self, processes: int) -> None:
        self.processes = processes

    @abstractmethod
    def launch(self, trainer: Trainer, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Start the processes, let each call a method of the trainer, and return what the first returned."""
