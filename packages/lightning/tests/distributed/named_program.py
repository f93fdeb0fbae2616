"""Trains two optimizers, each with a loss of its own. Argument: the answer's file."""

import json
import sys
from pathlib import Path

import facula
from facula import nn
from facula_lightning import LightningModule, seed_everything
from models import loader, quiet, weights


class Pair(LightningModule):
    """The second network learns from what the first says; weights in float64, so that only the order of sums differs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 2).double(), nn.Linear(2, 1).double()

    def training_step(self, batch, batch_idx):
        hidden = self.first(batch[0]).tanh()
        loss = nn.functional.mse_loss(self.second(hidden), batch[1])
        return {"first": loss + hidden.pow(2).mean(), "second": loss}

    def configure_optimizers(self):
        return {
            "first": {"optimizer": facula.optim.SGD(self.first.parameters(), lr=0.1), "accumulate_grad_batches": 2},
            "second": {
                "optimizer": facula.optim.SGD(self.second.parameters(), lr=0.1), "frequency": 2,
                "gradient_clip_val": 0.1,
            },
        }  # fmt: skip


def fit(folder: Path, size: int) -> dict:
    seed_everything(8, verbose=False)
    model = Pair()
    trainer = quiet(folder, max_epochs=2)
    trainer.fit(model, loader(18, size, shuffle=True))
    return {"weights": weights(model), "steps": trainer.global_step, "zero": trainer.is_global_zero}


if __name__ == "__main__":
    found = fit(Path(sys.argv[1]).parent, 2)
    if found["zero"]:
        Path(sys.argv[1]).write_text(json.dumps(found))
