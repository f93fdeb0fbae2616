"""Fabric: a training loop of one's own on the trainer's engine."""

from facula_lightning.fabric.fabric import Fabric
from facula_lightning.fabric.wrappers import is_wrapped
from facula_lightning.utilities.seed import seed_everything

__all__ = ["Fabric", "is_wrapped", "seed_everything"]
