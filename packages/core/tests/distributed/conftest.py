"""Starts programs on several ranks."""

import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent


@pytest.fixture
def ranks() -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs a function of a program beside this file on a number of ranks, and checks that it ends well."""
    from facula.distributed.launching import find_mpiexec

    if find_spec("mpi4py") is None:
        pytest.skip("needs mpi4py: pip install mpi4py mpich")
    try:
        mpiexec = find_mpiexec()
    except FileNotFoundError as error:
        pytest.skip(str(error))

    def run(program: str, count: int, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [mpiexec, "-n", str(count), sys.executable, str(PROGRAMS / program), *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
        assert (ended.returncode != 0) == fails, ended.stdout + ended.stderr
        return ended

    return run
