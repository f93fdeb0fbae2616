"""What was logged, as hooks and loggers see it; the expected values are those of Lightning 2.6.6 with the same programs."""

from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import BasePredictionWriter, Callback, ModelCheckpoint
from facula_lightning.loggers import Logger

pytestmark = pytest.mark.filterwarnings(
    "ignore:You defined a `validation_step` but have no", "ignore:The number of training batches"
)

QUIET = {
    **{"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False},
    **{"accelerator": "cpu", "max_epochs": 1, "num_sanity_val_steps": 0},
}


def loader(count: int, batch_size: int = 2) -> DataLoader:
    x = facula.arange(float(count)).reshape(count, 1)
    return DataLoader(TensorDataset(x, 2 * x), batch_size)


class Counting(LightningModule):
    """Logs the number of the batch, in the epoch or over all."""

    def __init__(self, **how) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.how = how

    def training_step(self, batch, batch_idx):
        self.log("number", float(batch_idx + 10 * self.current_epoch), **self.how)
        return nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.log("val", float(batch_idx), **self.how)

    def predict_step(self, batch, batch_idx):
        return batch[0].flatten().tolist()

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), lr=0.0)


class Rows(Logger):
    """Keeps what it is given."""

    name, version = "rows", 0

    def __init__(self) -> None:
        self.rows: list[tuple[dict, int | None]] = []
        self.hyperparameters: list[dict] = []

    def log_metrics(self, metrics, step=None) -> None:
        self.rows.append(({key: value for key, value in metrics.items() if key != "epoch"}, step))

    def log_hyperparams(self, params) -> None:
        self.hyperparameters.append(dict(params))


def fit(model: LightningModule, *data, **settings) -> Trainer:
    trainer = Trainer(**{**QUIET, **settings})
    trainer.fit(model, *data)
    return trainer


def numbers(metrics) -> dict[str, float]:
    return {key: float(value) for key, value in metrics.items()}


