"""Accelerator: a kind of device, and how many of them are used."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import facula


class Accelerator(ABC):
    """Base of the kinds of device."""

    @abstractmethod
    def setup_device(self, device: facula.device) -> None:
        """Make a device the current one; MisconfigurationException when it is of another kind."""

    @abstractmethod
    def teardown(self) -> None:
        """Let go of the device."""

    @staticmethod
    @abstractmethod
    def parse_devices(devices: Any) -> Any:
        """Return what the argument ``devices`` means, other than "auto"."""

    @staticmethod
    @abstractmethod
    def get_parallel_devices(devices: Any) -> list[facula.device]:
        """Return a device for each process."""

    @staticmethod
    @abstractmethod
    def auto_device_count() -> int:
        """Return how many devices "auto" means."""

    @staticmethod
    @abstractmethod
    def is_available() -> bool:
        """Return whether there is such a device."""

    @staticmethod
    @abstractmethod
    def name() -> str:
        """Return the name the trainer's argument has for it."""

    def get_device_stats(self, device: facula.device) -> dict[str, Any]:
        """Return numbers about a device, such as the memory in use."""
        return {}
