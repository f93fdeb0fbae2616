"""Rows of normalizations."""

import numpy as np

from samples.sample import Sample, between, case, numbers

F = "nn.functional."


def standard(x: np.ndarray, axes: tuple[int, ...], eps: float) -> np.ndarray:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps)


def per_channel(values: np.ndarray, x: np.ndarray) -> np.ndarray:
    return values.reshape(-1, *[1] * (x.ndim - 2))


def affine(x: np.ndarray, weight: np.ndarray | None, bias: np.ndarray | None) -> np.ndarray:
    x = x if weight is None else x * per_channel(weight, x)
    return x if bias is None else x + per_channel(bias, x)


def batch_norm(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5) -> np.ndarray:
    if training:
        return affine(standard(x, (0, *range(2, x.ndim)), eps), weight, bias)
    return affine((x - per_channel(mean, x)) / np.sqrt(per_channel(var, x) + eps), weight, bias)


def instance_norm(x, mean=None, var=None, weight=None, bias=None, use_input_stats=True, eps=1e-5) -> np.ndarray:
    if use_input_stats:
        return affine(standard(x, tuple(range(2, x.ndim)), eps), weight, bias)
    return batch_norm(x, mean, var, weight, bias, eps=eps)


def group_norm(x, groups, weight=None, bias=None, eps=1e-5) -> np.ndarray:
    grouped = x.reshape(x.shape[0], groups, x.shape[1] // groups, *x.shape[2:])
    return affine(standard(grouped, tuple(range(2, grouped.ndim)), eps).reshape(x.shape), weight, bias)


def layer_norm(x, shape, weight=1, bias=0, eps=1e-5) -> np.ndarray:
    return standard(x, tuple(range(-len(shape), 0)), eps) * weight + bias


def rms_norm(x, shape, weight=1, eps=None) -> np.ndarray:
    axes = tuple(range(-len(shape), 0))
    eps = np.finfo(np.float64).eps if eps is None else eps
    return x / np.sqrt((x**2).mean(axes, keepdims=True) + eps) * weight


def local_response_norm(x, size, alpha=1e-4, beta=0.75, k=1.0) -> np.ndarray:
    result = np.empty_like(x)
    for channel in range(x.shape[1]):
        first = channel - size // 2
        near = x[:, max(first, 0) : first + size]
        result[:, channel] = x[:, channel] / (k + alpha * (near**2).sum(1) / size) ** beta
    return result


W, B = between(0.5, 2, 3, seed=1), numbers(3, seed=2)

ROWS = [
    Sample(
        F + "batch_norm",
        [
            case(numbers(2, 3, 2), None, None, W, B, True),
            case(numbers(4, 3), None, None, training=True, eps=0.1),
            case(numbers(2, 3, 2), B, between(0.5, 2, 3, seed=3), W, numbers(3, seed=4)),
            case(numbers(0, 3, 2), B, between(0.5, 2, 3, seed=3)),
        ],
        batch_norm,
        slack=4,
        without={"derivatives": "running statistics have none; the next row has no such arguments"},
    ),
    Sample(
        F + "batch_norm",
        [
            case(numbers(2, 3, 2), None, None, W, B, True),
            case(numbers(4, 3), None, None, training=True, eps=0.1),
        ],
        batch_norm,
        slack=4,
    ),
    Sample(
        F + "instance_norm",
        [
            case(numbers(2, 3, 4), None, None, W, B),
            case(numbers(1, 3, 2, 2), eps=0.1),
        ],
        instance_norm,
        slack=4,
    ),
    Sample(
        F + "group_norm",
        [
            case(numbers(2, 6, 2), 3, between(0.5, 2, 6), numbers(6, seed=1)),
            case(numbers(2, 4), 2, eps=0.1),
            case(numbers(0, 4, 2), 2),
        ],
        group_norm,
        slack=4,
    ),
    Sample(
        F + "layer_norm",
        [
            case(numbers(2, 3), (3,), W, B),
            case(numbers(2, 2, 3), (2, 3), eps=0.1),
            case(numbers(0, 3), (3,)),
        ],
        layer_norm,
        slack=4,
    ),
    Sample(
        F + "rms_norm",
        [case(numbers(2, 3), (3,), W, 1e-5), case(numbers(2, 2, 3), (2, 3)), case(numbers(0, 3), (3,))],
        rms_norm,
        slack=4,
        aliases=["rms_norm"],
    ),
    Sample(
        F + "local_response_norm",
        [case(numbers(2, 5, 2), 3, 0.2), case(numbers(1, 4, 2, 2), 2, 0.2, 0.5, 2.0)],
        local_response_norm,
        slack=4,
    ),
]
