"""AlexNet, in the form of "One weird trick" (Krizhevsky 2014, arXiv 1404.5997)."""

from typing import Any

import facula
from facula import Tensor, nn

from facula_vision.models._api import WeightsEnum, WeightsLike, register_model
from facula_vision.models._utils import build_model, handle_legacy_interface, imagenet_weights

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]


class AlexNet(nn.Module):
    """Five convolutions and three linear layers, on images ``[N, 3, H, W]`` of at least 63x63."""

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        self.features = nn.Sequential(
            *_convolution(3, 64, 11, padding=2, stride=4),
            nn.MaxPool2d(3, 2),
            *_convolution(64, 192, 5, padding=2),
            nn.MaxPool2d(3, 2),
            *_convolution(192, 384, 3, padding=1),
            *_convolution(384, 256, 3, padding=1),
            *_convolution(256, 256, 3, padding=1),
            nn.MaxPool2d(3, 2),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        return self.classifier(facula.flatten(self.avgpool(self.features(x)), 1))


def _convolution(inputs: int, outputs: int, size: int, padding: int, stride: int = 1) -> tuple[nn.Module, nn.Module]:
    return nn.Conv2d(inputs, outputs, size, stride, padding), nn.ReLU(inplace=True)


class AlexNet_Weights(WeightsEnum):
    """Published weights of ``alexnet``."""

    IMAGENET1K_V1 = imagenet_weights("alexnet-owt-7be5be79.pth", 61_100_840, 56.522, 79.066, (63, 63))
    DEFAULT = IMAGENET1K_V1


@register_model(weights=AlexNet_Weights)
@handle_legacy_interface(weights=("pretrained", AlexNet_Weights.IMAGENET1K_V1))
def alexnet(*, weights: WeightsLike = None, progress: bool = True, **kwargs: Any) -> AlexNet:
    """Return an AlexNet; ``weights`` is an ``AlexNet_Weights``, a name of it, or a file."""
    return build_model(AlexNet, AlexNet_Weights, weights, progress, kwargs)
