"""What a profile found: single events, and their sums by name."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["EventList", "FunctionEvent", "FunctionEventAvg"]


@dataclass
class FunctionEvent:
    """One call: its name, when it began and ended (microseconds), in which thread, on which shapes."""

    name: str
    start: float
    end: float
    thread: int
    input_shapes: list[list[int]] = field(default_factory=list)
    #: How much of the time was spent in events inside this one.
    inside: float = 0.0

    @property
    def key(self) -> str:
        """The name."""
        return self.name

    @property
    def cpu_time_total(self) -> float:
        """Microseconds from beginning to end."""
        return self.end - self.start

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds that were not spent in events inside this one."""
        return self.cpu_time_total - self.inside


@dataclass
class FunctionEventAvg:
    """All calls of one name, or of one name and the same shapes."""

    key: str
    input_shapes: list[list[int]] | None = None
    count: int = 0
    cpu_time_total: float = 0.0
    self_cpu_time_total: float = 0.0

    @property
    def cpu_time(self) -> float:
        """Microseconds a call takes on average."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def add(self, event: FunctionEvent) -> None:
        """Count one call."""
        self.count += 1
        self.cpu_time_total += event.cpu_time_total
        self.self_cpu_time_total += event.self_cpu_time_total


def _time(microseconds: float) -> str:
    if microseconds >= 1e6:
        return f"{microseconds / 1e6:.3f}s"
    return f"{microseconds / 1e3:.3f}ms" if microseconds >= 1e3 else f"{microseconds:.3f}us"


class EventList(list[Any]):
    """Events, or their sums."""

    def key_averages(self, group_by_input_shape: bool = False, **options: object) -> EventList:
        """Return the sums of events by name, or by name and shapes."""
        sums: dict[object, FunctionEventAvg] = {}
        for event in self:
            shapes = event.input_shapes if group_by_input_shape else None
            key = (event.name, str(shapes))
            sums.setdefault(key, FunctionEventAvg(event.name, shapes)).add(event)
        return EventList(sums.values())

    def total_average(self) -> FunctionEventAvg:
        """Return the sum over all events."""
        total = FunctionEventAvg("Total")
        for event in self:
            total.add(event)
        return total

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds in all events, each counted once."""
        return sum(event.self_cpu_time_total for event in self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        header: str | None = None,
        top_level_events_only: bool = False,
    ) -> str:
        """Return sums as a table, the longest first when ``sort_by`` is, for example, "cpu_time_total"."""
        rows = list(self)
        if sort_by is not None:
            name = sort_by.replace("cuda", "cpu").replace("device", "cpu")
            rows.sort(key=lambda each: getattr(each, name), reverse=True)
        total, total_self = sum(each.cpu_time_total for each in rows), self.self_cpu_time_total
        titles = ["Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg", "# of Calls"]
        shaped = any(each.input_shapes is not None for each in rows)
        cells = [
            [
                each.key[:max_name_column_width],
                f"{100 * each.self_cpu_time_total / (total_self or 1):.2f}%",
                _time(each.self_cpu_time_total),
                f"{100 * each.cpu_time_total / (total or 1):.2f}%",
                _time(each.cpu_time_total),
                _time(each.cpu_time),
                str(each.count),
                *([str(each.input_shapes)] if shaped else []),
            ]
            for each in rows[: row_limit if row_limit >= 0 else None]
        ]
        titles += ["Input Shapes"] if shaped else []
        widths = [max(len(line[index]) for line in (titles, *cells)) for index in range(len(titles))]
        rule = "  ".join("-" * width for width in widths)
        lines = [rule, "  ".join(text.rjust(width) for text, width in zip(titles, widths, strict=True)), rule]
        lines += ["  ".join(text.rjust(width) for text, width in zip(line, widths, strict=True)) for line in cells]
        lines += [rule, f"Self CPU time total: {_time(total_self)}", ""]
        return "\n".join(([header] if header else []) + lines)

    def export_chrome_trace(self, path: str) -> None:
        """Write events to a file that chrome://tracing and Perfetto show."""
        trace = [
            {
                "name": event.name,
                "ph": "X",
                "ts": event.start,
                "dur": event.cpu_time_total,
                "tid": event.thread,
                "pid": "CPU functions",
                "args": {"Input Dims": event.input_shapes},
            }
            for event in self
        ]
        with open(path, "w") as file:
            json.dump({"traceEvents": trace}, file)

    def __str__(self) -> str:
        return self.table() if self and isinstance(self[0], FunctionEventAvg) else self.key_averages().table()
