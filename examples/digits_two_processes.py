"""Train on digits in two processes, started by one command; the weights are those of one process, to rounding.

Run: python examples/digits_two_processes.py                       (starts itself in two processes)
or:  python -m facula.distributed.run --nproc-per-node 2 examples/digits_two_processes.py
or:  mpiexec -n 2 python examples/digits_two_processes.py
or:  python examples/digits_two_processes.py --processes 1         (one process, the same global batches)

TCP connects the processes, or MPI where it is installed.
"""

from __future__ import annotations

import argparse

import facula
from facula import Tensor, nn
from facula.nn.functional import cross_entropy
from facula.utils.data import DataLoader
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor

GLOBAL_BATCH = 48


class Classifier(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.scores = nn.Sequential(nn.Flatten(), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10)).double()
        self.samples = 0

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        self.samples += len(batch[1])
        return cross_entropy(self.scores(batch[0].double()), batch[1])

    def validation_step(self, batch: list[Tensor], batch_idx: int) -> None:
        right = (self.scores(batch[0].double()).argmax(1) == batch[1]).double().mean()
        # By epoch, numbers are of what all processes have seen.
        self.log("accuracy", right, prog_bar=True)

    def configure_optimizers(self) -> facula.optim.Optimizer:
        return facula.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--epochs", type=int, default=10)
    given = parser.parse_args()
    seed_everything(0, verbose=False)
    model = Classifier()
    trainer = Trainer(
        accelerator="cpu", devices=given.processes, strategy="ddp" if given.processes > 1 else "auto",
        max_epochs=given.epochs, logger=False, enable_checkpointing=False, num_sanity_val_steps=0,
    )  # fmt: skip
    # Each process takes its part of every batch of 48, and of the test images.
    train = DataLoader(Digits(transform=ToTensor()), batch_size=GLOBAL_BATCH // given.processes, shuffle=True)
    trainer.fit(model, train, DataLoader(Digits(train=False, transform=ToTensor()), batch_size=50))
    norm = sum(float((each**2).sum()) for each in model.parameters()) ** 0.5
    samples = model.all_gather(facula.tensor(model.samples)).tolist()
    trainer.print(f"samples trained on, by process: {samples}")
    trainer.print(f"accuracy {trainer.callback_metrics['accuracy'].item():.6f}, norm of the weights {norm:.10f}")


if __name__ == "__main__":
    main()
