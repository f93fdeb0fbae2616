"""ClusterEnvironment: what a launcher tells a process about its place among the others."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod


def number(*names: str, default: int = 0) -> int:
    """Return the number in the first environment variable of these that is set."""
    for name in names:
        text = os.environ.get(name)
        if text:
            return int(text)
    return default


class ClusterEnvironment(ABC):
    """Base of the environments."""

    @property
    @abstractmethod
    def creates_processes_externally(self) -> bool:
        """Whether something outside the program starts its processes."""

    @property
    def main_address(self) -> str:
        """The address of the machine with the first process."""
        return os.environ.get("MASTER_ADDR", "127.0.0.1")

    @property
    def main_port(self) -> int:
        """The port at which the first process can be met."""
        return number("MASTER_PORT", default=12910)

    @staticmethod
    @abstractmethod
    def detect() -> bool:
        """Return whether this process was started so."""

    @abstractmethod
    def world_size(self) -> int:
        """Return how many processes there are."""

    @abstractmethod
    def global_rank(self) -> int:
        """Return the number of this process among all."""

    @abstractmethod
    def local_rank(self) -> int:
        """Return its number on its machine."""

    def node_rank(self) -> int:
        """Return the number of its machine."""
        return number("NODE_RANK", "GROUP_RANK")

    def validate_settings(self, num_devices: int, num_nodes: int) -> None:
        """Raise ValueError when the trainer's arguments do not fit the number of processes."""
        if self.creates_processes_externally and num_devices * num_nodes != self.world_size():
            raise ValueError(
                f"You set `devices={num_devices}` and `num_nodes={num_nodes}` in the Trainer, but their product"
                f" ({num_devices * num_nodes}) does not match the world size ({self.world_size()})."
            )

    def teardown(self) -> None:
        """Let go of what the environment holds."""
