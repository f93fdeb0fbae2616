"""A job that SLURM requeues goes on bit for bit where it was; programs that stand for SLURM's send and take the signals."""

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from facula_lightning import Trainer
from facula_lightning.plugins.environments import SLURMEnvironment
from facula_lightning.trainer.requeue import job_id

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="SLURM's signals are those of Unix")

# What SLURM's own ends the job with, once it is requeued.
SCONTROL = """#!/bin/sh
echo "$@" >> {folder}/scontrol.txt
kill -{ending} $PPID
exit {code}
"""


class Cluster:
    """Runs a program as SLURM does, and again after each requeue."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.variables = {"SLURM_JOB_ID": "1234", "SLURM_JOB_NAME": "train", "OMP_NUM_THREADS": "1"}

    def install(self, ending: str, code: int = 0) -> None:
        """Put a ``scontrol`` on the path that ends the process which calls it with a signal."""
        programs = self.folder / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        file = programs / "scontrol"
        file.write_text(SCONTROL.format(folder=self.folder, ending=ending, code=code))
        file.chmod(0o755)
        self.variables["PATH"] = f"{programs}{os.pathsep}{os.environ['PATH']}"

    def run(self, asked: str, ranks: int = 1) -> list[int]:
        """Return how the job's processes ended."""
        from facula.distributed.initialization import find_free_port

        program = [sys.executable, str(Path(__file__).parent / "slurm_program.py"), str(self.folder), asked]
        shared = {"SLURM_NTASKS": str(ranks), "SLURM_NODEID": "0", "MASTER_PORT": str(find_free_port())}
        shared |= {"SLURM_NODELIST": "127.0.0.1", **self.variables}
        started = []
        for rank in map(str, range(ranks)):
            variables = {**os.environ, **shared, "SLURM_PROCID": rank, "SLURM_LOCALID": rank}
            # A session of its own, so that the signal reaches no more than the process and what it has started.
            started.append(subprocess.Popen(program, env=variables, start_new_session=True))
        return [each.wait(timeout=240) for each in started]

    def results(self) -> list[str]:
        """Return what each process wrote at its end."""
        return [each.read_text() for each in sorted(self.folder.glob("result_*.txt"))]

    def log(self) -> str:
        """Return the log of the run."""
        return (self.folder / "lightning_logs" / "version_0" / "metrics.csv").read_text()

    def calls(self) -> list[str]:
        """Return how ``scontrol`` was called."""
        file = self.folder / "scontrol.txt"
        return file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def cluster(tmp_path, monkeypatch) -> Cluster:
    monkeypatch.setenv("FACULA_WITHOUT_MPI", "1")
    return Cluster(tmp_path / "job")


@pytest.fixture
def whole(tmp_path) -> Cluster:
    return Cluster(tmp_path / "whole")


def test_a_requeued_job_ends_as_one_that_was_not(cluster, whole) -> None:
    whole.folder.mkdir()
    assert whole.run("nothing") == [0]
    # Killed at once; ended after the batch; in a validation; and with the last batch of an epoch.
    for number, (asked, ending) in enumerate([("batch 2", "KILL"), ("batch 4", "TERM"), ("validation 3", "KILL")], 1):
        cluster.install(ending)
        (end,) = cluster.run(asked)
        assert end == (-signal.SIGKILL if ending == "KILL" else 128 + signal.SIGTERM)
        saved = sorted(each.name for each in cluster.folder.glob("*.ckpt"))
        assert saved == [f"hpc_ckpt_{each}.ckpt" for each in range(1, number + 1)]
    assert cluster.run("nothing") == [0]
    assert cluster.calls() == ["requeue 1234"] * 3
    assert cluster.results() == whole.results()
    assert cluster.log() == whole.log()


def test_all_processes_of_a_job_save_together_when_one_is_signalled(cluster, whole) -> None:
    whole.folder.mkdir()
    assert whole.run("nothing", ranks=2) == [0, 0]
    cluster.install("TERM")
    assert cluster.run("batch 5", ranks=2) == [128 + signal.SIGTERM] * 2
    assert cluster.run("nothing", ranks=2) == [0, 0]
    assert cluster.calls() == ["requeue 1234"]
    assert len(cluster.results()) == 2 and cluster.results() == whole.results()
    assert cluster.log() == whole.log()


