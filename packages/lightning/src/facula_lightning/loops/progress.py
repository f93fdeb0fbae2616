"""Counters of what was begun and what was finished."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field


@dataclass
class Counts:
    """How many were ready, started, processed and completed."""

    ready: int = 0
    started: int = 0
    processed: int = 0
    completed: int = 0


@dataclass
class Progress:
    """Counts over the whole run (``total``) and since the last reset (``current``)."""

    total: Counts = field(default_factory=Counts)
    current: Counts = field(default_factory=Counts)

    def add(self, stage: str) -> None:
        """Count one that reached a stage."""
        setattr(self.total, stage, getattr(self.total, stage) + 1)
        setattr(self.current, stage, getattr(self.current, stage) + 1)

    def reset(self) -> None:
        """Begin the current counts anew."""
        self.current = Counts()

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts as plain data."""
        return asdict(self)

    def load_state_dict(self, state: dict[str, dict[str, int]]) -> None:
        """Take back what `state_dict` returned."""
        self.total = Counts(**state["total"])
        self.current = Counts(**state["current"])
