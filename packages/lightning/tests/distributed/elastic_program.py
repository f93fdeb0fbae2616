"""Trains on from the newest checkpoint, if there is one. Arguments: the answer's file, the folder, the last batch, processes to start."""

import json
import sys
from pathlib import Path

from facula_lightning import seed_everything
from facula_lightning.callbacks import Callback
from models import Regression, loader, quiet, weights

GLOBAL_BATCH, COUNT = 4, 19


class End(Callback):
    """Saves a checkpoint after so many batches, in an open window of accumulation or not, and ends the run."""

    def __init__(self, last: int) -> None:
        self.last = last

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.fit_loop.batch_progress.total.ready == self.last:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "newest.ckpt")
            raise KeyboardInterrupt


def train(folder: Path, last: int, devices: int | str = "auto") -> dict:
    """Train up to a batch; each process takes its part of the same global batches."""
    newest = folder / "newest.ckpt"
    seed_everything(6 if not newest.exists() else 60, verbose=False)
    model = Regression()
    settings = {"max_epochs": 3, "accumulate_grad_batches": 2, "gradient_clip_val": 0.5, "devices": devices}
    trainer = quiet(folder, callbacks=[End(last)], **settings)
    path = newest if newest.exists() else None
    try:
        trainer.fit(model, loader(COUNT, GLOBAL_BATCH // trainer.world_size, shuffle=True), ckpt_path=path)
    except SystemExit:
        pass
    seen = trainer.strategy.all_gather_object(model.seen)
    return {"weights": weights(model), "seen": seen, "zero": trainer.is_global_zero}


if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    found = train(Path(sys.argv[2]), int(sys.argv[3]), *map(int, sys.argv[4:]))
    if found["zero"]:
        Path(sys.argv[1]).write_text(json.dumps(found))
