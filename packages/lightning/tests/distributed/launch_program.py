"""Started by itself: the trainer starts its ranks; or started by a launcher. Arguments: the answer's file, the strategy."""

import json
import sys
from pathlib import Path

from facula_lightning import seed_everything
from facula_lightning.callbacks import EarlyStopping, ModelCheckpoint
from facula_lightning.loggers import CSVLogger
from models import Regression, loader, metrics, quiet, weights


def main() -> None:
    file, strategy = Path(sys.argv[1]), sys.argv[2]
    seed_everything(5, verbose=False)
    model = Regression()
    keep = ModelCheckpoint(monitor="val_loss", save_last=True)
    settings = {"logger": CSVLogger(file.parent), "enable_model_summary": True, "enable_checkpointing": True}
    trainer = quiet(
        file.parent, devices=2, strategy=strategy, max_epochs=4, callbacks=[keep, EarlyStopping("val_loss")], **settings
    )
    assert trainer.num_devices == 2 and trainer.world_size == 2
    trainer.fit(model, loader(11, 2, shuffle=True), loader(5, 2))
    trainer.print(f"printed by {trainer.global_rank}")
    predictions = trainer.predict(model, loader(5, 2))
    if trainer.is_global_zero:
        found = {
            "weights": weights(model),
            "metrics": metrics(trainer),
            "steps": trainer.global_step,
            "epochs": trainer.current_epoch,
            "best": keep.best_model_path,
            "predictions": [each.tolist() for each in predictions],
        }
        file.write_text(json.dumps(found))


if __name__ == "__main__":
    main()
