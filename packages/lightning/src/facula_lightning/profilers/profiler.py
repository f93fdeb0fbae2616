"""What all profilers have in common."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from facula_lightning.utilities.rank_zero import rank_zero_info

Item = TypeVar("Item")
_NOTHING = object()


class Profiler(ABC):
    """Records actions, each between its ``start`` and ``stop``, and reports on them when a run is over.

    The report is appended to a file where ``filename`` is given, in ``dirpath`` or else in the logger's folder; where it
    is not, it is shown.
    """

    def __init__(self, dirpath: str | os.PathLike[str] | None = None, filename: str | None = None) -> None:
        self.dirpath = None if dirpath is None else os.fspath(dirpath)
        self.filename = filename
        self._local_rank: int | None = None
        self._stage: str | None = None

    @abstractmethod
    def start(self, action_name: str) -> None:
        """Begin to record an action."""

    @abstractmethod
    def stop(self, action_name: str) -> None:
        """End to record an action."""

    def summary(self) -> str:
        """Return the report, empty where there is nothing to report."""
        return ""

    @contextmanager
    def profile(self, action_name: str) -> Iterator[str]:
        """Record what is done in the context as an action."""
        self.start(action_name)
        try:
            yield action_name
        finally:
            self.stop(action_name)

    def iterate(self, items: Iterable[Item], action_name: str) -> Iterator[Item]:
        """Return the items, each wait for one, and the one for the end, recorded as an action."""
        iterator = iter(items)
        while True:
            with self.profile(action_name):
                item = next(iterator, _NOTHING)
            if item is _NOTHING:
                return
            yield item  # type: ignore[misc]

    def setup(self, stage: str, local_rank: int | None = None, log_dir: str | None = None) -> None:
        """Prepare for a run; ``local_rank`` is given where there are several processes."""
        self._stage = stage
        self._local_rank = local_rank
        self.dirpath = self.dirpath or log_dir

    def describe(self) -> None:
        """Write or show the report, and end."""
        summary = self.summary()
        if summary and self.filename and self.dirpath:
            os.makedirs(self.dirpath, exist_ok=True)
            with open(os.path.join(self.dirpath, self._prepare_filename()), "a") as file:
                file.write(summary)
        elif summary and self.local_rank == 0:
            rank_zero_info(summary)
        self.teardown(self._stage)

    def teardown(self, stage: str | None) -> None:
        """Let go of what the profiler holds; called too where a run ends with an exception."""

    @property
    def local_rank(self) -> int:
        """The process, among those of this machine."""
        return 0 if self._local_rank is None else self._local_rank

    def _prepare_filename(self, action_name: str | None = None, extension: str = ".txt") -> str:
        rank = None if self._local_rank is None else str(self._local_rank)
        name = "-".join(part for part in (self._stage, self.filename, rank, action_name) if part)
        return (re.sub(r'[\\/:*?"<>|\n\r\t_]+', "_", name).strip() or "profile") + extension

    def _title(self) -> str:
        return ("" if self._stage is None else f"{self._stage.upper()} ") + "Profiler Report"


class PassThroughProfiler(Profiler):
    """Records nothing: what a trainer without a profiler has."""

    def start(self, action_name: str) -> None:
        """Do nothing."""

    def stop(self, action_name: str) -> None:
        """Do nothing."""
