"""SqueezeNet (Iandola et al. 2016, arXiv 1602.07360), versions 1.0 and 1.1."""

from functools import partial
from typing import Any

import facula
from facula import Tensor, nn

from facula_vision.models._api import WeightsEnum, WeightsLike, register_model
from facula_vision.models._utils import build_model, handle_legacy_interface, imagenet_weights

__all__ = ["SqueezeNet", "SqueezeNet1_0_Weights", "SqueezeNet1_1_Weights", "squeezenet1_0", "squeezenet1_1"]

#: The first convolution (channels, kernel), then the squeezed width of each fire; "M" is a pool.
_LAYERS: dict[str, tuple[int, int, list[int | str]]] = {
    "1_0": (96, 7, ["M", 16, 16, 32, "M", 32, 48, 48, 64, "M", 64]),
    "1_1": (64, 3, ["M", 16, 16, "M", 32, 32, "M", 48, 48, 64, 64]),
}


class Fire(nn.Module):
    """A 1x1 convolution to few channels, then 1x1 and 3x3 convolutions to many, side by side."""

    def __init__(self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return both expansions of the squeezed input, as channels."""
        squeezed = self.squeeze_activation(self.squeeze(x))
        small = self.expand1x1_activation(self.expand1x1(squeezed))
        large = self.expand3x3_activation(self.expand3x3(squeezed))
        return facula.cat([small, large], 1)


class SqueezeNet(nn.Module):
    """Fires and pools, and a 1x1 convolution whose mean over the image is the score; on images ``[N, 3, H, W]``."""

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _LAYERS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: expected one of {', '.join(_LAYERS)}")
        self.num_classes = num_classes
        channels, kernel_size, fires = _LAYERS[version]
        layers: list[nn.Module] = [nn.Conv2d(3, channels, kernel_size, stride=2), nn.ReLU(inplace=True)]
        for width in fires:
            if isinstance(width, str):
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
                continue
            layers.append(Fire(channels, width, 4 * width, 4 * width))
            channels = 8 * width
        self.features = nn.Sequential(*layers)
        final = nn.Conv2d(channels, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(nn.Dropout(dropout), final, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1)))
        for layer in self.modules():
            if not isinstance(layer, nn.Conv2d):
                continue
            if layer is final:
                nn.init.normal_(layer.weight, 0.0, 0.01)
            else:
                nn.init.kaiming_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        return facula.flatten(self.classifier(self.features(x)), 1)


class SqueezeNet1_0_Weights(WeightsEnum):
    """Published weights of ``squeezenet1_0``."""

    IMAGENET1K_V1 = imagenet_weights("squeezenet1_0-b66bff10.pth", 1_248_424, 58.092, 80.420, (21, 21))
    DEFAULT = IMAGENET1K_V1


class SqueezeNet1_1_Weights(WeightsEnum):
    """Published weights of ``squeezenet1_1``."""

    IMAGENET1K_V1 = imagenet_weights("squeezenet1_1-b8a52dc0.pth", 1_235_496, 58.178, 80.624, (17, 17))
    DEFAULT = IMAGENET1K_V1


@register_model(weights=SqueezeNet1_0_Weights)
@handle_legacy_interface(weights=("pretrained", SqueezeNet1_0_Weights.IMAGENET1K_V1))
def squeezenet1_0(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """Return a SqueezeNet 1.0; ``weights`` is a ``SqueezeNet1_0_Weights``, a name of it, or a file."""
    return build_model(partial(SqueezeNet, "1_0"), SqueezeNet1_0_Weights, weights, progress, kwargs)


@register_model(weights=SqueezeNet1_1_Weights)
@handle_legacy_interface(weights=("pretrained", SqueezeNet1_1_Weights.IMAGENET1K_V1))
def squeezenet1_1(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> SqueezeNet:
    """Return a SqueezeNet 1.1, as exact as 1.0 with less work; ``weights`` as for ``squeezenet1_0``."""
    return build_model(partial(SqueezeNet, "1_1"), SqueezeNet1_1_Weights, weights, progress, kwargs)
