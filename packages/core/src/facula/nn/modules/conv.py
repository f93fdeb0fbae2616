"""Convolutions and transposed convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from facula.creation import empty
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.nn import functional as F
from facula.nn import init
from facula.nn.lazy import LazyMixin
from facula.nn.module import Module
from facula.nn.parameter import Parameter, UninitializedParameter
from facula.tensor import Tensor

Size = int | Sequence[int]

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


def _each(value: Size, rank: int) -> tuple[int, ...]:
    """Return one number for each spatial dimension."""
    return tuple(value) if isinstance(value, Sequence) else (value,) * rank


class _ConvNd(Module):
    """What all convolutions share: weight (out, in / groups, …) or transposed (in, out / groups, …), and settings."""

    rank: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size,
        padding: Size | str,
        dilation: Size,
        transposed: bool,
        output_padding: Size,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__()
        rank = self.rank
        if groups <= 0:
            raise ValueError("groups must be a positive integer")
        if in_channels % groups:
            raise ValueError("in_channels must be divisible by groups")
        if out_channels % groups:
            raise ValueError("out_channels must be divisible by groups")
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"padding_mode must be one of {set(_PADDING_MODES)}, but got padding_mode='{padding_mode}'"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = _each(kernel_size, rank)
        self.stride = _each(stride, rank)
        self.dilation = _each(dilation, rank)
        self.transposed = transposed
        self.output_padding = _each(output_padding, rank)
        self.groups = groups
        self.padding_mode = padding_mode
        self.padding: Any  # "same", "valid", or a number for each dimension
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"Invalid padding string {padding!r}, should be one of {{'valid', 'same'}}")
            if padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError("padding='same' is not supported for strided convolutions")
            self.padding = padding
        else:
            self.padding = _each(padding, rank)
        shape = (in_channels, out_channels // groups) if transposed else (out_channels, in_channels // groups)
        self.weight = Parameter(empty((*shape, *self.kernel_size), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw weight and bias evenly from within ``1 / sqrt(fan in)`` of zero."""
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            if fan_in:
                bound = 1 / math.sqrt(fan_in)
                init.uniform_(self.bias, -bound, bound)

    @property
    def _reversed_padding_repeated_twice(self) -> list[int]:
        """The padding as `pad` takes it: last dimension first, both sides."""
        if isinstance(self.padding, str):
            sides = []
            for length, step in zip(reversed(self.kernel_size), reversed(self.dilation), strict=True):
                total = step * (length - 1) if self.padding == "same" else 0
                sides += [total // 2, total - total // 2]
            return sides
        return [side for each in reversed(self.padding) for side in (each, each)]

    def extra_repr(self) -> str:
        """Return the settings that are not the usual ones."""
        text = f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, stride={self.stride}"
        if self.padding != (0,) * self.rank:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self.rank:
            text += f", dilation={self.dilation}"
        if self.output_padding != (0,) * self.rank:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    function: Callable[..., Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, False, 0, groups, bias, padding_mode,
            device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of (N, C, …) or (C, …)."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._reversed_padding_repeated_twice, mode=self.padding_mode)
            padding = (0,) * self.rank
        return self.function(input, weight, bias, self.stride, padding, self.dilation, self.groups)


class Conv1d(_Conv):
    """Convolution over (N, C, L); weight (out_channels, in_channels / groups, kernel).

    >>> facula.nn.Conv1d(3, 8, 5)(facula.zeros(2, 3, 10)).shape
    facula.Size([2, 8, 6])
    """

    rank = 1
    function = staticmethod(F.conv1d)


class Conv2d(_Conv):
    """Convolution over (N, C, H, W); weight (out_channels, in_channels / groups, kernel height, kernel width).

    >>> facula.nn.Conv2d(3, 8, 3, padding=1)(facula.zeros(2, 3, 10, 10)).shape
    facula.Size([2, 8, 10, 10])
    """

    rank = 2
    function = staticmethod(F.conv2d)


class Conv3d(_Conv):
    """Convolution over (N, C, D, H, W)."""

    rank = 3
    function = staticmethod(F.conv3d)


class _ConvTranspose(_ConvNd):
    function: Callable[..., Any]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: Size = 0,
        output_padding: Size = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Size = 1,
        padding_mode: str = "zeros",
        device: Device | str | int | None = None,
        dtype: DType | None = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        super().__init__(
            in_channels, out_channels, kernel_size, stride, padding, dilation, True, output_padding, groups, bias,
            padding_mode, device, dtype,
        )  # fmt: skip

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the transposed convolution, of ``output_size`` where several sizes are possible."""
        extra = self.output_padding if output_size is None else self._output_padding_for(input, output_size)
        return self.function(
            input, self.weight, self.bias, self.stride, self.padding, extra, self.groups, self.dilation
        )

    def _output_padding_for(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        rank = self.rank
        if len(output_size) not in (rank, input.dim()):
            raise ValueError(
                f"ConvTranspose{rank}D: for {input.dim()}D input, output_size must have {rank} or {input.dim()} elements "
                f"(got {len(output_size)})"
            )
        extra = []
        for at in range(rank):
            wanted = output_size[len(output_size) - rank + at]
            smallest = (
                (input.shape[input.dim() - rank + at] - 1) * self.stride[at]
                - 2 * self.padding[at]
                + self.dilation[at] * (self.kernel_size[at] - 1)
                + 1
            )
            if not smallest <= wanted < smallest + self.stride[at]:
                raise ValueError(
                    f"requested an output size of {list(output_size)}, but valid sizes along dimension {at} range from "
                    f"{smallest} to {smallest + self.stride[at] - 1} (for an input of {list(input.shape)})"
                )
            extra.append(wanted - smallest)
        return tuple(extra)


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution over (N, C, L); weight (in_channels, out_channels / groups, kernel)."""

    rank = 1
    function = staticmethod(F.conv_transpose1d)


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution over (N, C, H, W)."""

    rank = 2
    function = staticmethod(F.conv_transpose2d)


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution over (N, C, D, H, W)."""

    rank = 3
    function = staticmethod(F.conv_transpose3d)


class _LazyConv(LazyMixin):
    """A convolution that learns ``in_channels`` from its first input."""

    rank: int
    weight: Any
    bias: Any
    groups: int
    transposed: bool
    kernel_size: tuple[int, ...]

    def __init__(self, out_channels: int, *args: Any, bias: bool = True, **kwargs: Any) -> None:
        place: dict[str, Any] = {name: kwargs[name] for name in ("device", "dtype") if name in kwargs}
        super().__init__(0, 0, *args, bias=False, **kwargs)
        self.out_channels = out_channels
        self.weight = UninitializedParameter(**place)
        if bias:
            self.bias = UninitializedParameter(**place)

    def reset_parameters(self) -> None:
        """Draw the weights, once their shapes are known."""
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()  # type: ignore[misc]  # of the module beside the mixin

    def initialize_parameters(self, input: Tensor, *args: object, **kwargs: object) -> None:
        """Take the number of channels from an input."""
        if not self.has_uninitialized_params():
            return
        if input.dim() not in (self.rank + 1, self.rank + 2):
            raise RuntimeError(
                f"Expected {self.rank + 1}D (unbatched) or {self.rank + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[-self.rank - 1]
        if self.in_channels % self.groups:
            raise ValueError("in_channels must be divisible by groups")
        sizes = (self.in_channels, self.out_channels // self.groups)
        shape = sizes if self.transposed else (self.out_channels, self.in_channels // self.groups)
        self.weight.materialize((*shape, *self.kernel_size))
        if self.bias is not None:
            self.bias.materialize((self.out_channels,))
        self.reset_parameters()


class LazyConv1d(_LazyConv, Conv1d):
    """A `Conv1d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A `Conv2d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A `Conv3d` that learns ``in_channels`` from its first input."""

    cls_to_become = Conv3d


class LazyConvTranspose1d(_LazyConv, ConvTranspose1d):
    """A `ConvTranspose1d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConv, ConvTranspose2d):
    """A `ConvTranspose2d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConv, ConvTranspose3d):
    """A `ConvTranspose3d` that learns ``in_channels`` from its first input."""

    cls_to_become = ConvTranspose3d
