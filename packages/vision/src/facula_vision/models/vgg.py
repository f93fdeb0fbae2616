"""VGG networks (Simonyan and Zisserman 2014, arXiv 1409.1556), with and without batch normalisation."""

from functools import partial
from typing import Any

import facula
from facula import Tensor, nn

from facula_vision.models._api import WeightsEnum, WeightsLike, register_model, resolve_weights
from facula_vision.models._utils import build_model, handle_legacy_interface, imagenet_weights

__all__ = [
    "VGG",
    "VGG11_BN_Weights",
    "VGG11_Weights",
    "VGG13_BN_Weights",
    "VGG13_Weights",
    "VGG16_BN_Weights",
    "VGG16_Weights",
    "VGG19_BN_Weights",
    "VGG19_Weights",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

#: The widths of the convolutions; "M" is a pool.
_LAYERS: dict[str, list[int | str]] = {
    "A": [64, "M", 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "B": [64, 64, "M", 128, 128, "M", 256, 256, "M", 512, 512, "M", 512, 512, "M"],
    "D": [64, 64, "M", 128, 128, "M", 256, 256, 256, "M", 512, 512, 512, "M", 512, 512, 512, "M"],
    "E": [64, 64, "M", 128, 128, "M", *[256] * 4, "M", *[512] * 4, "M", *[512] * 4, "M"],
}


def make_layers(cfg: list[int | str], batch_norm: bool = False) -> nn.Sequential:
    """Return convolutions of the widths in ``cfg``, each with a ReLU, and pools where it says "M"."""
    layers: list[nn.Module] = []
    channels = 3
    for width in cfg:
        if isinstance(width, str):
            layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(width))
        layers.append(nn.ReLU(inplace=True))
        channels = width
    return nn.Sequential(*layers)


class VGG(nn.Module):
    """Convolutions, an average over a 7x7 grid, and three linear layers, on images ``[N, 3, H, W]``."""

    def __init__(
        self, features: nn.Module, num_classes: int = 1000, init_weights: bool = True, dropout: float = 0.5
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(p=dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            self._initialize()

    def _initialize(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.BatchNorm2d):
                nn.init.ones_(layer.weight)
                nn.init.zeros_(layer.bias)
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, 0.01)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        x = self.avgpool(self.features(x))
        return self.classifier(facula.flatten(x, 1))


#: Every network has five halvings.
_weights = partial(imagenet_weights, min_size=(32, 32))


class VGG11_Weights(WeightsEnum):
    """Published weights of ``vgg11``."""

    IMAGENET1K_V1 = _weights("vgg11-8a719046.pth", 132_863_336, 69.020, 88.628)
    DEFAULT = IMAGENET1K_V1


class VGG11_BN_Weights(WeightsEnum):
    """Published weights of ``vgg11_bn``."""

    IMAGENET1K_V1 = _weights("vgg11_bn-6002323d.pth", 132_868_840, 70.370, 89.810)
    DEFAULT = IMAGENET1K_V1


class VGG13_Weights(WeightsEnum):
    """Published weights of ``vgg13``."""

    IMAGENET1K_V1 = _weights("vgg13-19584684.pth", 133_047_848, 69.928, 89.246)
    DEFAULT = IMAGENET1K_V1


class VGG13_BN_Weights(WeightsEnum):
    """Published weights of ``vgg13_bn``."""

    IMAGENET1K_V1 = _weights("vgg13_bn-abd245e5.pth", 133_053_736, 71.586, 90.374)
    DEFAULT = IMAGENET1K_V1


class VGG16_Weights(WeightsEnum):
    """Published weights of ``vgg16``."""

    IMAGENET1K_V1 = _weights("vgg16-397923af.pth", 138_357_544, 71.592, 90.382)
    DEFAULT = IMAGENET1K_V1


class VGG16_BN_Weights(WeightsEnum):
    """Published weights of ``vgg16_bn``."""

    IMAGENET1K_V1 = _weights("vgg16_bn-6c64b313.pth", 138_365_992, 73.360, 91.516)
    DEFAULT = IMAGENET1K_V1


class VGG19_Weights(WeightsEnum):
    """Published weights of ``vgg19``."""

    IMAGENET1K_V1 = _weights("vgg19-dcbb9e9d.pth", 143_667_240, 72.376, 90.876)
    DEFAULT = IMAGENET1K_V1


class VGG19_BN_Weights(WeightsEnum):
    """Published weights of ``vgg19_bn``."""

    IMAGENET1K_V1 = _weights("vgg19_bn-c79401a0.pth", 143_678_248, 74.218, 91.842)
    DEFAULT = IMAGENET1K_V1


def _vgg(
    layers: str,
    batch_norm: bool,
    enumeration: type[WeightsEnum],
    weights: WeightsLike,
    progress: bool,
    options: dict[str, Any],
) -> VGG:
    if resolve_weights(enumeration, weights) is not None:
        options.setdefault("init_weights", False)
    make = partial(VGG, make_layers(_LAYERS[layers], batch_norm))
    return build_model(make, enumeration, weights, progress, options)


@register_model(weights=VGG11_Weights)
@handle_legacy_interface(weights=("pretrained", VGG11_Weights.IMAGENET1K_V1))
def vgg11(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-11; ``weights`` is a ``VGG11_Weights``, a name of it, or a file."""
    return _vgg("A", False, VGG11_Weights, weights, progress, kwargs)


@register_model(weights=VGG11_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG11_BN_Weights.IMAGENET1K_V1))
def vgg11_bn(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-11 with batch normalisation; ``weights`` is a ``VGG11_BN_Weights``, a name of it, or a file."""
    return _vgg("A", True, VGG11_BN_Weights, weights, progress, kwargs)


@register_model(weights=VGG13_Weights)
@handle_legacy_interface(weights=("pretrained", VGG13_Weights.IMAGENET1K_V1))
def vgg13(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-13; ``weights`` is a ``VGG13_Weights``, a name of it, or a file."""
    return _vgg("B", False, VGG13_Weights, weights, progress, kwargs)


@register_model(weights=VGG13_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG13_BN_Weights.IMAGENET1K_V1))
def vgg13_bn(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-13 with batch normalisation; ``weights`` is a ``VGG13_BN_Weights``, a name of it, or a file."""
    return _vgg("B", True, VGG13_BN_Weights, weights, progress, kwargs)


@register_model(weights=VGG16_Weights)
@handle_legacy_interface(weights=("pretrained", VGG16_Weights.IMAGENET1K_V1))
def vgg16(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-16; ``weights`` is a ``VGG16_Weights``, a name of it, or a file."""
    return _vgg("D", False, VGG16_Weights, weights, progress, kwargs)


@register_model(weights=VGG16_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG16_BN_Weights.IMAGENET1K_V1))
def vgg16_bn(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-16 with batch normalisation; ``weights`` is a ``VGG16_BN_Weights``, a name of it, or a file."""
    return _vgg("D", True, VGG16_BN_Weights, weights, progress, kwargs)


@register_model(weights=VGG19_Weights)
@handle_legacy_interface(weights=("pretrained", VGG19_Weights.IMAGENET1K_V1))
def vgg19(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-19; ``weights`` is a ``VGG19_Weights``, a name of it, or a file."""
    return _vgg("E", False, VGG19_Weights, weights, progress, kwargs)


@register_model(weights=VGG19_BN_Weights)
@handle_legacy_interface(weights=("pretrained", VGG19_BN_Weights.IMAGENET1K_V1))
def vgg19_bn(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> VGG:
    """Return a VGG-19 with batch normalisation; ``weights`` is a ``VGG19_BN_Weights``, a name of it, or a file."""
    return _vgg("E", True, VGG19_BN_Weights, weights, progress, kwargs)
