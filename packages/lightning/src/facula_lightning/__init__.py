"""A trainer with Lightning's API, on facula."""

from facula_lightning import callbacks, loggers
from facula_lightning.callbacks.callback import Callback
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.module import LightningModule
from facula_lightning.trainer.trainer import Trainer
from facula_lightning.utilities.seed import seed_everything
from facula_lightning.version import __version__

__all__ = ["Callback", "LightningDataModule", "LightningModule", "Trainer", "__version__", "callbacks", "loggers"]
__all__ += ["seed_everything"]