def test_hooks_see_what_was_logged_with_their_batch() -> None:
    seen = []

    class Look(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            views = (trainer.callback_metrics, trainer.progress_bar_metrics, trainer.logged_metrics)
            assert numbers(views[0])["number_step"] == numbers(views[1])["number_step"]
            seen.append((batch_idx, numbers(views[0])["number"], numbers(views[2])["number_step"]))

        def on_train_epoch_end(self, trainer, pl_module) -> None:
            seen.append(numbers(trainer.callback_metrics)["number"])

    fit(Counting(on_step=True, on_epoch=True, prog_bar=True), loader(6), callbacks=[Look()])
    assert seen == [(0, 0, 0), (1, 1, 1), (2, 2, 2), 1.0]


def test_a_module_reads_what_it_has_logged() -> None:
    read = []

    class Reading(Counting):
        def training_step(self, batch, batch_idx):
            loss = super().training_step(batch, batch_idx)
            read.append(numbers(self.trainer.callback_metrics)["number"])
            return loss

        def on_validation_epoch_end(self):
            self.log("twice", self.trainer.callback_metrics["val"] * 2)
            read.append(numbers(self.trainer.callback_metrics)["twice"])

        def on_train_epoch_end(self):
            self.log("number_twice", self.trainer.callback_metrics["number"] * 2)

    trainer = fit(Reading(), loader(6), loader(6))
    assert read == [0, 1, 2, 2.0]
    assert numbers(trainer.callback_metrics) == {"number": 2, "val": 1, "twice": 2, "number_twice": 4}


def test_checkpoints_within_an_epoch_go_by_the_batch_that_ended(tmp_path: Path) -> None:
    saves = ModelCheckpoint(tmp_path, monitor="number", mode="max", every_n_train_steps=2)
    fit(Counting(), loader(12), callbacks=[saves], enable_checkpointing=True)
    assert saves.best_model_score.item() == 5 and Path(saves.best_model_path).name == "epoch=0-step=6.ckpt"


def test_callbacks_see_numbers_of_evaluation_by_epoch_only() -> None:
    trainer = fit(Counting(on_step=True, on_epoch=True, prog_bar=True), loader(4), loader(6))
    assert sorted(trainer.callback_metrics) == ["number", "number_epoch", "number_step", "val", "val_epoch"]
    assert {"val_step", "val_epoch"} <= set(trainer.logged_metrics) & set(trainer.progress_bar_metrics)
    assert trainer.validate(Counting(on_step=True, on_epoch=True), loader(6), verbose=False) == [{"val_epoch": 1.0}]


def test_validation_by_step_is_logged_at_the_number_of_its_batch() -> None:
    rows = Rows()
    fit(Counting(on_step=True, on_epoch=True), loader(4), loader(4), max_epochs=2, logger=rows, log_every_n_steps=50)
    assert [row for row in rows.rows if "val_step" in row[0]] == [
        *(({"val_step": 0.0}, 0), ({"val_step": 1.0}, 1), ({"val_step": 0.0}, 2), ({"val_step": 1.0}, 3)),
    ]


def test_several_hooks_log_under_one_name() -> None:
    class Again(Counting):
        def on_train_epoch_end(self):
            self.log("number", 7.0)

    assert numbers(fit(Again(), loader(4)).callback_metrics)["number"] == 7


def test_callbacks_log_as_the_module_does() -> None:
    class Logs(Callback):
        def on_train_start(self, trainer, pl_module) -> None:
            self.log("started", 1.0)

        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            self.log_dict({"ended": float(batch_idx)})

    rows = Rows()
    fit(Counting(), loader(4), callbacks=[Logs()], logger=rows, log_every_n_steps=2)
    assert rows.rows == [({"number": 1.0, "ended": 1.0}, 1), ({"started": 1.0}, 1)]


def test_barebones_logs_nothing() -> None:
    with pytest.warns(UserWarning, match="disabled under this setting"):
        trainer = Trainer(barebones=True, max_epochs=1, accelerator="cpu")
        trainer.fit(Counting(), loader(4))
    assert trainer.callback_metrics == {}
    with pytest.raises(ValueError, match="detect_anomaly=True"):
        Trainer(barebones=True, detect_anomaly=True)


def test_a_development_run_has_a_logger_that_records_nothing(tmp_path: Path) -> None:
    class Using(Counting):
        def training_step(self, batch, batch_idx):
            self.logger.experiment.add_scalar("a", 1, 2)
            return super().training_step(batch, batch_idx)

    for given, count in ((None, 1), (True, 1), (Rows(), 1), (False, 0)):
        settings = {"logger": given, "default_root_dir": tmp_path, "enable_checkpointing": None}
        trainer = fit(Using() if count else Counting(), loader(4), fast_dev_run=True, **settings)
        assert len(trainer.loggers) == count
    assert trainer.checkpoint_callback.best_model_path == ""
    assert not list(tmp_path.iterdir())


def test_a_writer_of_the_whole_epoch_gets_predictions_that_are_not_returned() -> None:
    written = []

    class Writer(BasePredictionWriter):
        def write_on_epoch_end(self, trainer, pl_module, predictions, batch_indices) -> None:
            written.append((predictions, batch_indices))

    trainer = Trainer(**QUIET, callbacks=[Writer("epoch")])
    assert trainer.predict(Counting(), loader(3), return_predictions=False) is None
    assert written == [([[0, 1], [2]], [[[0, 1], [2]]])]


def test_hyperparameters_of_model_and_data_agree() -> None:
    from facula_lightning import LightningDataModule

    class Model(Counting):
        def __init__(self, width: int = 1) -> None:
            super().__init__()
            self.save_hyperparameters()

    class Data(LightningDataModule):
        def __init__(self, size: int = 2, **others) -> None:
            super().__init__()
            self.save_hyperparameters()

        def train_dataloader(self):
            return loader(4)

    rows = Rows()
    settings = {**QUIET, "logger": rows, "log_every_n_steps": 1}
    Trainer(**settings).fit(Model(), datamodule=Data(width=1))
    assert rows.hyperparameters == [{"width": 1, "size": 2}]
    with pytest.raises(RuntimeError, match=r"\['width'\] are present in both"):
        Trainer(**settings).fit(Model(), datamodule=Data(width=3))
    Trainer(**settings).fit(Counting(), loader(4))
    assert len(rows.hyperparameters) == 1
