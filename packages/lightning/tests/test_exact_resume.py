"""A run that was interrupted anywhere, and resumed, ends bit for bit as one that was not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from facula_lightning.callbacks import Callback, OnExceptionCheckpoint
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
        resumed, again = run(tmp_path, workers, ckpt_path=path, callbacks=(SaveEverywhere(tmp_path / "again"),))
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
    return subprocess.run(program, capture_output=True, text=True, timeout=120)


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
    lines = sorted(whole.stdout.splitlines())
    assert len(lines) == ranks
    assert sorted(result.stdout.splitlines()) == lines
    # The log is the first process's; another's has what its buffers, which are not saved, had in it.
    part = "rank_0" if ranks > 1 else ""
    assert log(tmp_path / "killed" / part) == log(tmp_path / "whole" / part)


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
