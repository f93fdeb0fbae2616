"""Hooks are called in the order recorded from Lightning, over a matrix of programs and flags."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import facula
import facula_lightning
import pytest
from facula_lightning.callbacks import Callback
from hook_recorder import PROGRAMS, record

RECORDED = json.loads((Path(__file__).parent / "recorded_hooks.json").read_text())
L = SimpleNamespace(
    LightningModule=facula_lightning.LightningModule,
    LightningDataModule=facula_lightning.LightningDataModule,
    Trainer=facula_lightning.Trainer,
    Callback=Callback,
)


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize("program", PROGRAMS)
def test_hooks_are_called_in_the_recorded_order(program, tmp_path) -> None:
    assert record(L, facula, program, tmp_path) == RECORDED[program].split()


def test_the_recorded_order_is_that_of_the_lightning_that_is_here() -> None:
    pytest.importorskip("torch")
    lightning = pytest.importorskip("pytorch_lightning")
    if RECORDED["recorded from"] != f"pytorch-lightning {lightning.__version__}":
        pytest.skip(f"the order was {RECORDED['recorded from']}")
    program = [sys.executable, str(Path(__file__).parent / "hook_recorder.py")]
    live = subprocess.run(program, capture_output=True, text=True, timeout=300)
    assert live.returncode == 0, live.stderr
    assert json.loads(live.stdout) == RECORDED
