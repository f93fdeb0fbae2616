"""Starts a program several times on this machine, without MPI: ``python -m facula.distributed.agent 2 0 2 script.py``.

The arguments are the number of processes here, the rank of the first, how many there are on all machines, and the program, as
`facula.distributed.worker` takes it. The processes meet over TCP where MASTER_ADDR and MASTER_PORT say. When one fails, the
others are ended.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

from facula.distributed.initialization import PASSING_ON

#: Seconds that processes are given to end when they are asked to.
_GRACE = 10.0


def start(processes: int, first: int, total: int, program: Sequence[str]) -> list[subprocess.Popen[bytes]]:
    """Return the processes, started, each with its numbers in PyTorch's environment variables."""
    found = []
    for local in range(processes):
        numbers = {
            "RANK": first + local,
            "WORLD_SIZE": total,
            "LOCAL_RANK": local,
            "LOCAL_WORLD_SIZE": processes,
            "GROUP_RANK": first // processes,
        }
        surroundings = {**os.environ, **{name: str(value) for name, value in numbers.items()}}
        command = [sys.executable, "-m", "facula.distributed.worker", *program]
        found.append(subprocess.Popen(command, env=surroundings))
    return found


def wait(processes: Sequence[subprocess.Popen[bytes]]) -> int:
    """Return 0 when all have ended well; else end the others and return the status of one that failed."""
    running = list(processes)
    while running:
        for each in list(running):
            code = each.poll()
            if code is None:
                continue
            running.remove(each)
            if code:
                time.sleep(PASSING_ON)  # for what the others have to say about it
                end(running)
                return code if code > 0 else 128 - code
        time.sleep(0.02)
    return 0


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask processes to end, and end those that do not."""
    for each in processes:
        each.terminate()
    deadline = time.monotonic() + _GRACE
    for each in processes:
        try:
            each.wait(max(deadline - time.monotonic(), 0.0))
        except subprocess.TimeoutExpired:
            each.kill()
            each.wait()


def main(arguments: Sequence[str]) -> int:
    """Start the processes, wait for them, and return the exit status."""
    processes, first, total = map(int, arguments[:3])
    started = start(processes, first, total, arguments[3:])

    def pass_on(number: int, frame: object) -> None:
        for each in started:
            if each.poll() is None:
                each.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    # Ctrl-C in a terminal goes to the processes too: they end, and then this does.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return wait(started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
