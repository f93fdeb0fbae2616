"""A capsule shows the same failure again, at the same place, with the same numbers."""

import subprocess
import sys
from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.__main__ import main
from facula_lightning.callbacks import CrashCapsule, ModelCheckpoint, NonFiniteError
from facula_lightning.replay import replay

PROGRAM = '''
import facula
from facula import nn
from facula_lightning import LightningModule


class Grow(nn.Module):
    factor = 1.0

    def forward(self, x):
        return x * self.factor


class Model(LightningModule):
    """Fails where a random number and a weight say so."""

    def __init__(self, mode="raise", threshold=0.97):
        super().__init__()
        self.save_hyperparameters()
        self.first = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5))
        self.last = nn.Linear(4, 1)
        self.grow = Grow()
        self.mended = False

    def on_after_batch_transfer(self, batch, dataloader_idx):
        return [batch[0] + facula.rand(()), batch[1]]

    def training_step(self, batch, batch_idx):
        hidden = self.first(batch[0])
        drawn = facula.rand(()).item()
        if drawn > self.hparams.threshold and self.hparams.mode == "raise" and not self.mended:
            raise ZeroDivisionError(f"{drawn} with {self.last.weight.sum().item()} in {batch_idx} of {self.global_step}")
        if drawn > self.hparams.threshold and self.hparams.mode == "infinite" and not self.mended:
            self.grow.factor = float("inf")
        hidden = self.grow(hidden)
        loss = (self.last(hidden) - batch[1]).pow(2).mean()
        if drawn > self.hparams.threshold and self.hparams.mode == "gradient" and not self.mended:
            loss = loss + (self.last.bias * 0).sqrt().sum()
        return loss

    def configure_optimizers(self):
        return facula.optim.AdamW(self.parameters(), lr=0.01)
'''


@pytest.fixture
def program(tmp_path: Path, monkeypatch):
    (tmp_path / "failing_program.py").write_text(PROGRAM)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "failing_program", raising=False)
    import failing_program

    return failing_program


def data() -> DataLoader:
    x = facula.randn(60, 3, generator=facula.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4, shuffle=True)


def trainer(folder: Path, *callbacks, **settings) -> Trainer:
    usual = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    usual = {"max_epochs": 8, "accelerator": "cpu", "enable_checkpointing": False, **usual}
    return Trainer(**{**usual, **settings}, callbacks=list(callbacks))


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize(
    ("mode", "kind"), [("raise", ZeroDivisionError), ("infinite", NonFiniteError), ("gradient", NonFiniteError)]
)
def test_the_same_failure_comes_again(program, mode: str, kind: type, accumulate: int, tmp_path: Path) -> None:
    seed_everything(5, verbose=False)
    capsule = CrashCapsule()
    with pytest.raises(kind) as raised:
        trainer(tmp_path, capsule, accumulate_grad_batches=accumulate).fit(program.Model(mode), data())
    assert Path(capsule.path).parent == tmp_path / "capsules"
    seed_everything(99, verbose=False)
    result = replay(capsule.path)
    assert result.reproduced, (result.expected, result.found)
    assert str(result.exception) == str(raised.value)
    assert type(result.exception) is kind
    assert result.where == ("grow (Grow)" if mode == "infinite" else None)
    assert main(["replay", capsule.path]) == 0
    assert main(["replay", capsule.path, "--model", f"{tmp_path / 'failing_program.py'}:Model"]) == 0


def test_what_was_mended_does_not_fail_and_goes_on(program, tmp_path: Path, capsys) -> None:
    seed_everything(5, verbose=False)
    whole = program.Model()
    whole.mended = True
    trainer(tmp_path).fit(whole, data())
    seed_everything(5, verbose=False)
    capsule = CrashCapsule()
    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, capsule).fit(program.Model(), data())
    mended = program.Model()
    mended.mended = True
    result = replay(capsule.path, mended)
    assert not result.reproduced and result.found is None
    # The capsule is a checkpoint: the run goes on from it as if it had never failed.
    again = program.Model()
    again.mended = True
    run = trainer(tmp_path)
    run.fit(again, data(), ckpt_path=capsule.path)
    assert [each.tolist() for each in again.parameters()] == [each.tolist() for each in whole.parameters()]
    (tmp_path / "failing_program.py").write_text(PROGRAM.replace("self.mended = False", "self.mended = True"))
    assert main(["replay", capsule.path, "--model", f"{tmp_path / 'failing_program.py'}:Model"]) == 1
    assert "got no failure" in capsys.readouterr().out


def test_the_command_runs_by_itself(program, tmp_path: Path) -> None:
    seed_everything(5, verbose=False)
    capsule = CrashCapsule(tmp_path / "elsewhere")
    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, capsule).fit(program.Model(), data())
    command = [sys.executable, "-m", "facula_lightning", "replay", capsule.path]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert result.returncode == 0, result.stderr
    assert "The failure came again: ZeroDivisionError" in result.stdout
    assert "raise ZeroDivisionError" in result.stderr


def test_what_is_no_capsule_is_refused(program, tmp_path: Path) -> None:
    seed_everything(5, verbose=False)
    model, run = program.Model(threshold=2.0), trainer(tmp_path, max_epochs=1)
    run.fit(model, data())
    run.save_checkpoint(tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="is no capsule"):
        replay(tmp_path / "a.ckpt")

    class Local(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def training_step(self, batch, batch_idx):
            return self.layer(batch[0]).mean()

        def on_train_epoch_end(self):
            raise ZeroDivisionError

        def configure_optimizers(self):
            return facula.optim.SGD(self.parameters(), 0.1)

    capsule = CrashCapsule(check_finite=False)
    with pytest.raises(ZeroDivisionError):
        trainer(tmp_path, capsule, ModelCheckpoint(tmp_path / "kept"), enable_checkpointing=True).fit(Local(), data())
    with pytest.raises(ValueError, match="did not come within a batch"):
        replay(capsule.path)
