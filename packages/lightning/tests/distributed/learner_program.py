"""Fits on all ranks by `fit`, with weights of classes and exact accumulation; the arguments are the answer's file and settings."""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import facula
from facula import nn
from facula_lightning import Learner
from facula_lightning.callbacks import ExactGradientAccumulation, ReduceLROnPlateau


def fit(batch_size: int, count: int) -> dict[str, Any]:
    """Return the weights and all that was measured."""
    facula.manual_seed(6)
    x = facula.randn(count, 3, dtype=facula.float64)
    y = x.argmax(1)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    learner = Learner(model, accelerator="cpu", accumulate_grad_batches=2, gradient_clip_val=1.0)
    learner.compile("adam", "cross_entropy", ["accuracy"], lr=0.05)
    plateau = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=0.2)
    history = learner.fit(
        x, y, batch_size, epochs=3, class_weight={0: 3.0, 1: 0.5}, validation_data=(x[:7], y[:7]),
        callbacks=[ExactGradientAccumulation(), plateau], verbose=0,
    )  # fmt: skip
    return {
        "weights": [each.flatten().tolist() for each in model.state_dict().values()],
        "history": history.history,
        "evaluated": learner.evaluate(x[:9], y[:9], batch_size=2, verbose=0),
        "predicted": learner.predict(x[:9], batch_size=2, verbose=0).tolist(),
        "world_size": learner.trainer.world_size,
    }


if __name__ == "__main__":
    warnings.simplefilter("error")
    found = fit(**json.loads(sys.argv[2]))
    if facula.distributed.get_rank() == 0:
        Path(sys.argv[1]).write_text(json.dumps(found))
