"""Tests of the residual networks: keys, initial values, forward pass against PyTorch's operations."""

import hashlib

import facula
import pytest
from facula import nn
from facula_vision.models import (
    ResNet,
    get_model,
    resnet18,
    resnet50,
    resnext50_32x4d,
)
from facula_vision.models.resnet import BasicBlock, Bottleneck

# The first 16 digits of the sha256 of torchvision's state_dict, a line "key shape type" an entry, and the parameters.
DIGESTS = {
    "resnet18": ("11f76d8656482c93", 11_689_512),
    "resnet34": ("6adcd49f2178d075", 21_797_672),
    "resnet50": ("14c3929c40dc540d", 25_557_032),
    "resnet101": ("0f13b66610123216", 44_549_160),
    "resnet152": ("027d8e7bddbac424", 60_192_808),
    "resnext50_32x4d": ("e150f6efb9a46694", 25_028_904),
    "resnext101_32x8d": ("4e17f8a5928f5635", 88_791_336),
    "resnext101_64x4d": ("28d7f28f7ca60821", 83_455_272),
    "wide_resnet50_2": ("62665e9100f197a8", 68_883_240),
    "wide_resnet101_2": ("84330b7ebd470fb2", 126_886_696),
}


@pytest.fixture
def without_initial_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Skip the drawing of initial values, which takes seconds for the largest networks."""
    for name in ("kaiming_uniform_", "kaiming_normal_", "uniform_"):
        monkeypatch.setattr(nn.init, name, lambda tensor, *args, **kwargs: tensor)


@pytest.mark.usefixtures("without_initial_values")
@pytest.mark.parametrize("name", DIGESTS)
def test_state_dict_is_torchvisions(name: str) -> None:
    model = get_model(name)
    lines = [
        f"{key} {tuple(value.shape)} {str(value.dtype).split('.')[-1]}" for key, value in model.state_dict().items()
    ]
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    assert (digest, sum(parameter.numel() for parameter in model.parameters())) == DIGESTS[name]


def test_a_seed_gives_pytorchs_initial_values() -> None:
    facula.manual_seed(0)
    state = resnet18().state_dict()
    # Recorded with PyTorch's random numbers: the first three values, and the sum.
    recorded = {
        "conv1.weight": ([0.024109674617648125, 0.007528774905949831, 0.04665837436914444], -5.018750041808971),
        "layer1.0.conv1.weight": (
            [-0.08211858570575714, -0.04515641927719116, -0.06302369385957718],
            -1.89275079272511,
        ),
        "layer2.0.downsample.0.weight": (
            [-0.10871897637844086, 0.07623140513896942, -0.17475658655166626],
            12.32741330,
        ),
        "layer4.1.conv2.weight": ([0.02886549010872841, 0.011732267215847969, -0.014587409794330597], 13.65792271),
        "fc.weight": ([-0.020315496250987053, 0.018677866086363792, 0.03755621984601021], 22.258755403208127),
        "fc.bias": ([-0.017327722162008286, -0.04316460341215134, 0.008684394881129265], -0.2986611974411062),
    }
    for key, (first, total) in recorded.items():
        assert state[key].flatten()[:3].tolist() == pytest.approx(first, rel=1e-5)
        assert float(state[key].double().sum()) == pytest.approx(total, abs=1e-3)
    assert state["bn1.weight"].tolist() == [1.0] * 64
    assert state["bn1.bias"].tolist() == [0.0] * 64


def test_zero_init_residual_makes_blocks_the_identity() -> None:
    model = ResNet(Bottleneck, [1, 1, 1, 1], num_classes=2, zero_init_residual=True)
    assert model.layer1[0].bn3.weight.abs().sum().item() == 0.0
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=2, zero_init_residual=True)
    assert model.layer4[0].bn2.weight.abs().sum().item() == 0.0
    assert model.layer4[0].bn1.weight.sum().item() == 512.0


def reference_forward(torch, state: dict, image, blocks: list[int], groups: int):
    """The scores that PyTorch's operations give with these weights, in evaluation mode."""
    F = torch.nn.functional

    def norm(x, name):
        return F.batch_norm(
            x,
            state[name + ".running_mean"],
            state[name + ".running_var"],
            state[name + ".weight"],
            state[name + ".bias"],
        )

    def convolution(x, name, **options):
        return F.conv2d(x, state[name + ".weight"], **options)

    x = torch.relu(norm(convolution(image, "conv1", stride=2, padding=3), "bn1"))
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    for stage, count in enumerate(blocks, start=1):
        for index in range(count):
            name = f"layer{stage}.{index}"
            stride = 2 if stage > 1 and index == 0 else 1
            shortcut = x
            if name + ".downsample.0.weight" in state:
                shortcut = norm(convolution(x, name + ".downsample.0", stride=stride), name + ".downsample.1")
            if name + ".conv3.weight" in state:
                x = torch.relu(norm(convolution(x, name + ".conv1"), name + ".bn1"))
                x = convolution(x, name + ".conv2", stride=stride, padding=1, groups=groups)
                x = torch.relu(norm(x, name + ".bn2"))
                x = norm(convolution(x, name + ".conv3"), name + ".bn3")
            else:
                x = torch.relu(norm(convolution(x, name + ".conv1", stride=stride, padding=1), name + ".bn1"))
                x = norm(convolution(x, name + ".conv2", padding=1), name + ".bn2")
            x = torch.relu(x + shortcut)
    return F.linear(x.mean(dim=(2, 3)), state["fc.weight"], state["fc.bias"])


