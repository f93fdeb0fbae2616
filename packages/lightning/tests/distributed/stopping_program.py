"""One rank wants something else than the others. Arguments: the answer's file, what the rank does."""

import json
import os
import signal
import sys
import time
from datetime import timedelta
from pathlib import Path

from facula_lightning import Callback
from facula_lightning.strategies import DDPStrategy
from facula_lightning.utilities.exceptions import SIGTERMException
from models import Regression, loader, quiet

file, what = Path(sys.argv[1]), sys.argv[2]


class Different(Callback):
    def on_train_batch_end(self, trainer, module, outputs, batch, batch_idx) -> None:
        if trainer.global_rank == 1 and batch_idx == 2:
            if what == "stops":
                trainer.should_stop = True
            elif what == "is terminated":
                os.kill(os.getpid(), signal.SIGTERM)
            elif what == "sleeps":
                time.sleep(60)
            elif what == "fails":
                raise ZeroDivisionError("on purpose")

    def on_validation_end(self, trainer, module) -> None:
        if trainer.global_rank == 1 and what == "stops after validation" and not trainer.sanity_checking:
            trainer.should_stop = True


class Finding(Regression):
    """Has parameters that no loss depends on."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = Regression().layer


strategy = DDPStrategy(timeout=timedelta(seconds=2 if what == "sleeps" else 60))
trainer = quiet(file.parent, devices=2, strategy=strategy, max_epochs=5, callbacks=[Different()])
model = Finding() if what == "has unused parameters" else Regression()
ended = "finished"
try:
    trainer.fit(model, loader(24, 2), loader(3, 2))
except SIGTERMException:
    ended = "terminated"
found = trainer.strategy.all_gather_object([ended, trainer.global_step])
if trainer.is_global_zero:
    file.write_text(json.dumps(found))
