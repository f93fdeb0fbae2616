"""The trainer and its parts."""

from facula_lightning.trainer.trainer import Trainer

__all__ = ["Trainer"]