@pytest.mark.parametrize(
    ("builder", "blocks", "groups"),
    [(resnet18, [2, 2, 2, 2], 1), (resnet50, [3, 4, 6, 3], 1), (resnext50_32x4d, [3, 4, 6, 3], 32)],
)
def test_forward_agrees_with_pytorchs_operations(builder, blocks: list[int], groups: int) -> None:
    torch = pytest.importorskip("torch")
    facula.manual_seed(0)
    model = builder(num_classes=5)
    # Running statistics and scales that differ from channel to channel.
    for name, value in model.state_dict().items():
        if name.endswith(("running_mean", "running_var")) or (".bn" in name and name.endswith(".weight")):
            value.copy_(facula.rand(value.shape) * 0.5 + 0.25)
    model.eval()
    image = facula.rand(2, 3, 33, 40)
    with facula.no_grad():
        found = model(image).numpy()
    state = {name: torch.from_numpy(value.numpy().copy()) for name, value in model.state_dict().items()}
    expected = reference_forward(torch, state, torch.from_numpy(image.numpy().copy()), blocks, groups).numpy()
    scale = abs(expected).max()
    assert found / scale == pytest.approx(expected / scale, abs=1e-4)


def test_gradients_reach_every_parameter() -> None:
    facula.manual_seed(0)
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=3)
    model(facula.rand(2, 3, 32, 32)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_dilation_keeps_the_resolution() -> None:
    model = ResNet(Bottleneck, [1, 1, 1, 2], num_classes=2, replace_stride_with_dilation=[False, True, True])
    shapes = []
    model.layer4.register_forward_hook(lambda module, inputs, output: shapes.append(tuple(output.shape)))
    model.eval()(facula.zeros(1, 3, 64, 64))
    assert shapes == [(1, 2048, 8, 8)]
    assert model.layer4[1].conv2.dilation == (4, 4)
    assert model.layer4[0].conv2.dilation == (2, 2)


def test_norm_layer_is_used() -> None:
    model = ResNet(BasicBlock, [1, 1, 1, 1], num_classes=2, norm_layer=lambda channels: nn.GroupNorm(4, channels))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    assert model.bn1.weight.sum().item() == 64.0


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="BasicBlock only supports groups=1 and base_width=64, got 2 and 64"):
        ResNet(BasicBlock, [1, 1, 1, 1], groups=2)
    with pytest.raises(NotImplementedError, match="Dilation > 1 not supported in BasicBlock"):
        ResNet(BasicBlock, [1, 1, 1, 2], replace_stride_with_dilation=[False, False, True])
    with pytest.raises(ValueError, match="should be None or a 3-element tuple"):
        ResNet(BasicBlock, [1, 1, 1, 1], replace_stride_with_dilation=[True])
    with pytest.raises(ValueError, match="The parameter 'groups' expected value 32 but got 2 instead"):
        resnext50_32x4d(groups=2)
    with pytest.raises(TypeError):
        resnet18(number_of_classes=3)
