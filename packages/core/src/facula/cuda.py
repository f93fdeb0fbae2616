"""NVIDIA GPUs: how many there are, which one is current, memory, and seeds."""

from __future__ import annotations

from facula import backend, devices
from facula.devices import device as Device
from facula.ops.random import manual_seed as _manual_seed

__all__ = ["current_device", "device_count", "empty_cache", "get_device_name", "is_available", "is_initialized"]
__all__ += ["manual_seed", "manual_seed_all", "memory_allocated", "set_device", "synchronize"]


def device_count() -> int:
    """Return how many CUDA devices can be used; 0 without CuPy, a driver or a card."""
    return backend.cuda_device_count()


def is_available() -> bool:
    """Return whether a CUDA device can be used."""
    return device_count() > 0


def is_initialized() -> bool:
    """Return whether a CUDA device can be used: nothing needs to be initialised."""
    return is_available()


def current_device() -> int:
    """Return the index of the current CUDA device; RuntimeError when there is none."""
    return devices.current_cuda_index()


def _index(device: Device | str | int | None) -> int:
    if device is None:
        return current_device()
    return devices.canonical(device).index or 0


def set_device(device: Device | str | int) -> None:
    """Make a CUDA device the current one."""
    backend.cupy().cuda.Device(_index(device)).use()


def get_device_name(device: Device | str | int | None = None) -> str:
    """Return the name of a CUDA device."""
    return backend.cupy().cuda.runtime.getDeviceProperties(_index(device))["name"].decode()


def synchronize(device: Device | str | int | None = None) -> None:
    """Wait until all work on a CUDA device is done."""
    backend.cupy().cuda.Device(_index(device)).synchronize()


def memory_allocated(device: Device | str | int | None = None) -> int:
    """Return how many bytes of a CUDA device arrays take up."""
    with backend.cupy().cuda.Device(_index(device)):
        return int(backend.cupy().get_default_memory_pool().used_bytes())


def empty_cache() -> None:
    """Give unused memory back to the CUDA devices."""
    if is_available():
        backend.cupy().get_default_memory_pool().free_all_blocks()


def manual_seed(seed: int) -> None:
    """Restart the streams of random numbers of the CUDA devices, and that of the CPU."""
    if is_available():
        _manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Restart the streams of random numbers of all CUDA devices, and that of the CPU."""
    manual_seed(seed)
