"""Train and test a network on handwritten digits with the Trainer, in 40 lines: two seconds, no download."""

import facula
from facula import Tensor, nn
from facula.nn.functional import cross_entropy
from facula.utils.data import DataLoader, random_split
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import ModelCheckpoint
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor


class Classifier(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten())
        self.scores = nn.Sequential(nn.Dropout(0.3), nn.Linear(512, 64), nn.ReLU(), nn.Linear(64, 10))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return self.measure(batch, "train")

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        self.measure(batch, "val")

    def measure(self, batch: list[Tensor], stage: str) -> Tensor:
        scores = self.scores(self.features(batch[0]))
        self.log(f"{stage}_accuracy", (scores.argmax(1) == batch[1]).float().mean(), prog_bar=True)
        return cross_entropy(scores, batch[1])

    def configure_optimizers(self) -> facula.optim.Optimizer:
        return facula.optim.AdamW(self.parameters(), lr=3e-3)


if __name__ == "__main__":
    seed_everything(2)
    train, val = random_split(Digits(transform=ToTensor()), [1242, 200])
    best = ModelCheckpoint("demo-output/trainer", monitor="val_accuracy", mode="max")
    trainer = Trainer(max_epochs=8, logger=False, callbacks=best)
    trainer.fit(Classifier(), DataLoader(train, 32, shuffle=True), DataLoader(val, 100))
    trainer.validate(dataloaders=DataLoader(Digits(False, ToTensor()), 128), ckpt_path="best")
