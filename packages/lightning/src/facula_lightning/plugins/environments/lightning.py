"""LightningEnvironment: the trainer starts the processes itself."""

from __future__ import annotations

import os

from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment, number


class LightningEnvironment(ClusterEnvironment):
    """A program on one machine; the trainer starts its processes, unless LOCAL_RANK says that it is one of them."""

    @property
    def creates_processes_externally(self) -> bool:
        """Whether LOCAL_RANK is set."""
        return "LOCAL_RANK" in os.environ

    @staticmethod
    def detect() -> bool:
        """Return True: it is what is left."""
        return True

    def world_size(self) -> int:
        """Return WORLD_SIZE, else 1."""
        return number("WORLD_SIZE", default=1)

    def global_rank(self) -> int:
        """Return RANK, else 0."""
        return number("RANK")

    def local_rank(self) -> int:
        """Return LOCAL_RANK, else 0."""
        return number("LOCAL_RANK")
