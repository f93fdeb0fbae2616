"""The trainer and its parts."""

from typing import TYPE_CHECKING

__all__ = ["Trainer"]

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer as Trainer
else:  # type checkers read the import above

    def __getattr__(name: str) -> object:
        # Callbacks use parts of the trainer, and the trainer uses callbacks.
        if name == "Trainer":
            from facula_lightning.trainer.trainer import Trainer

            return Trainer
        raise AttributeError(f"module 'facula_lightning.trainer' has no attribute {name!r}")
