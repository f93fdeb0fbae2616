"""ThroughputMonitor: logging how much a run does in a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import facula

from facula_lightning.callbacks.callback import Callback
from facula_lightning.callbacks.due import LoggingIsDue
from facula_lightning.utilities.rank_zero import rank_zero_warn
from facula_lightning.utilities.throughput import Throughput, get_available_flops

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class ThroughputMonitor(Callback):
    """Logs what `Throughput` computes, as ``train/device/samples_per_sec`` and so on, whenever the loggers are due.

    ``batch_size_fn`` returns the number of samples of a batch, ``length_fn`` that of its items (words, say). A module that has
    ``flops_per_batch``, the number of operations for a batch, has those logged too. Other arguments are `Throughput`'s.
    The time of validation within fit does not count as training's.
    """

    def __init__(
        self, batch_size_fn: Callable[[Any], int], length_fn: Callable[[Any], int] | None = None, **kwargs: Any
    ) -> None:
        self.kwargs = kwargs
        self.batch_size_fn = batch_size_fn
        self.length_fn = length_fn
        self.available_flops: float | None = None
        self._stages: dict[str, _Stage] = {}
        self._is_due = LoggingIsDue()
        self._has_flops: bool | None = None

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Make ready for the stages to come."""
        self.available_flops = get_available_flops(trainer.device, _dtype(trainer.precision))
        for name in ("train", "validate") if stage == "fit" else (stage,):
            self._stages[name] = _Stage(Throughput(self.available_flops, trainer.world_size, **self.kwargs))

    def _start(self, trainer: Trainer, stage: str) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self._is_due.begin()
            self._stages[stage].start()

    def _update(self, trainer: Trainer, module: LightningModule, batch: object, stage: str) -> None:
        if trainer.device.type == "cuda":
            facula.cuda.synchronize()
        if self._has_flops is None:
            self._has_flops = hasattr(module, "flops_per_batch")
            if not self._has_flops:
                rank_zero_warn(
                    "When using the `ThroughputMonitor`, you need to define a `flops_per_batch` attribute or property in"
                    f" {type(module).__name__} to compute the FLOPs."
                )
        elapsed = self._stages[stage].elapsed()
        with facula.no_grad():
            samples = self.batch_size_fn(batch)
            lengths = None if self.length_fn is None else self.length_fn(batch)
        flops: Any = module.flops_per_batch if self._has_flops else None
        self._stages[stage].add(elapsed, samples, lengths, flops)

    def _log(self, trainer: Trainer, stage: str, step: int | None = None) -> None:
        if self._is_due(trainer):
            throughput = self._stages[stage].throughput
            metrics = {f"{stage}{throughput.separator}{name}": value for name, value in throughput.compute().items()}
            trainer._logging.write(metrics, step)

    def _evaluated(self, trainer: Trainer, module: LightningModule, batch: object, stage: str) -> None:
        if trainer.is_global_zero and not trainer.sanity_checking:
            self._is_due.count()
            self._update(trainer, module, batch, stage)
            self._log(trainer, stage, self._stages[stage].evaluated())

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start(trainer, "train")

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Take in a batch; log where it ended a window of accumulation, so that the step's time counts."""
        if trainer.is_global_zero:
            self._update(trainer, pl_module, batch, "train")
            if not trainer.fit_loop._accumulating():
                self._log(trainer, "train")

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start(trainer, "validate")

    def on_validation_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *position: int
    ) -> None:
        """Take in a batch, and log."""
        self._evaluated(trainer, pl_module, batch, "validate")

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Stop training's clock for as long as validation took."""
        if trainer.training_stage == "fit" and not trainer.sanity_checking and trainer.is_global_zero:
            training = self._stages["train"]
            training.began += time.perf_counter() - training.began - training.seconds

    def on_test_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start(trainer, "test")

    def on_test_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *position: int
    ) -> None:
        """Take in a batch, and log."""
        self._evaluated(trainer, pl_module, batch, "test")

    def on_predict_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock."""
        self._start(trainer, "predict")

    def on_predict_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, *position: int
    ) -> None:
        """Take in a batch, and log."""
        self._evaluated(trainer, pl_module, batch, "predict")


class _Stage:
    """The totals of a stage."""

    def __init__(self, throughput: Throughput) -> None:
        self.throughput = throughput
        self.began = self.seconds = 0.0
        self._batches = self._samples = self._lengths = 0
        self._evaluated = 0

    def start(self) -> None:
        """Start the clock, and count anew."""
        self.throughput.reset()
        self._batches = self._samples = self._lengths = 0
        self.seconds = 0.0
        self.began = time.perf_counter()

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.perf_counter() - self.began

    def add(self, elapsed: float, samples: int, lengths: int | None, flops: int | None) -> None:
        """Take in a batch."""
        self._batches += 1
        self._samples += samples
        self._lengths += lengths or 0
        self.seconds = elapsed
        self.throughput.update(
            time=elapsed, batches=self._batches, samples=self._samples,
            lengths=None if lengths is None else self._lengths, flops=flops,
        )  # fmt: skip

    def evaluated(self) -> int:
        """Count a batch of an evaluation, over all of them; return the number."""
        self._evaluated += 1
        return self._evaluated


def _dtype(precision: str) -> facula.dtype:
    kinds = {"64": facula.float64, "16": facula.float16, "bf16": facula.bfloat16}
    return kinds.get(precision.partition("-")[0], facula.float32)
