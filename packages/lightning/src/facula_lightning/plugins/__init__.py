"""Parts of a trainer that can be exchanged: its precision and its checkpoint files."""

from facula_lightning.plugins.io import (
    AsyncCheckpointIO,
    CheckpointIO,
    SafetensorsCheckpointIO,
    TorchCheckpointIO,
)
from facula_lightning.plugins.precision import DoublePrecision, HalfPrecision, MixedPrecision, Precision

__all__ = ["AsyncCheckpointIO", "CheckpointIO", "DoublePrecision", "HalfPrecision", "MixedPrecision", "Precision"]
__all__ += ["SafetensorsCheckpointIO", "TorchCheckpointIO"]
