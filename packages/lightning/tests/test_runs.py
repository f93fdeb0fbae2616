"""Whole runs of the trainer: fitting, resuming, stopping, evaluating, predicting."""

from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint


class Regression(LightningModule):
    def __init__(self, rate: float = 0.05) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 1))

    def _loss(self, batch, name):
        x, y = batch
        loss = nn.functional.mse_loss(self.layer(x), y)
        self.log(name, loss, on_step=False, on_epoch=True, batch_size=len(x))
        return loss

    def training_step(self, batch, batch_idx):
        return self._loss(batch, "train_loss")

    def validation_step(self, batch, batch_idx):
        self._loss(batch, "val_loss")

    def test_step(self, batch, batch_idx):
        self._loss(batch, "test_loss")

    def predict_step(self, batch, batch_idx):
        return self.layer(batch[0])

    def configure_optimizers(self):
        optimizer = facula.optim.AdamW(self.parameters(), lr=self.hparams.rate)
        return {"optimizer": optimizer, "lr_scheduler": facula.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)}


def batches(shuffle: bool = False) -> DataLoader:
    generator = facula.Generator().manual_seed(7)
    x = facula.randn(40, 3, generator=generator)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=8, shuffle=shuffle)


def quiet(folder: Path, **settings) -> Trainer:
    usual = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    return Trainer(**{**usual, **settings})


def weights(module: LightningModule) -> list:
    return [parameter.tolist() for parameter in module.parameters()]


def test_fitting_learns(tmp_path) -> None:
    seed_everything(1)
    model, trainer = Regression(), quiet(tmp_path, max_epochs=15, enable_checkpointing=False)
    before = trainer.validate(model, batches(), verbose=False)[0]["val_loss"]
    trainer.fit(model, batches(True), batches())
    assert trainer.callback_metrics["val_loss"] < before / 5
    assert (trainer.current_epoch, trainer.global_step) == (15, 75)


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path) -> None:
    seed_everything(2)
    whole = Regression()
    quiet(tmp_path, max_epochs=6, enable_checkpointing=False).fit(whole, batches(True), batches())
    seed_everything(2)
    first = Regression()
    keep = ModelCheckpoint(dirpath=tmp_path, filename="half", save_top_k=-1, every_n_epochs=3)
    quiet(tmp_path, max_epochs=3, callbacks=[keep]).fit(first, batches(True), batches())
    saved = next(tmp_path.glob("half*.ckpt"))
    seed_everything(99)
    resumed = Regression()
    keep = ModelCheckpoint(dirpath=tmp_path, filename="half", save_top_k=-1, every_n_epochs=3)
    quiet(tmp_path, max_epochs=6, callbacks=[keep]).fit(resumed, batches(True), batches(), ckpt_path=str(saved))
    assert weights(resumed) == weights(whole)


def test_early_stopping_stops(tmp_path) -> None:
    class Rising(Regression):
        def validation_step(self, batch, batch_idx):
            self.log("val_loss", float(self.current_epoch))

    stop = EarlyStopping("val_loss", patience=2)
    trainer = quiet(tmp_path, max_epochs=50, callbacks=[stop], enable_checkpointing=False)
    trainer.fit(Rising(), batches(), batches())
    assert trainer.current_epoch < 6 and stop.stopped_epoch > 0


def test_accumulation_is_a_larger_batch(tmp_path) -> None:
    class Plain(Regression):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def configure_optimizers(self):
            return facula.optim.SGD(self.parameters(), lr=0.1)

    results = []
    for size, count in ((8, 2), (16, 1)):
        seed_everything(3)
        model = Plain()
        x = facula.randn(32, 3, generator=facula.Generator().manual_seed(1))
        loader = DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=size)
        quiet(tmp_path, max_epochs=2, accumulate_grad_batches=count, enable_checkpointing=False).fit(
            model, loader, batches()
        )
        results.append(model.layer.weight[0].tolist())
    assert results[0] == pytest.approx(results[1], rel=1e-5)


def test_testing_and_predicting(tmp_path) -> None:
    seed_everything(4)
    model, trainer = Regression(), quiet(tmp_path, max_epochs=1, enable_checkpointing=False)
    trainer.fit(model, batches(), batches())
    (metrics,) = trainer.test(model, batches(), verbose=False)
    predictions = facula.cat(trainer.predict(model, batches()))
    targets = facula.cat([y for _, y in batches()])
    assert metrics["test_loss"] == pytest.approx(nn.functional.mse_loss(predictions, targets).item(), rel=1e-5)


def test_a_checkpoint_brings_the_module_back(tmp_path) -> None:
    model, trainer = Regression(rate=0.01), quiet(tmp_path, max_epochs=1)
    trainer.fit(model, batches(), batches())
    trainer.save_checkpoint(tmp_path / "all.ckpt")
    loaded = Regression.load_from_checkpoint(tmp_path / "all.ckpt")
    assert loaded.hparams.rate == 0.01
    assert weights(loaded) == weights(model)
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_damaged_checkpoint_is_refused_by_name(tmp_path) -> None:
    damaged = tmp_path / "damaged.ckpt"
    damaged.write_bytes(b"PK not a checkpoint")
    with pytest.raises(Exception, match="damaged.ckpt"):
        Regression.load_from_checkpoint(damaged)


def test_callbacks_come_before_the_module(tmp_path) -> None:
    calls = []

    class Recorder(Callback):
        def on_train_epoch_start(self, trainer, module):
            calls.append("callback")

    class Recorded(Regression):
        def on_train_epoch_start(self):
            calls.append("module")

    quiet(tmp_path, max_epochs=2, callbacks=[Recorder()], enable_checkpointing=False).fit(
        Recorded(), batches(), batches()
    )
    assert calls == ["callback", "module"] * 2


def test_validation_leaves_the_gradients_of_an_open_window(tmp_path) -> None:
    class Plain(Regression):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 1)

    results = []
    for every in (1.0, 1):
        seed_everything(3)
        model = Plain()
        quiet(
            tmp_path, max_epochs=2, accumulate_grad_batches=3, val_check_interval=every, enable_checkpointing=False
        ).fit(model, batches(), batches())
        results.append(weights(model))
    assert results[0] == results[1]
