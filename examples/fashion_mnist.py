"""Trains a network of two convolutions on Fashion-MNIST's clothing articles to a test accuracy of about 0.917.

Run: python examples/fashion_mnist.py --data FOLDER      (the folder with the four .gz files; --download fetches them)
"""

import argparse
import os
import time

import facula
import facula.nn.functional as F
from facula import Tensor, nn
from facula_vision.datasets import FashionMNIST

BATCH_SIZE = 100
LEARNING_RATE = 0.1
# Of the 60,000 training images' pixels, from 0 to 1.
MEAN, STD = 0.2860, 0.3530


class ConvolutionalNetwork(nn.Module):
    """Two convolutions with pooling and two linear layers; takes (N, 1, 28, 28), returns scores (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, kernel_size=3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, kernel_size=3, padding=1)
        self.fc1 = nn.Linear(32 * 7 * 7, 128)
        self.fc2 = nn.Linear(128, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        # Pooling before the activation gives the same numbers and leaves a quarter of them to activate.
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = F.relu(self.fc1(x.flatten(1)))
        return self.fc2(x)


def load_split(folder: str, train: bool, download: bool) -> tuple[Tensor, Tensor]:
    """Return the images as (N, 1, 28, 28), normalized, and their labels."""
    dataset = FashionMNIST(folder, train=train, download=download)
    images = dataset.data.unsqueeze(1).to(facula.float32).div_(255).sub_(MEAN).div_(STD)
    return images, dataset.targets


def accuracy(model: nn.Module, images: Tensor, labels: Tensor) -> float:
    """Return the fraction of images whose class the model finds."""
    model.eval()
    with facula.no_grad():
        right = [
            (model(part).argmax(dim=1) == truth).sum().item()
            for part, truth in zip(images.split(500), labels.split(500), strict=True)
        ]
    return sum(right) / len(labels)


def main() -> None:
    """Train, print the loss of the first 20 steps and the accuracy after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.path.join(os.environ.get("FACULA_TEST_DATA", "data"), "fashion_mnist")
    parser.add_argument("--data", default=default, help="folder with the files (default: %(default)s)")
    parser.add_argument("--download", action="store_true", help="fetch the files if they are not there")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-steps", type=int, default=None, help="stop after so many steps")
    arguments = parser.parse_args()

    facula.manual_seed(arguments.seed)
    train_images, train_labels = load_split(arguments.data, True, arguments.download)
    test_images, test_labels = load_split(arguments.data, False, arguments.download)
    print(f"{len(train_labels)} images to train on, {len(test_labels)} to test on")

    model = ConvolutionalNetwork()
    steps_per_epoch = len(train_labels) // BATCH_SIZE
    optimizer = facula.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum=0.9, weight_decay=5e-4)
    scheduler = facula.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=LEARNING_RATE, total_steps=arguments.epochs * steps_per_epoch
    )

    started = time.perf_counter()
    step = 0
    for epoch in range(arguments.epochs):
        model.train()
        order = facula.randperm(len(train_labels))
        for batch in order[: steps_per_epoch * BATCH_SIZE].reshape(steps_per_epoch, BATCH_SIZE):
            loss = F.cross_entropy(model(train_images[batch]), train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            if step <= 20:
                print(f"step {step:2d}  loss {loss.item():.6f}")
            if step == arguments.max_steps:
                return
        found = accuracy(model, test_images, test_labels)
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1}  loss {loss.item():.4f}  test accuracy {found:.4f}  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
