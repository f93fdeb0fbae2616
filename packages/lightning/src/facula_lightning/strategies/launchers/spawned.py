"""What a process that `SpawnLauncher` started does."""

from __future__ import annotations

import pickle
import sys
from multiprocessing import spawn
from pathlib import Path


def main(task: str, answer: str) -> None:
    """Do the job that a file holds, and write what came of it to another."""
    preparation, body, generators = pickle.loads(Path(task).read_bytes())
    # As for processes of multiprocessing: the program's own module is imported under the name __mp_main__.
    spawn.prepare(preparation)
    from facula_lightning.strategies.launchers.spawn import pickled
    from facula_lightning.utilities.seed import set_rng_states

    job = pickle.loads(body)
    set_rng_states(generators)
    returned = job.run()
    if job.is_first:
        Path(answer).write_bytes(pickled(job.answer(returned)))


if __name__ == "__main__":
    main(*sys.argv[1:])
