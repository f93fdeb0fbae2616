"""Fits and validates on loaders read together; the argument is the answer's file."""

import json
import sys
from pathlib import Path

from facula import nn
from facula_lightning import seed_everything
from facula_lightning.utilities import CombinedLoader
from models import Regression, loader, quiet, weights


class Together(Regression):
    def training_step(self, batch, batch_idx):
        self.seen += [each[1][:, 0].tolist() for each in batch.values()]
        return sum(nn.functional.mse_loss(self.layer(x), y) for x, y in batch.values())

    def validation_step(self, batch, batch_idx):
        (x, y), other = batch
        self.log("product", self.layer(x).mean() * (0.0 if other is None else other[1].mean()), batch_size=1)


def run(folder: Path, ranks: int) -> dict:
    """Return the weights and numbers of a run in which ``ranks`` processes share each batch."""
    size = 4 // ranks
    seed_everything(3, verbose=False)
    model, trainer = Together(), quiet(folder, max_epochs=2)
    assert trainer.world_size == ranks
    uneven = {"a": loader(8, size, shuffle=True), "b": loader(20, size, shuffle=True)}
    trainer.fit(model, uneven)
    seen = trainer.strategy.all_gather_object(model.seen)
    results = {
        mode: trainer.validate(model, CombinedLoader([loader(11, 2), loader(7, 2)], mode), verbose=False)
        for mode in ("min_size", "max_size", "max_size_cycle")
    }
    limited = quiet(folder, limit_val_batches=3)
    results["limited"] = limited.validate(model, CombinedLoader([loader(11, 2), loader(7, 2)]), verbose=False)
    return {"weights": weights(model), "seen": seen, "results": results, "steps": trainer.global_step}


if __name__ == "__main__":
    import warnings

    import facula.distributed as dist

    warnings.filterwarnings("ignore", "You defined a `validation_step` but have no `val_dataloader`")
    file = Path(sys.argv[1])
    found = run(file.parent, int(sys.argv[2]))
    if dist.get_rank() == 0:
        file.write_text(json.dumps(found))
