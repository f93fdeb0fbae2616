"""Train a small convolutional network on real handwritten digits with the Trainer, and show what it learned.

    python examples/digits.py

The 1,797 digits (UCI, 8x8 pixels) come with facula-vision. Writes two pictures and a checkpoint into demo-output/.
"""

from pathlib import Path

import facula
import matplotlib
from facula import nn
from facula.utils.data import DataLoader, random_split
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import Callback, ModelCheckpoint
from facula_vision import transforms
from facula_vision.datasets import Digits

matplotlib.use("Agg")
import matplotlib.pyplot as plt

OUTPUT = Path("demo-output")


class DigitClassifier(LightningModule):
    """Two convolutions with batch normalisation, and a linear layer for ten digits."""

    def __init__(self, learning_rate: float = 3e-3) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.network = nn.Sequential(
            nn.Conv2d(1, 32, 3, padding=1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3, padding=1),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.3),
            nn.Linear(64 * 4 * 4, 10),
        )

    def forward(self, images):
        return self.network(images)

    def _evaluate(self, batch, stage):
        images, labels = batch
        scores = self(images)
        loss = nn.functional.cross_entropy(scores, labels)
        accuracy = (scores.argmax(1) == labels).float().mean()
        on_epoch = {"on_step": False, "on_epoch": True, "prog_bar": True, "batch_size": len(labels)}
        self.log(f"{stage}_loss", loss, **on_epoch)
        self.log(f"{stage}_accuracy", accuracy, **on_epoch)
        return loss

    def training_step(self, batch, batch_idx):
        return self._evaluate(batch, "train")

    def validation_step(self, batch, batch_idx):
        self._evaluate(batch, "val")

    def test_step(self, batch, batch_idx):
        self._evaluate(batch, "test")

    def predict_step(self, batch, batch_idx):
        return self(batch[0]).argmax(1)

    def configure_optimizers(self):
        optimizer = facula.optim.AdamW(self.parameters(), lr=self.hparams.learning_rate)
        schedule = facula.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.trainer.max_epochs)
        return {"optimizer": optimizer, "lr_scheduler": schedule}


class History(Callback):
    """Keeps the metrics of every epoch for the curves."""

    def __init__(self):
        self.epochs = []

    def on_train_epoch_end(self, trainer, module):
        self.epochs.append({name: float(value) for name, value in trainer.callback_metrics.items()})


def draw_curves(epochs, path):
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    numbers = range(1, len(epochs) + 1)
    for axis, metric in ((left, "loss"), (right, "accuracy")):
        for stage, colour in (("train", "tab:blue"), ("val", "tab:orange")):
            values = [epoch[f"{stage}_{metric}"] for epoch in epochs]
            axis.plot(
                numbers,
                values,
                marker="o",
                markersize=3,
                color=colour,
                label="training" if stage == "train" else "validation",
            )
        axis.set(xlabel="epoch", title=metric)
        axis.grid(alpha=0.3)
        axis.legend(frameon=False)
    left.set_yscale("log")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def draw_predictions(images, labels, predictions, path):
    figure, axes = plt.subplots(4, 10, figsize=(10, 4.6), layout="constrained")
    for axis, image, label, prediction in zip(axes.flat, images, labels, predictions):
        axis.imshow(image[0].numpy(), cmap="gray_r", interpolation="nearest")
        axis.set_title(str(prediction), color="tab:green" if prediction == label else "tab:red", fontsize=11)
        axis.set(xticks=[], yticks=[])
    figure.suptitle("Test digits and what the network takes them for")
    figure.savefig(path, dpi=130)
    plt.close(figure)


def main():
    seed_everything(0)
    OUTPUT.mkdir(exist_ok=True)
    to_tensor = transforms.ToTensor()
    known = Digits(train=True, transform=to_tensor)
    train, validation = random_split(known, [len(known) - 200, 200])
    test = Digits(train=False, transform=to_tensor)
    train_batches = DataLoader(train, batch_size=64, shuffle=True)
    val_batches, test_batches = DataLoader(validation, batch_size=200), DataLoader(test, batch_size=200)

    history = History()
    best = ModelCheckpoint(
        dirpath=OUTPUT, filename="digits", monitor="val_accuracy", mode="max", enable_version_counter=False
    )
    trainer = Trainer(
        max_epochs=12, callbacks=[history, best], logger=False, default_root_dir=OUTPUT, num_sanity_val_steps=0
    )
    trainer.fit(DigitClassifier(), train_batches, val_batches)
    print(f"Validation accuracy: {history.epochs[-1]['val_accuracy']:.4f}")
    trainer.test(dataloaders=test_batches, ckpt_path="best", verbose=False)
    print(f"Test accuracy: {float(trainer.callback_metrics['test_accuracy']):.4f}")

    loaded = DigitClassifier.load_from_checkpoint(best.best_model_path)
    predictions = facula.cat(
        Trainer(logger=False, enable_progress_bar=False, enable_checkpointing=False).predict(loaded, test_batches)
    )
    images, labels = zip(*(test[at] for at in range(40)))
    draw_curves(history.epochs, OUTPUT / "curves.png")
    draw_predictions(images, labels, predictions.tolist(), OUTPUT / "predictions.png")
    print(f"Checkpoint: {best.best_model_path}")
    print(f"Pictures: {OUTPUT / 'curves.png'}, {OUTPUT / 'predictions.png'}")


if __name__ == "__main__":
    main()
