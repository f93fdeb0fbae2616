"""SLURMEnvironment: ``srun`` started the processes."""

from __future__ import annotations

import os
import re
import signal
import sys

from facula_lightning.plugins.environments.cluster_environment import ClusterEnvironment, number


class SLURMEnvironment(ClusterEnvironment):
    """Processes that know their places by SLURM_PROCID, SLURM_LOCALID, SLURM_NODEID and SLURM_NTASKS.

    With ``auto_requeue`` a job that gets ``requeue_signal`` (SIGUSR1) saves a checkpoint and is requeued; it then goes on
    from there by itself. ``sbatch --signal=SIGUSR1@90`` sends it 90 seconds before the job's time is up.
    """

    def __init__(self, auto_requeue: bool = True, requeue_signal: signal.Signals | None = None) -> None:
        self.auto_requeue = auto_requeue
        if requeue_signal is None and sys.platform != "win32":
            requeue_signal = signal.SIGUSR1
        self.requeue_signal = requeue_signal

    @property
    def creates_processes_externally(self) -> bool:
        """True."""
        return True

    @staticmethod
    def detect() -> bool:
        """Return whether ``srun`` started this process, in a job that is no interactive shell."""
        return "SLURM_NTASKS" in os.environ and "SLURM_PROCID" in os.environ and not _is_interactive()

    @staticmethod
    def job_name() -> str | None:
        """Return SLURM_JOB_NAME."""
        return os.environ.get("SLURM_JOB_NAME")

    @staticmethod
    def job_id() -> int | None:
        """Return SLURM_JOB_ID; None in an interactive shell, and where there is no number."""
        text = os.environ.get("SLURM_JOB_ID", "")
        return int(text) if text.isdigit() and not _is_interactive() else None

    @property
    def main_address(self) -> str:
        """MASTER_ADDR, else the first of the job's machines."""
        told = os.environ.get("MASTER_ADDR")
        return told or self.resolve_root_node_address(os.environ.get("SLURM_NODELIST", "127.0.0.1"))

    @property
    def main_port(self) -> int:
        """MASTER_PORT, else one above 15000 that the job's number gives, so that jobs do not meet each other's processes."""
        job = os.environ.get("SLURM_JOB_ID", "")[-4:]
        return number("MASTER_PORT", default=15000 + int(job) if job.isdigit() else 12910)

    @staticmethod
    def resolve_root_node_address(nodes: str) -> str:
        """Return the first machine in SLURM's list of them.

        >>> SLURMEnvironment.resolve_root_node_address("host[5-8],other1")
        'host5'
        """
        nodes = re.sub(r"\[(.*?)[,-].*\]", r"\1", nodes)
        nodes = re.sub(r"\[(.*?)\]", r"\1", nodes)
        return nodes.split(" ")[0].split(",")[0]

    def world_size(self) -> int:
        """Return SLURM_NTASKS."""
        return number("SLURM_NTASKS", default=1)

    def global_rank(self) -> int:
        """Return SLURM_PROCID."""
        return number("SLURM_PROCID")

    def local_rank(self) -> int:
        """Return SLURM_LOCALID."""
        return number("SLURM_LOCALID")

    def node_rank(self) -> int:
        """Return SLURM_NODEID."""
        return number("SLURM_NODEID")


def _is_interactive() -> bool:
    return SLURMEnvironment.job_name() in ("bash", "interactive")
