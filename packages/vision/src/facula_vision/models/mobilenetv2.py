"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381)."""

from collections.abc import Callable, Sequence
from typing import Any

import facula.nn.functional as F
from facula import Tensor, nn

from facula_vision.models._api import WeightsEnum, WeightsLike, register_model
from facula_vision.models._utils import _make_divisible, build_model, handle_legacy_interface, imagenet_weights
from facula_vision.ops.misc import Conv2dNormActivation

__all__ = ["MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]

#: For each group of blocks: how much wider they are inside, channels, how many, stride of the first.
_BLOCKS = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))


class InvertedResidual(nn.Module):
    """Widens by a 1x1 convolution, filters each channel, narrows again; adds the input where the shapes agree."""

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: float,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm_layer = norm_layer or nn.BatchNorm2d
        width = round(inp * expand_ratio)
        options: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}
        layers: list[nn.Module] = []
        if expand_ratio != 1:
            layers.append(Conv2dNormActivation(inp, width, kernel_size=1, **options))
        layers.append(Conv2dNormActivation(width, width, stride=stride, groups=width, **options))
        layers += [nn.Conv2d(width, oup, kernel_size=1, bias=False), norm_layer(oup)]
        self.conv = nn.Sequential(*layers)
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        """Return the filtered input, plus the input where they have one shape."""
        return x + self.conv(x) if self.use_res_connect else self.conv(x)


class MobileNetV2(nn.Module):
    """Inverted residuals on images ``[N, 3, H, W]``; ``width_mult`` scales all widths.

    ``inverted_residual_setting`` has a row (expansion, channels, repeats, first stride) for each group of blocks.
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        rows = _BLOCKS if inverted_residual_setting is None else inverted_residual_setting
        if len(rows) == 0 or len(rows[0]) != 4:
            raise ValueError(f"inverted_residual_setting should hold rows of 4 numbers, got {rows}")
        block = block or InvertedResidual
        norm_layer = norm_layer or nn.BatchNorm2d
        options: dict[str, Any] = {"norm_layer": norm_layer, "activation_layer": nn.ReLU6}

        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        layers: list[nn.Module] = [Conv2dNormActivation(3, channels, stride=2, **options)]
        for expansion, width, repeats, first_stride in rows:
            outputs = _make_divisible(width * width_mult, round_nearest)
            for index in range(repeats):
                stride = first_stride if index == 0 else 1
                layers.append(block(channels, outputs, stride, expand_ratio=expansion, norm_layer=norm_layer))
                channels = outputs
        layers.append(Conv2dNormActivation(channels, self.last_channel, kernel_size=1, **options))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes))
        self._initialize()

    def _initialize(self) -> None:
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out")
            elif isinstance(layer, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.ones_(layer.weight)
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, 0, 0.01)
            else:
                continue
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        x = F.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(x.flatten(1))


class MobileNet_V2_Weights(WeightsEnum):
    """Published weights of ``mobilenet_v2``."""

    IMAGENET1K_V1 = imagenet_weights("mobilenet_v2-b0353104.pth", 3_504_872, 71.878, 90.286)
    IMAGENET1K_V2 = imagenet_weights("mobilenet_v2-7ebf99e0.pth", 3_504_872, 72.154, 90.822, resize_size=232)
    DEFAULT = IMAGENET1K_V2


@register_model(weights=MobileNet_V2_Weights)
@handle_legacy_interface(weights=("pretrained", MobileNet_V2_Weights.IMAGENET1K_V1))
def mobilenet_v2(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> MobileNetV2:
    """Return a MobileNetV2; ``weights`` is a ``MobileNet_V2_Weights``, a name of it, or a file."""
    return build_model(MobileNetV2, MobileNet_V2_Weights, weights, progress, kwargs)
