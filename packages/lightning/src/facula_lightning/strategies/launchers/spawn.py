"""SpawnLauncher: processes are started that are sent the trainer, the model and the data."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from multiprocessing import spawn
from pathlib import Path
from typing import Any

from facula.distributed.launching import command, surroundings

from facula_lightning.strategies.launchers.job import Job
from facula_lightning.strategies.launchers.launcher import Launcher
from facula_lightning.utilities.seed import collect_rng_states


class SpawnLauncher(Launcher):
    """Lets MPI's launcher start processes, each of which gets a copy of the trainer and what its method was called with.

    What fit did to the model and the trainer in the first of them is taken over when they have ended. What is sent is pickled,
    by cloudpickle where it is installed, which knows what was defined in a notebook; a script needs the usual
    ``if __name__ == "__main__":``.
    """

    is_interactive_compatible = True
    sends_jobs = True

    def launch(self, job: Job) -> Any:
        """Return what came of the job in the first process; RuntimeError when a process failed."""
        with tempfile.TemporaryDirectory(prefix="facula-spawn-") as folder:
            task, answer = Path(folder) / "task", Path(folder) / "answer"
            preparation = spawn.get_preparation_data("facula-rank")
            preparation.pop("authkey", None)  # for connections to this process, of which there are none
            job.prepare()
            task.write_bytes(pickle.dumps((preparation, pickled(job), collect_rng_states())))
            parts = command(
                ["-m", "facula_lightning.strategies.launchers.spawned", str(task), str(answer)], self.processes
            )
            sys.stdout.flush()
            paths = {"PYTHONPATH": os.pathsep.join(each or os.getcwd() for each in sys.path)}
            code = subprocess.call(parts, env=surroundings(self.processes, paths))
            if code or not answer.exists():
                raise RuntimeError(
                    f"one of {self.processes} processes failed (exit status {code}): its error is printed above"
                )
            found = pickle.loads(answer.read_bytes())
        return job.take_over(found)


def pickled(value: object) -> bytes:
    """Return an object as bytes, by cloudpickle where it is installed."""
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(value)
    return bytes(cloudpickle.dumps(value))
