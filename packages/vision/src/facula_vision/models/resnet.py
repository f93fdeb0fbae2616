"""Residual networks: ResNet, ResNeXt and Wide ResNet.

Sources: He et al. 2015 (arXiv 1512.03385), Xie et al. 2016 (arXiv 1611.05431), Zagoruyko and Komodakis 2016
(arXiv 1605.07146). As in torchvision, a bottleneck strides in its 3x3 convolution ("ResNet v1.5").
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import facula
from facula import Tensor, nn

from facula_vision.models._api import WeightsEnum, WeightsLike, register_model
from facula_vision.models._utils import build_model, handle_legacy_interface
from facula_vision.models.resnet_weights import (
    ResNet18_Weights,
    ResNet34_Weights,
    ResNet50_Weights,
    ResNet101_Weights,
    ResNet152_Weights,
    ResNeXt50_32X4D_Weights,
    ResNeXt101_32X8D_Weights,
    ResNeXt101_64X4D_Weights,
    Wide_ResNet50_2_Weights,
    Wide_ResNet101_2_Weights,
)

__all__ = [
    "ResNeXt50_32X4D_Weights",
    "ResNeXt101_32X8D_Weights",
    "ResNeXt101_64X4D_Weights",
    "ResNet",
    "ResNet18_Weights",
    "ResNet34_Weights",
    "ResNet50_Weights",
    "ResNet101_Weights",
    "ResNet152_Weights",
    "Wide_ResNet50_2_Weights",
    "Wide_ResNet101_2_Weights",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
]

NormLayer = Callable[[int], nn.Module]


def conv3x3(in_planes: int, out_planes: int, stride: int = 1, groups: int = 1, dilation: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps height and width, apart from the stride."""
    return nn.Conv2d(
        in_planes,
        out_planes,
        kernel_size=3,
        stride=stride,
        padding=dilation,
        groups=groups,
        bias=False,
        dilation=dilation,
    )


