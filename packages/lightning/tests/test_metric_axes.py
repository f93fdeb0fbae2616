"""What a logged number is drawn over: steps, epochs, samples or tokens, as readers of the logs find it."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import ModelCheckpoint
from facula_lightning.loggers import CSVLogger, JSONLLogger, Logger, TensorBoardLogger
from facula_lightning.utilities.exceptions import MisconfigurationException

pytestmark = pytest.mark.filterwarnings(
    "ignore:You defined a `validation_step` but have no", "ignore:Checkpoint directory"
)

QUIET: dict[str, Any] = {
    **{"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu", "num_sanity_val_steps": 0},
    **{"log_every_n_steps": 1, "enable_checkpointing": False},
}


def texts(count: int, length: int = 5, batch_size: int = 4) -> DataLoader:
    return DataLoader(TensorDataset(facula.arange(count * length).reshape(count, length) % 7), batch_size)


class Reader(LightningModule):
    """Logs over each axis; the number is that of batches so far."""

    def __init__(self, axes: tuple[str | None, ...] = (None, "step", "epoch", "samples", "tokens")) -> None:
        super().__init__()
        self.layer = nn.Embedding(7, 2)
        self.axes = axes
        self.batches = 0

    def training_step(self, batch, batch_idx):
        self.batches += 1
        for axis in self.axes:
            self.log(f"over_{axis}", float(self.batches), x=axis)
        return self.layer(batch[0]).square().mean()

    def validation_step(self, batch, batch_idx):
        self.log_dict({"val_over_epoch": float(batch_idx)}, x="epoch")
        self.log("val_over_samples", float(batch_idx), on_step=True, on_epoch=True, x="samples")

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), lr=0.1)


class Kept(Logger):
    """Keeps what it is given, and knows nothing of axes."""

    name, version = "kept", 0

    def __init__(self) -> None:
        self.rows: list[tuple[dict[str, float], int | None]] = []

    def log_metrics(self, metrics, step=None) -> None:
        self.rows.append((dict(metrics), step))

    def log_hyperparams(self, params) -> None:
        pass

    def of(self, name: str) -> list[tuple[int | None, float]]:
        return [(step, row[name]) for row, step in self.rows if name in row]


def records(logger: JSONLLogger) -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(logger.path).read_text(encoding="utf-8").splitlines()]


def fit(logger: Any, model: LightningModule, path: Path, **options: Any) -> Trainer:
    trainer = Trainer(default_root_dir=path, logger=logger, **{**QUIET, "max_epochs": 2, **options})
    # Batches of 4, 4 and 2 texts of five tokens; of validation, two batches.
    trainer.fit(model, texts(10), texts(8))
    return trainer


def test_a_logger_that_knows_only_steps_is_given_the_place_on_the_axis(tmp_path: Path) -> None:
    logger = Kept()
    trainer = fit(logger, Reader(), tmp_path)
    numbers = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert logger.of("over_None") == logger.of("over_step") == list(zip([0, 1, 2, 3, 4, 5], numbers))
    assert logger.of("over_epoch") == list(zip([0, 0, 0, 1, 1, 1], numbers))
    assert logger.of("over_samples") == list(zip([4, 8, 10, 14, 18, 20], numbers))
    assert logger.of("over_tokens") == list(zip([20, 40, 50, 70, 90, 100], numbers))
    assert logger.of("val_over_epoch") == [(0, 0.5), (1, 0.5)]
    assert logger.of("val_over_samples_step") == [(10, 0.0), (10, 1.0), (20, 0.0), (20, 1.0)]
    assert logger.of("val_over_samples_epoch") == [(10, 0.5), (20, 0.5)]
    # The epoch stays over the step, so that no curve goes back.
    epochs = logger.of("epoch")
    assert epochs == sorted(epochs)
    names = {"over_None", "over_step", "over_epoch", "over_samples", "over_tokens", "val_over_epoch"}
    assert names < set(trainer.callback_metrics) and names < set(trainer.logged_metrics)


def test_evaluation_returns_numbers_over_any_axis(tmp_path: Path) -> None:
    trainer = Trainer(default_root_dir=tmp_path, logger=False, **QUIET)
    assert trainer.validate(Reader(), texts(8), verbose=False) == [
        {"val_over_epoch": 0.5, "val_over_samples_epoch": 0.5}
    ]


def test_jsonl_has_every_axis_in_every_record(tmp_path: Path) -> None:
    logger = JSONLLogger(tmp_path)
    fit(logger, Reader(("tokens",)), tmp_path)
    found = records(logger)
    axes = ("step", "epoch", "samples", "tokens", "wall_time")
    assert all(each[axis] is not None for each in found for axis in axes)
    over = [
        (each["tokens"], each["x"], each["metrics"]["over_tokens"])
        for each in found
        if "over_tokens" in each["metrics"]
    ]
    assert over == [(tokens, "tokens", n + 1.0) for n, tokens in enumerate([20, 40, 50, 70, 90, 100])]
    for axis in axes:
        assert [each[axis] for each in found if each["x"] == "tokens"] == sorted(
            each[axis] for each in found if each["x"] == "tokens"
        )


def test_csv_has_a_column_of_the_axis(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    fit(logger, Reader((None, "samples")), tmp_path)
    with open(Path(logger.log_dir) / "metrics.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    over = [(row["step"], row["epoch"], row["samples"], row["over_samples"]) for row in rows if row["over_samples"]]
    assert over == [
        *(("0", "0", "4", "1.0"), ("1", "0", "8", "2.0"), ("2", "0", "10", "3.0")),
        *(("3", "1", "14", "4.0"), ("4", "1", "18", "5.0"), ("5", "1", "20", "6.0")),
    ]
    assert [row["samples"] for row in rows if row["over_None"]] == [""] * 6


def test_csv_is_as_ever_where_no_axis_is_asked_for(tmp_path: Path) -> None:
    logger = CSVLogger(tmp_path)
    trainer = Trainer(default_root_dir=tmp_path, logger=logger, max_epochs=1, **QUIET)
    trainer.fit(Reader((None,)), texts(10))
    assert (Path(logger.log_dir) / "metrics.csv").read_text().splitlines()[0] == "epoch,over_None,step"


def test_tensorboard_has_the_place_on_the_axis_for_a_step(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    logger = TensorBoardLogger(tmp_path, default_hp_metric=False)
    fit(logger, Reader((None, "tokens")), tmp_path)
    events = EventAccumulator(logger.log_dir)
    events.Reload()
    assert [each.step for each in events.Scalars("over_None")] == [0, 1, 2, 3, 4, 5]
    assert [each.step for each in events.Scalars("over_tokens")] == [20, 40, 50, 70, 90, 100]
    assert [each.step for each in events.Scalars("val_over_epoch")] == [0, 1]
    for tag in events.Tags()["scalars"]:
        steps = [each.step for each in events.Scalars(tag)]
        assert steps == sorted(steps), tag


def test_axes_go_on_after_a_resume(tmp_path: Path) -> None:
    whole = Kept()
    fit(whole, Reader(("samples", "tokens")), tmp_path / "whole")
    first, second = Kept(), Kept()
    keep, goes_on = (ModelCheckpoint(tmp_path / "kept", every_n_train_steps=2, save_top_k=-1) for _ in range(2))
    options = {**QUIET, "max_epochs": 2, "enable_checkpointing": True}
    model = Reader(("samples", "tokens"))
    Trainer(default_root_dir=tmp_path, logger=first, callbacks=[keep], max_steps=2, **options).fit(
        model, texts(10), texts(8)
    )
    again = Reader(("samples", "tokens"))
    again.batches = 2
    Trainer(default_root_dir=tmp_path, logger=second, callbacks=[goes_on], **options).fit(
        again, texts(10), texts(8), ckpt_path=keep.best_model_path
    )
    for name in ("over_samples", "over_tokens"):
        assert [each for each in whole.of(name) if each[1] > 2] == [each for each in second.of(name) if each[1] > 2]
    assert whole.of("val_over_samples_epoch") == second.of("val_over_samples_epoch")


def test_accumulation_counts_all_batches(tmp_path: Path) -> None:
    logger = Kept()
    fit(logger, Reader(("samples",)), tmp_path, accumulate_grad_batches=2)
    assert logger.of("over_samples") == [(8, 2.0), (10, 3.0), (18, 5.0), (20, 6.0)]


def test_a_module_may_count_for_itself(tmp_path: Path) -> None:
    class WithoutPadding(Reader):
        def tokens_of(self, batch):
            return int((batch[0] != 0).sum())

    logger = Kept()
    fit(logger, WithoutPadding(("tokens",)), tmp_path, max_epochs=1)
    counts = [sum(int(number % 7 != 0) for number in range(stop)) for stop in (20, 40, 50)]
    assert [step for step, _ in logger.of("over_tokens")] == counts


def test_an_axis_that_cannot_be_counted_or_does_not_exist(tmp_path: Path) -> None:
    class Images(Reader):
        def training_step(self, batch, batch_idx):
            self.log("loss", 1.0, x=self.axes[0])
            return self.layer.weight.mean()

    images = DataLoader(TensorDataset(facula.zeros(4, 3)), 2)
    options: dict[str, Any] = {"default_root_dir": tmp_path, "max_epochs": 1, **QUIET}
    with pytest.raises(MisconfigurationException, match=r"whose tokens can be counted.*LightningModule.tokens_of"):
        Trainer(logger=Kept(), **options).fit(Images(("tokens",)), images)
    with pytest.raises(ValueError, match=r"x='time'.*one of \('step', 'epoch', 'samples', 'tokens'\)"):
        Trainer(logger=Kept(), **options).fit(Images(("time",)), images)


def test_one_number_has_one_axis_in_one_hook(tmp_path: Path) -> None:
    class Twice(Reader):
        def training_step(self, batch, batch_idx):
            self.log("loss", 1.0, x="samples")
            self.log("loss", 1.0, x="tokens")
            return self.layer.weight.mean()

    with pytest.raises(MisconfigurationException, match="with different arguments"):
        fit(Kept(), Twice(), tmp_path)
