"""M5, a network of five layers on raw waveforms (Dai et al. 2016, arXiv:1610.00087)."""

import facula
from facula import Tensor, nn

__all__ = ["M5"]


class M5(nn.Module):
    """Classifies waveforms: four convolutions with batch norm and pooling, the mean over time, one linear layer.

    Args:
        n_input: channels of the waveform.
        n_output: classes.
        stride: of the first convolution; 4 in the paper, 16 in PyTorch's speech command tutorial.
        n_channel: channels after the first convolution; twice as many after the third.
        kernel_size: of the first convolution, 80 samples: 10 ms at the 8 kHz of the paper. Scale it and ``stride`` with
            the sample rate to see the same stretch of time.

    The keys of the state dict are those of PyTorch's speech command tutorial (``conv1``, ``bn1``, …, ``fc1``).
    Waveforms of any length of at least ``min_frames`` do: the last feature maps are averaged over time.

    >>> M5(n_output=10)(facula.zeros(2, 1, 8000)).shape
    facula.Size([2, 10])
    """

    def __init__(
        self,
        n_input: int = 1,
        n_output: int = 35,
        stride: int = 16,
        n_channel: int = 32,
        kernel_size: int = 80,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv1d(n_input, n_channel, kernel_size=kernel_size, stride=stride)
        self.bn1 = nn.BatchNorm1d(n_channel)
        self.pool1 = nn.MaxPool1d(4)
        self.conv2 = nn.Conv1d(n_channel, n_channel, kernel_size=3)
        self.bn2 = nn.BatchNorm1d(n_channel)
        self.pool2 = nn.MaxPool1d(4)
        self.conv3 = nn.Conv1d(n_channel, 2 * n_channel, kernel_size=3)
        self.bn3 = nn.BatchNorm1d(2 * n_channel)
        self.pool3 = nn.MaxPool1d(4)
        self.conv4 = nn.Conv1d(2 * n_channel, 2 * n_channel, kernel_size=3)
        self.bn4 = nn.BatchNorm1d(2 * n_channel)
        self.pool4 = nn.MaxPool1d(4)
        self.fc1 = nn.Linear(2 * n_channel, n_output)
        # one value after pool4, and back through the pools of 4 and the convolutions of 3
        after_conv1 = 4 * (4 * (4 * (4 + 2) + 2) + 2)
        self.min_frames = (after_conv1 - 1) * stride + kernel_size

    def forward(self, x: Tensor) -> Tensor:
        """Return the log-probabilities, shape ``(batch, n_output)``, of waveforms ``(batch, n_input, frames)``."""
        if x.dim() != 3:
            raise ValueError(f"Expected waveforms of shape (batch, channels, frames), but got {tuple(x.shape)}")
        if x.shape[-1] < self.min_frames:
            raise ValueError(f"Expected waveforms of at least {self.min_frames} frames, but got {x.shape[-1]}")
        x = self.pool1(facula.relu(self.bn1(self.conv1(x))))
        x = self.pool2(facula.relu(self.bn2(self.conv2(x))))
        x = self.pool3(facula.relu(self.bn3(self.conv3(x))))
        x = self.pool4(facula.relu(self.bn4(self.conv4(x))))
        return nn.functional.log_softmax(self.fc1(x.mean(dim=-1)), dim=-1)
