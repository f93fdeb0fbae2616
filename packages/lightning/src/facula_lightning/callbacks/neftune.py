"""NEFTune: noise on embeddings while a language model is finetuned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor, nn

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class NEFTune(Callback):
    """Adds uniform noise of at most ``noise_alpha / sqrt(T * D)`` to embeddings (N, T, D), in training only.

    ``embedding`` is the name of the layer, the first `nn.Embedding` by default. Jain et al. 2023, arXiv 2310.05914.

    >>> NEFTune(noise_alpha=10).noise_alpha
    10
    """

    def __init__(self, noise_alpha: float = 5.0, embedding: str | None = None) -> None:
        if noise_alpha <= 0:
            raise ValueError(f"expected a positive `noise_alpha`, got {noise_alpha}")
        self.noise_alpha = noise_alpha
        self.embedding = embedding
        self._hook: Any = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Hook into the embedding."""
        if self.embedding is not None:
            layer: nn.Module | None = pl_module.get_submodule(self.embedding)
        else:
            layer = next((each for each in pl_module.modules() if isinstance(each, nn.Embedding)), None)
        if layer is None:
            raise MisconfigurationException(
                f"{type(pl_module).__name__} has no `nn.Embedding`: name one, `embedding=...`"
            )
        self._hook = layer.register_forward_hook(self._add_noise)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Leave the embedding as it was."""
        self._unhook()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the embedding as it was."""
        self._unhook()

    def _unhook(self) -> None:
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _add_noise(self, layer: nn.Module, inputs: object, output: Tensor) -> Tensor:
        if not layer.training:
            return output
        most = self.noise_alpha / (output.shape[-2] * output.shape[-1]) ** 0.5
        return output + facula.empty_like(output).uniform_(-most, most).detach()
