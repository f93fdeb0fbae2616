"""Starts programs on several ranks."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent


def over_mpi(count: int, program: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
    from facula.distributed.launching import find_mpiexec

    if find_spec("mpi4py") is None:
        pytest.skip("needs mpi4py: pip install mpi4py mpich")
    try:
        mpiexec = find_mpiexec()
    except FileNotFoundError as error:
        pytest.skip(str(error))
    command = [mpiexec, "-n", str(count), *program]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)


def over_tcp(count: int, program: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess:
    """Start the ranks as torchrun does, without MPI; the exit status is that of one that failed."""
    from facula.distributed.initialization import find_free_port

    shared = {**environment, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(find_free_port())}
    ranks = [
        subprocess.Popen(
            program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**shared, "RANK": str(rank)}
        )
        for rank in range(count)
    ]
    printed = [each.communicate(timeout=120) for each in ranks]
    code = max((each.returncode for each in ranks), key=abs)
    return subprocess.CompletedProcess(program, code, *("".join(each) for each in zip(*printed)))


@pytest.fixture(params=["mpi", "tcp"])
def ranks(request, monkeypatch) -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs a function of a program beside this file on a number of ranks, and checks that it ends well.

    With "tcp" the launcher leaves MPI alone too.
    """
    if request.param == "tcp":
        monkeypatch.setenv("FACULA_WITHOUT_MPI", "1")

    def run(program: str, count: int, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        start = {"mpi": over_mpi, "tcp": over_tcp}[request.param]
        ended = start(count, [sys.executable, str(PROGRAMS / program), *arguments], environment)
        assert (ended.returncode != 0) == fails, ended.stdout + ended.stderr
        return ended

    return run
