"""NVIDIA GPUs: how many there are, which one is current, memory, and seeds."""

from __future__ import annotations

from typing import Any

from facula import backend, devices
from facula.devices import device as Device
from facula.ops.random import manual_seed as _manual_seed

__all__ = [
    "CUDAGraph",
    "Event",
    "OutOfMemoryError",
    "Stream",
    "StreamContext",
    "current_device",
    "current_stream",
    "default_stream",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "graph",
    "is_available",
    "is_bf16_supported",
    "is_current_stream_capturing",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "set_device",
    "stream",
    "synchronize",
]


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


def memory_reserved(device: Device | str | int | None = None) -> int:
    """Return how many bytes of a CUDA device are kept for arrays."""
    with backend.cupy().cuda.Device(_index(device)):
        return int(backend.cupy().get_default_memory_pool().total_bytes())


def mem_get_info(device: Device | str | int | None = None) -> tuple[int, int]:
    """Return how many bytes of a CUDA device are free, and how many it has."""
    with backend.cupy().cuda.Device(_index(device)):
        return tuple(backend.cupy().cuda.runtime.memGetInfo())


def get_device_capability(device: Device | str | int | None = None) -> tuple[int, int]:
    """Return the compute capability of a CUDA device, such as (9, 0)."""
    digits = backend.cupy().cuda.Device(_index(device)).compute_capability
    return int(digits[:-1]), int(digits[-1])


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Return whether there is a CUDA device that computes in bfloat16."""
    return is_available() and get_device_capability()[0] >= 8


def is_current_stream_capturing() -> bool:
    """Return whether the current stream is being recorded into a graph."""
    return is_available() and bool(backend.cupy().cuda.get_current_stream().is_capturing())


class OutOfMemoryError(RuntimeError):
    """A CUDA device had too little memory."""


class Event:
    """A mark in the work of a CUDA device."""

    def __init__(self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False) -> None:
        self._event = backend.cupy().cuda.Event(block=blocking, disable_timing=not enable_timing)

    def record(self, stream: Stream | None = None) -> None:
        """Set the mark after the work given so far."""
        self._event.record(None if stream is None else stream._stream)

    def query(self) -> bool:
        """Return whether the work before the mark is done."""
        return bool(self._event.done)

    def synchronize(self) -> None:
        """Wait until it is."""
        self._event.synchronize()

    def elapsed_time(self, end_event: Event) -> float:
        """Return the milliseconds from this mark to another."""
        return float(backend.cupy().cuda.get_elapsed_time(self._event, end_event._event))


class Stream:
    """Work of a CUDA device that is done in order."""

    def __init__(self, device: Device | str | int | None = None, priority: int = 0, _stream: Any = None) -> None:
        self._stream = _stream or backend.cupy().cuda.Stream(non_blocking=True)

    def synchronize(self) -> None:
        """Wait until all its work is done."""
        self._stream.synchronize()

    def query(self) -> bool:
        """Return whether all its work is done."""
        return bool(self._stream.done)

    def record_event(self, event: Event | None = None) -> Event:
        """Return a mark after its work so far."""
        event = event or Event()
        event.record(self)
        return event

    def wait_event(self, event: Event) -> None:
        """Let what is given to the stream from now on wait for a mark."""
        self._stream.wait_event(event._event)

    def wait_stream(self, stream: Stream) -> None:
        """Let what is given to the stream from now on wait for the work of another."""
        self.wait_event(stream.record_event())


class StreamContext:
    """Context in which work is given to a stream; with None, to the one it was given to before."""

    def __init__(self, stream: Stream | None) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        if self.stream is not None:
            self.stream._stream.__enter__()

    def __exit__(self, *exception: object) -> None:
        if self.stream is not None:
            self.stream._stream.__exit__(*exception)


def stream(stream: Stream | None) -> StreamContext:
    """Return a context in which work is given to a stream."""
    return StreamContext(stream)


def current_stream(device: Device | str | int | None = None) -> Stream:
    """Return the stream that work is given to."""
    return Stream(_stream=backend.cupy().cuda.get_current_stream())


def default_stream(device: Device | str | int | None = None) -> Stream:
    """Return the stream that work is given to where no other is chosen."""
    return Stream(_stream=backend.cupy().cuda.Stream.null)


class CUDAGraph:
    """Work recorded to be done again."""

    def __init__(self, keep_graph: bool = False) -> None:
        raise NotImplementedError("graphs of CUDA work are not implemented yet")


class graph:
    """Context in which work is recorded into a `CUDAGraph`."""

    def __init__(self, cuda_graph: CUDAGraph, *args: object, **kwargs: object) -> None:
        raise NotImplementedError("graphs of CUDA work are not implemented yet")


def manual_seed(seed: int) -> None:
    """Restart the streams of random numbers of the CUDA devices, and that of the CPU."""
    if is_available():
        _manual_seed(seed)


def manual_seed_all(seed: int) -> None:
    """Restart the streams of random numbers of all CUDA devices, and that of the CPU."""
    manual_seed(seed)
