"""How checkpoints are written and read."""

from facula_lightning.plugins.io.async_plugin import AsyncCheckpointIO
from facula_lightning.plugins.io.checkpoint_io import CheckpointIO
from facula_lightning.plugins.io.safetensors_plugin import SafetensorsCheckpointIO
from facula_lightning.plugins.io.torch_plugin import TorchCheckpointIO

__all__ = ["AsyncCheckpointIO", "CheckpointIO", "SafetensorsCheckpointIO", "TorchCheckpointIO"]
