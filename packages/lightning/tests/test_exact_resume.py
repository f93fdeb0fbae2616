"""A run that was interrupted anywhere, and resumed, ends bit for bit as one that was not."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import Callback, OnExceptionCheckpoint
from facula_lightning.utilities.exceptions import SIGTERMException
from resumed_run import EPOCHS, SaveEverywhere, digest, generators, run

BATCHES = 7 * EPOCHS

pytestmark = pytest.mark.filterwarnings(
    "ignore:Checkpoint directory .* exists and is not empty", "ignore:.*sampler has shuffling enabled"
)


def log(folder: Path) -> str:
    return (folder / "lightning_logs" / "version_0" / "metrics.csv").read_text()


@pytest.mark.parametrize("workers", [0, 2])
def test_every_checkpoint_leads_to_the_same_end(workers: int, tmp_path: Path) -> None:
    saved = tmp_path / "saved"
    whole, trainer = run(tmp_path, workers, callbacks=(SaveEverywhere(saved),))
    after, written = generators(), log(tmp_path)
    checkpoints = sorted(saved.iterdir())
    assert len(checkpoints) == BATCHES + 2 * 3 * EPOCHS + 2 * EPOCHS
    for path in checkpoints:
        resumed, again = run(tmp_path, workers, ckpt_path=path, callbacks=(SaveEverywhere(None),))
        assert digest(resumed) == digest(whole), f"weights after resuming from {path.name}"
        assert generators() == after, f"generators after resuming from {path.name}"
        assert resumed.seen == whole.seen[len(whole.seen) - len(resumed.seen) :]
        assert log(tmp_path) == written, f"log after resuming from {path.name}"
        assert again.callback_metrics == trainer.callback_metrics
        assert again.global_step == trainer.global_step


def child(folder: Path, killed_at: int, ranks: int) -> subprocess.CompletedProcess:
    folder.mkdir(exist_ok=True)
    program = [sys.executable, str(Path(__file__).parent / "resumed_run.py"), str(folder), str(killed_at)]
    if ranks > 1:
        program = [mpiexec(), "-n", str(ranks), *program]
    # More threads than processors would only wait for each other.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(program, capture_output=True, text=True, timeout=120, env=environment)


def mpiexec() -> str:
    from facula.distributed.launching import find_mpiexec

    pytest.importorskip("mpi4py")
    try:
        return find_mpiexec()
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_killed_at_every_step_ends_as_if_it_had_not_been(ranks: int, tmp_path: Path) -> None:
    whole = child(tmp_path / "whole", 0, ranks)
    assert whole.returncode == 0, whole.stderr
    for killed_at in range(1, BATCHES + 1):
        result = child(tmp_path / "killed", killed_at, ranks)
        assert result.returncode != 0 and "Traceback" not in result.stderr, result.stderr
        assert ranks > 1 or result.returncode == -signal.SIGKILL
    result = child(tmp_path / "killed", 0, ranks)
    assert result.returncode == 0, result.stderr
    for rank in range(ranks):
        ended, expected = (tmp_path / name / f"result_{rank}.txt" for name in ("killed", "whole"))
        assert ended.read_text() == expected.read_text()
    assert log(tmp_path / "killed") == log(tmp_path / "whole")


class Failing(Callback):
    """Raises in a hook of the batch or validation with a number."""

    def __init__(self, hook: str, number: int) -> None:
        self.left = number

        def fail(*arguments: object) -> None:
            if not arguments[0].sanity_checking:
                self.left -= 1
            if self.left == 0:
                raise ZeroDivisionError

        setattr(self, hook, fail)


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize(
    ("hook", "number"),
    [
        *(("on_train_batch_start", number) for number in (1, 2, 6, 8, 12)),
        *(("on_before_backward", 11), ("on_after_backward", 4), ("on_before_optimizer_step", 3)),
        *(("on_before_zero_grad", 2), ("on_validation_batch_end", 5), ("on_validation_start", 2)),
    ],
)
def test_an_interrupted_batch_is_done_again(hook: str, number: int, workers: int, tmp_path: Path) -> None:
    whole, trainer = run(tmp_path / "whole", workers)
    after = generators()
    saves = OnExceptionCheckpoint(tmp_path)
    with pytest.raises(ZeroDivisionError):
        run(tmp_path / "failed", workers, callbacks=(Failing(hook, number), saves))
    resumed, again = run(tmp_path / "failed", workers, ckpt_path=saves.ckpt_path)
    assert digest(resumed) == digest(whole)
    assert generators() == after
    assert again.global_step == trainer.global_step
    assert log(tmp_path / "failed") == log(tmp_path / "whole")


@pytest.mark.parametrize("hook", ["on_train_batch_start", "on_validation_batch_end"])
def test_a_run_asked_to_end_ends_after_its_batch(hook: str, tmp_path: Path) -> None:
    class Asked(Callback):
        count = 0

        def ask(self, trainer, *arguments) -> None:
            self.count += not trainer.sanity_checking
            if self.count == 5:
                os.kill(os.getpid(), signal.SIGTERM)

    setattr(Asked, hook, Asked.ask)
    whole, trainer = run(tmp_path / "whole", 2)
    after = generators()
    saves = OnExceptionCheckpoint(tmp_path)
    with pytest.raises(SIGTERMException) as ended:
        run(tmp_path / "ended", 2, callbacks=(Asked(), saves))
    assert ended.value.code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    resumed, again = run(tmp_path / "ended", 2, ckpt_path=saves.ckpt_path)
    assert digest(resumed) == digest(whole)
    assert generators() == after
    assert log(tmp_path / "ended") == log(tmp_path / "whole")


class Seen(nn.Module):
    """A metric with its state outside of the module's."""

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    @property
    def metric_state(self) -> dict:
        return {"total": self.total, "values": self.values}

    def reset(self) -> None:
        self.total, self.values, self._update_count = facula.zeros(1), [], 0

    def update(self, value) -> None:
        self.total += value
        self.values.append(value.detach())
        self._update_count += 1

    def compute(self):
        return self.total / self._update_count + facula.stack(self.values).max()


def test_metrics_go_on_with_what_they_took_in(tmp_path: Path) -> None:
    computed: list[float] = []

    class Measured(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer, self.metric = nn.Linear(2, 1), Seen()

        def training_step(self, batch, batch_idx):
            loss = self.layer(batch).pow(2).mean()
            self.metric.update(loss.detach())
            return loss

        def on_train_epoch_end(self):
            computed.append(self.metric.compute().item())
            self.metric.reset()

        def configure_optimizers(self):
            return facula.optim.SGD(self.parameters(), lr=0.1)

    class Save(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.global_step}.ckpt")

    def fit(*callbacks, ckpt_path=None) -> None:
        facula.manual_seed(2)
        Trainer(
            max_epochs=2, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
            enable_model_summary=False, callbacks=list(callbacks),
        ).fit(Measured(), DataLoader(facula.rand(6, 2), 2), ckpt_path=ckpt_path)  # fmt: skip

    fit(Save())
    whole, computed[:] = list(computed), []
    for step in range(1, 6):
        computed.clear()
        fit(ckpt_path=tmp_path / f"{step}.ckpt")
        assert computed == whole[-len(computed) :] and len(computed) == (2 if step <= 3 else 1)
