"""Starts programs on several ranks."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).parent
sys.path.insert(0, str(PROGRAMS))


def _mpiexec() -> str:
    from facula.distributed.launching import find_mpiexec

    if find_spec("mpi4py") is None:
        pytest.skip("needs mpi4py: pip install mpi4py mpich")
    try:
        return find_mpiexec()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def start(request, monkeypatch) -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs a program beside this file, on a number of ranks or (0) by itself.

    MPI connects them; given the parameter "tcp", there is none.
    """
    over_tcp = getattr(request, "param", "mpi") == "tcp"
    if over_tcp:
        monkeypatch.setenv("FACULA_WITHOUT_MPI", "1")
    else:
        mpiexec = _mpiexec()

    def run(program: str | Path, count: int, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(PROGRAMS / program), *map(str, arguments)]
        if count:
            launcher = [sys.executable, "-m", "facula.distributed.run", "--nproc-per-node"]
            command = [*launcher, str(count), *command[1:]] if over_tcp else [mpiexec, "-n", str(count), *command]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
        assert (ended.returncode != 0) == fails, ended.stdout + ended.stderr
        return ended

    return run


@pytest.fixture
def answer(start, tmp_path) -> Callable[..., object]:
    """A function that returns what a program wrote to the file named by its first argument."""

    def run(program: str | Path, count: int, *arguments: str) -> object:
        file = tmp_path / "answer.json"
        file.unlink(missing_ok=True)
        start(program, count, file, *arguments)
        return json.loads(file.read_text())

    return run
