"""SpawnLauncher: processes are started that are sent the trainer, the model and the data."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import tempfile
from multiprocessing import spawn
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facula.distributed.launching import command, surroundings

from facula_lightning.strategies.launchers.launcher import Launcher
from facula_lightning.utilities.seed import collect_rng_states, set_rng_states

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


class SpawnLauncher(Launcher):
    """Lets MPI's launcher start processes, each of which gets a copy of the trainer and what its method was called with.

    What fit did to the model and the trainer in the first of them is taken over when they have ended. What is sent is pickled,
    by cloudpickle where it is installed, which knows what was defined in a notebook; a script needs the usual
    ``if __name__ == "__main__":``.
    """

    is_interactive_compatible = True

    def launch(self, trainer: Trainer, method: str, arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Any:
        """Return what the method returned in the first process; RuntimeError when a process failed."""
        with tempfile.TemporaryDirectory(prefix="facula-spawn-") as folder:
            task, answer = Path(folder) / "task", Path(folder) / "answer"
            preparation = spawn.get_preparation_data("facula-rank")
            preparation.pop("authkey", None)  # for connections to this process, of which there are none
            for logger in trainer.loggers:
                _ = logger.version  # the same in this run and the next
            body = _pickle((trainer, method, arguments, keywords))
            task.write_bytes(pickle.dumps((preparation, body, collect_rng_states())))
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
        return take_over(trainer, arguments, keywords, found)


def _pickle(value: object) -> bytes:
    try:
        import cloudpickle
    except ImportError:
        return pickle.dumps(value)
    return bytes(cloudpickle.dumps(value))


def outcome(trainer: Trainer, returned: object) -> dict[str, Any]:
    """Return what a run in another process left behind, as far as it is taken over."""
    module = trainer.lightning_module
    assert module is not None
    return {
        "returned": returned,
        "weights": module.state_dict(),
        "callbacks": [callback.state_dict() for callback in trainer.callbacks],
        "logging": trainer._logging.state_dict(),
        "progress": (trainer.fit_loop.epoch_progress, trainer.fit_loop.batch_progress),
        "steps": (trainer.fit_loop.batches_that_stepped, trainer.global_step),
        "loggers": [logger.state_dict() for logger in trainer.loggers],
        "rng": collect_rng_states(),
        "state": (trainer.state, trainer.interrupted, trainer.should_stop),
    }


def take_over(trainer: Trainer, arguments: tuple[Any, ...], keywords: dict[str, Any], found: dict[str, Any]) -> Any:
    """Bring a trainer and its model to where the run in another process left them; return what that returned."""
    module = keywords.get("model") if "model" in keywords else (arguments[0] if arguments else None)
    module = module if module is not None else trainer.lightning_module
    assert module is not None
    trainer.lightning_module = module
    module.trainer = trainer
    module.load_state_dict(found["weights"])
    for callback, state in zip(trainer.callbacks, found["callbacks"]):
        if state:
            callback.load_state_dict(state)
    trainer._logging.load_state_dict(found["logging"])
    trainer.fit_loop.epoch_progress, trainer.fit_loop.batch_progress = found["progress"]
    trainer.fit_loop.batches_that_stepped, trainer._optimization.steps = found["steps"]
    for logger, state in zip(trainer.loggers, found["loggers"]):
        if state:
            logger.load_state_dict(state)
    set_rng_states(found["rng"])
    trainer.state, trainer.interrupted, trainer.should_stop = found["state"]
    return found["returned"]
