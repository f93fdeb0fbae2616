"""Pooling: the maximum, mean or norm of windows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np

from facula import native
from facula.backend import contiguous
from facula.primitive import primitive, promote
from facula.tensor_base import wrap
from facula.types import Number, Tensor

__all__ = ["adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d"]
__all__ += ["adaptive_max_pool2d", "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d"]
__all__ += ["lp_pool2d", "lp_pool3d", "max_pool1d", "max_pool2d", "max_pool3d", "max_unpool1d", "max_unpool2d"]
__all__ += ["max_unpool3d", "adaptive_max_pool1d_with_indices", "adaptive_max_pool2d_with_indices"]
__all__ += ["adaptive_max_pool3d_with_indices", "max_pool1d_with_indices", "max_pool2d_with_indices"]
__all__ += ["max_pool3d_with_indices"]

Size = int | Sequence[int]


class Windows(NamedTuple):
    """How windows move over the last dimensions: sizes, steps, padding on both sides, and how many there are."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    dilation: tuple[int, ...]
    output: tuple[int, ...]

    def wide(self, lengths: Sequence[int]) -> tuple[int, ...]:
        """Return the padded lengths that all windows fit into."""
        reach = (
            (count - 1) * move + step * (size - 1) + 1
            for count, move, step, size in zip(self.output, self.stride, self.dilation, self.kernel)
        )
        return tuple(max(n + 2 * pad, far) for n, pad, far in zip(lengths, self.padding, reach))

    def offsets(self) -> list[tuple[Any, ...]]:
        """Return, for each place in a window, the slice of the padded array that all windows have there."""
        keys = []
        for place in product(*(range(size) for size in self.kernel)):
            spatial = (
                slice(at * step, at * step + move * (count - 1) + 1, move)
                for at, step, move, count in zip(place, self.dilation, self.stride, self.output)
            )
            keys.append((..., *spatial))
        return keys

    def inside(self, lengths: Sequence[int]) -> tuple[Any, ...]:
        """Return the part of a padded array that is not padding."""
        return (..., *(slice(pad, pad + n) for n, pad in zip(lengths, self.padding)))


def _each(value: Size, rank: int, name: str) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * rank
    numbers = tuple(int(each) for each in value)
    if len(numbers) == 1:
        return numbers * rank
    if len(numbers) != rank:
        raise RuntimeError(f"{name} must either be a single int, or a tuple of {rank} ints, got {list(numbers)}")
    return numbers


