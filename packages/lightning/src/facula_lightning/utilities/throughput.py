"""Throughput: how much a run does in a second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import facula

#: What GPUs can do in a second by their data sheets, without sparsity: operations in float64, float32 and half precision.
_GPUS: dict[str, tuple[float | None, float, float]] = {
    "h200": (33.5e12, 66.9e12, 989.4e12),
    "h100 pcie": (25.6e12, 51.2e12, 756e12),
    "h100": (33.5e12, 66.9e12, 989.4e12),
    "a100": (9.7e12, 19.5e12, 312e12),
    "a10": (None, 31.2e12, 125e12),
    "l4": (None, 30.3e12, 121e12),
    "v100": (7.8e12, 15.7e12, 125e12),
    "t4": (None, 8.1e12, 65e12),
}


def get_available_flops(device: facula.device, dtype: facula.dtype) -> float | None:
    """Return how many operations a device can do in a second in a type by its data sheet; None where that is not known."""
    if device.type != "cuda":
        return None
    name = facula.cuda.get_device_name(device).lower()
    kinds = {facula.float64: 0, facula.float32: 1, facula.float16: 2, facula.bfloat16: 2}
    words = name.replace("-", " ").split()
    for chip, numbers in _GPUS.items():
        if dtype in kinds and all(word in words for word in chip.split()):
            return numbers[kinds[dtype]]
    return None


class Throughput:
    """Batches, samples, items and operations in a second, over a window of the newest batches.

    It is told, after each batch, the totals so far. ``compute()`` returns the totals, and once ``window_size`` batches have
    been seen, ``device/batches_per_sec``, ``device/samples_per_sec`` and, where they are known,
    ``device/items_per_sec``, ``device/flops_per_sec`` and ``device/mfu``, the share of ``available_flops``. With several
    devices (``world_size``) there are the same without ``device/``, of all.

    >>> throughput = Throughput(window_size=2)
    >>> throughput.update(time=1.0, batches=1, samples=8)
    >>> throughput.update(time=3.0, batches=2, samples=16)
    >>> throughput.compute()["device/samples_per_sec"]
    4.0
    """

    def __init__(
        self, available_flops: float | None = None, world_size: int = 1, window_size: int = 100, separator: str = "/"
    ) -> None:
        if world_size < 1:
            raise ValueError(f"`world_size` should be at least 1, got {world_size}")
        if window_size < 2:
            raise ValueError(f"`window_size` should be at least 2, got {window_size}")
        self.available_flops = available_flops
        self.world_size = world_size
        self.separator = separator
        self._time: deque[float] = deque(maxlen=window_size)
        self._batches: deque[float] = deque(maxlen=window_size)
        self._samples: deque[float] = deque(maxlen=window_size)
        self._lengths: deque[float] = deque(maxlen=window_size)
        self._flops: deque[float] = deque(maxlen=window_size)

    def update(
        self, *, time: float, batches: int, samples: int, lengths: int | None = None, flops: int | None = None
    ) -> None:
        """Take in the seconds since the start and the totals of this device; ``flops`` alone is of the newest batch.

        ValueError where a total has not grown, or there are fewer samples than batches or fewer items than samples.
        """
        if samples < batches:
            raise ValueError(f"Expected samples ({samples}) to be greater or equal than batches ({batches})")
        if lengths is not None and lengths < samples:
            raise ValueError(f"Expected lengths ({lengths}) to be greater or equal than samples ({samples})")
        if lengths is not None and len(self._lengths) != len(self._samples):
            raise RuntimeError(
                f"If lengths are passed ({len(self._lengths) + 1}), there needs to be the same number of samples"
                f" ({len(self._samples) + 1})"
            )
        _grow(self._time, time)
        _grow(self._batches, batches)
        _grow(self._samples, samples)
        if lengths is not None:
            _grow(self._lengths, lengths)
        if flops is not None:
            self._flops.append(flops * self.world_size)

    def compute(self) -> dict[str, float]:
        """Return the totals, and what is done in a second once the window is full."""
        metrics = {"time": self._time[-1], "batches": self._batches[-1], "samples": self._samples[-1]}
        if self._lengths:
            metrics["lengths"] = self._lengths[-1]
        if len(self._time) == self._time.maxlen:
            elapsed = self._time[-1] - self._time[0]
            self._add(metrics, "batches_per_sec", (self._batches[-1] - self._batches[0]) / elapsed)
            self._add(metrics, "samples_per_sec", (self._samples[-1] - self._samples[0]) / elapsed)
            if len(self._lengths) == self._lengths.maxlen:
                self._add(metrics, "items_per_sec", (self._lengths[-1] - self._lengths[0]) / elapsed)
            if len(self._flops) == self._flops.maxlen:
                # The window begins where its first batch ended.
                flops = (sum(self._flops) - self._flops[0]) / elapsed / self.world_size
                self._add(metrics, "flops_per_sec", flops)
                if self.available_flops:
                    metrics[f"device{self.separator}mfu"] = flops / self.available_flops
        return metrics

    def _add(self, metrics: dict[str, float], name: str, value: float) -> None:
        metrics[f"device{self.separator}{name}"] = value
        if self.world_size > 1:
            metrics[name] = value * self.world_size

    def reset(self) -> None:
        """Begin anew."""
        for each in (self._time, self._batches, self._samples, self._lengths, self._flops):
            each.clear()


def _grow(window: deque[float], value: float) -> None:
    if window and window[-1] >= value:
        raise ValueError(f"Expected the value to increase, last: {window[-1]}, current: {value}")
    window.append(value)


def measure_flops(
    model: facula.nn.Module, forward_fn: Callable[[], Any], loss_fn: Callable[[Any], facula.Tensor] | None = None
) -> int:
    """Return how many floating point operations ``forward_fn`` needs, and, with ``loss_fn``, the gradients of the loss too.

    >>> model = facula.nn.Linear(3, 5)
    >>> measure_flops(model, lambda: model(facula.ones(4, 3)))
    120
    """
    from facula.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter:
        result = forward_fn()
        if loss_fn is not None:
            loss_fn(result).backward()
    return counter.get_total_flops()