def test_a_task_of_an_array_is_requeued_while_it_tests(cluster, whole) -> None:
    whole.folder.mkdir()
    assert whole.run("test 100") == [0]
    cluster.variables |= {"SLURM_ARRAY_JOB_ID": "77", "SLURM_ARRAY_TASK_ID": "5"}
    cluster.install("KILL")
    assert cluster.run("test 2") == [-signal.SIGKILL]
    assert cluster.run("test 100") == [0]
    assert cluster.calls() == ["requeue 77_5"]
    # The weights and the steps: the test, which draws random numbers, has been begun twice.
    (one,), (other,) = cluster.results(), whole.results()
    assert ast.literal_eval(one)[:2] == ast.literal_eval(other)[:2]
    assert "test_loss" in one


def test_a_signal_of_ones_own_choice_requeues(cluster) -> None:
    cluster.variables["REQUEUE_SIGNAL"] = "SIGUSR2"
    cluster.install("KILL")
    assert cluster.run("batch 1") == [-signal.SIGKILL]
    assert cluster.calls() == ["requeue 1234"]


def test_where_requeueing_is_turned_off_the_signal_has_its_usual_effect(cluster) -> None:
    cluster.variables["WITHOUT_REQUEUE"] = "1"
    cluster.install("KILL")
    assert cluster.run("batch 1") == [-signal.SIGUSR1]
    assert cluster.calls() == [] and not list(cluster.folder.glob("*.ckpt"))


@pytest.mark.parametrize("there", [True, False])
def test_a_job_that_cannot_be_requeued_trains_on(cluster, there) -> None:
    cluster.folder.mkdir()
    if there:
        cluster.install("0", code=1)
    assert cluster.run("batch 2") == [0]
    assert [each.name for each in cluster.folder.glob("*.ckpt")] == ["hpc_ckpt_1.ckpt"]


def test_the_newest_checkpoint_of_a_job_is_gone_on_with_only_within_slurm(tmp_path, monkeypatch) -> None:
    for name in ("SLURM_NTASKS", "SLURM_PROCID", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    trainer = Trainer(logger=False, enable_checkpointing=False, enable_progress_bar=False, default_root_dir=tmp_path)
    resolve = trainer._checkpoints.resolve_path
    with pytest.raises(ValueError, match="no HPC checkpoint was found"):
        resolve("hpc", "fit")
    for number in (2, 10, 9):
        (tmp_path / f"hpc_ckpt_{number}.ckpt").touch()
    newest = str(tmp_path / "hpc_ckpt_10.ckpt")
    assert resolve("hpc", "fit") == newest and resolve(None, "fit") is None
    monkeypatch.setenv("SLURM_NTASKS", "1")
    monkeypatch.setenv("SLURM_PROCID", "0")
    assert resolve(None, "fit") == resolve(None, "test") == newest
    assert resolve("other.ckpt", "fit") == "other.ckpt"
    monkeypatch.setenv("SLURM_JOB_NAME", "interactive")
    assert resolve(None, "fit") is None


def test_the_environment_knows_its_job(monkeypatch) -> None:
    for name in ("SLURM_ARRAY_JOB_ID", "SLURM_JOB_NAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    environment = SLURMEnvironment()
    assert (environment.auto_requeue, environment.requeue_signal) == (True, signal.SIGUSR1)
    assert SLURMEnvironment(False, signal.SIGHUP).requeue_signal is signal.SIGHUP
    assert (SLURMEnvironment.job_id(), SLURMEnvironment.job_name(), job_id()) == (12, None, "12")
    monkeypatch.setenv("SLURM_JOB_NAME", "bash")
    assert SLURMEnvironment.job_id() is None
    monkeypatch.setenv("SLURM_JOB_ID", "12; rm")
    assert SLURMEnvironment.job_id() is None
    with pytest.raises(ValueError, match="number of a job"):
        job_id()
