"""What a process that `SpawnLauncher` started does."""

from __future__ import annotations

import pickle
import sys
from multiprocessing import spawn
from pathlib import Path


def main(task: str, answer: str) -> None:
    """Call the method that a file names, and write what came of it to another."""
    preparation, body, generators = pickle.loads(Path(task).read_bytes())
    # As for processes of multiprocessing: the program's own module is imported under the name __mp_main__.
    spawn.prepare(preparation)
    from facula_lightning.strategies.launchers.spawn import outcome
    from facula_lightning.utilities.seed import set_rng_states

    trainer, method, arguments, keywords = pickle.loads(body)
    set_rng_states(generators)
    trainer.strategy.launcher = None
    returned = getattr(trainer, method)(*arguments, **keywords)
    if trainer.is_global_zero:
        Path(answer).write_bytes(pickle.dumps(outcome(trainer, returned)))


if __name__ == "__main__":
    main(*sys.argv[1:])
