"""Runs a program as one of several processes: ``python -m facula.distributed.worker script.py arguments``.

The launchers start this. It says in PyTorch's environment variables which process this is, and ends all of them when one
fails: MPI would let the others wait for ever.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import time
import traceback
from types import CodeType

from facula.distributed import environment

#: Seconds in which all processes are to have come to MPI when one has failed.
PATIENCE = 10


def main() -> None:
    """Run the program that the command line names."""
    arguments = sys.argv[1:]
    place = environment.mpi_rank_and_size() or environment.rank_and_size() or (0, 1)
    rank, size = place
    local = environment.local_rank()
    os.environ["RANK"], os.environ["WORLD_SIZE"] = str(rank), str(size)
    os.environ["LOCAL_RANK"] = str(rank if local is None else local)
    os.environ["LOCAL_WORLD_SIZE"] = str(environment.local_world_size() or size)
    code = 0
    try:
        _run(arguments)
    except SystemExit as error:
        if error.code is not None and not isinstance(error.code, int):
            sys.stderr.write(f"{error.code}\n")
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    if code and size > 1:
        _end_all(rank, code)
    sys.exit(code)


def _run(arguments: list[str]) -> None:
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        return
    script = arguments[0]
    sys.argv = arguments
    sys.path[0] = os.path.dirname(os.path.abspath(script))
    # The program becomes this process's ``__main__``, so that what it defines can be pickled, and found by workers.
    names = sys.modules["__main__"].__dict__
    with open(script, "rb") as file:
        code: CodeType = compile(file.read(), script, "exec")
    for name in list(names):
        if not name.startswith("__"):
            del names[name]
    names.update(__file__=script, __spec__=None, __package__=None, __doc__=None)
    exec(code, names)


def _end_all(rank: int, code: int) -> None:
    """End all processes: over the connections with them, by MPI, or, where neither gets through, by MPI's launcher."""
    from facula.distributed.group import world
    from facula.distributed.initialization import PASSING_ON

    sys.stderr.write(f"rank {rank} failed with code {code}: all processes are ended\n")
    sys.stderr.flush()
    engines = [] if world.default is None else list(world.default.backends.values())
    over_tcp = [each for each in engines if each.name == "gloo"]
    if over_tcp:
        time.sleep(PASSING_ON)
        over_tcp[0].abort(code)
        return
    if environment.mpi_rank_and_size() is None:
        return  # the agent sees that this one has failed
    if hasattr(signal, "SIGALRM"):
        # Others may never get to MPI, which waits for them, and lets no other thread of Python run. A signal that nobody takes
        # ends this process, at which the launcher ends the others; at a mere exit status it does not.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
    from facula.distributed.backends import mpi

    MPI = mpi.load()
    time.sleep(PASSING_ON)
    MPI.COMM_WORLD.Abort(code)


if __name__ == "__main__":
    # From the module by its name: what is here gives way to the program.
    from facula.distributed import worker

    worker.main()
