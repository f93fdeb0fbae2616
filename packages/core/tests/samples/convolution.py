"""Rows of convolutions, and of the windows they are made of."""

from itertools import product

import numpy as np

from samples.sample import COMPLEX, FLOATS, Sample, case, numbers


def each(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    return (value,) * rank if isinstance(value, int) else tuple(value)


def convolution(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
) -> np.ndarray:
    """Return the sum over each window, output position by output position."""
    rank = weight.ndim - 2
    if x.ndim == rank + 1:
        return convolution(x[None], weight, bias, stride, padding, dilation, groups)[0]
    kernel, stride, dilation = weight.shape[2:], each(stride, rank), each(dilation, rank)
    if padding == "same":
        both = [d * (k - 1) for d, k in zip(dilation, kernel)]
        widths = [(total // 2, total - total // 2) for total in both]
    else:
        widths = [(p, p) for p in each(0 if padding == "valid" else padding, rank)]
    x = np.pad(x, [(0, 0), (0, 0), *widths])
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, d, k, s in zip(x.shape[2:], dilation, kernel, stride)]
    outputs = weight.shape[0]
    inputs_per_group, outputs_per_group = weight.shape[1], outputs // groups
    result = np.zeros((x.shape[0], outputs, *sizes), np.result_type(x, weight))
    for channel in range(outputs):
        first = channel // outputs_per_group * inputs_per_group
        for position in product(*map(range, sizes)):
            for offset in product(*map(range, kernel)):
                place = tuple(p * s + o * d for p, s, o, d in zip(position, stride, offset, dilation))
                values = x[(slice(None), slice(first, first + inputs_per_group), *place)]
                result[(slice(None), channel, *position)] += values @ weight[(channel, slice(None), *offset)]
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


def transposed_convolution(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dilation: int | tuple[int, ...] = 1,
) -> np.ndarray:
    """Return the input's numbers times the kernel, added where the kernel was laid, input position by input position."""
    rank = weight.ndim - 2
    stride, padding, dilation = each(stride, rank), each(padding, rank), each(dilation, rank)
    kernel, extra = weight.shape[2:], each(output_padding, rank)
    full = [(n - 1) * s + d * (k - 1) + 1 + e for n, s, d, k, e in zip(x.shape[2:], stride, dilation, kernel, extra)]
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    result = np.zeros((x.shape[0], outputs * groups, *full), np.result_type(x, weight))
    for channel in range(weight.shape[0]):
        first = channel // inputs * outputs
        for position in product(*map(range, x.shape[2:])):
            for offset in product(*map(range, kernel)):
                place = tuple(p * s + o * d for p, s, o, d in zip(position, stride, offset, dilation))
                values = x[(slice(None), channel, *position)][:, None] * weight[(channel, slice(None), *offset)]
                result[(slice(None), slice(first, first + outputs), *place)] += values
    inner = tuple(slice(p, n - p) for p, n in zip(padding, full))
    result = result[(slice(None), slice(None), *inner)]
    return result if bias is None else result + bias.reshape(-1, *[1] * rank)


def windows(size: tuple[int, ...], kernel: int, dilation: int, padding: int, stride: int) -> list[tuple]:
    """Return, for each window from left to right and down, the rows and columns of the padded image it sees."""
    tops = range(0, size[0] + 2 * padding - dilation * (kernel - 1), stride)
    lefts = range(0, size[1] + 2 * padding - dilation * (kernel - 1), stride)
    seen = np.arange(kernel) * dilation
    return [np.ix_(top + seen, left + seen) for top in tops for left in lefts]


def unfold(x: np.ndarray, kernel: int, dilation: int = 1, padding: int = 0, stride: int = 1) -> np.ndarray:
    padded = np.pad(x, [(0, 0)] * (x.ndim - 2) + [(padding, padding)] * 2)
    places = windows(x.shape[-2:], kernel, dilation, padding, stride)
    columns = [padded[(..., *place)].reshape(*x.shape[:-3], x.shape[-3] * kernel**2) for place in places]
    return np.stack(columns, -1)


def fold(
    x: np.ndarray, size: tuple[int, int], kernel: int, dilation: int = 1, padding: int = 0, stride: int = 1
) -> np.ndarray:
    channels = x.shape[-2] // kernel**2
    padded = np.zeros((*x.shape[:-2], channels, size[0] + 2 * padding, size[1] + 2 * padding), x.dtype)
    for column, place in enumerate(windows(size, kernel, dilation, padding, stride)):
        padded[(..., *place)] += x[..., column].reshape(*x.shape[:-2], channels, kernel, kernel)
    return padded[..., padding : padding + size[0], padding : padding + size[1]]


ROWS = [
    Sample(
        "nn.functional.conv1d",
        [
            case(numbers(2, 2, 5), numbers(3, 2, 3), numbers(3)),
            case(numbers(2, 5), numbers(3, 2, 2), None, 2, 1, 2),
            case(numbers(1, 4, 4), numbers(2, 2, 3), None, padding="same", groups=2),
            case(numbers(0, 2, 5), numbers(3, 2, 3)),
        ],
        convolution,
        dtypes=FLOATS + COMPLEX,
        slack=4,
        aliases=["conv1d"],
    ),
    Sample(
        "nn.functional.conv2d",
        [
            case(numbers(1, 2, 4, 3), numbers(2, 2, 3, 2), numbers(2), padding=1),
            case(numbers(1, 2, 4, 4), numbers(4, 1, 2, 2), None, (2, 1), (0, 1), (1, 2), 2),
            case(numbers(1, 3, 3), numbers(2, 1, 1, 1)),
            case(numbers(1, 1, 3, 4), numbers(1, 1, 2, 2), padding="same"),
            case(numbers(1, 1, 3, 3), numbers(1, 1, 2, 2), padding="valid"),
            case(numbers(0, 2, 4, 3), numbers(2, 2, 3, 2)),
        ],
        convolution,
        dtypes=FLOATS + COMPLEX,
        slack=4,
        aliases=["conv2d"],
    ),
    Sample(
        "nn.functional.conv3d",
        [
            case(numbers(1, 2, 2, 3, 2), numbers(2, 2, 2, 2, 1), numbers(2), stride=(1, 2, 1)),
            case(numbers(1, 2, 2, 2, 2), numbers(2, 1, 2, 2, 2), padding=1, dilation=2, groups=2),
        ],
        convolution,
        slack=4,
        aliases=["conv3d"],
    ),
    Sample(
        "nn.functional.conv_transpose1d",
        [
            case(numbers(2, 2, 3), numbers(2, 3, 2), numbers(3)),
            case(numbers(1, 2, 3), numbers(2, 1, 3), None, 3, 1, 2, 2, 2),
            case(numbers(0, 2, 3), numbers(2, 3, 2)),
        ],
        transposed_convolution,
        dtypes=FLOATS + COMPLEX,
        slack=4,
        aliases=["conv_transpose1d"],
    ),
    Sample(
        "nn.functional.conv_transpose2d",
        [
            case(numbers(1, 2, 2, 3), numbers(2, 2, 2, 1), numbers(2), stride=2, output_padding=(1, 0)),
            case(numbers(1, 2, 3, 2), numbers(2, 1, 3, 2), padding=(1, 0), groups=2, dilation=(1, 2)),
        ],
        transposed_convolution,
        slack=4,
        aliases=["conv_transpose2d"],
    ),
    Sample(
        "nn.functional.conv_transpose3d",
        [
            case(numbers(1, 2, 2, 1, 2), numbers(2, 1, 2, 2, 1), numbers(1), stride=2),
            case(numbers(1, 2, 2, 1, 2), numbers(2, 1, 2, 2, 1), padding=(1, 0, 0), groups=2),
        ],
        transposed_convolution,
        slack=4,
        aliases=["conv_transpose3d"],
    ),
    Sample(
        "conv_tbc",
        [case(numbers(4, 2, 3), numbers(2, 3, 2), numbers(2)), case(numbers(3, 1, 2), numbers(2, 2, 2), numbers(2), 1)],
        lambda x, weight, bias, pad=0: np.moveaxis(
            convolution(np.moveaxis(x, 0, -1), weight.transpose(2, 1, 0), bias, padding=pad), -1, 0
        ),
        slack=4,
    ),
    Sample(
        "nn.functional.unfold",
        [case(numbers(1, 2, 3, 4), 2), case(numbers(2, 4, 3), 2, 2, 1, 2), case(numbers(0, 2, 3, 4), 2)],
        unfold,
        dtypes=FLOATS + COMPLEX,
    ),
    Sample(
        "nn.functional.fold",
        [case(numbers(1, 8, 6), (3, 4), 2), case(numbers(8, 4), (4, 3), 2, 2, 1, 2)],
        fold,
        dtypes=FLOATS + COMPLEX,
        slack=2,
    ),
]
