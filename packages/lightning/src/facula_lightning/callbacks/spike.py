"""SpikeDetection: stopping where the loss jumps."""

from __future__ import annotations

import json
import math
import os
from collections import deque
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facula import Tensor

from facula_lightning.callbacks.callback import Callback

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class TrainingSpikeException(RuntimeError):
    """The loss jumped; ``batch_idx`` is the batch's number."""

    def __init__(self, batch_idx: int, *args: object) -> None:
        super().__init__(f"Training spike detected in batch {batch_idx}", *args)
        self.batch_idx = batch_idx


class SpikeDetection(Callback):
    """Ends training with `TrainingSpikeException` where the loss jumps, and writes down the batches to leave out.

    A loss is a spike where it is worse than the one before (``mode`` says what is better), and farther from the mean of the
    last ``window`` than both ``atol`` and ``rtol`` times that mean (None: no such bound); none is before batch ``warmup``.
    With ``finite_only``, one that is not finite is a spike too. Its batch and the one before are written to
    ``exclude_batches_path``, a JSON file or a folder for "skip_batches.json"; unless given, `Trainer.default_root_dir`. All
    processes stop where one sees a spike.
    """

    def __init__(
        self,
        mode: str = "min",
        window: int = 10,
        warmup: int = 1,
        atol: float | None = None,
        rtol: float | None = 2.0,
        exclude_batches_path: str | os.PathLike[str] | None = None,
        finite_only: bool = True,
    ) -> None:
        if mode not in ("min", "max"):
            raise ValueError(f"Invalid mode. Has to be min or max, found {mode}")
        if window < 1:
            raise ValueError(f"`window` should be positive, got {window}")
        self.mode = mode
        self.window = window
        self.warmup = warmup
        self.atol = atol
        self.rtol = rtol
        self.exclude_batches_path = exclude_batches_path
        self.finite_only = finite_only
        self.bad_batches: list[int] = []
        self.last_val = 0.0
        self._values: deque[float] = deque(maxlen=window)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Look at the loss; TypeError where the step returned none."""
        loss = outputs.get("loss") if isinstance(outputs, Mapping) else outputs
        if not isinstance(loss, Tensor):
            raise TypeError(
                f"outputs have to be of type Tensor or a Mapping with 'loss', got {type(outputs).__qualname__}"
            )
        value = loss.item()
        is_spike = batch_idx >= self.warmup and self._is_spike(value)
        if trainer.strategy.reduce_boolean_decision(is_spike, all=False):
            self.bad_batches += [batch_idx - 1, batch_idx]
            if trainer.is_global_zero:
                self._write(trainer)
            raise TrainingSpikeException(batch_idx)
        if math.isfinite(value):
            self._values.append(value)
            self.last_val = value

    def _is_spike(self, value: float) -> bool:
        if not math.isfinite(value):
            return self.finite_only
        is_better = value <= self.last_val if self.mode == "min" else value >= self.last_val
        if is_better or not self._values:
            return False
        mean = math.fsum(self._values) / len(self._values)
        bounds = [] if self.atol is None else [abs(self.atol)]
        bounds += [] if self.rtol is None else [abs(self.rtol * mean)]
        return all(abs(value - mean) >= bound for bound in bounds)

    def _write(self, trainer: Trainer) -> None:
        path = Path(trainer.default_root_dir if self.exclude_batches_path is None else self.exclude_batches_path)
        if path.suffix != ".json":
            path /= "skip_batches.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.bad_batches, indent=4))

    def state_dict(self) -> dict[str, Any]:
        """Return what was seen so far."""
        return {"last_val": self.last_val, "values": list(self._values), "bad_batches": list(self.bad_batches)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there."""
        self.last_val = state_dict["last_val"]
        self._values = deque(state_dict["values"], maxlen=self.window)
        self.bad_batches = list(state_dict["bad_batches"])
