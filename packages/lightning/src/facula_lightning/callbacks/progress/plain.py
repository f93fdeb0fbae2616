"""PlainProgressBar: a bar that needs nothing, and plain lines where no bar can be drawn."""

from __future__ import annotations

import math
import shutil
import sys
import time
from typing import Any, TextIO

from facula_lightning.callbacks.progress.progress_bar import ProgressBar

_BLOCKS = " ▏▎▍▌▋▊▉█"
#: A notebook keeps and sends all that is written to it.
NOTEBOOK_SECONDS = 0.5


def in_notebook() -> bool:
    """Return whether the program runs in a notebook."""
    ipython: Any = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def is_terminal(stream: object) -> bool:
    """Return whether what is written to a stream appears on a terminal."""
    return bool(getattr(stream, "isatty", bool)())


class PlainProgressBar(ProgressBar):
    """A bar drawn in place, at most every ``refresh_seconds``, on a terminal and in a notebook.

    Elsewhere, in a log file, a line when each is done, and within one at most a line in ``line_seconds``.
    """

    def __init__(self, refresh_seconds: float = 0.1, stream: TextIO | None = None, line_seconds: float = 60.0) -> None:
        super().__init__()
        self.refresh_seconds = refresh_seconds
        self.line_seconds = line_seconds
        self._stream = stream
        self._title: str | None = None
        self._stage: str | None = None
        self._total: int | float = math.inf
        self._count = 0
        self._began = self._due = 0.0
        self._width = 0

    @property
    def stream(self) -> TextIO:
        """Where the bar is drawn: standard output, unless another was given."""
        return sys.stdout if self._stream is None else self._stream

    def begin(self, stage: str, title: str, total: int | float) -> None:
        """Start a bar."""
        if self._stage is not None:
            self.finish(self._stage)
        self._stage, self._title, self._total, self._count = stage, title, total, 0
        self._began = time.monotonic()
        self._width = 0
        self._due = self._began + (0.0 if self._draws_in_place() else self._seconds())

    def advance(self, stage: str, count: int) -> None:
        """Draw, if the last drawing is long enough ago."""
        if stage != self._stage:
            return
        self._count = count
        now = time.monotonic()
        if now >= self._due and self._enabled:
            self._due = now + self._seconds()
            in_place = self._draws_in_place()
            if in_place or count < self._total:  # `finish` writes the last line
                self._write(self._line(bar=in_place), in_place, end="" if in_place else "\n")

    def finish(self, stage: str) -> None:
        """Draw the final state and leave it."""
        if stage != self._stage:
            return
        if self._enabled:
            in_place = self._draws_in_place()
            self._write(self._line(bar=in_place), in_place, end="\n")
        self._stage = self._title = None

    def print(self, *args: object, **kwargs: Any) -> None:
        """Print above the bar."""
        if self._stage is not None and self._enabled and self._draws_in_place():
            self._write("", True, end="")
            self._due = 0.0
        print(*args, **kwargs)

    def _seconds(self) -> float:
        if is_terminal(self.stream):
            return self.refresh_seconds
        return max(self.refresh_seconds, NOTEBOOK_SECONDS if self._draws_in_place() else self.line_seconds)

    def _draws_in_place(self) -> bool:
        return is_terminal(self.stream) or (self._stream is None and in_notebook())

    def _write(self, line: str, in_place: bool, end: str) -> None:
        if in_place and is_terminal(self.stream):
            line = "\r\x1b[2K" + line
        elif in_place:
            # A notebook knows the carriage return, but not how to erase: spaces do.
            line, self._width = "\r" + line.ljust(self._width) + ("" if line else "\r"), len(line)
        self.stream.write(line + end)
        self.stream.flush()

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
            parts.append(" ".join(f"{name}={readable(value)}" for name, value in metrics.items()))
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


def readable(value: int | str | float) -> str:
    """Return a number as it stands beside a bar."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
