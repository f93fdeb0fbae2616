"""Rows at indices: adding them where indices may repeat, many times faster than ``numpy.add.at``, and their range."""

from types import ModuleType

import numpy as np

from facula import native
from facula.backend import Array


def add_rows(xp: ModuleType, result: Array, index: Array, rows: Array) -> None:
    """Add ``rows`` to ``result`` at indices of its first dimension, as often as each index comes.

    Rows of one index are brought together by sorting, so each is written once.
    """
    flat = index.reshape(-1) % max(len(result), 1)
    if flat.size == 0 or rows.size == 0:
        return
    rows = rows.reshape(flat.size, -1)
    target = result.reshape(len(result), -1)
    if xp is not np:
        xp.add.at(target, flat, rows)
        return
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    # Booleans are added as PyTorch adds them: whether any of them is true.
    target[ordered[starts]] += np.add.reduceat(rows[order], starts, axis=0, dtype=rows.dtype)


def range_of(index: np.ndarray) -> tuple[int, int]:
    """Return the least and the largest of indices, of which there is one at least."""
    if native.available:
        found: tuple[int, int] = native.kernels.index_range(index)
        if found is not NotImplemented:
            return found
    return int(index.min()), int(index.max())


def check_range(index: Array, size: int) -> None:
    """Refuse indices of slices outside [0, size), with an IndexError."""
    if isinstance(index, np.ndarray) and index.size:
        low, high = range_of(index)
        if low < 0 or high >= size:
            raise IndexError(f"index out of range in self: expected 0 to {size - 1}, got {low} to {high}")