def _plan(
    input: Tensor,
    rank: int,
    name: str,
    kernel: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
) -> Windows:
    if input.dim() not in (rank + 1, rank + 2) or 0 in input.shape[input.dim() - rank - 1 :]:
        raise RuntimeError(
            f"{name}: Expected {rank + 1}D or {rank + 2}D (batch mode) tensor with optional 0 dim batch size for input, "
            f"and input's non-batch dimensions to have positive length, but got: {list(input.shape)}"
        )
    sizes = _each(kernel, rank, "kernel_size")
    moves = sizes if stride is None or (not isinstance(stride, int) and not stride) else _each(stride, rank, "stride")
    pads, steps = _each(padding, rank, "padding"), _each(dilation, rank, "dilation")
    for label, numbers, least in (
        ("kernel_size", sizes, 1),
        ("stride", moves, 1),
        ("dilation", steps, 1),
        ("padding", pads, 0),
    ):
        if min(numbers) < least:
            raise RuntimeError(
                f"{label} should be {'greater than zero' if least else 'non-negative'}, but got {list(numbers)}"
            )
    if any(2 * pad > size for pad, size in zip(pads, sizes)):
        raise RuntimeError(
            f"pad should be at most half of effective kernel size, but got pad={max(pads)}, kernel_size={max(sizes)} and dilation={max(steps)}"
        )
    output = []
    for n, size, move, pad, step in zip(input.shape[-rank:], sizes, moves, pads, steps):
        span = n + 2 * pad - step * (size - 1) - 1
        count = (-(-span // move) if ceil_mode else span // move) + 1
        if ceil_mode and (count - 1) * move >= n + pad:
            count -= 1  # a window must start inside the input or its left padding
        output.append(count)
    if min(output) < 1:
        raise RuntimeError(
            f"Given input size: {list(input.shape)}. Calculated output size: {output}. Output size is too small"
        )
    return Windows(sizes, moves, pads, steps, tuple(output))


def _spread_out(xp, x, windows, filler):
    """Return x inside padding of one value."""
    rank = len(windows.kernel)
    lengths = x.shape[-rank:]
    wide = windows.wide(lengths)
    if wide == lengths:
        return x
    result = xp.full((*x.shape[:-rank], *wide), filler, x.dtype)
    result[windows.inside(lengths)] = x
    return result


# The maximum. Which place in its window won is kept, one small integer for each window: gradients then need no search.


@primitive(
    dtype=promote, vjp={"x": lambda g, out_1, x_shape, windows: _to_winners(g[0], out_1, dims=x_shape, windows=windows)}
)
def _max_pool(xp, x, *, windows):
    lowest = -math.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
    wide = _spread_out(xp, x, windows, lowest)
    keys = windows.offsets()
    best = wide[keys[0]].copy()
    winner = xp.zeros(best.shape, np.uint8 if len(keys) <= 256 else np.int32)
    for number, key in enumerate(keys[1:], start=1):
        candidate = wide[key]
        better = candidate > best
        if x.dtype.kind == "f":
            better |= candidate != candidate  # a nan wins
        xp.copyto(best, candidate, where=better)
        winner[better] = number
    return best, winner


@_max_pool.kernel("native")
def _max_pool_native(x, *, windows):
    return native.kernels.max_pool(contiguous(x), *windows)


@primitive(vjp={"x": lambda g, winner, windows: _from_winners(g, winner, windows=windows)})
def _to_winners(xp, x, winner, *, dims, windows):
    """Return zeros of the input's shape with each window's value added where its winner is."""
    lengths = dims[-len(windows.kernel) :]
    wide = xp.zeros((*dims[: -len(windows.kernel)], *windows.wide(lengths)), x.dtype)
    for number, key in enumerate(windows.offsets()):
        wide[key] += x * (winner == number)
    return wide[windows.inside(lengths)]


@_to_winners.kernel("native")
def _to_winners_native(x, winner, *, dims, windows):
    return native.kernels.max_pool_gradient(contiguous(x), winner, dims[-len(windows.kernel) :], *windows)


@primitive(vjp={"x": lambda g, winner, x_shape, windows: _to_winners(g, winner, dims=x_shape, windows=windows)})
def _from_winners(xp, x, winner, *, windows):
    wide = _spread_out(xp, x, windows, 0)
    result = xp.zeros(winner.shape, x.dtype)
    for number, key in enumerate(windows.offsets()):
        xp.copyto(result, wide[key], where=winner == number)
    return result


@primitive()
def _flat_indices(xp, winner, *, windows, lengths):
    """Return the flat index of each winner in its (unpadded) plane."""
    shape = windows.kernel
    flat = xp.zeros(winner.shape, np.int64)
    places = xp.unravel_index(winner.astype(np.int64), shape)
    rank = len(shape)
    for axis in range(rank):
        start = xp.arange(windows.output[axis]) * windows.stride[axis] - windows.padding[axis]
        start = start.reshape([-1 if at == axis else 1 for at in range(rank)])
        flat = flat * lengths[axis] + (start + places[axis] * windows.dilation[axis])
    return flat


def _max(
    input: Tensor,
    rank: int,
    kernel_size: Size,
    stride: Size | None,
    padding: Size,
    dilation: Size,
    ceil_mode: bool,
    return_indices: bool,
) -> Any:
    windows = _plan(input, rank, f"max_pool{rank}d", kernel_size, stride, padding, dilation, ceil_mode)
    values, winner = _max_pool(input, windows=windows)
    if not return_indices:
        return values
    return values, _flat_indices(winner, windows=windows, lengths=tuple(input.shape[-rank:]))


def max_pool1d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window of (N, C, L), and its index with ``return_indices``."""
    return _max(input, 1, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool2d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window of (N, C, H, W), and its flat index with ``return_indices``.

    >>> facula.nn.functional.max_pool2d(facula.arange(16.0).reshape(1, 4, 4), 2)
    tensor([[[ 5.,  7.],
             [13., 15.]]])
    """
    return _max(input, 2, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool3d(
    input: Tensor,
    kernel_size: Size,
    stride: Size | None = None,
    padding: Size = 0,
    dilation: Size = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """Return the largest element of each window of (N, C, D, H, W), and its flat index with ``return_indices``."""
    return _max(input, 3, kernel_size, stride, padding, dilation, ceil_mode, return_indices)


def max_pool1d_with_indices(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the largest element of each window and its index."""
    return _max(input, 1, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool2d_with_indices(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the largest element of each window and its flat index."""
    return _max(input, 2, kernel_size, stride, padding, dilation, ceil_mode, True)


def max_pool3d_with_indices(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, dilation: Size = 1,
    ceil_mode: bool = False, return_indices: bool = True,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """Return the largest element of each window and its flat index."""
    return _max(input, 3, kernel_size, stride, padding, dilation, ceil_mode, True)


def _unpool(
    input: Tensor, indices: Tensor, rank: int, kernel_size: Size, stride: Size | None, padding: Size,
    output_size: Sequence[int] | None,
) -> Tensor:  # fmt: skip
    sizes = _each(kernel_size, rank, "kernel_size")
    moves = sizes if stride is None else _each(stride, rank, "stride")
    pads = _each(padding, rank, "padding")
    if input.shape != indices.shape:
        raise RuntimeError(
            f"Expected shape of indices to be same as that of the input tensor ({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    usual = [(n - 1) * move + size - 2 * pad for n, move, size, pad in zip(input.shape[-rank:], moves, sizes, pads)]
    lengths = usual if output_size is None else list(output_size)[-rank:]
    for wanted, natural, move in zip(lengths, usual, moves):
        if not natural - move < wanted < natural + move:
            raise ValueError(f"invalid output_size {lengths} (each length must be within the stride of {usual})")
    leading = tuple(input.shape[:-rank])
    plane = math.prod(lengths)
    flat = indices.reshape(*leading, -1)
    if flat.numel() and (int(flat.max()) >= plane or int(flat.min()) < 0):
        raise RuntimeError(
            f"Found an invalid max index: {int(flat.max())} (output volumes are of size {'x'.join(map(str, lengths))})"
        )
    filled = input.new_zeros((*leading, plane)).scatter(-1, flat, input.reshape(*leading, -1))
    return filled.reshape(*leading, *lengths)


def max_unpool1d(
    input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Return the elements of pooled (N, C, L) put back where ``indices`` say, zeros elsewhere."""
    return _unpool(input, indices, 1, kernel_size, stride, padding, output_size)


def max_unpool2d(
    input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Return the elements of pooled (N, C, H, W) put back where ``indices`` say, zeros elsewhere."""
    return _unpool(input, indices, 2, kernel_size, stride, padding, output_size)


def max_unpool3d(
    input: Tensor, indices: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0,
    output_size: Sequence[int] | None = None,
) -> Tensor:  # fmt: skip
    """Return the elements of pooled (N, C, D, H, W) put back where ``indices`` say, zeros elsewhere."""
    return _unpool(input, indices, 3, kernel_size, stride, padding, output_size)


# Sums of windows.


@primitive(dtype=promote, vjp={"x": lambda g, x_shape, windows: _spread_sums(g, dims=x_shape, windows=windows)})
def _sum_windows(xp, x, *, windows):
    wide = _spread_out(xp, x, windows, 0)
    keys = windows.offsets()
    total = wide[keys[0]].copy()
    for key in keys[1:]:
        total += wide[key]
    return total


@_sum_windows.kernel("native")
def _sum_windows_native(x, *, windows):
    return native.kernels.sum_windows(contiguous(x), *windows)


@primitive(dtype=promote, vjp={"x": lambda g, windows: _sum_windows(g, windows=windows)})
def _spread_sums(xp, x, *, dims, windows):
    lengths = dims[-len(windows.kernel) :]
    wide = xp.zeros((*dims[: -len(windows.kernel)], *windows.wide(lengths)), x.dtype)
    for key in windows.offsets():
        wide[key] += x
    return wide[windows.inside(lengths)]


@_spread_sums.kernel("native")
def _spread_sums_native(x, *, dims, windows):
    return native.kernels.spread_sums(contiguous(x), dims[-len(windows.kernel) :], *windows)


def _counts(windows: Windows, lengths: Sequence[int], include_pad: bool) -> np.ndarray:
    """Return how many elements each window averages over: padding counts or not, what lies beyond it never."""
    result = np.ones((), np.float64)
    for axis, length in enumerate(lengths):
        pad, size = windows.padding[axis], windows.kernel[axis]
        start = np.arange(windows.output[axis]) * windows.stride[axis] - pad
        end = np.minimum(start + size, length + pad)
        if not include_pad:
            start, end = np.maximum(start, 0), np.minimum(end, length)
        result = np.multiply.outer(result, end - start)
    return result


def _average(
    input: Tensor, rank: int, kernel_size: Size, stride: Size | None, padding: Size, ceil_mode: bool,
    count_include_pad: bool, divisor_override: int | None, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    windows = _plan(input, rank, f"avg_pool{rank}d", kernel_size, stride, padding, 1, ceil_mode)
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    total = _sum_windows(input, windows=windows)
    divisor: Number | Tensor
    if divisor_override is not None:
        divisor = divisor_override
    else:
        counts = _counts(windows, input.shape[-rank:], count_include_pad)
        if (counts == counts.flat[0]).all():
            divisor = int(counts.flat[0])
        else:
            divisor = wrap(counts).to(device=input.device, dtype=input.dtype)
    # The mean of integers is an integer.
    return total.div(divisor, rounding_mode=None if input.is_floating_point() else "trunc", out=out)


def avg_pool1d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of (N, C, L)."""
    return _average(input, 1, kernel_size, stride, padding, ceil_mode, count_include_pad, None)


def avg_pool2d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of (N, C, H, W)."""
    return _average(input, 2, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out)


def avg_pool3d(
    input: Tensor, kernel_size: Size, stride: Size | None = None, padding: Size = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: int | None = None, *, out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """Return the mean of each window of (N, C, D, H, W)."""
    return _average(input, 3, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override, out)


def _power(
    input: Tensor, rank: int, norm_type: float, kernel_size: Size, stride: Size | None, ceil_mode: bool
) -> Tensor:
    # The mean times the size of a whole window: one that is cut off counts as if it went on, as in PyTorch.
    size = math.prod(_plan(input, rank, f"lp_pool{rank}d", kernel_size, stride, 0, 1, ceil_mode).kernel)
    total = _average(input.pow(norm_type), rank, kernel_size, stride, 0, ceil_mode, False, None) * size
    return (total.sign() * total.abs().relu()).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of (N, C, L)."""
    return _power(input, 1, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of (N, C, H, W)."""
    return _power(input, 2, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor, norm_type: float, kernel_size: Size, stride: Size | None = None, ceil_mode: bool = False
) -> Tensor:
    """Return the p-norm of each window of (N, C, D, H, W)."""
    return _power(input, 3, norm_type, kernel_size, stride, ceil_mode)


# As many windows as asked for: window i of n covers [i * L / n, (i + 1) * L / n), rounded outwards.


def _bounds(length: int, count: int) -> list[tuple[int, int]]:
    return [(at * length // count, -(-(at + 1) * length // count)) for at in range(count)]


def _targets(input: Tensor, output_size: Size | None, rank: int, name: str) -> tuple[int, ...]:
    if rank > 1 and input.dim() <= rank:
        raise ValueError(f"{name}: Input dimension should be at least {rank + 1}, got {list(input.shape)}")
    if input.dim() not in (rank + 1, rank + 2):
        raise RuntimeError(f"{name}: Expected {rank + 1}D or {rank + 2}D tensor, but got {list(input.shape)}")
    wanted = (output_size,) * rank if output_size is None or isinstance(output_size, int) else tuple(output_size)
    if len(wanted) != rank:
        raise RuntimeError(f"{name}: output_size must be {rank} numbers, got {list(wanted)}")
    lengths = tuple(n if each is None else each for each, n in zip(wanted, input.shape[-rank:]))
    if any(each < 0 for each in lengths):
        raise RuntimeError(
            f"{name}: elements of output_size must be greater than or equal to 0 but received {list(lengths)}"
        )
    return lengths


@primitive(dtype=promote, vjp={"x": lambda g, x_shape, axis: _share_windows(g, axis=axis, length=x_shape[axis])})
def _mean_windows(xp, x, *, axis, count):
    # Each window by itself: what is not finite in one must not reach the others.
    x = xp.moveaxis(x, axis, 0)
    result = xp.empty((count, *x.shape[1:]), x.dtype)
    for at, (start, end) in enumerate(_bounds(x.shape[0], count)):
        result[at] = x[start:end].mean(axis=0)
    return xp.moveaxis(result, 0, axis)


@primitive(dtype=promote, vjp={"y": lambda g, y_shape, axis: _mean_windows(g, axis=axis, count=y_shape[axis])})
def _share_windows(xp, y, *, axis, length):
    """Return the gradient of the numbers, from that of the windows' means."""
    y = xp.moveaxis(y, axis, 0)
    result = xp.zeros((length, *y.shape[1:]), y.dtype)
    for at, (start, end) in enumerate(_bounds(length, y.shape[0])):
        result[start:end] += y[at] / (end - start)
    return xp.moveaxis(result, 0, axis)


def _adaptive_average(input: Tensor, output_size: Size | None, rank: int) -> Tensor:
    lengths = _targets(input, output_size, rank, f"adaptive_avg_pool{rank}d")
    if not (input.is_floating_point() or input.is_complex()):
        raise NotImplementedError(f"\"adaptive_avg_pool{rank}d\" not implemented for '{input.dtype.name.title()}'")
    if set(lengths) == {1} and input.numel():
        return input.mean(tuple(range(-rank, 0)), keepdim=True)
    result = input
    for axis, count in enumerate(lengths, start=input.dim() - rank):
        length = result.shape[axis]
        if count == length:
            continue
        if count and length % count == 0:
            result = result.unflatten(axis, (count, length // count)).mean(axis + 1)
            continue
        result = _mean_windows(result, axis=axis, count=count)
    return result


def adaptive_avg_pool1d(input: Tensor, output_size: Size) -> Tensor:
    """Return the means of ``output_size`` windows of (N, C, L)."""
    return _adaptive_average(input, output_size, 1)


def adaptive_avg_pool2d(input: Tensor, output_size: Size | None) -> Tensor:
    """Return the means of ``output_size`` windows of (N, C, H, W); None keeps a length."""
    return _adaptive_average(input, output_size, 2)


def adaptive_avg_pool3d(input: Tensor, output_size: Size | None) -> Tensor:
    """Return the means of ``output_size`` windows of (N, C, D, H, W); None keeps a length."""
    return _adaptive_average(input, output_size, 3)


@primitive()
def _adaptive_max_indices(xp, x, *, lengths):
    """Return the flat index in its plane of the largest element of each window."""
    rank = len(lengths)
    plane = x.shape[-rank:]
    numbers = xp.arange(math.prod(plane)).reshape(plane)
    result = xp.empty((*x.shape[:-rank], *lengths), np.int64)
    for place in product(*(enumerate(_bounds(n, count)) for n, count in zip(plane, lengths))):
        key = tuple(slice(start, end) for _, (start, end) in place)
        window = x[(..., *key)].reshape(*x.shape[:-rank], -1)
        result[(..., *(at for at, _ in place))] = numbers[key].reshape(-1)[window.argmax(-1)]
    return result


def _adaptive_max(input: Tensor, output_size: Size | None, rank: int) -> tuple[Tensor, Tensor]:
    lengths = _targets(input, output_size, rank, f"adaptive_max_pool{rank}d")
    indices = _adaptive_max_indices(input, lengths=lengths)
    leading = tuple(input.shape[:-rank])
    values = input.reshape(*leading, -1).gather(-1, indices.reshape(*leading, -1)).reshape(indices.shape)
    return values, indices


def adaptive_max_pool1d(
    input: Tensor, output_size: Size, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows of (N, C, L)."""
    found = _adaptive_max(input, output_size, 1)
    return found if return_indices else found[0]


def adaptive_max_pool2d(
    input: Tensor, output_size: Size | None, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows of (N, C, H, W)."""
    found = _adaptive_max(input, output_size, 2)
    return found if return_indices else found[0]


def adaptive_max_pool3d(
    input: Tensor, output_size: Size | None, return_indices: bool = False
) -> Tensor | tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows of (N, C, D, H, W)."""
    found = _adaptive_max(input, output_size, 3)
    return found if return_indices else found[0]


def adaptive_max_pool1d_with_indices(
    input: Tensor, output_size: Size, return_indices: bool = True
) -> tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows and their indices."""
    return _adaptive_max(input, output_size, 1)


def adaptive_max_pool2d_with_indices(
    input: Tensor, output_size: Size, return_indices: bool = True
) -> tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows and their flat indices."""
    return _adaptive_max(input, output_size, 2)


def adaptive_max_pool3d_with_indices(
    input: Tensor, output_size: Size, return_indices: bool = True
) -> tuple[Tensor, Tensor]:
    """Return the largest elements of ``output_size`` windows and their flat indices."""
    return _adaptive_max(input, output_size, 3)
