"""Learn to draw digits: a generator and a discriminator, each with its own optimizer, stepped by hand.

Run: python examples/digits_gan.py      (about 15 seconds on one core; the drawings go to demo-output/drawn-digits.png)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import facula
from facula import Tensor, nn
from facula.nn.functional import interpolate, one_hot, softplus
from facula.utils.data import DataLoader
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor
from facula_vision.utils import save_image

NOISE, CLASSES, PIXELS = 32, 10, 64


def layers(inputs: int, outputs: int, activation: type[nn.Module], dropout: float) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(inputs, 256), activation(), nn.Dropout(dropout),
        nn.Linear(256, 256), activation(), nn.Dropout(dropout), nn.Linear(256, outputs),
    )  # fmt: skip


class GAN(LightningModule):
    """Both networks are told which digit it is about, so that the generator draws the one it is asked for."""

    def __init__(self, lr: float = 5e-4) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.automatic_optimization = False
        self.generator = layers(NOISE + CLASSES, PIXELS, nn.ReLU, 0.0)
        self.discriminator = layers(PIXELS + CLASSES, 1, nn.LeakyReLU, 0.4)

    def forward(self, labels: Tensor) -> Tensor:
        """Return a drawing of 64 pixels for each label."""
        noise = facula.randn(len(labels), NOISE, device=labels.device)
        return self.generator(facula.cat([noise, self.kind(labels)], 1)).sigmoid()

    def training_step(self, batch: list[Tensor], batch_idx: int) -> None:
        images, labels = batch
        real, kind = images.flatten(1), self.kind(labels)
        for_generator, for_discriminator = self.optimizers()

        drawn = self(labels)
        self.toggle_optimizer(for_discriminator)
        # softplus(-x) is -log(sigmoid(x)): real pictures should score high, drawn ones low.
        loss = softplus(-self.judge(real, kind)).mean() + softplus(self.judge(drawn.detach(), kind)).mean()
        for_discriminator.zero_grad()
        self.manual_backward(loss)
        for_discriminator.step()
        self.untoggle_optimizer(for_discriminator)
        self.log("discriminator", loss, prog_bar=True, on_step=False, on_epoch=True)

        self.toggle_optimizer(for_generator)
        loss = softplus(-self.judge(drawn, kind)).mean()
        for_generator.zero_grad()
        self.manual_backward(loss)
        for_generator.step()
        self.untoggle_optimizer(for_generator)
        self.log("generator", loss, prog_bar=True, on_step=False, on_epoch=True)

    def configure_optimizers(self) -> list[facula.optim.Optimizer]:
        return [
            facula.optim.Adam(each.parameters(), lr=self.hparams.lr, betas=(0.5, 0.999))
            for each in (self.generator, self.discriminator)
        ]

    def judge(self, pictures: Tensor, kind: Tensor) -> Tensor:
        """Return a number for each picture, high for what looks real."""
        return self.discriminator(facula.cat([pictures, kind], 1))

    @staticmethod
    def kind(labels: Tensor) -> Tensor:
        return one_hot(labels, CLASSES).float()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    given = parser.parse_args()
    seed_everything(0, verbose=False)
    model = GAN()
    loader = DataLoader(Digits(transform=ToTensor()), batch_size=64, shuffle=True, drop_last=True)
    trainer = Trainer(max_epochs=given.epochs, logger=False, enable_checkpointing=False, accelerator="cpu")
    trainer.fit(model, loader)
    with facula.no_grad():
        drawn = model(facula.arange(CLASSES).repeat(8))
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / "drawn-digits.png"
    pictures = interpolate(1 - drawn.reshape(-1, 1, 8, 8), scale_factor=5)
    save_image(pictures, path, nrow=CLASSES, padding=2)
    losses = {name: round(value.item(), 3) for name, value in trainer.callback_metrics.items()}
    print(f"losses of the last epoch: {losses}; drawings: {path}")


if __name__ == "__main__":
    main()
