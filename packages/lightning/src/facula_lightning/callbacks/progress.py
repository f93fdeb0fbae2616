"""Progress bars: our own, which needs nothing; tqdm's on request."""

from __future__ import annotations

import importlib
import math
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

_BLOCKS = " ▏▎▍▌▋▊▉█"


class ProgressBar(Callback):
    """Base of progress bars: a subclass draws in `begin`, `advance` and `finish`."""

    def __init__(self) -> None:
        self._trainer: Trainer | None = None
        self._enabled = True

    @property
    def is_enabled(self) -> bool:
        """Whether the bar draws."""
        return self._enabled

    @property
    def is_disabled(self) -> bool:
        """Whether the bar draws nothing."""
        return not self._enabled

    def enable(self) -> None:
        """Draw."""
        self._enabled = True

    def disable(self) -> None:
        """Draw nothing."""
        self._enabled = False

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print without tearing the bar."""
        print(*args, **kwargs)

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, int | str | float]:
        """Return what stands beside the bar: the logger's version, and what was logged with ``prog_bar=True``."""
        version = trainer.logger.version if trainer.logger is not None else None
        shown: dict[str, int | str | float] = {}
        if version is not None and version != "":
            shown["v_num"] = version[-4:] if isinstance(version, str) else version
        shown.update(trainer.progress_bar_metrics)
        return shown

    def begin(self, title: str, total: int | float) -> None:
        """Start a bar of ``total`` batches, infinity when that is not known."""

    def advance(self, count: int) -> None:
        """Show that ``count`` batches are done."""

    def finish(self) -> None:
        """End the bar."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Remember whose numbers to show."""
        self._trainer = trainer

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's bar."""
        self.begin(f"Epoch {trainer.current_epoch}", trainer.num_training_batches)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: object, batch: object, batch_idx: int
    ) -> None:
        """Show a batch."""
        self.advance(batch_idx + 1)

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the epoch's bar."""
        self.finish()

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End what is left."""
        self.finish()

    def on_test_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start a loader's bar."""
        if batch_idx == 0:
            self.begin(
                _loader_title("Testing", trainer.num_test_batches, dataloader_idx),
                trainer.num_test_batches[dataloader_idx],
            )

    def on_test_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show a batch."""
        self.advance(batch_idx + 1)

    def on_test_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        self.finish()

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start a loader's bar; inside fit the epoch's bar stays."""
        if batch_idx == 0 and trainer.training_stage == "validate":
            total = trainer.num_val_batches[dataloader_idx]
            self.begin(_loader_title("Validating", trainer.num_val_batches, dataloader_idx), total)

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show a batch."""
        if trainer.training_stage == "validate":
            self.advance(batch_idx + 1)

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        if trainer.training_stage == "validate":
            self.finish()

    def on_predict_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: object, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        """Start a loader's bar."""
        if batch_idx == 0:
            total = trainer.num_predict_batches[dataloader_idx]
            self.begin(_loader_title("Predicting", trainer.num_predict_batches, dataloader_idx), total)

    def on_predict_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Show a batch."""
        self.advance(batch_idx + 1)

    def on_predict_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the bar."""
        self.finish()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal in order."""
        self.finish()


def _loader_title(stage: str, loaders: list[int | float], index: int) -> str:
    return stage if len(loaders) == 1 else f"{stage} loader {index}"


class PlainProgressBar(ProgressBar):
    """A bar drawn in place on a terminal, at most every ``refresh_seconds``; elsewhere a line when each is done."""

    def __init__(self, refresh_seconds: float = 0.1, stream: TextIO | None = None) -> None:
        super().__init__()
        self.refresh_seconds = refresh_seconds
        self._stream = stream
        self._title: str | None = None
        self._total: int | float = math.inf
        self._count = 0
        self._began = self._drawn = 0.0

    @property
    def stream(self) -> TextIO:
        """Where the bar is drawn: standard output, unless another was given."""
        return sys.stdout if self._stream is None else self._stream

    def begin(self, title: str, total: int | float) -> None:
        """Start a bar."""
        self.finish()
        self._title, self._total, self._count = title, total, 0
        self._began = time.monotonic()
        self._drawn = 0.0

    def advance(self, count: int) -> None:
        """Draw, if the last drawing is long enough ago."""
        if self._title is None:
            return
        self._count = count
        now = time.monotonic()
        if self._enabled and now - self._drawn >= self.refresh_seconds and self._is_terminal():
            self._drawn = now
            self.stream.write("\r\x1b[2K" + self._line(bar=True))
            self.stream.flush()

    def finish(self) -> None:
        """Draw the final state and leave it."""
        if self._title is None:
            return
        if self._enabled:
            terminal = self._is_terminal()
            self.stream.write(("\r\x1b[2K" if terminal else "") + self._line(bar=terminal) + "\n")
            self.stream.flush()
        self._title = None

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print above the bar."""
        if self._title is not None and self._enabled and self._is_terminal():
            self.stream.write("\r\x1b[2K")
            self._drawn = 0.0
        print(*args, **kwargs)

    def _is_terminal(self) -> bool:
        return bool(getattr(self.stream, "isatty", bool)())

    def _line(self, bar: bool) -> str:
        seconds = max(time.monotonic() - self._began, 1e-9)
        known = not math.isinf(self._total)
        parts = [f"{self._title}:"]
        if known:
            share = self._count / self._total if self._total else 1.0
            parts.append(f"{share:4.0%}")
            if bar:
                parts.append(_draw_bar(share, 24))
        total = f"/{self._total}" if known else ""
        parts.append(f"{self._count}{total} [{_clock(seconds)}, {self._count / seconds:.1f} it/s]")
        if self._trainer is not None:
            metrics = self.get_metrics(self._trainer, self._trainer._module)
            parts.append(" ".join(f"{name}={_number(value)}" for name, value in metrics.items()))
        line = " ".join(part for part in parts if part)
        return line[: shutil.get_terminal_size((100, 20)).columns - 1] if bar else line


