"""Job: what a launcher lets each process do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any


class Job(ABC):
    """Something to do in every process; a launcher that sends it to them pickles it."""

    @property
    def what(self) -> str:
        """How the user's program says it, for messages."""
        return type(self).__name__

    def prepare(self) -> None:
        """Called once, before the job is sent."""

    @abstractmethod
    def run(self) -> Any:
        """Do it, in one of the processes."""

    @property
    @abstractmethod
    def is_first(self) -> bool:
        """Whether this process, which has run the job, is the first of all."""

    def answer(self, returned: Any) -> Any:
        """Return what the first process sends back, when `run` returned something."""
        return returned

    def take_over(self, answer: Any) -> Any:
        """Return what the launch gives, in the process that sent the job, when the first one has answered."""
        return answer
