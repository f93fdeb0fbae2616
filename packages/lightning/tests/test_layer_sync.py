"""Plugins that exchange layers for such as know of other processes."""

import facula
import pytest
from facula import nn
from facula_lightning import Trainer
from facula_lightning.plugins import LayerSync, TorchSyncBatchNorm
from facula_lightning.utilities.exceptions import MisconfigurationException


def test_batch_normalization_is_exchanged_and_back() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2)))
    model[1].eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    parameters = list(model.parameters())
    plugin = TorchSyncBatchNorm()
    assert isinstance(plugin.apply(model)[1], nn.SyncBatchNorm) and isinstance(model[2][1], nn.SyncBatchNorm)
    plugin.revert(model)
    assert not any(isinstance(each, nn.SyncBatchNorm) for each in model.modules())
    assert all(one is other for one, other in zip(parameters, model.parameters(), strict=True))
    assert all(facula.equal(before[key], value) for key, value in model.state_dict().items())
    assert not model[1].training and model[2][1].training
    assert model[1](facula.ones(4, 3)).shape == (4, 3) and model[2](facula.ones(2, 1, 3, 3)).shape == (2, 2, 3, 3)
    with pytest.raises(ValueError, match="expected at least 2D input"):
        model[1](facula.ones(3))


def test_a_trainer_takes_one_of_them() -> None:
    class Own(LayerSync):
        def apply(self, model):
            return model

        revert = apply

    own = Own()
    assert Trainer(accelerator="cpu", logger=False, plugins=[own]).layer_sync is own
    assert Trainer(accelerator="cpu", logger=False, plugins=own).layer_sync is own
    assert Trainer(accelerator="cpu", logger=False).layer_sync is None
    assert isinstance(Trainer(accelerator="cpu", logger=False, sync_batchnorm=True).layer_sync, TorchSyncBatchNorm)
    for wrong in ({"plugins": [own, Own()]}, {"plugins": own, "sync_batchnorm": True}):
        with pytest.raises(MisconfigurationException, match="Received multiple values for LayerSync"):
            Trainer(accelerator="cpu", logger=False, **wrong)
