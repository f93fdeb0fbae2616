"""Launcher: starts the processes of a run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from facula_lightning.strategies.launchers.job import Job


class Launcher(ABC):
    """Base of the launchers."""

    #: Whether it can be used where there is no script, as in a notebook.
    is_interactive_compatible = False
    #: Whether the processes are sent what to do, in place of coming to the same line of the same script.
    sends_jobs = False

    def __init__(self, processes: int) -> None:
        self.processes = processes

    @abstractmethod
    def launch(self, job: Job) -> Any:
        """Start the processes, let each do the job, and return what came of it in the first."""
