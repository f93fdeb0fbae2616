"""SingleDeviceStrategy: one process on one device."""

from __future__ import annotations

import facula

from facula_lightning.accelerators.accelerator import Accelerator
from facula_lightning.strategies.strategy import Strategy


class SingleDeviceStrategy(Strategy):
    """One process on one device.

    >>> SingleDeviceStrategy("cpu").root_device
    device(type='cpu')
    """

    strategy_name = "single_device"

    def __init__(self, device: facula.device | str = "cpu", accelerator: Accelerator | None = None) -> None:
        super().__init__(accelerator)
        self._root_device = facula.device(device)

    @property
    def root_device(self) -> facula.device:
        """The device."""
        return self._root_device
