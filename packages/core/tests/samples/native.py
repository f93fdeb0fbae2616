"""Rows of functions with results that their gradients need."""

import numpy as np

from samples import interpolation, normalization, norms
from samples.random import dropout
from samples.sample import NUMBERS, Sample, between, booleans, case, distinct, integers, numbers


def statistics(x: np.ndarray, axes: tuple[int, ...], eps: float, keepdims: bool) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axes, keepdims=keepdims), 1 / np.sqrt(x.var(axes, keepdims=keepdims) + eps)


def layer_norm(x, shape, weight, bias, eps) -> tuple[np.ndarray, ...]:
    axes = tuple(range(-len(shape), 0))
    return normalization.layer_norm(x, shape, weight, bias, eps), *statistics(x, axes, eps, True)


def group_norm(x, weight, bias, n, channels, places, groups, eps) -> tuple[np.ndarray, ...]:
    return normalization.group_norm(x, groups, weight, bias, eps), *statistics(
        x.reshape(n, groups, -1), (2,), eps, False
    )


def batch_norm(x, weight, bias, mean, var, training, momentum, eps) -> tuple[np.ndarray, ...]:
    result = normalization.batch_norm(x, mean, var, weight, bias, training, momentum, eps)
    return (
        (result, *statistics(x, (0, *range(2, x.ndim)), eps, False)) if training else (result, np.zeros(0), np.zeros(0))
    )


def pool_backward(g, x, kernel, stride, padding, dilation, ceil_mode, indices) -> np.ndarray:
    result = np.zeros_like(x).reshape(*x.shape[:-2], -1)
    for place in np.ndindex(indices.shape):
        result[(*place[:-2], indices[place])] += g[place]
    return result.reshape(x.shape)


W, B = normalization.W, normalization.B
LOW = {
    "dtype": "statistics of low precision are float32: tests/ops/test_native.py",
    "derivatives": "statistics have none",
}

ROWS = [
    Sample("native_layer_norm", [case(numbers(2, 3), (3,), W, B, 1e-5)], layer_norm, without=LOW),
    Sample(
        "native_group_norm",
        [case(numbers(2, 6, 2), numbers(6), numbers(6, seed=1), 2, 6, 2, 3, 1e-5)],
        group_norm,
        without=LOW,
    ),
    Sample(
        "native_batch_norm",
        [
            case(numbers(2, 3, 2), W, B, None, None, True, 0.1, 1e-5),
            case(numbers(2, 3, 2), W, B, numbers(3), between(0.5, 2, 3, seed=3), False, 0.1, 1e-5),
        ],
        batch_norm,
        without=LOW,
    ),
    Sample("native_channel_shuffle", [case(numbers(2, 6, 2), 3)], interpolation.channel_shuffle, NUMBERS),
    Sample(
        "native_dropout",
        [case(numbers(3, 4), p, train) for p, train in [(0.0, True), (1.0, True), (0.5, False)]],
        lambda x, p, train: (dropout(x, p, train), np.full(x.shape, not (train and p == 1))),
        result=("same", "bool"),
        random=True,
    ),
    Sample(
        "native_dropout_backward", [case(numbers(3, 4), booleans(3, 4), 2.0)], lambda g, mask, scale: g * mask * scale
    ),
    Sample(
        "native_norm",
        [case(numbers(3, 4)), case(numbers(3, 4), 3, 1, True)],
        lambda x, p=2, dim=None, keepdim=False: norms.length(x, p, dim, keepdim),
        slack=4,
    ),
    Sample(
        "ops.native.max_pool2d_with_indices_backward",
        [case(numbers(1, 2, 2, 2), distinct(1, 2, 4, 4), 2, 2, 0, 1, False, integers(0, 16, 1, 2, 2, 2))],
        pool_backward,
        differentiable=[0],
        slack=2,
    ),
]
