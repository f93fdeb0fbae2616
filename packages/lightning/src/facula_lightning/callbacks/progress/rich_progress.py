"""RichProgressBar: bars drawn by rich."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from facula_lightning.callbacks.progress.plain import NOTEBOOK_SECONDS, PlainProgressBar, in_notebook
from facula_lightning.callbacks.progress.progress_bar import ProgressBar
from facula_lightning.utilities.imports import imported

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer

_REDRAW_SECONDS = 0.1


@dataclass
class RichProgressBarTheme:
    """The styles of a `RichProgressBar`, as rich writes them, and how metrics are written."""

    description: Any = ""
    progress_bar: Any = "#6206E0"
    progress_bar_finished: Any = "#6206E0"
    progress_bar_pulse: Any = "#6206E0"
    batch_progress: Any = ""
    time: Any = "dim"
    processing_speed: Any = "dim underline"
    metrics: Any = "italic"
    metrics_text_delimiter: str = " "
    metrics_format: str = ".3f"


class RichProgressBar(ProgressBar):
    """Bars drawn by rich, which has to be installed: of the epoch, and below it of validation.

    They are redrawn ``refresh_rate`` times a second at most, and never more than ten times; 0 turns them off. With
    ``leave``, each epoch's bar stays. ``console_kwargs`` go to rich's `Console`. Where that is no terminal nor notebook,
    plain lines stand in for the bars, as `PlainProgressBar` writes them. `configure_columns` may be overridden.
    """

    shows_validation = True

    def __init__(
        self,
        refresh_rate: int = 100,
        leave: bool = False,
        theme: RichProgressBarTheme = RichProgressBarTheme(),
        console_kwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        imported("rich", "RichProgressBar", "rich")
        self._refresh_rate = refresh_rate
        self._leave = leave
        self.theme = theme
        self._console_kwargs = dict(console_kwargs or {})
        self._forget()

    def _forget(self) -> None:
        #: rich's display, which there is while something is drawn.
        self.progress: Any = None
        self._console: Any = None
        self._tasks: dict[str, Any] = {}
        self._counts: dict[str, int] = {}
        self._lines: PlainProgressBar | None = None
        self._drawn = 0.0
        self._metrics_text = ""

    @property
    def refresh_rate(self) -> float:
        """How many times a second the bars are drawn, at most."""
        return self._refresh_rate

    @property
    def is_enabled(self) -> bool:
        """Whether the bars are drawn."""
        return self._enabled and self._refresh_rate > 0

    def configure_columns(self, trainer: Trainer) -> list[Any]:
        """Return the columns of the bars; that of the metrics comes after them."""
        progress = imported("rich.progress", "RichProgressBar", "rich")
        theme = self.theme
        return [
            progress.TextColumn("[progress.description]{task.description}"),
            progress.BarColumn(
                complete_style=theme.progress_bar, finished_style=theme.progress_bar_finished,
                pulse_style=theme.progress_bar_pulse,
            ),
            _column(lambda task: f"{int(task.completed)}/{'--' if task.total is None else int(task.total)}",
                    theme.batch_progress),
            _column(lambda task: f"{_clock(task.elapsed)} • {_clock(task.time_remaining)}", theme.time),
            _column(lambda task: f"{_speed(task):.2f}it/s", theme.processing_speed),
        ]  # fmt: skip

    # Drawing

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Find out what there is to draw on."""
        super().setup(trainer, pl_module, stage)
        self._console = imported("rich.console", "RichProgressBar", "rich").Console(**self._console_kwargs)
        self._lines = None
        if not self._console.is_terminal and not in_notebook():
            self._lines = PlainProgressBar(stream=self._console_kwargs.get("file"))
            self._lines.setup(trainer, pl_module, stage)
            self._lines.get_metrics = self.get_metrics  # type: ignore[method-assign]

    def _start(self) -> None:
        if self.progress is not None:
            return
        columns = self.configure_columns(self.trainer)
        metrics = _column(
            lambda task: self._metrics_text if task.id == self._tasks.get("train") else "", self.theme.metrics
        )
        progress = imported("rich.progress", "RichProgressBar", "rich")
        # Drawn where batches end: no thread of rich's takes time from the training.
        self.progress = progress.Progress(*columns, metrics, auto_refresh=False, console=self._console)
        self.progress.start()

    def begin(self, stage: str, title: str, total: int | float) -> None:
        """Start a bar."""
        if self.is_disabled:
            return
        if self._lines is not None:
            if stage != "val" or self.trainer.training_stage != "fit":
                self._lines.begin(stage, title, total)
            return
        self._start()
        if stage == "train" and self.trainer.max_epochs not in (None, -1):
            title = f"{title}/{self.trainer.max_epochs - 1}"
        if self.theme.description:
            title = f"[{self.theme.description}]{title}"
        known = None if math.isinf(total) else total
        self._counts[stage] = 0
        if stage in self._tasks:
            self.progress.reset(self._tasks[stage], total=known, description=title)
        else:
            self._tasks[stage] = self.progress.add_task(title, total=known)
        self._draw()

    def advance(self, stage: str, count: int) -> None:
        """Show that ``count`` batches are done."""
        if self._lines is not None:
            self._lines.advance(stage, count)
        if stage not in self._tasks:
            return
        now = time.monotonic()
        seconds = max(NOTEBOOK_SECONDS if in_notebook() else _REDRAW_SECONDS, 1 / self._refresh_rate)
        self._counts[stage] = count
        if now - self._drawn >= seconds:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        for stage, task in self._tasks.items():
            self.progress.update(task, completed=self._counts[stage])
        self._update_metrics(self.trainer, self.trainer._module)
        self.progress.refresh()

    def _update_metrics(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = self.get_metrics(trainer, pl_module)
        texts = [f"{name}: {self._written(value)}" for name, value in metrics.items()]
        self._metrics_text = self.theme.metrics_text_delimiter.join(texts)

    def _written(self, value: object) -> str:
        return f"{value:{self.theme.metrics_format}}" if isinstance(value, float) else str(value)

    def finish(self, stage: str) -> None:
        """End a bar: that of validation within fit goes, another stays."""
        if self._lines is not None:
            self._lines.finish(stage)
        task = self._tasks.get(stage)
        if task is None:
            return
        self._draw()
        if stage == "val" and self.trainer.training_stage == "fit":
            del self._tasks[stage]
            self.progress.remove_task(task)
            self.progress.refresh()
        else:
            self._stop()

    def _stop(self) -> None:
        if self.progress is not None:
            self.progress.stop()
        self.progress = None
        self._tasks = {}

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Show what was logged by epoch; the bar goes on with the next epoch, unless it is to stay."""
        if self._leave or self._lines is not None:
            self.finish("train")
        elif "train" in self._tasks:
            self._draw()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        """Leave the terminal in order."""
        super().on_exception(trainer, pl_module, exception)
        self._stop()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Leave the terminal in order."""
        self._stop()

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print above the bars."""
        if self.progress is None:
            print(*args, **kwargs)
        else:
            self.progress.console.print(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        # Displays do not leave their process.
        kept = {name: value for name, value in self.__dict__.items() if name not in ("progress", "_console", "_lines")}
        return {**kept, "progress": None, "_console": None, "_lines": None, "_tasks": {}}


def _column(text: Any, style: Any) -> Any:
    """Return a column of rich's with a text made of the bar's task."""
    progress = imported("rich.progress", "RichProgressBar", "rich")
    made = imported("rich.text", "RichProgressBar", "rich").Text

    class Column(progress.ProgressColumn):  # type: ignore[name-defined,misc]  # a class of a package that may be missing
        def render(self, task: Any) -> Any:
            return made(text(task), style=style)

    return Column()


def _clock(seconds: float | None) -> str:
    return "-:--:--" if seconds is None else str(timedelta(seconds=int(seconds)))


def _speed(task: Any) -> float:
    return task.completed / task.elapsed if task.elapsed else 0.0
