"""Trains on Ray's actors. Arguments: the answer's file, processes on a machine, machines, what is to happen."""

import json
import sys
from pathlib import Path

from fabric_program import train
from facula_lightning import Callback, seed_everything
from facula_lightning.fabric import Fabric
from models import Regression, loader, quiet, weights


class Failing(Callback):
    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if trainer.global_rank == 1 and batch_idx == 1:
            raise ZeroDivisionError("on purpose")


def places(fabric: Fabric) -> list:
    return fabric.strategy.all_gather_object((fabric.global_rank, fabric.local_rank, fabric.node_rank))


def main() -> None:
    file, processes, machines, what = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    seed_everything(5, verbose=False)
    settings = {"devices": processes, "num_nodes": machines, "strategy": "ddp_ray"}
    size = processes * machines
    if what == "fabric":
        fabric = Fabric(accelerator="cpu", **settings)
        found = {"places": fabric.launch(places)}
        found |= Fabric(accelerator="cpu", **settings).launch(train, 11)
    else:
        model = Regression()
        trainer = quiet(file.parent, max_epochs=2, callbacks=[Failing()] if what == "fails" else None, **settings)
        trainer.fit(model, loader(11, 4 // size, shuffle=True), loader(5, 2))
        found = {"weights": weights(model), "steps": trainer.global_step, "world": trainer.world_size}
    file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
