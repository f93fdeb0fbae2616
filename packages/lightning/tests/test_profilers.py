"""Profilers: what they record of a run, and their reports."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import facula
import pytest
from facula.utils.data import DataLoader
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import LambdaCallback
from facula_lightning.profilers import AdvancedProfiler, FaculaProfiler, PassThroughProfiler, SimpleProfiler
from facula_lightning.utilities.exceptions import MisconfigurationException


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = facula.nn.Linear(4, 1)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.layer(batch).sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.log("v", self.layer(batch).sum())

    def test_step(self, batch: Any, batch_idx: int) -> None: ...

    def predict_step(self, batch: Any, batch_idx: int) -> Any:
        return batch

    def configure_optimizers(self) -> Any:
        return facula.optim.SGD(self.parameters(), 0.1)


class Broken(Model):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        raise ArithmeticError("broken")


def loader() -> DataLoader[Any]:
    return DataLoader(facula.ones(4, 4), batch_size=2)


def trainer(tmp_path: Path, profiler: Any, **flags: Any) -> Trainer:
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    return Trainer(
        max_epochs=1, profiler=profiler, default_root_dir=tmp_path, enable_model_summary=False, **{**quiet, **flags}
    )


def run(found: Trainer, stage: str, model: LightningModule | None = None) -> None:
    data = (loader(), loader()) if stage == "fit" else (loader(),)
    getattr(found, stage)(model or Model(), *data)


#: How often Lightning 2.6.6 records each action in these runs; of the strategy's only the steps, which are ours too.
EVALUATION = """
    1 [LightningModule]Model.configure_callbacks
    1 [Callback]LambdaCallback.setup
    1 [LightningModule]Model.setup
    1 [LightningModule]Model.on_{0}_model_eval
    1 [Callback]LambdaCallback.on_{0}_start
    1 [LightningModule]Model.on_{0}_start
    1 [Callback]LambdaCallback.on_{0}_epoch_start
    1 [LightningModule]Model.on_{0}_epoch_start
    2 [LightningModule]Model.on_before_batch_transfer
    2 [LightningModule]Model.transfer_batch_to_device
    2 [LightningModule]Model.on_after_batch_transfer
    2 [Callback]LambdaCallback.on_{0}_batch_start
    2 [LightningModule]Model.on_{0}_batch_start
    2 [Strategy]SingleDeviceStrategy.{0}_step
    2 [Callback]LambdaCallback.on_{0}_batch_end
    2 [LightningModule]Model.on_{0}_batch_end
    1 [Callback]LambdaCallback.on_{0}_epoch_end
    1 [LightningModule]Model.on_{0}_epoch_end
    1 [Callback]LambdaCallback.on_{0}_end
    1 [LightningModule]Model.on_{0}_end
    1 [Callback]LambdaCallback.teardown
    1 [LightningModule]Model.teardown
"""
FIT = """
    1 [LightningModule]Model.configure_optimizers
    1 [Callback]LambdaCallback.on_fit_start
    1 [Callback]LambdaCallback.on_sanity_check_start
    2 [LightningModule]Model.on_validation_model_eval
    4 [Callback]LambdaCallback.on_validation_batch_start
    4 [Strategy]SingleDeviceStrategy.validation_step
    6 [LightningModule]Model.transfer_batch_to_device
    1 [LightningModule]Model.on_train_epoch_start
    2 [LightningModule]Model.on_train_batch_start
    2 [Strategy]SingleDeviceStrategy.training_step
    2 [LightningModule]Model.on_before_zero_grad
    2 [LightningModule]Model.optimizer_zero_grad
    2 [Callback]LambdaCallback.on_before_backward
    2 [Strategy]SingleDeviceStrategy.backward
    2 [LightningModule]Model.on_after_backward
    2 [LightningModule]Model.on_before_optimizer_step
    2 [LightningModule]Model.configure_gradient_clipping
    2 [LightningModule]Model.optimizer_step
    2 run_training_batch
    2 [LightningModule]Model.on_train_batch_end
    1 [LightningModule]Model.on_validation_model_zero_grad
    1 run_training_epoch
    1 [LightningModule]Model.on_train_end
    1 [LightningModule]Model.on_fit_end
