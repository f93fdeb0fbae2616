"""Blocks that models of images share."""

from collections.abc import Callable, Sequence
from typing import Any

import facula
from facula import Tensor, nn

__all__ = [
    "MLP",
    "Conv2dNormActivation",
    "Conv3dNormActivation",
    "FrozenBatchNorm2d",
    "Permute",
    "SqueezeExcitation",
]

Layer = Callable[..., nn.Module]


class FrozenBatchNorm2d(nn.Module):
    """Batch normalisation ``[N, C, H, W]`` with statistics and scale that never change: all four are buffers."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, num_features: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.register_buffer("weight", facula.ones(num_features))
        self.register_buffer("bias", facula.zeros(num_features))
        self.register_buffer("running_mean", facula.zeros(num_features))
        self.register_buffer("running_var", facula.ones(num_features))

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *args: Any) -> None:
        # Weights of a trained BatchNorm2d carry a counter that nothing here needs.
        state_dict.pop(prefix + "num_batches_tracked", None)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input, scaled and shifted for each channel."""
        scale = self.weight * (self.running_var + self.eps).rsqrt()
        shift = self.bias - self.running_mean * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.weight.shape[0]}, eps={self.eps})"


class _ConvNormActivation(nn.Sequential):
    """A convolution, a normalisation and an activation, the last two where they are given."""

    convolution: Layer
    dimensions: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, ...],
        stride: int | tuple[int, ...],
        padding: int | tuple[int, ...] | str | None,
        groups: int,
        norm_layer: Layer | None,
        activation_layer: Layer | None,
        dilation: int | tuple[int, ...],
        inplace: bool | None,
        bias: bool | None,
    ) -> None:
        if padding is None:
            padding = self._same_padding(kernel_size, dilation)
        if bias is None:
            bias = norm_layer is None
        layers = [
            type(self).convolution(
                *(in_channels, out_channels, kernel_size, stride, padding),
                **{"dilation": dilation, "groups": groups, "bias": bias},
            )
        ]
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            layers.append(activation_layer(**({} if inplace is None else {"inplace": inplace})))
        super().__init__(*layers)
        self.out_channels = out_channels

    def _same_padding(
        self, kernel_size: int | tuple[int, ...], dilation: int | tuple[int, ...]
    ) -> int | tuple[int, ...]:
        """Return the padding that keeps the size at stride 1, for odd kernels."""
        if isinstance(kernel_size, int) and isinstance(dilation, int):
            return (kernel_size - 1) // 2 * dilation
        kernel, step = (
            (value,) * self.dimensions if isinstance(value, int) else tuple(value) for value in (kernel_size, dilation)
        )
        return tuple((size - 1) // 2 * each for size, each in zip(kernel, step, strict=True))


class Conv2dNormActivation(_ConvNormActivation):
    """``Conv2d``, a normalisation and an activation; ``padding=None`` keeps the size, ``bias`` is off before a norm."""

    convolution = nn.Conv2d
    dimensions = 2

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int] = 3,
        stride: int | tuple[int, int] = 1,
        padding: int | tuple[int, int] | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm2d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: int | tuple[int, int] = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__(
            *(in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer),
            *(dilation, inplace, bias),
        )


class Conv3dNormActivation(_ConvNormActivation):
    """``Conv3d``, a normalisation and an activation; ``padding=None`` keeps the size, ``bias`` is off before a norm."""

    convolution = nn.Conv3d
    dimensions = 3

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | tuple[int, int, int] = 3,
        stride: int | tuple[int, int, int] = 1,
        padding: int | tuple[int, int, int] | str | None = None,
        groups: int = 1,
        norm_layer: Layer | None = nn.BatchNorm3d,
        activation_layer: Layer | None = nn.ReLU,
        dilation: int | tuple[int, int, int] = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        super().__init__(
            *(in_channels, out_channels, kernel_size, stride, padding, groups, norm_layer, activation_layer),
            *(dilation, inplace, bias),
        )


class SqueezeExcitation(nn.Module):
    """Scales each channel by what its means over space say (Hu et al. 2017, arXiv 1709.01507)."""

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Layer = nn.ReLU,
        scale_activation: Layer = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        """Return the input with its channels scaled."""
        scale = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(scale)) * input


class MLP(nn.Sequential):
    """Linear layers with normalisation, activation and dropout between them."""

    def __init__(
        self,
        in_channels: int,
        hidden_channels: Sequence[int],
        norm_layer: Layer | None = None,
        activation_layer: Layer | None = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        options = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for width in hidden_channels[:-1]:
            layers.append(nn.Linear(in_channels, width, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(width))
            if activation_layer is not None:
                layers.append(activation_layer(**options))
            layers.append(nn.Dropout(dropout, **options))
            in_channels = width
        layers.append(nn.Linear(in_channels, hidden_channels[-1], bias=bias))
        layers.append(nn.Dropout(dropout, **options))
        super().__init__(*layers)


class Permute(nn.Module):
    """Layer that reorders the dimensions."""

    def __init__(self, dims: Sequence[int]) -> None:
        super().__init__()
        self.dims = list(dims)

    def forward(self, x: Tensor) -> Tensor:
        """Return the input with its dimensions in the order ``dims``."""
        return x.permute(self.dims)
