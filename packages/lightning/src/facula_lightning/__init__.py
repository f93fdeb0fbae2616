"""A trainer with Lightning's API, on facula."""

from typing import TYPE_CHECKING

from facula_lightning import callbacks, loggers
from facula_lightning.callbacks.callback import Callback
from facula_lightning.datamodule import LightningDataModule
from facula_lightning.module import LightningModule
from facula_lightning.trainer.trainer import Trainer
from facula_lightning.utilities.seed import seed_everything
from facula_lightning.version import __version__

__all__ = ["Callback", "LightningDataModule", "LightningModule", "Trainer", "__version__", "callbacks", "loggers"]
__all__ += ["Fabric", "History", "Learner", "fit", "seed_everything"]

if TYPE_CHECKING:
    from facula_lightning.fabric import Fabric as Fabric
    from facula_lightning.learner import History as History
    from facula_lightning.learner import Learner as Learner
    from facula_lightning.learner import fit as fit
else:  # type checkers read the import above

    def __getattr__(name: str) -> object:
        # A program with a trainer has no use for what a loop of one's own, or a network without a module, needs.
        if name == "Fabric":
            from facula_lightning.fabric import Fabric

            return Fabric
        if name in ("History", "Learner", "fit"):
            from facula_lightning import learner

            return getattr(learner, name)
        raise AttributeError(f"module 'facula_lightning' has no attribute {name!r}")
