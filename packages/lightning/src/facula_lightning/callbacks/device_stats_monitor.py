"""DeviceStatsMonitor: logging how busy devices and their memory are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facula_lightning.accelerators.cpu import get_cpu_stats
from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.due import LoggingIsDue
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class DeviceStatsMonitor(Callback):
    """Logs the numbers of the accelerator's device before and after a batch, whenever the loggers are due.

    They are named ``DeviceStatsMonitor.on_train_batch_start/cpu_percent`` and so on, with what
    `Accelerator.get_device_stats` returns. ``cpu_stats`` is whether those of the processor, for which psutil has to be
    installed, are among them: always (True), never (False), or where it does the work (None).
    """

    def __init__(self, cpu_stats: bool | None = None) -> None:
        self._cpu_stats = cpu_stats
        self._is_due = LoggingIsDue()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Check that there are a logger and what measures."""
        if stage != "fit":
            return
        if not trainer.loggers:
            raise MisconfigurationException("Cannot use `DeviceStatsMonitor` callback with `Trainer(logger=False)`.")
        if self._cpu_stats or (self._cpu_stats is None and trainer.device.type == "cpu"):
            imported("psutil", "DeviceStatsMonitor", "psutil")

    def _log(self, trainer: Trainer, hook: str) -> None:
        if not self._is_due(trainer):
            return
        device = trainer.device
        if self._cpu_stats is False and device.type == "cpu":
            return
        found = {} if trainer.accelerator is None else trainer.accelerator.get_device_stats(device)
        if self._cpu_stats and device.type != "cpu":
            found.update(get_cpu_stats())
        for logger in trainer.loggers:
            prefix = f"{type(self).__qualname__}.{hook}{logger.group_separator}"
            named = {f"{prefix}{name}": value for name, value in found.items()}
            logger.log_metrics(named, step=trainer.fit_loop.batches_that_stepped)

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int) -> None:
        """Log."""
        self._log(trainer, "on_train_batch_start")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Log."""
        self._log(trainer, "on_train_batch_end")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin to count."""
        self._is_due.begin()

    on_test_start = on_validation_start

    def on_validation_batch_start(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Log."""
        self._is_due.count()
        self._log(trainer, "on_validation_batch_start")

    def on_validation_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Log."""
        self._log(trainer, "on_validation_batch_end")

    def on_test_batch_start(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Log."""
        self._is_due.count()
        self._log(trainer, "on_test_batch_start")

    def on_test_batch_end(self, trainer: Trainer, pl_module: LightningModule, *batch: Any) -> None:
        """Log."""
        self._log(trainer, "on_test_batch_end")
