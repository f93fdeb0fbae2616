"""Train a small convolutional network on 1,442 handwritten digits, test it, save it, and draw what it learned.

Run it with ``make demo``: no download, about half a minute on two cores. Pictures and checkpoint go to ``demo-output``.
"""

from __future__ import annotations

import csv
from pathlib import Path

import facula
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, random_split
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import ModelCheckpoint
from facula_lightning.loggers import CSVLogger
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor

OUTPUT = Path(__file__).resolve().parents[1] / "demo-output"
EPOCHS = 15


class DigitClassifier(LightningModule):
    """Two convolutions and two linear layers: 8x8 grey images to 10 classes."""

    def __init__(self, width: int = 16, lr: float = 4e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.features = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU(),
            nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.3), nn.Linear(32 * width, 64), nn.ReLU(), nn.Linear(64, 10)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the score of each class."""
        return self.classifier(self.features(images))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return the loss of a batch."""
        images, labels = batch
        scores = self(images)
        loss = F.cross_entropy(scores, labels)
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        self.log("train_accuracy", accuracy(scores, labels), on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Log loss and accuracy."""
        self._evaluate(batch, "val")

    def test_step(self, batch: list[Tensor], batch_idx: int) -> None:
        """Log loss and accuracy."""
        self._evaluate(batch, "test")

    def _evaluate(self, batch: list[Tensor], stage: str) -> None:
        images, labels = batch
        scores = self(images)
        self.log(f"{stage}_loss", F.cross_entropy(scores, labels), prog_bar=True)
        self.log(f"{stage}_accuracy", accuracy(scores, labels), prog_bar=True)

    def predict_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        """Return the probability of each class."""
        return self(batch[0]).softmax(dim=1)

    def configure_optimizers(self) -> dict[str, object]:
        """Return AdamW with a learning rate that falls along a cosine."""
        optimizer = facula.optim.AdamW(self.parameters(), lr=self.hparams.lr)
        return {"optimizer": optimizer, "lr_scheduler": facula.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)}


def accuracy(scores: Tensor, labels: Tensor) -> Tensor:
    """Return the share of images whose best score is that of their label."""
    return (scores.argmax(dim=1) == labels).float().mean()


def main() -> None:
    """Train, validate, test, save, load, predict, draw."""
    seed_everything(2, verbose=False)
    train, val = random_split(Digits(train=True, transform=ToTensor()), [1_242, 200])
    test = Digits(train=False, transform=ToTensor())
    test_loader = DataLoader(test, batch_size=128)

    checkpoint = ModelCheckpoint(dirpath=OUTPUT, filename="digits", enable_version_counter=False)
    logger = CSVLogger(OUTPUT, name="logs")
    trainer = Trainer(
        accelerator="cpu", max_epochs=EPOCHS, logger=logger, callbacks=[checkpoint], log_every_n_steps=10,
        num_sanity_val_steps=0, enable_model_summary=True,
    )  # fmt: skip
    trainer.fit(DigitClassifier(), DataLoader(train, batch_size=32, shuffle=True), DataLoader(val, batch_size=100))
    print(f"validation accuracy {trainer.callback_metrics['val_accuracy'].item():.4f}")
    tested = trainer.test(dataloaders=test_loader, verbose=False)[0]
    print(f"test accuracy       {tested['test_accuracy']:.4f}")

    model = DigitClassifier.load_from_checkpoint(checkpoint.best_model_path)
    probabilities = facula.cat(trainer.predict(model, test_loader))
    again = accuracy(probabilities, test.targets).item()
    print(
        f"loaded from {Path(checkpoint.best_model_path).name}, predicted {len(probabilities)} images: accuracy {again:.4f}"
    )
    draw_curves(read_metrics(Path(logger.log_dir) / "metrics.csv"), OUTPUT / "training-curves.png")
    draw_digits(test, probabilities, OUTPUT / "predictions.png")
    print(f"see {OUTPUT.name}/training-curves.png and {OUTPUT.name}/predictions.png")


def read_metrics(path: Path) -> dict[str, list[float]]:
    """Return the values of each metric, epoch by epoch."""
    found: dict[str, list[float]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            for name, value in row.items():
                if value and not name.startswith("test"):
                    found.setdefault(name, []).append(float(value))
    return found


INK, MUTED, BLUE, ORANGE, RED = "#1f2933", "#8a94a0", "#2f6fb3", "#e07b2f", "#c8352b"


def draw_curves(metrics: dict[str, list[float]], path: Path) -> None:
    """Draw loss and accuracy of training and validation over the epochs."""
    plt = _pyplot()
    figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for axis, kind in zip(axes, ("loss", "accuracy")):
        for stage, color, label in (("train", BLUE, "training"), ("val", ORANGE, "validation")):
            values = metrics[f"{stage}_{kind}"]
            axis.plot(
                range(1, len(values) + 1), values, color=color, label=label, linewidth=2, marker="o", markersize=4
            )
        axis.set_title(kind.capitalize(), loc="left", fontweight="bold", color=INK)
        axis.set_xlabel("epoch")
        axis.grid(axis="y", color="#e4e7eb")
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yscale("log")
    axes[1].set_ylim(top=1.005)
    axes[0].legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def draw_digits(test: Digits, probabilities: Tensor, path: Path, rows: int = 5, columns: int = 10) -> None:
    """Draw test digits with the class predicted for each; those that are wrong come first, in red."""
    plt = _pyplot()
    confidence, predicted = probabilities.max(dim=1)
    predictions, labels, shares = predicted.tolist(), test.targets.tolist(), confidence.tolist()
    order = sorted(range(len(labels)), key=lambda index: predictions[index] == labels[index])[: rows * columns]
    figure, axes = plt.subplots(rows, columns, figsize=(10, 6.2), layout="constrained")
    for axis, index in zip(axes.flat, order):
        right = predictions[index] == labels[index]
        axis.imshow(test.data[index].numpy(), cmap="gray_r", vmin=0, vmax=255)
        axis.set_xticks([])
        axis.set_yticks([])
        for spine in axis.spines.values():
            spine.set_color(MUTED if right else RED)
            spine.set_linewidth(0.8 if right else 2.5)
        text = f"{predictions[index]}" if right else f"{predictions[index]}, not {labels[index]}"
        axis.set_title(text, fontsize=12, color=INK if right else RED, fontweight="bold", pad=3)
        axis.set_xlabel(f"{shares[index]:.0%}", fontsize=8, color=MUTED, labelpad=2)
    wrong = sum(a != b for a, b in zip(predictions, labels))
    figure.suptitle(f"Predicted digit and its probability: {wrong} of {len(labels)} test images wrong", color=INK)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _pyplot() -> object:
    """Return matplotlib's pyplot, drawing into files only."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.rcParams.update(
        {"axes.edgecolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED, "axes.labelcolor": INK}
    )
    return pyplot


if __name__ == "__main__":
    main()
