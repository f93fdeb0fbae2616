"""Dimension arguments: negative ones counted from the end, out of range ones refused."""

import operator
from collections.abc import Sequence

__all__ = ["count_along", "kept_shape", "wrap_dim", "wrap_dims"]


def wrap_dim(dim: int, ndim: int) -> int:
    """Return ``dim`` counted from the front; IndexError when a tensor of ``ndim`` dimensions has none such.

    A zero-dim tensor is taken for one dimension, as PyTorch does.
    """
    reach = ndim or 1
    if not -reach <= dim < reach:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-reach}, {reach - 1}], but got {dim})")
    return dim + reach if dim < 0 else dim


def wrap_dims(dim: int | Sequence[int] | None, ndim: int) -> tuple[int, ...] | None:
    """Return dimensions counted from the front, or None for all of them, which an empty sequence means too.

    RuntimeError when one is named twice, TypeError for what is no integer.
    """
    if dim is None:
        return None
    if isinstance(dim, (tuple, list)):
        if not dim:
            return None
        wrapped = tuple([wrap_dim(_index(each), ndim) for each in dim])
        if len(set(wrapped)) != len(wrapped):
            repeated = next(each for each in wrapped if wrapped.count(each) > 1)
            raise RuntimeError(f"dim {repeated} appears multiple times in the list of dims")
    else:
        wrapped = (wrap_dim(_index(dim), ndim),)
    return wrapped if ndim else None


def _index(dim: object) -> int:
    if isinstance(dim, bool) or not hasattr(dim, "__index__"):
        raise TypeError(f"argument 'dim' must be int or a tuple of ints, not {type(dim).__name__}")
    return operator.index(dim)


def count_along(shape: Sequence[int], dims: tuple[int, ...] | None) -> int:
    """Return how many elements of a tensor of ``shape`` go into one result of a reduction over ``dims``."""
    count = 1
    for dim in range(len(shape)) if dims is None else dims:
        count *= shape[dim]
    return count


def kept_shape(shape: Sequence[int], dims: tuple[int, ...] | None) -> tuple[int, ...]:
    """Return ``shape`` with 1 for each of the dimensions ``dims``; for all of them when None."""
    return tuple([1 if dims is None or at in dims else length for at, length in enumerate(shape)])
