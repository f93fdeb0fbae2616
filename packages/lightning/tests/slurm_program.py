"""A job of SLURM's: the program of `test_requeue`. Arguments: the folder, what asks for the requeue.

That is "nothing", "batch N" or "validation N": the process signals itself in the N-th step of that kind, as SLURM does when the
job's time is nearly up.
"""

import os
import signal
import sys
import warnings
from pathlib import Path

from facula_lightning import LightningModule
from facula_lightning.callbacks import Callback
from facula_lightning.plugins.environments import SLURMEnvironment
from resumed_run import digest, generators, loaders, run

warnings.simplefilter("ignore")
folder, asked = Path(sys.argv[1]), sys.argv[2]
kind, _, number = asked.partition(" ")


class Signalled(Callback):
    """Sends the signal of SLURM, once, in the process that is to notice it."""

    def __init__(self) -> None:
        self.steps = {"batch": 0, "validation": 0, "test": 0}

    def count(self, trainer, what: str) -> None:
        if trainer.sanity_checking:
            return
        self.steps[what] += 1
        if what == kind and self.steps[what] == int(number) and trainer.global_rank == trainer.world_size - 1:
            # The loader's worker processes get it too.
            os.killpg(os.getpgid(0), getattr(signal, os.environ.get("REQUEUE_SIGNAL", "SIGUSR1")))

    def on_train_batch_start(self, trainer, *args) -> None:
        self.count(trainer, "batch")

    def on_validation_batch_start(self, trainer, *args) -> None:
        self.count(trainer, "validation")

    def on_test_batch_start(self, trainer, *args) -> None:
        self.count(trainer, "test")


def test_step(self: LightningModule, batch, batch_idx) -> None:
    self.log("test_loss", self.layer(batch[1]).mean())


if __name__ == "__main__":
    plugins = None
    if "REQUEUE_SIGNAL" in os.environ:
        plugins = SLURMEnvironment(requeue_signal=getattr(signal, os.environ["REQUEUE_SIGNAL"]))
    elif "WITHOUT_REQUEUE" in os.environ:
        plugins = SLURMEnvironment(auto_requeue=False)
    signalled = Signalled()
    resumes = any(folder.glob("hpc_ckpt_*.ckpt"))
    settings = {"callbacks": (signalled,), "default_root_dir": folder, "plugins": plugins, "resumes": resumes}
    model, trainer = run(folder, **settings)
    tested = ""
    if kind == "test":
        type(model).test_step = test_step
        tested = repr(trainer.test(model, loaders(0)[1], verbose=False))
    result = (digest(model), trainer.global_step, *generators(), tested)
    (folder / f"result_{trainer.global_rank}.txt").write_text(repr(result))
