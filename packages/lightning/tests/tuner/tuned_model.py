"""The model and the run that the tuner's tests share."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import facula
import numpy as np
from facula import Generator, Tensor, nn
from facula.utils.data import DataLoader, Dataset
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.utilities.seed import collect_rng_states


class Noisy(Dataset[Tensor]):
    """Samples with noise from a generator of the data set's own, or without."""

    def __init__(self, count: int = 40, scale: float = 1.0) -> None:
        self.count = count
        self.scale = scale
        self.noise = np.random.default_rng(7)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Tensor:
        noise = self.scale * self.noise.standard_normal(4)
        return facula.tensor(noise + index / self.count, dtype=facula.float32)


class Model(LightningModule):
    """Dropout, running statistics, a list of its own, a generator of its own and Python's and NumPy's random numbers."""

    def __init__(self, lr: float = 0.02, limit: int | None = None) -> None:
        super().__init__()
        self.lr = lr
        self.batch_size = 4
        self.limit = limit
        self.data = Noisy()
        self.order = Generator().manual_seed(3)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Linear(8, 1))
        self.register_buffer("seen", facula.zeros(()), persistent=False)
        self.losses: list[float] = []
        self.calls: dict[str, list[int]] = {"sizes": []}

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        if self.limit is not None and len(batch) > self.limit:
            self.half_done = True
            raise MemoryError
        self.seen += 1
        target = batch.sum(1, keepdim=True) * (1 + random.random() / 10) + np.random.rand() / 10
        loss: Tensor = ((self.layers(batch) - target) ** 2).mean()
        self.losses.append(loss.item())
        self.calls["sizes"].append(len(batch))
        self.log("loss", loss)
        return loss

    def on_train_epoch_end(self) -> None:
        self.log("mean", float(np.mean(self.losses)))
        self.losses.clear()

    def test_step(self, batch: Tensor, batch_idx: int) -> None:
        self.training_step(batch, batch_idx)

    def configure_optimizers(self) -> Any:
        optimizer = facula.optim.Adam(
            [{"params": self.layers[0].parameters(), "lr": self.lr / 2}, {"params": self.layers[1:].parameters()}],
            self.lr,
        )
        steps = self.trainer.estimated_stepping_batches
        scheduler = facula.optim.lr_scheduler.OneCycleLR(optimizer, [self.lr / 2, self.lr], int(steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def train_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(self.data, batch_size=self.batch_size, shuffle=True, generator=self.order)

    def test_dataloader(self) -> DataLoader[Tensor]:
        return DataLoader(self.data, batch_size=self.batch_size)


def trainer_in(folder: Path, **options: Any) -> Trainer:
    """Return a quiet trainer that logs every step."""
    return Trainer(
        default_root_dir=folder, accelerator="cpu", log_every_n_steps=1, enable_progress_bar=False,
        enable_model_summary=False, **{"max_epochs": 2, "enable_checkpointing": False, **options},
    )  # fmt: skip


def state_of(model: Model, *more: Any) -> dict[str, Any]:
    """Return everything that a search could have changed, as plain data."""
    rng = collect_rng_states()
    return {
        "tensors": {name: each.tolist() for name, each in [*model.named_parameters(), *model.named_buffers()]},
        "gradients": {
            name: None if each.grad is None else each.grad.tolist() for name, each in model.named_parameters()
        },
        "attributes": sorted(set(vars(model)) - {"_hparams"}),
        "lists": (list(model.losses), list(model.calls["sizes"])),
        "modes": [each.training for each in model.modules()],
        "generators": [model.order.get_state().tolist(), model.data.noise.bit_generator.state],
        "rng": [rng["python"][1].tolist(), rng["numpy"][1].tolist(), rng["numpy"][2], rng["facula"].tolist()],
        "more": more,
    }


def seeded(lr: float = 0.02, limit: int | None = None) -> Model:
    """Return a model made after seeding everything."""
    seed_everything(5, verbose=False)
    return Model(lr, limit)


def files(folder: Path) -> dict[str, str]:
    """Return the files of a folder and what is in them, but for checkpoints."""
    found = {str(each.relative_to(folder)): each for each in sorted(folder.rglob("*")) if each.is_file()}
    return {name: "" if name.endswith(".ckpt") else each.read_text() for name, each in found.items()}
