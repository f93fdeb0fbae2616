"""Resizing with antialiasing: one matrix of weights an axis, as Pillow and PyTorch compute them."""

import facula
import numpy
from facula import Tensor

_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}


def _triangle(x: numpy.ndarray) -> numpy.ndarray:
    weight: numpy.ndarray = numpy.maximum(1.0 - numpy.abs(x), 0.0)
    return weight


def _keys_cubic(x: numpy.ndarray) -> numpy.ndarray:
    """Keys' cubic kernel with a = -0.5 (Keys 1981), as in Pillow; without antialiasing PyTorch uses a = -0.75."""
    a = -0.5
    x = numpy.abs(x)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return numpy.where(x < 1.0, near, numpy.where(x < 2.0, far, 0.0))


_KERNEL = {"bilinear": _triangle, "bicubic": _keys_cubic}


def antialias_weights(source: int, target: int, mode: str) -> numpy.ndarray:
    """Return the (target, source) matrix, float64, whose rows are the weights of the source pixels and sum to 1.

    The kernel is stretched by the scale when shrinking, so that every source pixel counts.
    """
    scale = source / target
    stretch = max(scale, 1.0)
    support = _SUPPORT[mode] * stretch
    centre = scale * (numpy.arange(target) + 0.5)
    first = numpy.maximum((centre - support + 0.5).astype(numpy.int64), 0)
    end = numpy.minimum((centre + support + 0.5).astype(numpy.int64), source)
    pixel = numpy.arange(source)
    weights: numpy.ndarray = _KERNEL[mode]((pixel - centre[:, None] + 0.5) / stretch)
    weights[(pixel < first[:, None]) | (pixel >= end[:, None])] = 0.0
    weights /= weights.sum(axis=1, keepdims=True)
    return weights


def resize_antialiased(image: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Return the (..., H, W) float image resized to ``size`` (height, width) with mode "bilinear" or "bicubic"."""
    height, width = size
    if image.shape[-1] != width:
        columns = antialias_weights(image.shape[-1], width, mode)
        image = image @ facula.from_numpy(columns.T.copy()).to(image)
    if image.shape[-2] != height:
        rows = antialias_weights(image.shape[-2], height, mode)
        image = facula.from_numpy(rows).to(image) @ image
    return image


def _fixed_point(weights: numpy.ndarray) -> tuple[numpy.ndarray, int]:
    """Return the weights as integers below 2**15 and how many of their bits are fractions, as many as fit."""
    bits = 0
    while bits < 22 and int(0.5 + weights.max() * (1 << (bits + 1))) < 1 << 15:
        bits += 1
    scaled = weights * (1 << bits)
    return numpy.trunc(scaled + numpy.copysign(0.5, scaled)), bits


def resize_bytes_antialiased(image: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    """Return the (..., H, W) uint8 image resized with whole numbers, as PyTorch does it to bytes.

    It is rounded after the width and again after the height. Doubles hold all the whole numbers that occur.
    """
    for axis, target in ((-1, size[1]), (-2, size[0])):
        if image.shape[axis] == target:
            continue
        weights, bits = _fixed_point(antialias_weights(image.shape[axis], target, mode))
        matrix = facula.from_numpy(weights).to(image.device)
        values = image.to(facula.float64)
        total = values @ matrix.T if axis == -1 else matrix @ values
        image = ((total + (1 << (bits - 1))) / (1 << bits)).floor().clamp(0, 255).to(facula.uint8)
    return image
