"""Which tensors may share memory with what an operation writes: the parts of a tensor with each other, inputs with ``out``."""

import math

import numpy as np

from facula.backend import Array
from facula.tensor_base import TensorBase, owner

__all__ = ["refuse_any_overlap", "refuse_partial_overlap"]

_SHARED = (
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
    "location. Please clone() the tensor before performing the operation."
)


def refuse_partial_overlap(written: TensorBase, *inputs: object) -> None:
    """Refuse with a RuntimeError to write where another part of an input lies; the very same elements are welcome."""
    for each in inputs:
        if isinstance(each, TensorBase) and each is not written and _overlap(written._array, each._array, False):
            raise RuntimeError(_SHARED)


def refuse_any_overlap(written: TensorBase, *inputs: object) -> None:
    """Refuse with a RuntimeError to write where an input lies."""
    for each in inputs:
        if isinstance(each, TensorBase) and (each is written or _overlap(written._array, each._array, True)):
            raise RuntimeError(_SHARED)


def _overlap(first: Array, second: Array, same_too: bool) -> bool:
    """Whether two arrays without gaps share memory; of those with gaps it is not asked, as in PyTorch."""
    if not (isinstance(first, np.ndarray) and isinstance(second, np.ndarray)) or not first.size or not second.size:
        return False
    if not np.may_share_memory(first, second) or owner(first) is not owner(second):
        return False
    if not (_has_no_gaps(first) and _has_no_gaps(second)):
        return False
    same = first.ctypes.data == second.ctypes.data and first.nbytes == second.nbytes
    return same_too or not (same and first.strides == second.strides)


def _has_no_gaps(array: np.ndarray) -> bool:
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return True
    low, high = np.lib.array_utils.byte_bounds(array)
    return bool(high - low == array.itemsize * math.prod(array.shape)) and all(array.strides)