def conv1x1(in_planes: int, out_planes: int, stride: int = 1) -> nn.Conv2d:
    """Return a 1x1 convolution."""
    return nn.Conv2d(in_planes, out_planes, kernel_size=1, stride=stride, bias=False)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut, for ResNet-18 and -34."""

    expansion: int = 1

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        if groups != 1 or base_width != 64:
            raise ValueError(f"BasicBlock only supports groups=1 and base_width=64, got {groups} and {base_width}")
        if dilation > 1:
            raise NotImplementedError("Dilation > 1 not supported in BasicBlock")
        self.conv1 = conv3x3(inplanes, planes, stride)
        self.bn1 = norm_layer(planes)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = conv3x3(planes, planes)
        self.bn2 = norm_layer(planes)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's result."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += shortcut
        return self.relu(out)


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions beside a shortcut, the middle one narrow, for ResNet-50 and deeper."""

    expansion: int = 4

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int = 1,
        downsample: nn.Module | None = None,
        groups: int = 1,
        base_width: int = 64,
        dilation: int = 1,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        norm_layer = norm_layer or nn.BatchNorm2d
        width = int(planes * (base_width / 64.0)) * groups
        self.conv1 = conv1x1(inplanes, width)
        self.bn1 = norm_layer(width)
        self.conv2 = conv3x3(width, width, stride, groups, dilation)
        self.bn2 = norm_layer(width)
        self.conv3 = conv1x1(width, planes * self.expansion)
        self.bn3 = norm_layer(planes * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's result."""
        shortcut = x if self.downsample is None else self.downsample(x)
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.relu(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        out += shortcut
        return self.relu(out)


class ResNet(nn.Module):
    """A residual network of four stages; takes images (N, 3, H, W), returns scores (N, num_classes).

    ``layers`` counts the blocks of each stage. ``replace_stride_with_dilation`` keeps the resolution of the last three
    stages instead of halving it. ``zero_init_residual`` starts every block as the identity.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        layers: list[int],
        num_classes: int = 1000,
        zero_init_residual: bool = False,
        groups: int = 1,
        width_per_group: int = 64,
        replace_stride_with_dilation: list[bool] | None = None,
        norm_layer: NormLayer | None = None,
    ) -> None:
        super().__init__()
        self._norm_layer = norm_layer or nn.BatchNorm2d
        self.inplanes = 64
        self.dilation = 1
        dilate = replace_stride_with_dilation or [False, False, False]
        if len(dilate) != 3:
            raise ValueError(
                f"replace_stride_with_dilation should be None or a 3-element tuple, got {replace_stride_with_dilation}"
            )
        self.groups = groups
        self.base_width = width_per_group
        self.conv1 = nn.Conv2d(3, self.inplanes, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = self._norm_layer(self.inplanes)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = self._make_layer(block, 64, layers[0])
        self.layer2 = self._make_layer(block, 128, layers[1], stride=2, dilate=dilate[0])
        self.layer3 = self._make_layer(block, 256, layers[2], stride=2, dilate=dilate[1])
        self.layer4 = self._make_layer(block, 512, layers[3], stride=2, dilate=dilate[2])
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self._initialize(zero_init_residual)

    def _initialize(self, zero_init_residual: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
                nn.init.constant_(module.weight, 1)
                nn.init.constant_(module.bias, 0)
        if zero_init_residual:
            for module in self.modules():
                if isinstance(module, Bottleneck) and isinstance(module.bn3.weight, Tensor):
                    nn.init.constant_(module.bn3.weight, 0)
                elif isinstance(module, BasicBlock) and isinstance(module.bn2.weight, Tensor):
                    nn.init.constant_(module.bn2.weight, 0)

    def _make_layer(
        self,
        block: type[BasicBlock | Bottleneck],
        planes: int,
        blocks: int,
        stride: int = 1,
        dilate: bool = False,
    ) -> nn.Sequential:
        first_dilation = self.dilation
        if dilate:
            self.dilation *= stride
            stride = 1
        out_planes = planes * block.expansion
        downsample = None
        if stride != 1 or self.inplanes != out_planes:
            downsample = nn.Sequential(conv1x1(self.inplanes, out_planes, stride), self._norm_layer(out_planes))
        width = (self.groups, self.base_width)
        stage = [block(self.inplanes, planes, stride, downsample, *width, first_dilation, self._norm_layer)]
        self.inplanes = out_planes
        for _ in range(1, blocks):
            stage.append(block(out_planes, planes, 1, None, *width, self.dilation, self._norm_layer))
        return nn.Sequential(*stage)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        x = facula.flatten(self.avgpool(x), 1)
        return self.fc(x)


# The builders' keyword arguments beyond these are those of ResNet, as in torchvision.


def _resnet(
    block: type[BasicBlock | Bottleneck],
    layers: list[int],
    enumeration: type[WeightsEnum],
    weights: WeightsLike,
    progress: bool,
    options: dict[str, Any],
    **fixed: int,
) -> ResNet:
    for name, value in fixed.items():
        if options.setdefault(name, value) != value:
            raise ValueError(f"The parameter '{name}' expected value {value} but got {options[name]} instead.")
    return build_model(partial(ResNet, block, layers), enumeration, weights, progress, options)


@register_model(weights=ResNet18_Weights)
@handle_legacy_interface(weights=("pretrained", ResNet18_Weights.IMAGENET1K_V1))
def resnet18(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNet-18; ``weights`` is a ``ResNet18_Weights``, a name of it, or a file."""
    return _resnet(BasicBlock, [2, 2, 2, 2], ResNet18_Weights, weights, progress, kwargs)


@register_model(weights=ResNet34_Weights)
@handle_legacy_interface(weights=("pretrained", ResNet34_Weights.IMAGENET1K_V1))
def resnet34(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNet-34; ``weights`` is a ``ResNet34_Weights``, a name of it, or a file."""
    return _resnet(BasicBlock, [3, 4, 6, 3], ResNet34_Weights, weights, progress, kwargs)


@register_model(weights=ResNet50_Weights)
@handle_legacy_interface(weights=("pretrained", ResNet50_Weights.IMAGENET1K_V1))
def resnet50(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNet-50; ``weights`` is a ``ResNet50_Weights``, a name of it, or a file."""
    return _resnet(Bottleneck, [3, 4, 6, 3], ResNet50_Weights, weights, progress, kwargs)


@register_model(weights=ResNet101_Weights)
@handle_legacy_interface(weights=("pretrained", ResNet101_Weights.IMAGENET1K_V1))
def resnet101(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNet-101; ``weights`` is a ``ResNet101_Weights``, a name of it, or a file."""
    return _resnet(Bottleneck, [3, 4, 23, 3], ResNet101_Weights, weights, progress, kwargs)


@register_model(weights=ResNet152_Weights)
@handle_legacy_interface(weights=("pretrained", ResNet152_Weights.IMAGENET1K_V1))
def resnet152(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNet-152; ``weights`` is a ``ResNet152_Weights``, a name of it, or a file."""
    return _resnet(Bottleneck, [3, 8, 36, 3], ResNet152_Weights, weights, progress, kwargs)


@register_model(weights=ResNeXt50_32X4D_Weights)
@handle_legacy_interface(weights=("pretrained", ResNeXt50_32X4D_Weights.IMAGENET1K_V1))
def resnext50_32x4d(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNeXt-50 with 32 groups of width 4.

    ``weights`` is a ``ResNeXt50_32X4D_Weights``, a name of it, or a file.
    """
    return _resnet(
        Bottleneck, [3, 4, 6, 3], ResNeXt50_32X4D_Weights, weights, progress, kwargs, groups=32, width_per_group=4
    )


@register_model(weights=ResNeXt101_32X8D_Weights)
@handle_legacy_interface(weights=("pretrained", ResNeXt101_32X8D_Weights.IMAGENET1K_V1))
def resnext101_32x8d(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNeXt-101 with 32 groups of width 8.

    ``weights`` is a ``ResNeXt101_32X8D_Weights``, a name of it, or a file.
    """
    return _resnet(
        Bottleneck, [3, 4, 23, 3], ResNeXt101_32X8D_Weights, weights, progress, kwargs, groups=32, width_per_group=8
    )


@register_model(weights=ResNeXt101_64X4D_Weights)
@handle_legacy_interface(weights=("pretrained", ResNeXt101_64X4D_Weights.IMAGENET1K_V1))
def resnext101_64x4d(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a ResNeXt-101 with 64 groups of width 4.

    ``weights`` is a ``ResNeXt101_64X4D_Weights``, a name of it, or a file.
    """
    return _resnet(
        Bottleneck, [3, 4, 23, 3], ResNeXt101_64X4D_Weights, weights, progress, kwargs, groups=64, width_per_group=4
    )


@register_model(weights=Wide_ResNet50_2_Weights)
@handle_legacy_interface(weights=("pretrained", Wide_ResNet50_2_Weights.IMAGENET1K_V1))
def wide_resnet50_2(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a Wide ResNet-50-2, its bottlenecks twice as wide.

    ``weights`` is a ``Wide_ResNet50_2_Weights``, a name of it, or a file.
    """
    return _resnet(Bottleneck, [3, 4, 6, 3], Wide_ResNet50_2_Weights, weights, progress, kwargs, width_per_group=128)


@register_model(weights=Wide_ResNet101_2_Weights)
@handle_legacy_interface(weights=("pretrained", Wide_ResNet101_2_Weights.IMAGENET1K_V1))
def wide_resnet101_2(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> ResNet:
    """Return a Wide ResNet-101-2, its bottlenecks twice as wide.

    ``weights`` is a ``Wide_ResNet101_2_Weights``, a name of it, or a file.
    """
    return _resnet(Bottleneck, [3, 4, 23, 3], Wide_ResNet101_2_Weights, weights, progress, kwargs, width_per_group=128)
