"""VGG networks: state_dict and sizes as torchvision's, a pass, initial values."""

import hashlib

import facula
import pytest
from facula import nn
from facula_vision import models
from facula_vision.models.vgg import VGG, make_layers

# The first 16 digits of the sha256 of torchvision's state_dict, a line "key shape type" an entry, and the parameters.
DIGESTS = {
    "vgg11": ("fd56df2a3d7de461", 132_863_336),
    "vgg11_bn": ("362083fadc0d4121", 132_868_840),
    "vgg13": ("4ee82791bdd98e55", 133_047_848),
    "vgg13_bn": ("64f0ccc032f2a705", 133_053_736),
    "vgg16": ("e44d8019af45b27a", 138_357_544),
    "vgg16_bn": ("e016cb3f386d85c1", 138_365_992),
    "vgg19": ("417d28c247cebea1", 143_667_240),
    "vgg19_bn": ("a332557a4c483966", 143_678_248),
}


@pytest.fixture
def without_initial_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the drawing of initial values, which takes seconds."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.usefixtures("without_initial_values")
@pytest.mark.parametrize("name", DIGESTS)
def test_state_dict_is_torchvisions(name: str) -> None:
    model = models.get_model(name)
    lines = [f"{key} {tuple(value.shape)} {value.dtype.name}" for key, value in model.state_dict().items()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert (digest, sum(parameter.numel() for parameter in model.parameters())) == DIGESTS[name]
    assert models.get_model_weights(name).DEFAULT.meta["num_params"] == DIGESTS[name][1]


@pytest.mark.usefixtures("without_initial_values")
def test_a_pass_through_it() -> None:
    model = VGG(make_layers([4, "M", 512], batch_norm=True), num_classes=3).eval()
    with facula.no_grad():
        assert model(facula.zeros(2, 3, 16, 16)).shape == (2, 3)
    assert [type(each).__name__ for each in model.features] == [
        *("Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d", "Conv2d", "BatchNorm2d", "ReLU"),
    ]
