"""NumPy or CuPy for an array, and moving arrays between them."""

import sys
from types import ModuleType

import numpy as np

#: An array of either library. CuPy is imported only when a device is asked for, so NumPy's class stands for both.
Array = np.ndarray


def namespace(array: Array) -> ModuleType:
    """Return the library an array belongs to: ``numpy`` or ``cupy``."""
    if isinstance(array, (np.ndarray, np.generic)):
        return np
    return sys.modules["cupy"]


def cupy() -> ModuleType:
    """Return the ``cupy`` module, imported on first use; RuntimeError when it cannot be used here."""
    try:
        import cupy as module
    except ImportError as error:
        raise RuntimeError(
            "device 'cuda' needs the package CuPy (pip install 'facula[cuda]'), which is absent"
        ) from error
    return module


def cuda_device_count() -> int:
    """Return how many CUDA devices can be used; 0 without CuPy, a driver or a card."""
    try:
        return int(cupy().cuda.runtime.getDeviceCount())
    except Exception:  # a missing package, driver or card all mean the same here
        return 0


def device_index(array: Array) -> int | None:
    """Return the index of the CUDA device that holds ``array``, or None for the CPU."""
    if isinstance(array, np.ndarray):
        return None
    return int(array.device.id)


def contiguous(array: Array) -> Array:
    """Return the array, copied only when its elements do not lie in C order."""
    return array if array.flags.c_contiguous else array.copy()


def to_numpy(array: Array) -> np.ndarray:
    """Return the array in main memory, copied only when it lies on a CUDA device."""
    if isinstance(array, np.ndarray):
        return array
    return array.get()


def to_cuda(array: Array, index: int) -> Array:
    """Return the array on CUDA device ``index``, copied only when it is elsewhere."""
    module = cupy()
    if device_index(array) == index:
        return array
    with module.cuda.Device(index):
        return module.asarray(array)
