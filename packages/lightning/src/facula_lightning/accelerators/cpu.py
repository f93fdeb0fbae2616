"""The CPU."""

from __future__ import annotations

from typing import Any

import facula

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.imports import imported


class CPUAccelerator(Accelerator):
    """The CPU: ``devices`` counts processes.

    >>> CPUAccelerator.get_parallel_devices(2)
    [device(type='cpu'), device(type='cpu')]
    """

    def setup_device(self, device: facula.device) -> None:
        """Do nothing, for a CPU; MisconfigurationException for another device."""
        if device.type != "cpu":
            raise MisconfigurationException(f"Device should be CPU, got {device} instead.")

    def teardown(self) -> None:
        """Do nothing."""

    @staticmethod
    def parse_devices(devices: int | str) -> int:
        """Return the number of processes; TypeError for anything but a number above 0."""
        if isinstance(devices, str):
            try:
                devices = int(devices)
            except ValueError:
                raise TypeError(
                    f"`devices` selected with `CPUAccelerator` should be an int > 0, got {devices!r}"
                ) from None
        if not isinstance(devices, int) or isinstance(devices, bool) or devices < 1:
            raise TypeError(f"`devices` selected with `CPUAccelerator` should be an int > 0, got {devices!r}")
        return devices

    @staticmethod
    def get_parallel_devices(devices: int | str) -> list[facula.device]:
        """Return the CPU once for each process."""
        return [facula.device("cpu")] * CPUAccelerator.parse_devices(devices)

    @staticmethod
    def auto_device_count() -> int:
        """Return 1."""
        return 1

    @staticmethod
    def is_available() -> bool:
        """Return True."""
        return True

    @staticmethod
    def name() -> str:
        """Return "cpu"."""
        return "cpu"

    def get_device_stats(self, device: facula.device) -> dict[str, Any]:
        """Return what `get_cpu_stats` does."""
        return dict(get_cpu_stats())


def get_cpu_stats() -> dict[str, float]:
    """Return how busy the processors, the memory and the swap space are, in percent; psutil has to be installed."""
    psutil = imported("psutil", "what the CPU is doing", "psutil")
    return {
        "cpu_vm_percent": psutil.virtual_memory().percent,
        "cpu_percent": psutil.cpu_percent(),
        "cpu_swap_percent": psutil.swap_memory().percent,
    }
