"""SimpleProfiler: how often and how long."""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict

from facula_lightning.profilers.profiler import Profiler


class SimpleProfiler(Profiler):
    """Records the duration of actions; ``extended`` reports numbers of calls and percentages too.

    >>> profiler = SimpleProfiler()
    >>> with profiler.profile("load"):
    ...     pass
    >>> len(profiler.recorded_durations["load"])
    1
    """

    def __init__(
        self, dirpath: str | os.PathLike[str] | None = None, filename: str | None = None, extended: bool = True
    ) -> None:
        super().__init__(dirpath, filename)
        self.extended = extended
        self.current_actions: dict[str, float] = {}
        self.recorded_durations: dict[str, list[float]] = defaultdict(list)
        self.start_time = time.perf_counter()

    def start(self, action_name: str) -> None:
        """Begin to record an action; raises ValueError where it has begun already."""
        if action_name in self.current_actions:
            raise ValueError(f"Attempted to start {action_name} which has already started.")
        self.current_actions[action_name] = time.perf_counter()

    def stop(self, action_name: str) -> None:
        """End to record an action; raises ValueError where it has not begun."""
        end = time.perf_counter()
        if action_name not in self.current_actions:
            raise ValueError(f"Attempting to stop recording an action ({action_name}) which was never started.")
        self.recorded_durations[action_name].append(end - self.current_actions.pop(action_name))

    def summary(self) -> str:
        """Return a table with a row for each action, those first that took the longest."""
        whole = time.perf_counter() - self.start_time
        found = [(name, len(each), math.fsum(each)) for name, each in self.recorded_durations.items()]
        if self.extended:
            found.sort(key=lambda row: row[2], reverse=True)
            titles = ["Action", "Mean duration (s)", "Num calls", "Total time (s)", "Percentage %"]
            total = ["Total", "-", str(sum(calls for _, calls, _ in found)), f"{whole:.5}", "100 %"]
            rows = [
                [name, f"{spent / calls:.5}", str(calls), f"{spent:.5}", f"{100 * spent / whole:.5}"]
                for name, calls, spent in found
            ]
            rows.insert(0, total)
        else:
            found.sort(key=lambda row: row[2] / row[1], reverse=True)
            titles = ["Action", "Mean duration (s)", "Total time (s)"]
            rows = [[name, f"{spent / calls:.5}", f"{spent:.5}"] for name, calls, spent in found]
        widths = [max(map(len, column)) for column in zip(titles, *rows)]
        rule = "-" * (sum(widths) + 3 * len(widths) + 1)
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        head = "| " + " | ".join(title.ljust(width) for title, width in zip(titles, widths)) + " |"
        return "\n".join([self._title(), "", rule, head, rule, *lines, rule, ""])
