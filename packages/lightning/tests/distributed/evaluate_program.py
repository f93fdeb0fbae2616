"""Validates, tests and predicts data of several lengths; every rank must have the same results."""

import json
import sys
from pathlib import Path

import facula.distributed as dist
from facula_lightning import seed_everything
from models import Regression, loader, quiet

file = Path(sys.argv[1])
found = {}
for count in json.loads(sys.argv[2]):
    seed_everything(4, verbose=False)
    model = Regression()
    trainer = quiet(file.parent)
    shuffled = loader(count, 2, shuffle=True) if count == 9 else loader(count, 2)
    found[count] = {
        "validate": trainer.validate(model, loader(count, 2), verbose=False),
        "limited": quiet(file.parent, limit_val_batches=0.5 if count > 3 else 1).validate(
            model, loader(count, 2), verbose=False
        ),
        "test": trainer.test(model, [loader(count, 2), loader(1, 1)], verbose=False) if count == 7 else None,
        "predict": [each.tolist() for each in trainer.predict(model, loader(count, 2))],
        "single": [each.tolist() for each in trainer.predict(model, loader(count, None))] if count == 5 else None,
    }
everyone = [None] * dist.get_world_size()
dist.all_gather_object(everyone, found)
assert all(each == everyone[0] for each in everyone), "ranks have different results"
if dist.get_rank() == 0:
    file.write_text(json.dumps(found))
