"""Parts of a trainer that can be exchanged: its precision, its checkpoint files, and layers that know of other processes."""

from facula_lightning.plugins.io import (
    AsyncCheckpointIO,
    CheckpointIO,
    SafetensorsCheckpointIO,
    TorchCheckpointIO,
)
from facula_lightning.plugins.layer_sync import LayerSync, TorchSyncBatchNorm
from facula_lightning.plugins.precision import DoublePrecision, HalfPrecision, MixedPrecision, Precision

__all__ = ["AsyncCheckpointIO", "CheckpointIO", "DoublePrecision", "HalfPrecision", "MixedPrecision", "Precision"]
__all__ += ["LayerSync", "TorchSyncBatchNorm"]
__all__ += ["SafetensorsCheckpointIO", "TorchCheckpointIO"]
