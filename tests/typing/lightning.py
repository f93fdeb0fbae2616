"""What a type checker says of a module with its training, of data modules, callbacks and the trainer."""

import tempfile
from typing import Any, assert_type

import facula
from facula import Tensor, nn
from facula.optim import SGD, Optimizer
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import Callback, LightningDataModule, LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import EarlyStopping, ModelCheckpoint
from facula_lightning.loggers import CSVLogger, Logger


class Regression(LightningModule):
    """A module as everybody writes them: hooks with narrower arguments and results than the base's."""

    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.layer = nn.Linear(width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Return the prediction."""
        return self.layer.forward(x)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        """Return the loss."""
        x, y = batch
        loss = nn.functional.mse_loss(self.forward(x), y)
        self.log("loss", loss, prog_bar=True)
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Log the loss."""
        self.log_dict({"val_loss": nn.functional.mse_loss(self.forward(batch[0]), batch[1])})

    def predict_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        """Return the prediction."""
        return self.forward(batch[0])

    def on_train_batch_start(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        """Look at the batch."""
        assert batch[0].shape[1] == 2

    def configure_optimizers(self) -> Optimizer:
        """Return the optimizer."""
        return SGD(self.parameters(), lr=self.hparams.width * 0.01)


class Count(Callback):
    """Counts batches."""

    seen = 0

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: list[Tensor], batch_idx: int
    ) -> None:
        """Count one."""
        self.seen += len(batch)


assert_type(seed_everything(1, verbose=False), int)
pairs = TensorDataset(facula.rand(4, 2), facula.rand(4, 1))
loader = DataLoader(pairs, batch_size=2)
model = Regression()
assert_type(model.forward(facula.rand(1, 2)), Tensor)
assert_type(model.device, facula.device)
assert_type(model.current_epoch, int)

with tempfile.TemporaryDirectory() as folder:
    trainer = Trainer(
        max_epochs=1,
        default_root_dir=folder,
        callbacks=[Count(), EarlyStopping("val_loss"), ModelCheckpoint(f"{folder}/best", monitor="val_loss")],
        logger=CSVLogger(folder),
        log_every_n_steps=1,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    assert_type(trainer, Trainer)
    assert_type(trainer.fit(model, loader, loader), None)
    assert_type(trainer.validate(model, loader, verbose=False), list[dict[str, float]])
    assert_type(trainer.predict(model, loader), list[Any] | None)
    assert_type(trainer.callback_metrics, dict[str, Tensor])
    assert_type(trainer.global_step, int)
    assert_type(trainer.logger, Logger | None)
    assert_type(trainer.lightning_module, LightningModule | None)
    trainer.save_checkpoint(f"{folder}/model.ckpt")
    assert_type(Regression.load_from_checkpoint(f"{folder}/model.ckpt"), Regression)

data = LightningDataModule.from_datasets(pairs, val_dataset=pairs, batch_size=2)
assert_type(data, LightningDataModule)
