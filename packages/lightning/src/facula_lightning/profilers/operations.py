"""FaculaProfiler: which operations are called."""

from __future__ import annotations

import os
from collections.abc import Callable

from facula.profiler import ProfilerAction, profile, record_function

from facula_lightning.profilers.profiler import Profiler

#: What the schedule counts.
_STEPS = (".training_step", ".validation_step", ".test_step", ".predict_step")


class FaculaProfiler(Profiler):
    """Records each call of an operation, inside the action that made it.

    The report is a table of at most ``row_limit`` operations and actions, sorted by ``sort_by_key``. With
    ``export_to_chrome`` a trace that chrome://tracing and Perfetto show is written to ``dirpath``, where there is one.
    All calls are held in memory: a ``schedule`` as ``facula.profiler.schedule`` makes it, which counts training,
    validation, test and prediction steps, limits them in a long run.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str] | None = None,
        filename: str | None = None,
        export_to_chrome: bool = True,
        row_limit: int = 20,
        sort_by_key: str = "cpu_time_total",
        record_shapes: bool = False,
        schedule: Callable[[int], ProfilerAction] | None = None,
    ) -> None:
        super().__init__(dirpath, filename)
        self.export_to_chrome = export_to_chrome
        self.row_limit = row_limit
        self.sort_by_key = sort_by_key
        self.record_shapes = record_shapes
        self.schedule = schedule
        self.profiler: profile | None = None
        self._is_recording = False
        self._open: dict[str, record_function] = {}

    def start(self, action_name: str) -> None:
        """Begin to record an action, and with the first one all operations."""
        if self.profiler is None or not self._is_recording:
            self.profiler = profile(record_shapes=self.record_shapes, schedule=self.schedule)
            self.profiler.start()
            self._is_recording = True
        self._open[action_name] = record_function(action_name)
        self._open[action_name].__enter__()

    def stop(self, action_name: str) -> None:
        """End to record an action; raises ValueError where it has not begun."""
        if action_name not in self._open:
            raise ValueError(f"Attempting to stop recording an action ({action_name}) which was never started.")
        self._open.pop(action_name).__exit__()
        if self.schedule is not None and self.profiler is not None and action_name.endswith(_STEPS):
            self.profiler.step()

    def summary(self) -> str:
        """Return the table; the operations that follow are not recorded."""
        if self.profiler is None:
            return ""
        self._stop_recording()
        if self.export_to_chrome and self.dirpath:
            os.makedirs(self.dirpath, exist_ok=True)
            self.profiler.export_chrome_trace(os.path.join(self.dirpath, self._prepare_filename("trace", ".json")))
        table = self.profiler.key_averages().table(sort_by=self.sort_by_key, row_limit=self.row_limit)
        return f"{self._title()}\n{table}"

    def teardown(self, stage: str | None) -> None:
        """Record no more; what was found stays in ``profiler`` until the next run."""
        self._stop_recording()
        self._open.clear()

    def _stop_recording(self) -> None:
        if self.profiler is not None and self._is_recording:
            self.profiler.stop()
        self._is_recording = False