"""


def counts(text: str) -> dict[str, int]:
    rows = [line.split() for line in text.split("\n") if line.strip()]
    return {name: int(count) for count, name in rows}


@pytest.mark.parametrize(
    ("stage", "expected"),
    [("fit", FIT), *((name, EVALUATION.format(kind)) for name, kind in (("validate", "validation"), ("test", "test"), ("predict", "predict")))],
)  # fmt: skip
def test_actions_have_the_names_and_numbers_of_lightning(tmp_path: Path, stage: str, expected: str) -> None:
    profiler = SimpleProfiler()
    run(trainer(tmp_path, profiler, callbacks=[LambdaCallback()]), stage)
    found = {name: len(each) for name, each in profiler.recorded_durations.items()}
    expected_counts = counts(expected)
    assert {name: found.get(name) for name in expected_counts} == expected_counts
    assert not profiler.current_actions


def test_simple_report_is_written_to_a_file(tmp_path: Path) -> None:
    run(trainer(tmp_path, SimpleProfiler(tmp_path, "report")), "fit")
    text = (tmp_path / "fit-report.txt").read_text()
    assert text.startswith("FIT Profiler Report")
    assert "run_training_epoch" in text and "Num calls" in text


def test_short_report_has_no_numbers_of_calls() -> None:
    profiler = SimpleProfiler(extended=False)
    assert "Profiler Report" in profiler.summary()
    with profiler.profile("load"):
        pass
    assert "load" in profiler.summary() and "Num calls" not in profiler.summary()


@pytest.mark.parametrize("make", [SimpleProfiler, AdvancedProfiler, FaculaProfiler])
def test_what_was_not_begun_cannot_end(make: Any) -> None:
    with pytest.raises(ValueError, match="never started"):
        make().stop("load")


def test_what_has_begun_cannot_begin() -> None:
    profiler = SimpleProfiler()
    profiler.start("load")
    with pytest.raises(ValueError, match="already started"):
        profiler.start("load")


def test_advanced_report_names_functions_after_an_inner_action_too(tmp_path: Path) -> None:
    profiler = AdvancedProfiler(tmp_path, "report", dump_stats=True)
    with profiler.profile("outer"):
        with profiler.profile("inner"):
            sorted([2, 1])
        json.dumps({})
    text = profiler.summary()
    inner, outer = text.split("Profile stats for: inner")[1], text.split("Profile stats for: inner")[0]
    assert "dumps" in outer and "dumps" not in inner
    assert "sorted" in inner and "sorted" not in outer
    assert (tmp_path / "report-inner.prof").stat().st_size > 0
    profiler.teardown(None)
    run(trainer(tmp_path, profiler), "fit")
    assert "(training_step)" in (tmp_path / "fit-report.txt").read_text()


def test_operations_are_recorded_inside_their_actions(tmp_path: Path) -> None:
    profiler = FaculaProfiler(tmp_path, "report", row_limit=-1)
    run(trainer(tmp_path, profiler), "fit")
    text = (tmp_path / "fit-report.txt").read_text()
    assert "SingleDeviceStrategy.training_step" in text
    assert profiler.profiler is not None
    names = [event.name for event in profiler.profiler.events()]
    assert names.count("linear") == 6
    trace = json.loads((tmp_path / "fit-report-trace.json").read_text())["traceEvents"]
    steps = [each for each in trace if each["name"].endswith(".training_step")]
    inside = [
        each for each in trace if each["name"] == "linear"
        and any(step["ts"] <= each["ts"] and each["ts"] + each["dur"] <= step["ts"] + step["dur"] for step in steps)
    ]  # fmt: skip
    assert (len(steps), len(inside)) == (2, 2)
    before = len(names)
    facula.ones(2) + 1
    assert len(profiler.profiler.events()) == before


def test_an_exception_ends_the_recording(tmp_path: Path) -> None:
    profiler = FaculaProfiler()
    with pytest.raises(ArithmeticError):
        run(trainer(tmp_path, profiler), "fit", Broken())
    assert profiler.profiler is not None
    before = len(profiler.profiler.events())
    facula.ones(2) + 1
    assert len(profiler.profiler.events()) == before


def test_flag(tmp_path: Path) -> None:
    assert type(trainer(tmp_path, None).profiler) is PassThroughProfiler
    for name, kind in (("simple", SimpleProfiler), ("advanced", AdvancedProfiler), ("facula", FaculaProfiler)):
        assert type(trainer(tmp_path, name).profiler) is kind
    with pytest.raises(MisconfigurationException, match="it can only be one of"):
        trainer(tmp_path, "fast")
    with pytest.raises(MisconfigurationException, match="expected a Profiler"):
        trainer(tmp_path, 3)
    with pytest.raises(ValueError, match="barebones"):
        Trainer(barebones=True, profiler="simple")
