"""A trainer with Lightning's API, on facula."""

from importlib import import_module
from typing import TYPE_CHECKING

from facula_lightning.version import __version__

__all__ = ["Callback", "LightningDataModule", "LightningModule", "Trainer", "__version__", "callbacks", "loggers"]
__all__ += ["Fabric", "History", "Learner", "fit", "seed_everything"]

if TYPE_CHECKING:
    from facula_lightning import (
        accelerators as accelerators,
        callbacks as callbacks,
        loggers as loggers,
        metrics as metrics,
        plugins as plugins,
        profilers as profilers,
        strategies as strategies,
        utilities as utilities,
    )
    from facula_lightning.callbacks.callback import Callback as Callback
    from facula_lightning.datamodule import LightningDataModule as LightningDataModule
    from facula_lightning.fabric import Fabric as Fabric
    from facula_lightning.learner import History as History, Learner as Learner, fit as fit
    from facula_lightning.module import LightningModule as LightningModule
    from facula_lightning.trainer.trainer import Trainer as Trainer
    from facula_lightning.utilities.seed import seed_everything as seed_everything

# What is imported when it is first asked for: a program uses some of it, a worker process often none.
_PACKAGES = frozenset(
    ("accelerators", "callbacks", "checkpointing", "fabric", "learner", "loggers", "metrics", "plugins", "profilers")
    + ("strategies", "trainer", "utilities")
)
_BY_MODULE = {
    "callbacks.callback": "Callback",
    "datamodule": "LightningDataModule",
    "fabric": "Fabric",
    "learner": "History Learner fit",
    "module": "LightningModule",
    "trainer.trainer": "Trainer",
    "utilities.seed": "seed_everything",
}
_LATER = {name: module for module, names in _BY_MODULE.items() for name in names.split()}

if not TYPE_CHECKING:  # type checkers read the imports above, and report a name that does not exist

    def __getattr__(name: str) -> object:
        if name in _PACKAGES:
            return import_module(f"facula_lightning.{name}")
        if name in _LATER:
            found = getattr(import_module(f"facula_lightning.{_LATER[name]}"), name)
            globals()[name] = found
            return found
        raise AttributeError(f"module 'facula_lightning' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_PACKAGES, *_LATER})
