"""Convolutions in any number of dimensions, transposed convolutions, and sliding blocks.

Three primitives do everything: the convolution, and its gradients with respect to the data and to the weight. All are
linear in both arrays, and each is a gradient of the other two, so derivatives of any order follow. The array code turns
windows into columns of one matrix product: https://hal.inria.fr/inria-00112631 (Chellapilla et al. 2006).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from types import ModuleType
from typing import Any, NamedTuple

from facula import native
from facula.backend import Array, contiguous
from facula.graph.modes import types_may_differ
from facula.primitive import primitive, promote
from facula.types import Tensor

__all__ = [
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_tbc",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "fold",
    "unfold",
]

Size = int | Sequence[int]


class Plan(NamedTuple):
    """How windows move: one number for each spatial dimension, and the number of channel groups."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int

    def output_shape(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """Return how many windows fit along each dimension."""
        return tuple(
            (length + 2 * pad - step * (size - 1) - 1) // move + 1
            for length, size, move, pad, step in zip(lengths, *self[:4], strict=True)
        )


def _padded(xp: ModuleType, x: Array, padding: tuple[int, ...]) -> Array:
    if not any(padding):
        return x
    shape = (*x.shape[:2], *(length + 2 * pad for length, pad in zip(x.shape[2:], padding, strict=True)))
    wide = xp.zeros(shape, x.dtype)
    wide[_inside(x.shape, padding)] = x
    return wide


def _inside(shape: tuple[int, ...], padding: tuple[int, ...]) -> tuple[slice, ...]:
    spatial = tuple(slice(pad, pad + length) for length, pad in zip(shape[2:], padding, strict=True))
    return (slice(None), slice(None), *spatial)


def _windows(xp: ModuleType, x: Array, plan: Plan) -> Array:
    """Return a view (N, C, *kernel, *output) of all windows of an array that is padded already."""
    output = Plan(plan.kernel, plan.stride, (0,) * len(plan.kernel), plan.dilation, 1).output_shape(x.shape[2:])
    steps = x.strides[2:]
    inner = tuple(stride * step for stride, step in zip(steps, plan.dilation, strict=True))
    outer = tuple(stride * move for stride, move in zip(steps, plan.stride, strict=True))
    return xp.lib.stride_tricks.as_strided(x, (*x.shape[:2], *plan.kernel, *output), (*x.strides[:2], *inner, *outer))


def _columns(xp: ModuleType, x: Array, plan: Plan) -> tuple[Array, tuple[int, ...]]:
    """Return windows as (N, groups, channels of a group * kernel, places), and the shape of the places."""
    windows = _windows(xp, _padded(xp, x, plan.padding), plan)
    output = windows.shape[2 + len(plan.kernel) :]
    rows = x.shape[1] // plan.groups * math.prod(plan.kernel)
    return windows.reshape(x.shape[0], plan.groups, rows, math.prod(output)), output


def _is_depthwise(x_channels: int, weight: Array, plan: Plan) -> bool:
    return plan.groups == x_channels and weight.shape[0] == plan.groups and plan.groups > 1


def _offsets(plan: Plan, output: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[slice, ...]]]:
    """Return, for each place in the kernel, the slice of a padded array that it meets as the window moves."""
    found = []
    for place in product(*(range(size) for size in plan.kernel)):
        spatial = tuple(
            slice(at * step, at * step + move * (count - 1) + 1, move)
            for at, step, move, count in zip(place, plan.dilation, plan.stride, output, strict=True)
        )
        found.append((place, (slice(None), slice(None), *spatial)))
    return found


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, weight, x_shape, plan: _conv_data(g, weight, shape=x_shape, plan=plan),
        "weight": lambda g, x, plan: _conv_weight(x, g, plan=plan),
        "bias": lambda g: g.sum([axis for axis in range(g.dim()) if axis != 1]),
    },
)
def _conv(xp, x, weight, bias, *, plan):
    result = _products(xp, x, weight, plan)
    if bias is not None:
        result += bias.reshape(-1, *[1] * len(plan.kernel))
    return result


