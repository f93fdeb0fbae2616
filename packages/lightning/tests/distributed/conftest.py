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


@pytest.fixture
def start() -> Callable[..., subprocess.CompletedProcess]:
    """A function that runs a program beside this file, on a number of ranks or (0) by itself."""
    from facula.distributed.launching import find_mpiexec

    if find_spec("mpi4py") is None:
        pytest.skip("needs mpi4py: pip install mpi4py mpich")
    try:
        mpiexec = find_mpiexec()
    except FileNotFoundError as error:
        pytest.skip(str(error))

    def run(program: str | Path, count: int, *arguments: str, fails: bool = False) -> subprocess.CompletedProcess:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        command = [sys.executable, str(PROGRAMS / program), *map(str, arguments)]
        if count:
            command = [mpiexec, "-n", str(count), *command]
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
