"""SafetensorsCheckpointIO: checkpoints as safetensors files with JSON."""

from __future__ import annotations

from typing import Any

from facula_lightning.checkpointing.io import PathLike
from facula_lightning.plugins.io.torch_plugin import TorchCheckpointIO


class SafetensorsCheckpointIO(TorchCheckpointIO):
    """Writes safetensors files: tensors with their SHA-256, and all else as JSON; there is no pickle in them.

    >>> from facula_lightning import Trainer
    >>> trainer = Trainer(plugins=[SafetensorsCheckpointIO()], logger=False, enable_checkpointing=False)
    """

    def _write(self, checkpoint: dict[str, Any], path: PathLike) -> None:
        from facula_lightning.checkpointing.safetensors import write_safetensors_checkpoint

        write_safetensors_checkpoint(checkpoint, path)
