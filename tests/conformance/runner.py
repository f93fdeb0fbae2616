"""Shares the entries out over worker processes, with a limit on the time each may take."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

ROOT = Path(__file__).parents[2]
#: The seconds an entry may take; the slowest takes a few.
LIMIT = 60.0

#: What came of an entry: for each figure None where the two agree, else how they differ.
Outcome = dict[str, str | None]


class Runner:
    """Runs the checks of entries in processes of its own."""

    def __init__(self, entries: list[str], processes: int = 2) -> None:
        self._outcomes: dict[str, Future[Outcome]] = {entry: Future() for entry in entries}
        self._waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
        for entry in entries:
            self._waiting.put(entry)
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(processes)]
        for thread in self._threads:
            thread.start()

    def outcome(self, entry: str) -> Outcome:
        """Return what came of an entry, when it is there."""
        return self._outcomes[entry].result()

    def finished(self) -> dict[str, Outcome]:
        """Return all outcomes that are there."""
        return {entry: each.result() for entry, each in self._outcomes.items() if each.done()}

    def close(self) -> None:
        """Start no further entries, and wait for those that were started."""
        while not self._waiting.empty():
            self._waiting.get()
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        process = None
        while True:
            try:
                entry = self._waiting.get_nowait()
            except queue.Empty:
                break
            if process is None:
                try:
                    process = _start()
                except RuntimeError as error:
                    self._outcomes[entry].set_exception(error)
                    continue
            self._outcomes[entry].set_result(_ask(process, entry))
            if process.poll() is not None:
                process = _end(process)
        if process is not None:
            _end(process)


def _start() -> subprocess.Popen[str]:
    paths = [str(ROOT), str(ROOT / "packages/core/src"), os.environ.get("PYTHONPATH", "")]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(filter(None, paths)),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conformance.worker"],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    if process.stdout.readline() != "ready\n":
        _end(process)
        raise RuntimeError(f"{' '.join(process.args)} does not start")
    return process


def _end(process: subprocess.Popen[str]) -> None:
    """Let a worker end: it reads no further entry."""
    with contextlib.suppress(BrokenPipeError):
        process.stdin.close()
    process.stdout.close()
    process.wait()


def _ask(process: subprocess.Popen[str], entry: str) -> Outcome:
    """Return what the worker says of an entry, and how it ended where it did."""
    outcome: Outcome = {}
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    limit = threading.Timer(LIMIT, stop)
    limit.start()
    try:
        process.stdin.write(entry + "\n")
        process.stdin.flush()
        for line in process.stdout:
            answer = json.loads(line)
            if answer is None:
                return outcome
            figure, how, reason = answer
            if how != "no case":
                outcome[figure] = None if how == "equal" else reason
    except BrokenPipeError:
        pass
    finally:
        limit.cancel()
    code = process.wait()
    outcome["end"] = f"did not end within {LIMIT:.0f} s" if late.is_set() else f"the process ended with {code}"
    return outcome
