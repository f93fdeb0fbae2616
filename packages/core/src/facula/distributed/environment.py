"""What launchers tell a process about its place among the others."""

from __future__ import annotations

import os

#: Where launchers put a rank and the number of processes: PyTorch's, Hydra's (MPICH, Intel MPI), Open MPI's, SLURM's.
_PLACES = (
    ("RANK", "WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE"),
)
_LOCAL_RANKS = ("LOCAL_RANK", "MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK")
_LOCAL_SIZES = ("LOCAL_WORLD_SIZE", "MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE")


def number(name: str) -> int | None:
    """Return the number in an environment variable, None where it is not set; ValueError for anything else."""
    text = os.environ.get(name)
    if text is None or not text.strip():
        return None
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"the environment variable {name} should hold a number, got {text!r}") from None


def _first(names: tuple[str, ...]) -> int | None:
    return next((found for found in map(number, names) if found is not None), None)


def rank_and_size() -> tuple[int, int] | None:
    """Return the rank of this process and how many there are, as the launcher says; None when nothing launched it."""
    for rank_name, size_name in _PLACES:
        rank, size = number(rank_name), number(size_name)
        if rank is not None and size is not None:
            return rank, size
    return None


def mpi_rank_and_size() -> tuple[int, int] | None:
    """Return the same as MPI's launcher says, without loading MPI; None when ``mpiexec`` did not start this process."""
    for rank_name, size_name in _PLACES[1:]:
        rank, size = number(rank_name), number(size_name)
        if rank is not None and size is not None:
            return rank, size
    return None


def local_rank() -> int | None:
    """Return the number of this process on its machine, None when no launcher says it."""
    return _first(_LOCAL_RANKS)


def local_world_size() -> int | None:
    """Return how many processes there are on this machine, None when no launcher says it."""
    return _first(_LOCAL_SIZES)


def is_torchelastic_launched() -> bool:
    """Return whether ``torchrun``, or `facula.distributed.run`, started this process."""
    return os.environ.get("TORCHELASTIC_RUN_ID") is not None
