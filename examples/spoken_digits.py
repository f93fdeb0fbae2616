"""Trains the M5 network on raw recordings of spoken digits (FSDD, upstream's split) to a test accuracy of about 0.98.

Run: python examples/spoken_digits.py --data FOLDER      (a folder with recordings/ or recordings.zip; see SpokenDigits)
"""

import argparse
import os
import time

import facula
from facula import Tensor, nn
from facula_audio.datasets import SpokenDigits
from facula_audio.models import M5

FRAMES = 8000  # one second: all recordings but a few are shorter
LONGEST_SHIFT = 2000
BATCH_SIZE = 32


def load_subset(root: str, subset: str, download: bool) -> tuple[Tensor, Tensor]:
    """Return waveforms (recordings, 1, FRAMES), cut or padded with silence, each with peak 1, and the digits."""
    recordings = SpokenDigits(root, subset=subset, download=download)
    waveforms = facula.zeros(len(recordings), 1, FRAMES)
    labels = facula.zeros(len(recordings), dtype=facula.int64)
    for index in range(len(recordings)):
        waveform, _, label, _, _ = recordings[index]
        waveform = waveform[:, :FRAMES]
        waveforms[index, :, : waveform.shape[-1]] = waveform / waveform.abs().max()
        labels[index] = label
    return waveforms, labels


def accuracy(model: nn.Module, waveforms: Tensor, labels: Tensor) -> float:
    """Return the fraction of waveforms whose digit the model finds."""
    model.eval()
    with facula.no_grad():
        found = model(waveforms).argmax(dim=-1)
    return (found == labels).float().mean().item()


def main() -> None:
    """Train, print the loss of the first 20 steps and the accuracy after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    default = os.path.join(os.environ.get("FACULA_TEST_DATA", "data"), "fsdd")
    parser.add_argument("--data", default=default, help="folder with the recordings (default: %(default)s)")
    parser.add_argument("--download", action="store_true", help="fetch the recordings if they are not there")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-steps", type=int, default=None, help="stop after so many steps")
    arguments = parser.parse_args()

    facula.manual_seed(arguments.seed)
    train_waveforms, train_labels = load_subset(arguments.data, "training", arguments.download)
    test_waveforms, test_labels = load_subset(arguments.data, "testing", arguments.download)
    print(f"{len(train_labels)} recordings to train on, {len(test_labels)} to test on")

    model = M5(n_output=10, stride=8)
    steps_per_epoch = len(train_labels) // BATCH_SIZE
    optimizer = facula.optim.AdamW(model.parameters(), lr=0.005, weight_decay=0.01)
    scheduler = facula.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=0.005, total_steps=arguments.epochs * steps_per_epoch
    )

    started = time.perf_counter()
    step = 0
    for epoch in range(arguments.epochs):
        model.train()
        order = facula.randperm(len(train_labels))
        for batch in order[: steps_per_epoch * BATCH_SIZE].reshape(steps_per_epoch, BATCH_SIZE):
            # the same digit a little later is the same digit
            shift = int(facula.randint(0, LONGEST_SHIFT, (1,)))
            waveforms = nn.functional.pad(train_waveforms[batch], (shift, 0))[:, :, :FRAMES]
            loss = nn.functional.nll_loss(model(waveforms), train_labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            scheduler.step()
            step += 1
            if step <= 20:
                print(f"step {step:2d}  loss {loss.item():.6f}")
            if step == arguments.max_steps:
                return
        found = accuracy(model, test_waveforms, test_labels)
        seconds = time.perf_counter() - started
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.4f}  test accuracy {found:.4f}  {seconds:.0f} s", flush=True)


if __name__ == "__main__":
    main()
