"""Where the published ImageNet weights of the residual networks are, and what they reach."""

from facula_vision.models._api import WeightsEnum
from facula_vision.models._utils import imagenet_weights

__all__ = [
    "ResNeXt50_32X4D_Weights",
    "ResNeXt101_32X8D_Weights",
    "ResNeXt101_64X4D_Weights",
    "ResNet18_Weights",
    "ResNet34_Weights",
    "ResNet50_Weights",
    "ResNet101_Weights",
    "ResNet152_Weights",
    "Wide_ResNet50_2_Weights",
    "Wide_ResNet101_2_Weights",
]


class ResNet18_Weights(WeightsEnum):
    """Published weights of ``resnet18``."""

    IMAGENET1K_V1 = imagenet_weights("resnet18-f37072fd.pth", 11_689_512, 69.758, 89.078)
    DEFAULT = IMAGENET1K_V1


class ResNet34_Weights(WeightsEnum):
    """Published weights of ``resnet34``."""

    IMAGENET1K_V1 = imagenet_weights("resnet34-b627a593.pth", 21_797_672, 73.314, 91.420)
    DEFAULT = IMAGENET1K_V1


class ResNet50_Weights(WeightsEnum):
    """Published weights of ``resnet50``."""

    IMAGENET1K_V1 = imagenet_weights("resnet50-0676ba61.pth", 25_557_032, 76.130, 92.862)
    IMAGENET1K_V2 = imagenet_weights("resnet50-11ad3fa6.pth", 25_557_032, 80.858, 95.434, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNet101_Weights(WeightsEnum):
    """Published weights of ``resnet101``."""

    IMAGENET1K_V1 = imagenet_weights("resnet101-63fe2227.pth", 44_549_160, 77.374, 93.546)
    IMAGENET1K_V2 = imagenet_weights("resnet101-cd907fc2.pth", 44_549_160, 81.886, 95.780, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNet152_Weights(WeightsEnum):
    """Published weights of ``resnet152``."""

    IMAGENET1K_V1 = imagenet_weights("resnet152-394f9c45.pth", 60_192_808, 78.312, 94.046)
    IMAGENET1K_V2 = imagenet_weights("resnet152-f82ba261.pth", 60_192_808, 82.284, 96.002, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNeXt50_32X4D_Weights(WeightsEnum):
    """Published weights of ``resnext50_32x4d``."""

    IMAGENET1K_V1 = imagenet_weights("resnext50_32x4d-7cdf4587.pth", 25_028_904, 77.618, 93.698)
    IMAGENET1K_V2 = imagenet_weights("resnext50_32x4d-1a0047aa.pth", 25_028_904, 81.198, 95.340, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNeXt101_32X8D_Weights(WeightsEnum):
    """Published weights of ``resnext101_32x8d``."""

    IMAGENET1K_V1 = imagenet_weights("resnext101_32x8d-8ba56ff5.pth", 88_791_336, 79.312, 94.526)
    IMAGENET1K_V2 = imagenet_weights("resnext101_32x8d-110c445d.pth", 88_791_336, 82.834, 96.228, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class ResNeXt101_64X4D_Weights(WeightsEnum):
    """Published weights of ``resnext101_64x4d``."""

    IMAGENET1K_V1 = imagenet_weights("resnext101_64x4d-173b62eb.pth", 83_455_272, 83.246, 96.454, resize_size=232)
    DEFAULT = IMAGENET1K_V1


class Wide_ResNet50_2_Weights(WeightsEnum):
    """Published weights of ``wide_resnet50_2``."""

    IMAGENET1K_V1 = imagenet_weights("wide_resnet50_2-95faca4d.pth", 68_883_240, 78.468, 94.086)
    IMAGENET1K_V2 = imagenet_weights("wide_resnet50_2-9ba9bcbe.pth", 68_883_240, 81.602, 95.758, resize_size=232)
    DEFAULT = IMAGENET1K_V2


class Wide_ResNet101_2_Weights(WeightsEnum):
    """Published weights of ``wide_resnet101_2``."""

    IMAGENET1K_V1 = imagenet_weights("wide_resnet101_2-32ee1156.pth", 126_886_696, 78.848, 94.284)
    IMAGENET1K_V2 = imagenet_weights("wide_resnet101_2-d733dc28.pth", 126_886_696, 82.510, 96.020, resize_size=232)
    DEFAULT = IMAGENET1K_V2
