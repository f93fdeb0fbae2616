"""LayerSync: layers that compute with the batches of all processes."""

from __future__ import annotations

from abc import ABC, abstractmethod

import facula
from facula import nn


class LayerSync(ABC):
    """Base of plugins that exchange layers of a model for such as know of the other processes."""

    @abstractmethod
    def apply(self, model: nn.Module) -> nn.Module:
        """Return the model with its layers exchanged."""

    @abstractmethod
    def revert(self, model: nn.Module) -> nn.Module:
        """Return the model with its layers as they were."""


class TorchSyncBatchNorm(LayerSync):
    """Batch normalization over the batches of all processes: what ``Trainer(sync_batchnorm=True)`` does.

    >>> model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    >>> plugin = TorchSyncBatchNorm()
    >>> type(plugin.apply(model)[1]).__name__
    'SyncBatchNorm'
    >>> plugin.revert(model)(facula.ones(4, 2)).shape
    facula.Size([4, 3])
    """

    def apply(self, model: nn.Module) -> nn.Module:
        """Return the model with batch normalization over all processes."""
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)

    def revert(self, model: nn.Module) -> nn.Module:
        """Return the model with batch normalization of its own batches, of any number of dimensions."""
        made = _of_one_process(model) if isinstance(model, nn.SyncBatchNorm) else model
        for name, child in list(model.named_children()):
            made.add_module(name, self.revert(child))
        return made


class _BatchNorm(nn.BatchNorm1d):
    """Batch normalization of any number of dimensions: which it was is not known any more."""

    def _check_input_dim(self, input: facula.Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2D input (got {input.dim()}D input)")


def _of_one_process(layer: nn.SyncBatchNorm) -> nn.Module:
    made = _BatchNorm(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    made._parameters.update(layer._parameters)
    made._buffers.update(layer._buffers)
    made.training = layer.training
    return made
