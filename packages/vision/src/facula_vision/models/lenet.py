"""LeNet-5, the convolutional network for handwritten digits."""

import facula
import facula.nn.functional as F
from facula import Tensor, nn

from facula_vision.models._api import WeightsLike, load_weights, register_model, resolve_weights

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """LeNet-5 (LeCun et al. 1998, "Gradient-Based Learning Applied to Document Recognition", figure 2).

    Takes images (N, in_channels, 28, 28), or 32 x 32 with ``padding=0``, as in the paper, which put 28 x 28 digits in
    frames of 32 x 32; returns scores (N, num_classes). As is usual now, the units are rectified linear instead of
    tanh, pooling takes the maximum instead of a learned average, each of the second convolution's maps sees all of
    the first's, and the output layer is linear. Layer names are those of PyTorch's introductory tutorial.

    >>> LeNet()(facula.zeros(2, 1, 28, 28)).shape
    facula.Size([2, 10])
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1, padding: int = 2) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, 6, kernel_size=5, padding=padding)
        self.conv2 = nn.Conv2d(6, 16, kernel_size=5)
        self.fc1 = nn.Linear(16 * 5 * 5, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = facula.flatten(x, 1)
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        return self.fc3(x)


@register_model()
def lenet(
    *,
    weights: WeightsLike = None,
    progress: bool = True,
    num_classes: int = 10,
    in_channels: int = 1,
    padding: int = 2,
) -> LeNet:
    """Return a LeNet, with the weights of a checkpoint file if given; there are no published ones."""
    checkpoint = resolve_weights(None, weights)
    model = LeNet(num_classes, in_channels, padding)
    load_weights(model, checkpoint, progress)
    return model
