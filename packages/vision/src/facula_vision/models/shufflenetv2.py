"""ShuffleNet V2 (Ma et al. 2018, arXiv 1807.11164)."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import facula
from facula import Tensor, nn

from facula_vision.models._api import WeightsEnum, WeightsLike, register_model
from facula_vision.models._utils import build_model, handle_legacy_interface, imagenet_weights

__all__ = [
    "ShuffleNetV2",
    "ShuffleNet_V2_X0_5_Weights",
    "ShuffleNet_V2_X1_0_Weights",
    "ShuffleNet_V2_X1_5_Weights",
    "ShuffleNet_V2_X2_0_Weights",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
]


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Return the image with its channels interleaved: the first of each group, then the second of each."""
    batch, channels, height, width = x.shape
    return x.view(batch, groups, channels // groups, height, width).transpose(1, 2).reshape(x.shape)


def _pointwise(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)]


def _depthwise(channels: int, stride: int) -> list[nn.Module]:
    return [nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False), nn.BatchNorm2d(channels)]


class InvertedResidual(nn.Module):
    """Filters half of the channels and shuffles both halves; with a stride, filters all of them in two ways."""

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError(f"stride should be 1, 2 or 3, got {stride}")
        half = oup // 2
        if stride == 1 and inp != 2 * half:
            raise ValueError(f"With stride 1 as many channels go out as come in, an even number, got {inp} and {oup}")
        self.stride = stride
        self.branch1 = nn.Sequential(*(_depthwise(inp, stride) + _pointwise(inp, half) if stride > 1 else []))
        self.branch2 = nn.Sequential(
            *_pointwise(inp if stride > 1 else half, half),
            *_depthwise(half, stride),
            *_pointwise(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return both halves, their channels interleaved."""
        first, second = x.chunk(2, dim=1) if self.stride == 1 else (self.branch1(x), x)
        return channel_shuffle(facula.cat((first, self.branch2(second)), dim=1), 2)


class ShuffleNetV2(nn.Module):
    """Three stages of shuffled blocks on images ``[N, 3, H, W]``.

    ``stages_repeats`` has the number of blocks of each stage, ``stages_out_channels`` the widths of the first
    convolution, the stages and the last convolution.
    """

    stage2: nn.Sequential
    stage3: nn.Sequential
    stage4: nn.Sequential

    def __init__(
        self,
        stages_repeats: Sequence[int],
        stages_out_channels: Sequence[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError(f"expected stages_repeats as list of 3 positive ints, got {stages_repeats}")
        if len(stages_out_channels) != 5:
            raise ValueError(f"expected stages_out_channels as list of 5 positive ints, got {stages_out_channels}")
        channels, *widths, last = stages_out_channels
        self.conv1 = nn.Sequential(
            nn.Conv2d(3, channels, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
        )
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        for stage, repeats, width in zip((2, 3, 4), stages_repeats, widths, strict=True):
            blocks = [inverted_residual(channels, width, 2)]
            blocks += [inverted_residual(width, width, 1) for _ in range(repeats - 1)]
            self.add_module(f"stage{stage}", nn.Sequential(*blocks))
            channels = width
        self.conv5 = nn.Sequential(*_pointwise(channels, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        x = self.maxpool(self.conv1(x))
        x = self.stage4(self.stage3(self.stage2(x)))
        return self.fc(self.conv5(x).mean([2, 3]))


class ShuffleNet_V2_X0_5_Weights(WeightsEnum):
    """Published weights of ``shufflenet_v2_x0_5``."""

    IMAGENET1K_V1 = imagenet_weights("shufflenetv2_x0.5-f707e7126e.pth", 1_366_792, 60.552, 81.746)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X1_0_Weights(WeightsEnum):
    """Published weights of ``shufflenet_v2_x1_0``."""

    IMAGENET1K_V1 = imagenet_weights("shufflenetv2_x1-5666bf0f80.pth", 2_278_604, 69.362, 88.316)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X1_5_Weights(WeightsEnum):
    """Published weights of ``shufflenet_v2_x1_5``."""

    IMAGENET1K_V1 = imagenet_weights("shufflenetv2_x1_5-3c479a10.pth", 3_503_624, 72.996, 91.086, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class ShuffleNet_V2_X2_0_Weights(WeightsEnum):
    """Published weights of ``shufflenet_v2_x2_0``."""

    IMAGENET1K_V1 = imagenet_weights("shufflenetv2_x2_0-8be3c8ee.pth", 7_393_996, 76.230, 93.006, resize_size=232)
    DEFAULT = IMAGENET1K_V1


def _shufflenet(
    widths: Sequence[int],
    enumeration: type[WeightsEnum],
    weights: WeightsLike,
    progress: bool,
    options: dict[str, Any],
) -> ShuffleNetV2:
    return build_model(partial(ShuffleNetV2, (4, 8, 4), widths), enumeration, weights, progress, options)


@register_model(weights=ShuffleNet_V2_X0_5_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X0_5_Weights.IMAGENET1K_V1))
def shufflenet_v2_x0_5(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """Return a ShuffleNet V2 of half width; ``weights`` is a ``ShuffleNet_V2_X0_5_Weights``, a name of it, or a file."""
    return _shufflenet((24, 48, 96, 192, 1024), ShuffleNet_V2_X0_5_Weights, weights, progress, kwargs)


@register_model(weights=ShuffleNet_V2_X1_0_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X1_0_Weights.IMAGENET1K_V1))
def shufflenet_v2_x1_0(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """Return a ShuffleNet V2; ``weights`` is a ``ShuffleNet_V2_X1_0_Weights``, a name of it, or a file."""
    return _shufflenet((24, 116, 232, 464, 1024), ShuffleNet_V2_X1_0_Weights, weights, progress, kwargs)


@register_model(weights=ShuffleNet_V2_X1_5_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X1_5_Weights.IMAGENET1K_V1))
def shufflenet_v2_x1_5(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """Return one 1.5 times as wide; ``weights`` is a ``ShuffleNet_V2_X1_5_Weights``, a name of it, or a file."""
    return _shufflenet((24, 176, 352, 704, 1024), ShuffleNet_V2_X1_5_Weights, weights, progress, kwargs)


@register_model(weights=ShuffleNet_V2_X2_0_Weights)
@handle_legacy_interface(weights=("pretrained", ShuffleNet_V2_X2_0_Weights.IMAGENET1K_V1))
def shufflenet_v2_x2_0(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ShuffleNetV2:
    """Return one of double width; ``weights`` is a ``ShuffleNet_V2_X2_0_Weights``, a name of it, or a file."""
    return _shufflenet((24, 244, 488, 976, 2048), ShuffleNet_V2_X2_0_Weights, weights, progress, kwargs)