def _draw_bar(share: float, width: int) -> str:
    eighths = round(min(max(share, 0.0), 1.0) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_BLOCKS[rest] if rest else "")).ljust(width, "░" if whole < width else " ")


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes:02d}:{seconds:02d}"


def _number(value: int | str | float) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class TQDMProgressBar(ProgressBar):
    """A bar drawn by tqdm, which has to be installed; ``refresh_rate`` is in batches, 0 turns it off."""

    def __init__(self, refresh_rate: int = 1, process_position: int = 0, leave: bool = False) -> None:
        super().__init__()
        try:
            self._tqdm = importlib.import_module("tqdm").tqdm
        except ImportError as error:
            raise MisconfigurationException("TQDMProgressBar needs the package tqdm: pip install tqdm") from error
        self.refresh_rate = refresh_rate
        self.process_position = process_position
        self.leave = leave
        self._bar: Any = None
        self._enabled = refresh_rate > 0

    def begin(self, title: str, total: int | float) -> None:
        """Start a bar."""
        self.finish()
        known = None if math.isinf(total) else total
        self._bar = self._tqdm(
            total=known, desc=title, position=self.process_position, leave=self.leave, disable=not self._enabled,
            dynamic_ncols=True, file=sys.stdout,
        )  # fmt: skip

    def advance(self, count: int) -> None:
        """Show that ``count`` batches are done."""
        if self._bar is None or self._trainer is None or not self._enabled:
            return
        if count % self.refresh_rate == 0 or count == self._bar.total:
            self._bar.n = count
            metrics = self.get_metrics(self._trainer, self._trainer._module)
            self._bar.set_postfix({name: _number(value) for name, value in metrics.items()})

    def finish(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print above the bar."""
        self._tqdm.write(str(kwargs.get("sep", " ")).join(map(str, args)))
