"""Starting the processes of a program: with MPI's launcher, or without MPI."""

from __future__ import annotations

import os
import shutil
import sys
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from facula.distributed.initialization import find_free_port, is_mpi_available


def find_mpiexec() -> str:
    """Return the path of ``mpiexec``: the environment variable MPIEXEC, beside this Python, or on PATH.

    FileNotFoundError, which says what to install, where there is none.
    """
    told = os.environ.get("MPIEXEC")
    places = [told] if told else [str(Path(sys.executable).parent / "mpiexec"), "mpiexec", "mpirun"]
    for place in places:
        found = shutil.which(place)
        if found is not None:
            return found
    raise FileNotFoundError(
        f"MPI's launcher was not found (looked for {', '.join(places)}): pip install 'facula[mpi]' brings one"
    )


def has_mpi() -> bool:
    """Return whether mpi4py and MPI's launcher are there, and FACULA_WITHOUT_MPI=1 does not say to leave them alone."""
    if os.environ.get("FACULA_WITHOUT_MPI") == "1" or not is_mpi_available():
        return False
    try:
        find_mpiexec()
    except FileNotFoundError:
        return False
    return True


def command(program: Sequence[str], processes: int, hosts: Sequence[str] = ()) -> list[str]:
    """Return the command that starts ``program``, what follows ``python -m facula.distributed.worker``, several times.

    MPI connects the processes where it is there, else TCP. With ``hosts``, for which MPI is needed, so many are started on
    each of them.
    """
    if not hosts and not has_mpi():
        return command_without_mpi(program, processes)
    where = ["-hosts", ",".join(hosts), "-ppn", str(processes)] if hosts else []
    total = processes * max(len(hosts), 1)
    own = [sys.executable, "-m", "facula.distributed.worker", *program]
    return [find_mpiexec(), *where, "-n", str(total), *own]


def command_without_mpi(program: Sequence[str], processes: int, machine: int = 0, machines: int = 1) -> list[str]:
    """Return the command that starts ``program`` several times on this machine, the so-manieth of some, without MPI."""
    numbers = map(str, (processes, machine * processes, machines * processes))
    return [sys.executable, "-m", "facula.distributed.agent", *numbers, *program]


def surroundings(processes: int, more: Mapping[str, str] = {}) -> dict[str, str]:
    """Return the environment for the processes: a run's name, an address, and the processor cores shared out."""
    found = {
        "MASTER_ADDR": "127.0.0.1",
        "OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // processes)),
        "TORCHELASTIC_RUN_ID": uuid.uuid4().hex,
        # Open MPI otherwise refuses more processes than cores.
        "OMPI_MCA_rmaps_base_oversubscribe": "1",
        "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
        **os.environ,
        **more,
    }
    if "MASTER_PORT" not in found:
        found["MASTER_PORT"] = str(find_free_port())
    return found


def own_program() -> list[str]:
    """Return how this program was started, for starting it again; RuntimeError for one that has no file."""
    main = sys.modules["__main__"]
    spec = getattr(main, "__spec__", None)
    if spec is not None:
        name = spec.name.removesuffix(".__main__")
        return ["-m", name, *sys.argv[1:]]
    if getattr(main, "__file__", None) is None or not os.path.exists(sys.argv[0]):
        raise RuntimeError("this program has no file that could be started again in several processes")
    return list(sys.argv)
