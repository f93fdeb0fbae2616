"""Trains, or goes on from a checkpoint. Arguments: the answer's file, "whole", "first" or "second"."""

import json
import sys
import warnings
from pathlib import Path

import facula
from facula import nn
from facula_lightning import seed_everything
from facula_lightning.callbacks import ModelCheckpoint
from models import Regression, loader, quiet, weights

file, part = Path(sys.argv[1]), sys.argv[2]
warnings.filterwarnings("ignore", "Checkpoint directory")


class Dropping(Regression):
    def __init__(self) -> None:
        super().__init__()
        self.layer.insert(1, nn.Dropout(0.3))

    def on_fit_start(self) -> None:
        # Each rank has numbers of its own.
        facula.manual_seed(100 + self.global_rank) if part != "second" else None


seed_everything(6 if part != "second" else 60, verbose=False)
model = Dropping()
keep = ModelCheckpoint(file.parent, filename="half-{step}", save_top_k=-1, every_n_train_steps=4)
trainer = quiet(
    file.parent, enable_checkpointing=True, callbacks=[keep], max_epochs=3, max_steps=4 if part == "first" else -1,
    accumulate_grad_batches=2,
)  # fmt: skip
path = next(file.parent.glob("half-step=4.ckpt")) if part == "second" else None
trainer.fit(model, loader(19, 2, shuffle=True, num_workers=1), ckpt_path=path)
seen = trainer.strategy.all_gather_object(model.seen)
if trainer.is_global_zero:
    file.write_text(json.dumps({"weights": weights(model), "seen": seen}))
