"""A command line whose run several processes do."""

import facula
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule
from facula_lightning.cli import LightningCLI


class Model(LightningModule):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.layer = facula.nn.Linear(width, 1)

    def training_step(self, batch, batch_idx):
        return self.layer(batch[0]).pow(2).mean()

    def train_dataloader(self):
        return DataLoader(TensorDataset(facula.ones(8, 2)), 2)


if __name__ == "__main__":
    logger = {"class_path": "CSVLogger", "init_args": {"save_dir": "."}}
    LightningCLI(Model, trainer_defaults={"logger": logger, "log_every_n_steps": 1}, seed_everything_default=1)
