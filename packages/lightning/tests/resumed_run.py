"""A run that uses everything that can go wrong when it is interrupted; the program of `test_exact_resume`.

    python resumed_run.py FOLDER KILLED_AT
    mpiexec -n 2 python resumed_run.py FOLDER KILLED_AT

trains in a folder, from the newest checkpoint there on, and is killed while it saves the checkpoint of batch KILLED_AT.
"""

import hashlib
import os
import random
import signal
import sys
from pathlib import Path

import facula
import numpy as np
from facula import nn
from facula.utils.data import DataLoader, Dataset
from facula_lightning import LightningModule, Trainer, seed_everything
from facula_lightning.callbacks import Callback, LearningRateMonitor, ModelCheckpoint
from facula_lightning.loggers import CSVLogger

EPOCHS = 3
RANKS = int(os.environ.get("PMI_SIZE", os.environ.get("SLURM_NTASKS", "1")))


class Noisy(Dataset):
    """Samples that the worker which reads them disturbs with random numbers of all three generators."""

    def __len__(self) -> int:
        return 13

    def __getitem__(self, index: int):
        noise = random.random() + float(np.random.rand()) + facula.rand(()).item()
        return index, facula.full((4,), index / 13 + 0.01 * noise)


class Model(LightningModule):
    """Dropout, a scheduler by step, metrics by step and by epoch, and a hook after that of the callbacks."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))
        self.register_buffer("batches_ended", facula.zeros(1))
        self.seen: list[list[int]] = []

    def training_step(self, batch, batch_idx):
        index, x = batch
        self.seen.append(index.tolist())
        loss = nn.functional.mse_loss(self.layer(x).squeeze(1), index / 13.0)
        self.log("loss", loss, on_step=True, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        index, x = batch
        self.log("val_loss", nn.functional.mse_loss(self.layer(x).squeeze(1), index / 13.0))

    def on_fit_start(self):
        if self.trainer.world_size > 1:
            # Each process draws numbers of its own.
            facula.manual_seed(100 + self.global_rank)

    def on_train_batch_end(self, outputs, batch, batch_idx):
        self.batches_ended += outputs["loss"] + batch[1].sum()

    def on_validation_end(self):
        self.batches_ended *= 1.5

    def on_train_epoch_end(self):
        self.log("ended", self.batches_ended)

    def configure_optimizers(self):
        optimizer = facula.optim.AdamW(self.parameters(), lr=0.05)
        scheduler = facula.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.7)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


class SaveEverywhere(Callback):
    """Saves a checkpoint after every batch, validation and epoch, each to a file of its own; without a folder, counts them."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.count = 0

    def state_dict(self) -> dict:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict) -> None:
        self.count = state_dict["count"]

    def save(self, trainer, *args) -> None:
        if not trainer.sanity_checking:
            self.count += 1
            if self.folder is not None:
                trainer.save_checkpoint(self.folder / f"{self.count:03d}.ckpt")

    on_train_epoch_start = on_train_batch_end = on_validation_end = on_validation_epoch_start = save
    on_train_epoch_end = save


class KillWhileSaving(Callback):
    """Saves one file after every batch, and is killed within the saving of a chosen one."""

    def __init__(self, path: Path, killed_at: int) -> None:
        self.path = path
        self.killed_at = killed_at

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        if trainer.fit_loop.batch_progress.total.ready == self.killed_at:
            replace = os.replace

            def killed(source, target):
                if self.killed_at % 2:
                    replace(source, target)
                os.kill(os.getpid(), signal.SIGKILL)

            os.replace = killed
        trainer.save_checkpoint(self.path)


def loaders(workers: int) -> tuple[DataLoader, DataLoader]:
    train = DataLoader(Noisy(), batch_size=2 // RANKS, shuffle=True, num_workers=workers)
    # A generator of its own, which validation draws from every time.
    own = facula.Generator().manual_seed(5)
    return train, DataLoader(Noisy(), batch_size=4, shuffle=True, generator=own)


def run(
    folder: Path, workers: int = 2, ckpt_path=None, callbacks: tuple = (), resumes: bool = False, **settings
) -> tuple[Model, Trainer]:
    """Train in a folder; return the model and the trainer."""
    seed_everything(1234 if resumes or ckpt_path is not None else 1, verbose=False)
    model = Model()
    best = ModelCheckpoint(folder / "best", monitor="val_loss", save_top_k=2, save_on_train_epoch_end=False)
    usual = {
        **{"max_epochs": EPOCHS, "accumulate_grad_batches": 3, "val_check_interval": 2, "log_every_n_steps": 1},
        **{"enable_progress_bar": False, "enable_model_summary": False, "logger": CSVLogger(folder, version=0)},
        **({"strategy": "ddp", "devices": RANKS} if RANKS > 1 else {}),
        **{"accelerator": "cpu", "callbacks": [*callbacks, LearningRateMonitor(), best]},
    }
    trainer = Trainer(**{**usual, **settings})
    trainer.fit(model, *loaders(workers), ckpt_path=ckpt_path)
    return model, trainer


def digest(model: LightningModule) -> str:
    """Return a hash of all weights and buffers."""
    state = sorted(model.state_dict().items())
    return hashlib.sha256(b"".join(name.encode() + value.numpy().tobytes() for name, value in state)).hexdigest()


def generators() -> list[float]:
    """Return what each generator of the program draws next."""
    return [random.random(), float(np.random.rand()), facula.rand(()).item()]


def main(folder: Path, killed_at: int) -> None:
    """Train, and write what has to be the same however often the run was killed: a file for each process."""
    import warnings

    warnings.simplefilter("ignore")
    newest = folder / "newest.ckpt"
    model, trainer = run(
        folder, ckpt_path=newest if newest.exists() else None, callbacks=(KillWhileSaving(newest, killed_at),)
    )
    # The best are the same; the file of one that was saved between a checkpoint and the kill is there twice.
    scores = sorted(score.item() for score in trainer.checkpoint_callback.best_k_models.values())
    result = (digest(model), trainer.global_step, *generators(), *scores)
    (folder / f"result_{trainer.global_rank}.txt").write_text(repr(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
