"""AdvancedProfiler: which functions each action calls."""

from __future__ import annotations

import cProfile
import io
import os
import pstats

from facula_lightning.profilers.profiler import Profiler


class AdvancedProfiler(Profiler):
    """Records with cProfile which functions each action calls and how long they take.

    An action inside another is recorded as its own, not as a part of the other: Python has one cProfile at a time.
    ``line_count_restriction`` limits the functions in the report, to a number of them or a fraction. ``dump_stats`` writes
    a ``.prof`` file for each action to ``dirpath``.
    """

    def __init__(
        self,
        dirpath: str | os.PathLike[str] | None = None,
        filename: str | None = None,
        line_count_restriction: float = 1.0,
        dump_stats: bool = False,
    ) -> None:
        super().__init__(dirpath, filename)
        self.line_count_restriction = line_count_restriction
        self.dump_stats = dump_stats
        self.profiled_actions: dict[str, cProfile.Profile] = {}
        self._running: list[str] = []

    def start(self, action_name: str) -> None:
        """Begin to record an action."""
        if self._running:
            self.profiled_actions[self._running[-1]].disable()
        self._running.append(action_name)
        self.profiled_actions.setdefault(action_name, cProfile.Profile()).enable()

    def stop(self, action_name: str) -> None:
        """End to record an action, and go on with the one around it; raises ValueError where it has not begun."""
        if action_name not in self._running:
            raise ValueError(f"Attempting to stop recording an action ({action_name}) which was never started.")
        self.profiled_actions[self._running[-1]].disable()
        self._running.remove(action_name)
        if self._running:
            self.profiled_actions[self._running[-1]].enable()

    def summary(self) -> str:
        """Return the functions of each action, those first that took the longest with what they called."""
        lines = [self._title()]
        for action_name, found in self.profiled_actions.items():
            if self.dump_stats:
                if not self.dirpath:
                    raise ValueError("`dump_stats=True` needs a `dirpath` to write to, and there is none")
                os.makedirs(self.dirpath, exist_ok=True)
                found.dump_stats(os.path.join(self.dirpath, self._prepare_filename(action_name, ".prof")))
            text = io.StringIO()
            stats = pstats.Stats(found, stream=text).strip_dirs().sort_stats("cumulative")
            stats.print_stats(self.line_count_restriction)
            rank = "" if self._local_rank is None else f" rank: {self._local_rank}"
            lines += [f"Profile stats for: {action_name}{rank}", text.getvalue()]
        return "\n".join(lines)

    def teardown(self, stage: str | None) -> None:
        """Forget what was recorded."""
        if self._running:
            self.profiled_actions[self._running[-1]].disable()
        self._running.clear()
        self.profiled_actions.clear()
