"""Loggers: what they write can be read, is cut at a resume, and optional packages are imported on first use."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import ModelCheckpoint
from facula_lightning.loggers import CSVLogger, JSONLLogger, MLFlowLogger, TensorBoardLogger, WandbLogger


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.save_hyperparameters({"width": 4, "optimizer": {"lr": 0.1}})
        self.layer = nn.Linear(1, 1)

    def training_step(self, batch: Any, batch_idx: int) -> facula.Tensor:
        self.log("number", float(batch.sum()), on_step=True, on_epoch=True)
        return self.layer(batch).sum()

    def configure_optimizers(self) -> facula.optim.Optimizer:
        return facula.optim.SGD(self.parameters(), lr=0.1)


def data() -> DataLoader:
    return DataLoader(facula.arange(6.0).reshape(6, 1), batch_size=2)


def run(tmp_path: Any, logger: Any, path: Any = None, **options: Any) -> Trainer:
    trainer = Trainer(
        default_root_dir=tmp_path, logger=logger, log_every_n_steps=1, enable_progress_bar=False, enable_model_summary=False,
        **{"max_epochs": 2, **options},
    )  # fmt: skip
    trainer.fit(Model(), data(), ckpt_path=path)
    return trainer


def records(logger: JSONLLogger) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(logger.path).read_text(encoding="utf-8").splitlines()]


def test_jsonl_has_the_axes_of_each_record(tmp_path) -> None:
    logger = JSONLLogger(tmp_path, name="trial")
    run(tmp_path, logger)
    found = records(logger)
    steps = [(each["step"], each["epoch"], each["metrics"].get("number_step")) for each in found]
    assert [each for each in steps if each[2] is not None] == [
        (0, 0, 1.0), (1, 0, 5.0), (2, 0, 9.0), (3, 1, 1.0), (4, 1, 5.0), (5, 1, 9.0),
    ]  # fmt: skip
    assert [each["metrics"]["number_epoch"] for each in found if "number_epoch" in each["metrics"]] == [5.0, 5.0]
    times = [each["wall_time"] for each in found]
    assert times == sorted(times)
    hparams = json.loads((tmp_path / "trial" / "version_0" / "hparams.json").read_text())
    assert hparams == {"width": 4, "optimizer/lr": 0.1}
    assert JSONLLogger(tmp_path, name="trial").version == 1


@pytest.mark.parametrize("kind", [CSVLogger, JSONLLogger])
def test_save_writes_the_rows_that_wait(kind: type, tmp_path: Path) -> None:
    logger = kind(tmp_path)
    logger.save()
    for step in range(2):
        logger.log_metrics({"loss": 0.5}, step)
    path = Path(logger.log_dir) / ("metrics.csv" if kind is CSVLogger else "metrics.jsonl")
    assert not path.exists()
    logger.save()
    first = path.read_text()
    assert first.count("0.5") == 2
    logger.save()
    assert path.read_text() == first
    logger.log_metrics({"loss": 0.5}, 2)
    logger.save()
    assert path.read_text().startswith(first) and path.read_text().count("0.5") == 3
    logger.finalize("success")


def test_the_trainer_leaves_it_to_a_logger_when_rows_are_written(tmp_path: Path) -> None:
    class Saving(CSVLogger):
        writes_by_itself = False

    rows: dict[str, list[int]] = {"CSVLogger": [], "Saving": []}

    class Counting(LightningModule):
        def __init__(self, kind: str) -> None:
            super().__init__()
            self.kind = kind
            self.layer = nn.Linear(1, 1)

        def training_step(self, batch: Any, batch_idx: int) -> facula.Tensor:
            path = Path(self.trainer.log_dir) / "metrics.csv"
            rows[self.kind].append(len(path.read_text().splitlines()) if path.exists() else 0)
            self.log("number", 1.0)
            return self.layer(batch).sum()

        def configure_optimizers(self) -> facula.optim.Optimizer:
            return facula.optim.SGD(self.parameters(), lr=0.1)

    for kind in (CSVLogger, Saving):
        trainer = Trainer(
            max_epochs=1, logger=kind(tmp_path, name=kind.__name__), log_every_n_steps=1, enable_progress_bar=False,
            enable_model_summary=False, enable_checkpointing=False,
        )  # fmt: skip
        trainer.fit(Counting(kind.__name__), data())
    assert rows == {"CSVLogger": [0, 0, 0], "Saving": [0, 2, 3]}


def test_jsonl_writes_numbers_that_json_lacks(tmp_path) -> None:
    logger = JSONLLogger(tmp_path, prefix="a")
    logger.log_metrics({"x": float("nan"), "y": -float("inf")}, step=3)
    logger.finalize("success")
    logger.log_metrics({"x": 1.0}, step=4)
    logger.finalize("success")
    assert [each["metrics"] for each in records(logger)] == [{"a-x": "nan", "a-y": "-inf"}, {"a-x": 1.0}]


def everything_but_time(logger: JSONLLogger) -> list[dict[str, Any]]:
    return [{key: value for key, value in each.items() if key != "wall_time"} for each in records(logger)]


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
@pytest.mark.parametrize("step", [1, 2, 3, 4, 6])
def test_a_resumed_log_is_that_of_a_run_without_interruption(tmp_path, step) -> None:
    def saving() -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / "saved", every_n_train_steps=1, save_top_k=-1, filename="{step}")

    whole = JSONLLogger(tmp_path / "whole")
    run(tmp_path, whole)
    logger = JSONLLogger(tmp_path / "cut")
    # The first run goes on beyond the checkpoint: what it wrote after is cut off.
    run(tmp_path, logger, callbacks=[saving()])
    resumed = JSONLLogger(tmp_path / "cut")
    run(tmp_path, resumed, tmp_path / "saved" / f"step={step}.ckpt", callbacks=[saving()])
    assert everything_but_time(resumed) == everything_but_time(whole)


def test_tensorboard_reads_the_events(tmp_path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    logger = TensorBoardLogger(tmp_path, name="trial", sub_dir="part")
    run(tmp_path, [logger, CSVLogger(tmp_path, name="csv")])
    assert logger.log_dir == str(tmp_path / "trial" / "version_0" / "part")
    found = event_accumulator.EventAccumulator(logger.log_dir)
    found.Reload()
    assert [(each.step, each.value) for each in found.Scalars("number_step")] == [
        (0, 1.0), (1, 5.0), (2, 9.0), (3, 1.0), (4, 5.0), (5, 9.0),
    ]  # fmt: skip
    assert [each.value for each in found.Scalars("number_epoch")] == [5.0, 5.0]
    assert found.Scalars("hp_metric")[0].value == -1.0
    assert "width: 4" in (tmp_path / "trial" / "version_0" / "part" / "hparams.yaml").read_text()


@pytest.mark.filterwarnings("ignore:Checkpoint directory")
def test_a_resume_hides_what_tensorboard_had_recorded_after(tmp_path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    saved = ModelCheckpoint(tmp_path / "saved", every_n_train_steps=1, save_top_k=-1, filename="{step}")
    run(tmp_path, TensorBoardLogger(tmp_path / "log"), callbacks=[saved])
    again = ModelCheckpoint(tmp_path / "saved", every_n_train_steps=1, save_top_k=-1, filename="{step}")
    logger = TensorBoardLogger(tmp_path / "log")
    run(tmp_path, logger, tmp_path / "saved" / "step=2.ckpt", callbacks=[again])
    assert logger.version == 0
    found = event_accumulator.EventAccumulator(logger.log_dir)
    found.Reload()
    assert [each.step for each in found.Scalars("number_step")] == [0, 1, 2, 3, 4, 5]


@pytest.fixture
def fake_wandb(monkeypatch) -> Any:
    """A module in place of wandb that keeps what it is given."""
    run = SimpleNamespace(id="abc", logged=[], settings={}, artifacts=[])
    run.log = run.logged.append
    run.axes = {}
    run.define_metric = lambda name, step_metric=None, step_sync=None: run.axes.update({name: step_metric})
    run.config = SimpleNamespace(update=lambda params, allow_val_change: run.settings.update(params))
    run.log_artifact = lambda artifact, aliases: run.artifacts.append((artifact.name, aliases, artifact.files))

    class Artifact:
        def __init__(self, name: str, type: str, metadata: dict[str, Any]) -> None:
            self.name, self.files = name, []

        def add_file(self, path: str, name: str) -> None:
            self.files.append(name)

    module: Any = ModuleType("wandb")
    module.run, module.Artifact = None, Artifact
    module.init = lambda **options: (setattr(run, "options", options), run)[1]
    monkeypatch.setitem(sys.modules, "wandb", module)
    return run


def test_wandb(tmp_path, fake_wandb) -> None:
    logger = WandbLogger(project="trial", save_dir=tmp_path, log_model=True, group="g")
    run(tmp_path, logger, max_epochs=1)
    assert fake_wandb.options["project"] == "trial" and fake_wandb.options["group"] == "g"
    assert [(each["trainer/global_step"], each["number_step"]) for each in fake_wandb.logged if "number_step" in each] == [
        (0, 1.0), (1, 5.0), (2, 9.0),
    ]  # fmt: skip
    logger.log_record({"loss": 0.5}, {"step": 3, "epoch": 1, "samples": 40, "tokens": None}, "samples")
    assert fake_wandb.logged[-1] == {"trainer/global_step": 3, "epoch": 1, "samples": 40, "loss": 0.5}
    assert fake_wandb.axes["*"] == "trainer/global_step" and fake_wandb.axes["loss"] == "samples"
    assert fake_wandb.settings["width"] == 4 and logger.version == "abc"
    assert fake_wandb.artifacts == [("model-abc", ["latest", "best"], ["model.ckpt"])]
    with pytest.raises(ValueError, match="offline"):
        WandbLogger(offline=True, log_model=True)


def test_mlflow(tmp_path, monkeypatch) -> None:
    calls: list[tuple[Any, ...]] = []

    class MlflowClient:
        def __init__(self, uri: str) -> None:
            calls.append(("uri", uri))

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str, artifact_location: str | None) -> str:
            calls.append(("experiment", name))
            return "7"

        def create_run(self, experiment_id: str, tags: dict[str, str]) -> Any:
            calls.append(("run", experiment_id, tags))
            return SimpleNamespace(info=SimpleNamespace(run_id="r"))

        def log_metric(self, run_id: str, name: str, value: float, timestamp: int, step: int) -> None:
            calls.append(("metric", run_id, name, value, step))

        def log_param(self, run_id: str, name: str, value: str) -> None:
            calls.append(("param", name, value))

        def log_artifact(self, run_id: str, path: str, folder: str) -> None:
            calls.append(("artifact", folder))

        def get_run(self, run_id: str) -> bool:
            return True

        def set_terminated(self, run_id: str, status: str) -> None:
            calls.append(("ended", status))

    package, tracking = ModuleType("mlflow"), ModuleType("mlflow.tracking")
    tracking.MlflowClient = MlflowClient  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "mlflow", package)
    monkeypatch.setitem(sys.modules, "mlflow.tracking", tracking)
    run(tmp_path, MLFlowLogger("trial", run_name="first", save_dir=str(tmp_path), log_model=True), max_epochs=1)
    assert calls[0] == ("uri", f"file:{tmp_path}") and ("run", "7", {"mlflow.runName": "first"}) in calls
    assert ("metric", "r", "number_step", 5.0, 1) in calls and ("param", "optimizer/lr", "0.1") in calls
    assert calls[-2:] == [("artifact", "model/checkpoints"), ("ended", "FINISHED")]


@pytest.mark.parametrize(("logger", "package"), [(WandbLogger, "wandb"), (MLFlowLogger, "mlflow")])
def test_an_absent_package_is_named(monkeypatch, logger, package) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setitem(sys.modules, f"{package}.tracking", None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install {package}"):
        logger().log_metrics({"x": 1.0}, 0)


def test_hyperparameters_are_written_when_there_are_new_ones(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    file = Path(logger.log_dir) / "hparams.yaml"
    logger.log_hyperparams({"rate": 1})
    logger.save()
    written = file.stat().st_mtime_ns
    os.utime(file, ns=(written - 10**9, written - 10**9))
    logger.log_metrics({"loss": 1.0}, step=0)
    logger.save()
    assert file.stat().st_mtime_ns == written - 10**9
    logger.log_hyperparams({"width": 2})
    logger.save()
    assert file.read_text() == "rate: 1\nwidth: 2\n"
