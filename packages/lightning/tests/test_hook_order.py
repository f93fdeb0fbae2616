"""Hooks are called in the order recorded from Lightning, over a matrix of programs and flags."""

import json
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
