"""What the programs for several ranks train, and the same runs in one process."""

from pathlib import Path

import facula
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer


class Regression(LightningModule):
    """Weights in float64, so that only the order of sums makes a difference."""

    def __init__(self, norm: bool = False) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6) if norm else nn.Tanh(), nn.Linear(6, 1)).double()
        self.seen: list[float] = []

    def training_step(self, batch, batch_idx):
        x, y = batch
        self.seen += y[:, 0].tolist()
        loss = nn.functional.mse_loss(self.layer(x), y)
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        self.log("synced", loss, on_step=True, sync_dist=True)
        self.log("rank", float(self.global_rank), on_step=True, sync_dist=True, reduce_fx="max")
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        loss = nn.functional.mse_loss(self.layer(x), y)
        self.log("val_loss", loss)
        self.log("val_samples", float(len(x)), reduce_fx="sum")
        self.log("val_max", (self.layer(x) - y).abs().max(), reduce_fx="max")

    def test_step(self, batch, batch_idx, dataloader_idx=0):
        self.log("test_loss", nn.functional.mse_loss(self.layer(batch[0]), batch[1]))

    def predict_step(self, batch, batch_idx):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), lr=0.05, momentum=0.9)


def data(count: int) -> TensorDataset:
    generator = facula.Generator().manual_seed(7)
    x = facula.randn(count, 3, generator=generator, dtype=facula.float64)
    return TensorDataset(x, x.sum(1, keepdim=True).sin())


def loader(count: int, batch_size: int, **settings) -> DataLoader:
    return DataLoader(data(count), batch_size=batch_size, **settings)


def quiet(folder: Path, **settings) -> Trainer:
    usual = {
        **{"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"},
        **{"enable_checkpointing": False, "default_root_dir": folder, "log_every_n_steps": 1},
    }
    return Trainer(**{**usual, **settings})


def weights(model: LightningModule) -> list:
    return [each.flatten().tolist() for each in model.state_dict().values()]


def metrics(trainer: Trainer) -> dict[str, float]:
    return {name: value.item() for name, value in trainer.callback_metrics.items()}


def fit(folder: Path, count: int, batch_size: int, norm: bool, shuffle: bool, workers: int, **settings) -> dict:
    """Return the weights, the numbers and the samples of a run."""
    from facula_lightning import seed_everything

    seed_everything(3, verbose=False)
    model = Regression(norm)
    trainer = quiet(folder, max_epochs=3, sync_batchnorm=norm, **settings)
    trainer.fit(model, loader(count, batch_size, shuffle=shuffle, num_workers=workers), loader(5, 2))
    gathered = trainer.strategy.all_gather_object(model.seen)
    return {
        "weights": weights(model),
        "metrics": metrics(trainer),
        "seen": gathered,
        "steps": trainer.global_step,
        "world_size": trainer.world_size,
    }
