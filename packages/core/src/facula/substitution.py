"""Triangular systems of arrays, solved by substitution."""

from types import ModuleType

import numpy as np

from facula.backend import Array

__all__ = ["substituted"]

#: Rows solved for one after the other; larger systems are halved, and what is between the halves is a matrix product.
_BLOCK = 32


def substituted(xp: ModuleType, x: Array, other: Array, upper: bool, unit: bool) -> Array:
    """Return X with ``triangle(x) @ X = other``: halves until blocks are small, the second from what the first gave."""
    length = x.shape[-1]
    if length <= _BLOCK:
        return _in_block(xp, x, other, upper, unit)
    middle = length // 2
    low, high = slice(0, middle), slice(middle, length)
    first, second = (high, low) if upper else (low, high)
    known = substituted(xp, x[..., first, first], other[..., first, :], upper, unit)
    rest = other[..., second, :] - x[..., second, first] @ known
    found = substituted(xp, x[..., second, second], rest, upper, unit)
    return xp.concatenate([found, known] if upper else [known, found], axis=-2)


def _in_block(xp: ModuleType, x: Array, other: Array, upper: bool, unit: bool) -> Array:
    length = x.shape[-1]
    batch = np.broadcast_shapes(x.shape[:-2], other.shape[:-2])
    result = xp.empty((*batch, *other.shape[-2:]), other.dtype)
    for row in reversed(range(length)) if upper else range(length):
        known = slice(row + 1, length) if upper else slice(0, row)
        value = other[..., row, :] - (x[..., row : row + 1, known] @ result[..., known, :])[..., 0, :]
        result[..., row, :] = value if unit else value / x[..., row : row + 1, row]
    return result
