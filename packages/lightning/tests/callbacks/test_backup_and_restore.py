"""BackupAndRestore: started again, a run that was stopped anywhere ends as one that was not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import facula
import pytest
from facula import nn
from facula_lightning import History, Learner
from facula_lightning.callbacks import BackupAndRestore, Callback


class Stopping(Callback):
    """Raises an error when a batch begins that many were before."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.begun = 0

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        if self.begun == self.at:
            raise RuntimeError("stopped")
        self.begun += 1


def run(*callbacks: Callback, epochs: int = 3) -> tuple[dict[str, Any], History]:
    facula.manual_seed(4)
    x = facula.randn(22, 2)
    model = nn.Sequential(nn.Linear(2, 4), nn.Dropout(0.3), nn.Linear(4, 1))
    learner = Learner(model)
    learner.compile("adam", "mse", ["mae"], lr=0.05)
    history = learner.fit(
        x, x.sum(1), batch_size=6, epochs=epochs, validation_split=0.3, callbacks=list(callbacks), verbose=0
    )
    return {name: value.tolist() for name, value in model.state_dict().items()}, history


@pytest.mark.parametrize("save_freq", ["epoch", 1, 2])
def test_a_run_that_is_stopped_twice_ends_the_same(save_freq: str | int, tmp_path: Path) -> None:
    wanted, history = run()
    every = 3 if save_freq == "epoch" else save_freq
    for stopped in ((0, 3), (2, 1), (4, 4), (8, 0)):
        saved = 0
        for at in stopped:
            saved = (saved + at) // every * every
            with pytest.raises(RuntimeError, match="stopped"):
                run(BackupAndRestore(tmp_path, save_freq), Stopping(at))
        last = Stopping(99)
        assert len(list(tmp_path.iterdir())) == (saved > 0)
        weights, found = run(BackupAndRestore(tmp_path, save_freq), last)
        assert weights == wanted
        assert found.history == history.history and found.epoch == [0, 1, 2]
        # What was saved was not done again, and nothing is left for the next run.
        assert last.begun == 9 - saved
        assert not list(tmp_path.iterdir())


def test_a_backup_may_be_kept(tmp_path: Path) -> None:
    wanted, _ = run()
    weights, _ = run(BackupAndRestore(tmp_path, delete_checkpoint=False))
    assert weights == wanted and [each.name for each in tmp_path.iterdir()] == ["backup.ckpt"]
    nothing = Stopping(0)
    again, _ = run(BackupAndRestore(tmp_path, delete_checkpoint=False), nothing)
    assert again == wanted and nothing.begun == 0
    longer, _ = run(BackupAndRestore(tmp_path), epochs=4)
    assert longer == run(epochs=4)[0] and not list(tmp_path.iterdir())


def test_refusals() -> None:
    with pytest.raises(ValueError, match="Empty `backup_dir`"):
        BackupAndRestore("")
    for wrong in ("batch", 0, True):
        with pytest.raises(ValueError, match="expected 'epoch' or a positive integer"):
            BackupAndRestore("here", wrong)
