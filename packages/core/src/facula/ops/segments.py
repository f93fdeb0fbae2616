"""Reductions of runs of elements, given by their lengths or by where they begin."""

from __future__ import annotations

import numpy as np

from facula.backend import to_numpy
from facula.dimensions import wrap_dim
from facula.tensor_base import wrap
from facula.types import Number, Tensor

__all__ = ["segment_reduce"]

_REDUCTIONS = {
    "sum": "sum",
    "mean": "sum",
    "prod": "prod",
    "max": "amax",
    "amax": "amax",
    "min": "amin",
    "amin": "amin",
}


def segment_reduce(
    data: Tensor,
    reduce: str,
    *,
    lengths: Tensor | None = None,
    indices: Tensor | None = None,
    offsets: Tensor | None = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: Number | None = None,
) -> Tensor:
    """Return the "sum", "mean", "max", "min" or "prod" of each run of elements along ``axis``.

    Runs follow each other with the given ``lengths``, or begin and end at neighbouring ``offsets``; dimensions before
    ``axis`` are those of ``data``. Each run starts from ``initial``. With ``unsafe``, lengths need not add up.

    >>> facula.segment_reduce(facula.tensor([1.0, 2.0, 3.0]), "sum", lengths=facula.tensor([2, 1]))
    tensor([3., 3.])
    """
    if reduce not in _REDUCTIONS:
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    given = offsets if lengths is None else lengths
    if given is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if not data.is_floating_point():
        raise NotImplementedError(f"segment_reduce() is not implemented for {data.dtype.name}")
    if given.dtype.name not in ("int32", "int64"):
        raise NotImplementedError(f"segment_reduce(): expected lengths or offsets of int32 or int64, got {given.dtype}")
    if not given.dim() or data.dim() < given.dim():
        raise RuntimeError(
            f"segment_reduce(): expected lengths or offsets of 1 to {data.dim()} dimensions, got {given.dim()}"
        )
    axis = wrap_dim(axis, data.dim())
    if axis != given.dim() - 1 or given.shape[:-1] != data.shape[:axis]:
        raise RuntimeError(
            f"segment_reduce(): Expected axis to be the last dimension of lengths or offsets, and the dimensions before it "
            f"to be those of data, got axis {axis}, {list(given.shape)} and {list(data.shape)}"
        )
    runs, count = _runs(to_numpy(given._array), data.shape[axis], lengths is None, unsafe)
    # What belongs to no run goes to one more, which is left out again.
    rest = [1] * (data.dim() - axis - 1)
    index = wrap(runs).to(data.device).reshape((*runs.shape, *rest)).expand(data.shape)
    shape = (*data.shape[:axis], count + 1, *data.shape[axis + 1 :])
    reduction = _REDUCTIONS[reduce]
    start = _start(reduction) if initial is None or reduction in ("amax", "amin") else initial
    result = data.new_full(shape, start).scatter_reduce(axis, index, data, reduction).narrow(axis, 0, count)
    if reduce == "mean":
        sizes = (given.diff() if lengths is None else given).reshape((*given.shape[:-1], count, *rest)).to(data.dtype)
        return result / (sizes if initial is None else sizes.clamp_min(1))
    if initial is not None and reduction in ("amax", "amin"):
        beaten = result < initial if reduction == "amax" else result > initial
        return result.masked_fill(beaten, initial)
    return result.clone()


def _start(reduction: str) -> float:
    return {"sum": 0.0, "prod": 1.0, "amax": -float("inf"), "amin": float("inf")}[reduction]


def _runs(given: np.ndarray, size: int, are_offsets: bool, unsafe: bool) -> tuple[np.ndarray, int]:
    """Return the number of the run that each of ``size`` elements belongs to, and how many runs there are."""
    lengths = np.diff(given) if are_offsets else given
    if (lengths < 0).any():
        raise RuntimeError("segment_reduce(): lengths contains negative value!")
    first = given[..., :1] if are_offsets else np.zeros((*given.shape[:-1], 1), given.dtype)
    left = size - lengths.sum(-1, keepdims=True) - first
    if (left < 0).any() or (first < 0).any() or (left.any() and not are_offsets and not unsafe):
        raise RuntimeError(
            f"segment_reduce(): Expected all rows of lengths along axis to sum to data.size(lengths.dim()-1), {size}, when "
            "!unsafe."
        )
    count = lengths.shape[-1]
    names = np.concatenate([[count], np.arange(count), [count]])
    repeats = np.concatenate([first, lengths, left], -1)
    named = np.repeat(np.broadcast_to(names, repeats.shape).reshape(-1), repeats.reshape(-1))
    return named.reshape((*given.shape[:-1], size)), count


_segment_reduce = segment_reduce
