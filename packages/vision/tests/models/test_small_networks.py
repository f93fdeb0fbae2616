"""AlexNet, SqueezeNet, MobileNetV2 and ShuffleNetV2: state_dict and sizes as torchvision's, a pass, old calls."""

import hashlib

import facula
import pytest
from facula import nn
from facula_vision import models
from facula_vision.models._utils import IntermediateLayerGetter, _make_divisible

# The first 16 digits of the sha256 of torchvision's state_dict, a line "key shape type" an entry, and the parameters.
DIGESTS = {
    "alexnet": ("559fbdc7eb5c0bcc", 61_100_840),
    "mobilenet_v2": ("b81dc3a9ed8f97d3", 3_504_872),
    "shufflenet_v2_x0_5": ("b000c4a799cc5055", 1_366_792),
    "shufflenet_v2_x1_0": ("d599a9df2b2d47b4", 2_278_604),
    "shufflenet_v2_x1_5": ("3f5867f109f92a5b", 3_503_624),
    "shufflenet_v2_x2_0": ("03f241197c419ca6", 7_393_996),
    "squeezenet1_0": ("59068e3bc908bbbf", 1_248_424),
    "squeezenet1_1": ("5aef952c90026600", 1_235_496),
}


@pytest.mark.parametrize("name", DIGESTS)
def test_state_dict_is_torchvisions(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for drawing in ("kaiming_uniform_", "kaiming_normal_", "uniform_", "normal_"):
        monkeypatch.setattr(nn.init, drawing, lambda tensor, *args, **kwargs: tensor)
    model = models.get_model(name)
    lines = [f"{key} {tuple(value.shape)} {value.dtype.name}" for key, value in model.state_dict().items()]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert (digest, sum(parameter.numel() for parameter in model.parameters())) == DIGESTS[name]
    weights = models.get_model_weights(name).DEFAULT
    assert weights.meta["num_params"] == DIGESTS[name][1]
    assert weights.url.startswith("https://download.pytorch.org/models/")


@pytest.mark.parametrize("name", ["mobilenet_v2", "shufflenet_v2_x0_5", "squeezenet1_0", "squeezenet1_1"])
def test_a_pass_forth_and_back(name: str) -> None:
    model = models.get_model(name, num_classes=3)
    scores = model(facula.randn(2, 3, 32, 32))
    assert scores.shape == (2, 3)
    scores.sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def test_alexnet_pass() -> None:
    with facula.no_grad():
        assert models.alexnet(num_classes=3).eval()(facula.zeros(1, 3, 63, 63)).shape == (1, 3)


def test_widths_are_multiples_near_what_is_asked_for() -> None:
    assert [_make_divisible(value, 8) for value in (3, 12, 24, 33.6, 1280)] == [8, 16, 24, 32, 1280]
    assert models.MobileNetV2(num_classes=2, width_mult=0.35).features[0][0].out_channels == 16
    with pytest.raises(ValueError, match="rows of 4"):
        models.MobileNetV2(inverted_residual_setting=[])


def test_shuffle_interleaves_channels() -> None:
    image = facula.arange(6.0).view(1, 6, 1, 1)
    shuffled = models.shufflenetv2.channel_shuffle(image, 2)
    assert shuffled.flatten().tolist() == [0, 3, 1, 4, 2, 5]
    with pytest.raises(ValueError, match="expected stages_repeats"):
        models.ShuffleNetV2([4, 8], [24, 48, 96, 192, 1024])


def test_unknown_squeezenet() -> None:
    with pytest.raises(ValueError, match="Unsupported SqueezeNet version 2_0"):
        models.SqueezeNet("2_0")


def test_calls_of_before_weights() -> None:
    with pytest.warns(UserWarning, match="'pretrained' is deprecated"):
        assert models.squeezenet1_1(pretrained=False, num_classes=2).num_classes == 2
    with pytest.warns(UserWarning, match="deprecated") as warned:
        models.resnet18(False)
    assert len(warned) == 2
    assert {warning.filename for warning in warned} == {__file__}


def test_pretrained_means_the_first_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def state_dict(self: models.WeightsEnum, progress: bool = True, check_hash: bool = False) -> dict:
        asked.append(self)
        return model.state_dict()

    model = models.mobilenet_v2()
    monkeypatch.setattr(models.WeightsEnum, "get_state_dict", state_dict)
    with pytest.warns(UserWarning, match="'pretrained' is deprecated"):
        models.mobilenet_v2(pretrained=True)
    assert asked == [models.MobileNet_V2_Weights.IMAGENET1K_V1]


def test_intermediate_layers() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 4), nn.ReLU())
    body = IntermediateLayerGetter(model, {"1": "first", "2": "second"})
    found = body(facula.zeros(1, 2))
    assert [(name, tuple(value.shape)) for name, value in found.items()] == [("first", (1, 3)), ("second", (1, 4))]
    assert len(body) == 3
    with pytest.raises(ValueError, match="not present"):
        IntermediateLayerGetter(model, {"9": "x"})
