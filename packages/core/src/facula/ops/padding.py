"""Padding with a constant, a reflection, the edges, or the other end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from facula.ops.joining import cat
from facula.primitive import primitive
from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["pad"]

Widths = tuple[tuple[int, int], ...]


@primitive(vjp={"x": lambda g, widths: g._pad_constant(tuple((-a, -b) for a, b in widths), 0)})
def _pad(xp, x, *, widths, value):
    """Return x with so many elements before and after along each dimension; negative widths cut off."""
    shape = tuple(length + a + b for length, (a, b) in zip(x.shape, widths, strict=True))
    result = xp.full(shape, value, x.dtype)
    inner = tuple(slice(max(a, 0), length - max(b, 0)) for length, (a, b) in zip(shape, widths))
    source = tuple(slice(max(-a, 0), length - max(-b, 0)) for length, (a, b) in zip(x.shape, widths))
    result[inner] = x[source]
    return result


def pad_constant(input: Tensor, widths: Widths, value: float) -> Tensor:
    """Return ``input`` padded by (before, after) along each dimension."""
    return _pad(input, widths=widths, value=value)


def pad(input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None) -> Tensor:
    """Return ``input`` padded by (before, after) for its last dimension, then the one before it, and so on.

    Modes: "constant" (``value``, 0 by default), "reflect", "replicate", "circular". Negative widths cut off.

    >>> facula.nn.functional.pad(facula.tensor([1, 2]), (1, 2))
    tensor([0, 1, 2, 0, 0])
    """
    widths = [int(each) for each in pad]
    if len(widths) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(widths) // 2 > input.dim():
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length {len(widths)} and "
            f"input of dimension {input.dim()}"
        )
    pairs = list(zip(widths[::2], widths[1::2]))[::-1]
    full = ((0, 0),) * (input.dim() - len(pairs)) + tuple(pairs)
    if any(length + a + b < 0 for length, (a, b) in zip(input.shape, full)):
        raise RuntimeError(
            f"The input size {list(input.shape)}, plus negative padding {widths}, resulted in a negative output size"
        )
    if mode == "constant":
        return pad_constant(input, full, 0 if value is None else value)
    if value not in (None, 0):
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if len(pairs) not in (1, 2, 3) or input.dim() not in (len(pairs) + 1, len(pairs) + 2):
        raise NotImplementedError(
            f"Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now, got {input.dim()}D input and "
            f"{len(widths)} widths"
        )
    result = input
    for axis, (before, after) in enumerate(full):
        if before or after:
            result = _extended(result, mode, axis, before, after)
    return result


def _extended(input: Tensor, mode: str, axis: int, before: int, after: int) -> Tensor:
    """Return ``input`` with what is added along a dimension, taken from within it, or without what is cut off."""
    first, last = max(-before, 0), input.shape[axis] - max(-after, 0)
    front, back = _sources(mode, input.shape[axis], before, after)
    parts = [input.narrow(axis, first, last - first)]
    if len(front):
        parts.insert(0, input.index_select(axis, wrap(front)))
    if len(back):
        parts.append(input.index_select(axis, wrap(back)))
    return cat(parts, axis)


def _sources(mode: str, length: int, before: int, after: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places along a dimension that the elements added before and after it come from."""
    front, back = max(before, 0), max(after, 0)
    if mode == "replicate":
        return np.zeros(front, np.int64), np.full(back, length - 1)
    if mode == "circular":
        # A side that is cut off takes no part in the circle.
        first, last = max(-before, 0), length - max(-after, 0)
        if before > length or after > length or front > last - first or back > last - first + front:
            raise RuntimeError(
                f"Padding value causes wrapping around more than once: ({before}, {after}) for a length of {length}"
            )
        return np.arange(last - front, last), np.arange(first, min(first + back, last))
    if before >= length or after >= length:
        raise RuntimeError(
            f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding ({before}, {after}) "
            f"at a dimension of length {length}"
        )
    return np.arange(front, 0, -1), np.arange(length - 2, length - 2 - back, -1)
