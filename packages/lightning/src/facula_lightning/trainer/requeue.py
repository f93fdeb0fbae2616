"""A job of SLURM's that is to be requeued: its checkpoint is saved, and SLURM told to run it again."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

from facula_lightning.checkpointing.connector import next_hpc_checkpoint
from facula_lightning.utilities.rank_zero import log, rank_zero_info

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


def requeue_signal(trainer: Trainer) -> signal.Signals | None:
    """Return the signal on which the job is requeued; None outside of SLURM, and where that is turned off."""
    environment: object = trainer._environment or getattr(trainer.strategy, "cluster_environment", None)
    if environment is None and "SLURM_NTASKS" not in os.environ:
        return None
    from facula_lightning.plugins.environments.slurm import SLURMEnvironment

    if environment is None and SLURMEnvironment.detect():
        environment = SLURMEnvironment()
    if not isinstance(environment, SLURMEnvironment) or not environment.auto_requeue:
        return None
    return environment.requeue_signal


def requeue_if_asked(trainer: Trainer, agreed: bool = False) -> None:
    """Save ``hpc_ckpt_N.ckpt`` into the default folder and requeue the job, when the signal for it has come.

    Several processes do so together, once they have ``agreed`` on it. The run then goes on until SLURM ends it; the
    requeued one goes on from the checkpoint.
    """
    asked = agreed if trainer.strategy.is_distributed else trainer.received_requeue
    if not asked or trainer.sanity_checking:
        return
    trainer.received_requeue = False
    trainer.save_checkpoint(next_hpc_checkpoint(trainer.default_root_dir))
    if trainer.is_global_zero:
        _requeue(job_id())


def job_id() -> str:
    """Return by what SLURM knows this job, or this task of an array of jobs."""
    array = os.environ.get("SLURM_ARRAY_JOB_ID")
    found = f"{array}_{os.environ['SLURM_ARRAY_TASK_ID']}" if array is not None else os.environ["SLURM_JOB_ID"]
    if not found.replace("_", "").isdigit():
        raise ValueError(f"expected SLURM's environment variables to hold the number of a job, got {found!r}")
    return found


def _requeue(job: str) -> None:
    import subprocess  # few runs are requeued

    rank_zero_info(f"requeueing job {job} ...")
    try:
        code = subprocess.call(["scontrol", "requeue", job])
    except FileNotFoundError:
        code = 127  # as a shell would say
    if code == 0:
        rank_zero_info(f"Requeued SLURM job: {job}")
    else:
        log.warning(f"Requeueing SLURM job {job} failed with error code {code}")
