"""The CPU as a device, and the memory of the arrays on it.

Where the compiled code is in use, memory that an array gives back is kept for the next array of about its size, up to
a limit: the system takes longer to hand out fresh pages than most operations take to fill them. ``FACULA_MEMORY_CACHE``
in the environment sets that limit in bytes before the start; 0 leaves NumPy's own memory alone.
"""

from __future__ import annotations

from typing import Any

from facula import native
from facula.devices import device as Device

__all__ = [
    "current_device",
    "device_count",
    "empty_cache",
    "is_available",
    "max_memory_allocated",
    "memory_allocated",
    "memory_reserved",
    "memory_stats",
    "reset_peak_memory_stats",
    "set_device",
    "set_memory_cache_limit",
    "synchronize",
]


def is_available() -> bool:
    """Return True: there always is a CPU."""
    return True


def device_count() -> int:
    """Return 1: all cores are one device."""
    return 1


def current_device() -> str:
    """Return ``"cpu"``."""
    return "cpu"


def set_device(device: Device | str | int) -> None:
    """Do nothing: there is one CPU."""


def synchronize(device: Device | str | int | None = None) -> None:
    """Do nothing: work on the CPU is done when a call returns."""


def memory_stats() -> dict[str, int]:
    """Return what arrays use and what is kept for later ones, in bytes, and how many allocations found kept memory.

    ``in_use``, ``peak`` and ``kept`` are bytes, as is ``limit``, the most that is kept; ``allocations`` and ``reused``
    count. Without the compiled code all are 0.

    >>> sorted(facula.cpu.memory_stats())
    ['allocations', 'in_use', 'kept', 'limit', 'peak', 'reused']
    """
    if native.base is None:
        return dict.fromkeys(("in_use", "peak", "kept", "allocations", "reused", "limit"), 0)
    found: dict[str, int] = native.base.memory_statistics()
    return found


def memory_allocated(device: Any = None) -> int:
    """Return how many bytes arrays use."""
    return memory_stats()["in_use"]


def max_memory_allocated(device: Any = None) -> int:
    """Return the most bytes that arrays used at once, since the start or `reset_peak_memory_stats`."""
    return memory_stats()["peak"]


def memory_reserved(device: Any = None) -> int:
    """Return how many bytes arrays use, or are kept for later ones."""
    found = memory_stats()
    return found["in_use"] + found["kept"]


def reset_peak_memory_stats(device: Any = None) -> None:
    """Let `max_memory_allocated` start anew from what is in use."""
    if native.base is not None:
        native.base.reset_peak_memory()


def empty_cache() -> None:
    """Give the memory that is kept for later arrays back to the system."""
    if native.base is not None:
        native.base.empty_cache()


def set_memory_cache_limit(bytes: int) -> None:
    """Keep at most so many bytes for later arrays; 0 keeps none. ValueError for a negative number."""
    if bytes < 0:
        raise ValueError(f"set_memory_cache_limit expects a number of bytes that is not negative, got {bytes}")
    if native.base is not None:
        native.base.set_memory_limit(bytes)
