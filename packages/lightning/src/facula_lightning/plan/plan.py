"""class Plan: the calls and events of a run, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Call:
    """A hook that is called: its name, whose it is, and whether that is another version than the trainer's own."""

    hook: str
    owner: str
    overridden: bool

    @property
    def name(self) -> str:
        """The hook with its owner, and a star where it is the program's own version."""
        return f"{self.owner}.{self.hook}{'*' if self.overridden else ''}"


@dataclass(frozen=True)
class Event:
    """Something that is due: a "step" of the optimizers, a "validation", a "checkpoint" or a row for a "log".

    ``batch`` counts the batches of the epoch from 1, ``step`` the steps of the optimizers from the run's beginning.
    """

    kind: str
    epoch: int
    batch: int
    step: int
    what: str = ""


@dataclass
class Plan:
    """The hooks of a run in the order in which they are called, and its schedule; printed, both in a table."""

    stage: str
    calls: list[Call] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    epochs: int = 0
    global_step: int = 0
    notes: list[str] = field(default_factory=list)

    def hooks(self, *owners: str) -> list[str]:
        """Return the names of the hooks of these owners, of all without any, in order."""
        return [call.hook for call in self.calls if not owners or call.owner in owners]

    def due(self, kind: str) -> list[Event]:
        """Return the events of a kind."""
        return [event for event in self.events if event.kind == kind]

    def __str__(self) -> str:
        lines = [f"Plan of `{self.stage}`: {self.epochs} epochs, {self.global_step} optimizer steps", ""]
        lines += ["Hooks, in order (* is the program's own version; the default of a callback does nothing):"]
        lines += [f"  {line}" for line in _folded([call.name for call in self.calls])]
        if self.events:
            lines += ["", "Schedule:", f"  {'epoch':>5} {'batch':>6} {'step':>6}  what"]
            for event in self.events:
                lines.append(f"  {event.epoch:>5} {event.batch:>6} {event.step:>6}  {event.kind} {event.what}".rstrip())
        return "\n".join([*lines, *(f"Note: {note}" for note in self.notes)])


def _folded(names: list[str]) -> Iterator[str]:
    """Yield the names, a sequence that is repeated at once only once, with how often it comes."""
    position = 0
    while position < len(names):
        best_length, best_count = 1, 1
        for length in range(1, min(80, (len(names) - position) // 2) + 1):
            piece = names[position : position + length]
            count = 1
            while names[position + count * length : position + (count + 1) * length] == piece:
                count += 1
            if count > 1 and count * length > best_count * best_length:
                best_length, best_count = length, count
        if best_count == 1:
            yield names[position]
            position += 1
            continue
        yield f"{best_count} times:"
        yield from (f"    {each}" for each in _folded(names[position : position + best_length]))
        position += best_count * best_length
