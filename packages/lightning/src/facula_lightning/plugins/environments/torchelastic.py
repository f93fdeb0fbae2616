"""TorchElasticEnvironment: torchrun, or ``python -m facula.distributed.run``, started the processes."""

from __future__ import annotations

from facula import distributed

from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment, number


class TorchElasticEnvironment(ClusterEnvironment):
    """Processes that know their places by RANK, LOCAL_RANK, GROUP_RANK and WORLD_SIZE."""

    @property
    def creates_processes_externally(self) -> bool:
        """True."""
        return True

    @staticmethod
    def detect() -> bool:
        """Return whether TORCHELASTIC_RUN_ID is set."""
        return distributed.is_torchelastic_launched()

    def world_size(self) -> int:
        """Return WORLD_SIZE."""
        return number("WORLD_SIZE", default=1)

    def global_rank(self) -> int:
        """Return RANK."""
        return number("RANK")

    def local_rank(self) -> int:
        """Return LOCAL_RANK."""
        return number("LOCAL_RANK")
