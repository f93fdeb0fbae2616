"""Metric objects in `self.log`."""

from __future__ import annotations

from typing import Any

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader
from facula_lightning import LightningModule, Trainer, metrics
from facula_lightning.loggers import CSVLogger
from facula_lightning.utilities.exceptions import MisconfigurationException


class Share:
    """A metric of somebody else's, that is no module."""

    def __init__(self) -> None:
        self.found, self.resets = [], 0

    def update(self, values: facula.Tensor) -> None:
        self.found.append(float(values.mean()))

    def compute(self) -> float:
        return sum(self.found) / len(self.found)

    def reset(self) -> None:
        self.found, self.resets = [], self.resets + 1


class Model(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.training_mean, self.mean, self.share = metrics.MeanMetric(), metrics.MeanMetric(), Share()
        self.epochs: list[float] = []

    def training_step(self, batch: Any, batch_idx: int) -> facula.Tensor:
        self.training_mean(batch)
        self.log("train", self.training_mean, on_step=True, on_epoch=True)
        return self.layer(batch).sum()

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.mean.update(batch)
        self.share.update(batch)
        self.log("mean", self.mean, prog_bar=True)
        self.log("share", self.share)

    def configure_optimizers(self) -> facula.optim.Optimizer:
        return facula.optim.SGD(self.parameters(), lr=0.1)


def data() -> DataLoader:
    return DataLoader(facula.arange(5.0).reshape(5, 1), batch_size=2)


def trainer(tmp_path: Any, **options: Any) -> Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "num_sanity_val_steps": 0}
    return Trainer(default_root_dir=tmp_path, log_every_n_steps=1, **{**quiet, **options})


def test_by_step_and_by_epoch_and_begun_anew_each_epoch(tmp_path) -> None:
    model, logger = Model(), CSVLogger(tmp_path)
    running = trainer(tmp_path, max_epochs=2, logger=logger)
    running.fit(model, data(), data())
    # The mean of all numbers, not of the batches' means.
    assert running.callback_metrics["mean"] == 2.0 and running.callback_metrics["train_epoch"] == 2.0
    assert running.callback_metrics["share"] == pytest.approx((0.5 + 2.5 + 4.0) / 3)
    assert running.progress_bar_metrics["mean"] == 2.0
    assert model.share.resets == 1 and model.mean.update_count == 3
    rows = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()
    column = rows[0].split(",").index("train_step")
    assert [row.split(",")[column] for row in rows[1:] if row.split(",")[column]] == ["0.5", "2.5", "4.0"] * 2


@pytest.mark.filterwarnings("ignore:The dirpath has changed")
def test_a_resume_within_an_epoch_goes_on_counting(tmp_path) -> None:
    from facula_lightning.callbacks import ModelCheckpoint

    def saving(folder: str) -> ModelCheckpoint:
        return ModelCheckpoint(tmp_path / folder, every_n_train_steps=1, save_top_k=-1, filename="{step}")

    first = trainer(tmp_path, max_epochs=1, logger=False, callbacks=[saving("saved")])
    first.fit(Model(), data(), data())
    for step in (1, 2, 3):
        model = Model()
        resumed = trainer(tmp_path, max_epochs=1, logger=False, callbacks=[saving(f"resumed_{step}")])
        resumed.fit(model, data(), data(), ckpt_path=tmp_path / "saved" / f"step={step}.ckpt")
        assert resumed.callback_metrics["train_epoch"] == first.callback_metrics["train_epoch"] == 2.0, step


def test_a_metric_that_is_no_attribute_is_refused(tmp_path) -> None:
    class Lost(Model):
        def training_step(self, batch: Any, batch_idx: int) -> None:
            metric = metrics.MeanMetric()
            metric.update(batch)
            self.log("lost", metric)

    with pytest.raises(MisconfigurationException, match="attribute"):
        trainer(tmp_path, max_epochs=1, logger=False).fit(Lost(), data(), data())