def _products(xp: ModuleType, x: Array, weight: Array, plan: Plan) -> Array:
    if _is_depthwise(x.shape[1], weight, plan):
        wide = _padded(xp, x, plan.padding)
        output = plan.output_shape(x.shape[2:])
        result = xp.zeros((*x.shape[:2], *output), x.dtype)
        for place, key in _offsets(plan, output):
            own: Any = (slice(None), 0, *place)
            filters = weight[own]
            result += wide[key] * filters.reshape(-1, *[1] * len(output))
        return result
    columns, output = _columns(xp, x, plan)
    matrix = weight.reshape(plan.groups, weight.shape[0] // plan.groups, -1)
    return xp.matmul(matrix, columns).reshape(x.shape[0], weight.shape[0], *output)


@_conv.kernel("native")
def _conv_native(x, weight, bias, *, plan):
    return native.kernels.conv(contiguous(x), contiguous(weight), bias, *plan[1:])


@primitive(
    dtype=promote,
    vjp={
        "y": lambda g, y_shape, weight, plan: _fitting(_conv(g, weight, None, plan=plan), y_shape),
        "weight": lambda g, y, plan: _conv_weight(g, y, plan=plan),
    },
)
def _conv_data(xp, y, weight, *, shape, plan):
    """Return the gradient of the data (N, C, …), from that of the result: every place spread over its window."""
    batch, output = y.shape[0], y.shape[2:]
    wide = xp.zeros((*shape[:2], *(n + 2 * pad for n, pad in zip(shape[2:], plan.padding, strict=True))), y.dtype)
    if _is_depthwise(shape[1], weight, plan):
        for place, key in _offsets(plan, output):
            wide[key] += y * weight[(slice(None), 0, *place)].reshape(-1, *[1] * len(output))
    else:
        matrix = weight.reshape(plan.groups, weight.shape[0] // plan.groups, -1)
        columns = xp.matmul(matrix.swapaxes(1, 2), y.reshape(batch, plan.groups, matrix.shape[1], math.prod(output)))
        if math.prod(plan.kernel) == 1 and wide.shape[2:] == output:
            wide = columns.reshape(wide.shape)
        else:
            columns = columns.reshape(batch, shape[1], *plan.kernel, *output)
            for place, key in _offsets(plan, output):
                wide[key] += columns[(slice(None), slice(None), *place)]
    return wide[_inside(shape, plan.padding)]


@_conv_data.kernel("native")
def _conv_data_native(y, weight, *, shape, plan):
    return native.kernels.conv_data(contiguous(y), contiguous(weight), shape, *plan[1:])


@primitive(
    dtype=promote,
    vjp={
        "x": lambda g, y, x_shape, plan: _conv_data(y, g, shape=x_shape, plan=plan),
        "y": lambda g, x, y_shape, plan: _fitting(_conv(x, g, None, plan=plan), y_shape),
    },
)
def _conv_weight(xp, x, y, *, plan):
    """Return the gradient of the weight (out, in / groups, …), from the data and the gradient of the result."""
    batch, channels, output = y.shape[0], y.shape[1], y.shape[2:]
    shape = (channels, x.shape[1] // plan.groups, *plan.kernel)
    if plan.groups > 1 and shape[1] == 1 and channels == plan.groups:
        wide = _padded(xp, x, plan.padding)
        result = xp.empty(shape, x.dtype)
        for place, key in _offsets(plan, output):
            letters = "abcdefg"[: len(output)]
            result[(slice(None), 0, *place)] = xp.einsum(f"nz{letters},nz{letters}->z", wide[key], y)
        return result
    columns, places = _columns(xp, x, plan)
    if places != output:  # output padding adds places that no window of the result is at
        inside: Any = (..., *(slice(n) for n in output))
        kept = columns.reshape(*columns.shape[:3], *places)[inside]
        columns = kept.reshape(*columns.shape[:3], -1)
    received = y.reshape(batch, plan.groups, channels // plan.groups, math.prod(output))
    return xp.matmul(received, columns.swapaxes(2, 3)).sum(axis=0).reshape(shape)


@_conv_weight.kernel("native")
def _conv_weight_native(x, y, *, plan):
    return native.kernels.conv_weight(contiguous(x), contiguous(y), *plan)


def _fitting(result: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a convolution's result without places beyond a shape, which output padding may add."""
    for axis in range(2, len(shape)):
        result = result.narrow(axis, 0, shape[axis])
    return result


# Public functions.


def _each(value: Size, rank: int, name: str) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * rank
    numbers = tuple(int(each) for each in value)
    if len(numbers) == 1:
        return numbers * rank
    if len(numbers) != rank:
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {rank} values to match the convolution dimensions, but got {name}={list(numbers)}"
        )
    return numbers


def _check_rank(input: Tensor, weight: Tensor, rank: int) -> None:
    if weight.dim() != rank + 2:
        raise RuntimeError(
            f"Expected {weight.dim()}-dimensional input for {weight.dim()}-dimensional weight {list(weight.shape)}, but "
            f"got {rank + 2}-dimensional input of size {list(input.shape)} instead"
        )


def _check(input: Tensor, weight: Tensor, bias: Tensor | None, plan: Plan, transposed: bool) -> None:
    if input.dtype != weight.dtype and not types_may_differ():
        raise RuntimeError(f"Input type ({input.type()}) and weight type ({weight.type()}) should be the same")
    if bias is not None and bias.dtype != input.dtype and not types_may_differ():
        raise RuntimeError(f"Input type ({input.type()}) and bias type ({bias.type()}) should be the same")
    if plan.groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if any(each <= 0 for each in plan.stride):
        raise RuntimeError("non-positive stride is not supported")
    if any(each <= 0 for each in plan.dilation):
        raise RuntimeError("dilation should be greater than zero")
    if any(each < 0 for each in plan.padding):
        raise RuntimeError("negative padding is not supported")
    channels = weight.shape[0] if transposed else weight.shape[1] * plan.groups
    if weight.shape[0] % plan.groups:
        raise RuntimeError(
            f"Given groups={plan.groups}, expected weight to be divisible by {plan.groups} at dimension 0, but got weight of size "
            f"{list(weight.shape)} instead"
        )
    if input.shape[1] != channels:
        raise RuntimeError(
            f"Given groups={plan.groups}, weight of size {list(weight.shape)}, expected input{list(input.shape)} to have {channels} "
            f"channels, but got {input.shape[1]} channels instead"
        )
    outputs = weight.shape[1] * plan.groups if transposed else weight.shape[0]
    if bias is not None and tuple(bias.shape) != (outputs,):
        raise RuntimeError(
            f"Given weight of size {list(weight.shape)}, expected bias to be 1-dimensional with {outputs} elements, but got bias of "
            f"size {list(bias.shape)} instead"
        )


def _batched(input: Tensor, rank: int, name: str) -> tuple[Tensor, bool]:
    if input.dim() not in (rank + 1, rank + 2):
        raise RuntimeError(
            f"Expected {rank + 1}D (unbatched) or {rank + 2}D (batched) input to {name}, but got input of size: {list(input.shape)}"
        )
    alone = input.dim() == rank + 1
    return (input.unsqueeze(0) if alone else input), alone


def _convolve(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size | str,
    dilation: Size,
    groups: int,
    rank: int,
) -> Tensor:
    input, alone = _batched(input, rank, f"conv{rank}d")
    _check_rank(input, weight, rank)
    kernel = tuple(weight.shape[2:])
    moves, steps = _each(stride, rank, "stride"), _each(dilation, rank, "dilation")
    if padding == "same":
        if any(move != 1 for move in moves):
            raise RuntimeError("padding='same' is not supported for strided convolutions")
        total = [step * (size - 1) for step, size in zip(steps, kernel)]
        extra = [each % 2 for each in total]
        pads = tuple(each // 2 for each in total)
        if any(extra):  # an odd width has its larger half at the end
            input = input._pad([side for each in reversed(extra) for side in (0, each)])
    elif isinstance(padding, str):
        if padding != "valid":
            raise RuntimeError(f"Invalid padding string: '{padding}'")
        pads = (0,) * rank
    else:
        pads = _each(padding, rank, "padding")
    plan = Plan(kernel, moves, pads, steps, groups)
    _check(input, weight, bias, plan, False)
    reach = [step * (size - 1) + 1 for step, size in zip(steps, kernel)]
    wide = [length + 2 * pad for length, pad in zip(input.shape[2:], pads)]
    if any(length < size for length, size in zip(wide, reach)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, wide))}). Kernel size: "
            f"({' x '.join(map(str, reach))}). Kernel size can't be greater than actual input size"
        )
    result = _conv(input, weight, bias, plan=plan)
    return result.squeeze(0) if alone else result


def _convolve_transposed(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size,
    output_padding: Size,
    groups: int,
    dilation: Size,
    rank: int,
) -> Tensor:
    input, alone = _batched(input, rank, f"conv_transpose{rank}d")
    _check_rank(input, weight, rank)
    kernel = tuple(weight.shape[2:])
    moves, steps = _each(stride, rank, "stride"), _each(dilation, rank, "dilation")
    pads, extra = _each(padding, rank, "padding"), _each(output_padding, rank, "output_padding")
    plan = Plan(kernel, moves, pads, steps, groups)
    _check(input, weight, bias, plan, True)
    for more, move, step in zip(extra, moves, steps):
        if more >= max(move, step):
            raise RuntimeError(
                f"output padding must be smaller than either stride or dilation, but got output_padding: {list(extra)} stride: {list(moves)} dilation: {list(steps)}"
            )
    lengths = tuple(
        (length - 1) * move - 2 * pad + step * (size - 1) + more + 1
        for length, size, move, pad, step, more in zip(input.shape[2:], *plan[:4], extra)
    )
    if any(length < 0 for length in lengths):
        raise RuntimeError(
            f"Given input size per channel: {list(input.shape[2:])}. Calculated output size per channel: {list(lengths)}. Output size is too small"
        )
    shape = (input.shape[0], weight.shape[1] * groups, *lengths)
    result = _conv_data(input, weight, shape=shape, plan=plan)
    if bias is not None:
        result = result + bias.reshape(-1, *[1] * rank)
    return result.squeeze(0) if alone else result


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of (N, C, L) with weight (out, C / groups, kernel)."""
    return _convolve(input, weight, bias, stride, padding, dilation, groups, 1)


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of (N, C, H, W) with weight (out, C / groups, kernel height, kernel width).

    >>> facula.nn.functional.conv2d(facula.ones(1, 1, 3, 3), facula.ones(1, 1, 2, 2))
    tensor([[[[4., 4.],
              [4., 4.]]]])
    """
    return _convolve(input, weight, bias, stride, padding, dilation, groups, 2)


def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size | str = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Return the convolution of (N, C, D, H, W) with weight (out, C / groups, …)."""
    return _convolve(input, weight, bias, stride, padding, dilation, groups, 3)


def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Return the transposed convolution of (N, C, L) with weight (C, out / groups, kernel)."""
    return _convolve_transposed(input, weight, bias, stride, padding, output_padding, groups, dilation, 1)


def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Return the transposed convolution of (N, C, H, W) with weight (C, out / groups, …)."""
    return _convolve_transposed(input, weight, bias, stride, padding, output_padding, groups, dilation, 2)


def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """Return the transposed convolution of (N, C, D, H, W) with weight (C, out / groups, …)."""
    return _convolve_transposed(input, weight, bias, stride, padding, output_padding, groups, dilation, 3)


@primitive(vjp={"x": lambda g, x_shape, plan: _from_blocks(g, shape=x_shape, plan=plan)})
def _to_blocks(xp, x, *, plan):
    columns, _ = _columns(xp, x, plan)
    return columns.reshape(x.shape[0], x.shape[1] * math.prod(plan.kernel), columns.shape[-1])


@primitive(vjp={"x": lambda g, plan: _to_blocks(g, plan=plan)})
def _from_blocks(xp, x, *, shape, plan):
    output = plan.output_shape(shape[2:])
    wide = xp.zeros((*shape[:2], *(n + 2 * pad for n, pad in zip(shape[2:], plan.padding))), x.dtype)
    blocks = x.reshape(*shape[:2], *plan.kernel, *output)
    for place, key in _offsets(plan, output):
        wide[key] += blocks[(slice(None), slice(None), *place)]
    return wide[_inside(shape, plan.padding)]


def _block_plan(kernel_size: Size, dilation: Size, padding: Size, stride: Size) -> Plan:
    sizes = (kernel_size, stride, padding, dilation)
    names = ("kernel_size", "stride", "padding", "dilation")
    kernel, move, pad, step = [_each(size, 2, name) for size, name in zip(sizes, names)]
    plan = Plan(kernel, move, pad, step, 1)
    for name, numbers, least in zip(names, plan[:4], (1, 1, 0, 1)):
        if min(numbers) < least:
            raise RuntimeError(
                f"{name} should be {'greater than zero' if least else 'non-negative'}, but got {name}: {list(numbers)}"
            )
    return plan


def unfold(input: Tensor, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1) -> Tensor:
    """Return the sliding blocks of (N, C, H, W) as columns (N, C * kernel, L)."""
    plan = _block_plan(kernel_size, dilation, padding, stride)
    batch, alone = _batched(input, 2, "unfold")
    if min(plan.output_shape(batch.shape[2:])) < 1:
        raise RuntimeError(
            f"Given input with spatial size {tuple(batch.shape[2:])}, kernel_size={plan.kernel}, dilation={plan.dilation}, padding={plan.padding}, calculated shape of the array of sliding blocks as {plan.output_shape(batch.shape[2:])}, but its components must be at least one."
        )
    blocks = _to_blocks(batch, plan=plan)
    return blocks.squeeze(0) if alone else blocks


def fold(
    input: Tensor, output_size: Size, kernel_size: Size, dilation: Size = 1, padding: Size = 0, stride: Size = 1
) -> Tensor:
    """Return images (N, C, *output_size) with blocks (N, C * kernel, L) summed where they came from."""
    plan = _block_plan(kernel_size, dilation, padding, stride)
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero dimensions for input, but got: {list(input.shape)}"
        )
    alone = input.dim() == 2
    blocks = input.unsqueeze(0) if alone else input
    lengths = _each(output_size, 2, "output_size")
    channels, rest = divmod(blocks.shape[1], math.prod(plan.kernel))
    if rest:
        raise RuntimeError(
            f"Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got input.size(1)={blocks.shape[1]} and kernel_size={plan.kernel}."
        )
    places = math.prod(plan.output_shape(lengths))
    if blocks.shape[2] != places:
        raise RuntimeError(
            f"Given output_size={lengths}, kernel_size={plan.kernel}, dilation={plan.dilation}, padding={plan.padding}, stride={plan.stride}, expected size of input's dimension 2 to match the calculated number of sliding blocks {places}, but got input.size(2)={blocks.shape[2]}."
        )
    image = _from_blocks(blocks, shape=(blocks.shape[0], channels, *lengths), plan=plan)
    return image.squeeze(0) if alone else image


def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """Return the convolution in time of (T, N, C) with weight (kernel, C, out) and bias (out)."""
    if input.dim() != 3 or weight.dim() != 3:
        raise RuntimeError(
            f"Input and weight must have 3 dims: time, batch, in_channel; got {list(input.shape)} and {list(weight.shape)}"
        )
    if bias.dim() != 1 or bias.shape[0] != weight.shape[2]:
        raise RuntimeError(f"Bias must have shape ({weight.shape[2]},), got {list(bias.shape)}")
    if input.shape[2] != weight.shape[1]:
        raise RuntimeError(
            f"Input dim 2 (input channels) == Weight dim 1: got {input.shape[2]} and {weight.shape[1]} channels"
        )
    return conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad).permute(2, 0, 1)
