"""MPIEnvironment: ``mpiexec`` started the processes."""

from __future__ import annotations

from facula.distributed import environment

from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment


class MPIEnvironment(ClusterEnvironment):
    """Processes that know their places by the variables of MPICH, Intel MPI, Open MPI or MVAPICH."""

    @property
    def creates_processes_externally(self) -> bool:
        """True."""
        return True

    @staticmethod
    def detect() -> bool:
        """Return whether ``mpiexec`` started this process together with others; MPI is not loaded to find out."""
        place = environment.mpi_rank_and_size()
        return place is not None and place[1] > 1

    def world_size(self) -> int:
        """Return the number of MPI's processes."""
        place = environment.mpi_rank_and_size()
        return 1 if place is None else place[1]

    def global_rank(self) -> int:
        """Return the process's number in MPI."""
        place = environment.mpi_rank_and_size()
        return 0 if place is None else place[0]

    def local_rank(self) -> int:
        """Return its number on its machine."""
        found = environment.local_rank()
        return self.global_rank() if found is None else found

    def node_rank(self) -> int:
        """Return the number of its machine, when all machines have as many processes."""
        size = environment.local_world_size()
        return 0 if not size else self.global_rank() // size
