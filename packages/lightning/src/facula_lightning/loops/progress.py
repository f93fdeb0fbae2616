"""Counters of what was begun and what was finished, and where in an epoch a loop is."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

# Where in an epoch a loop is: what a checkpoint taken there leaves to be done.
EPOCH_START = "epoch_start"
BATCH_START = "batch_start"
BATCH_END = "batch_end"
VALIDATION_START = "validation_start"
VALIDATION_END = "validation_end"
EPOCH_END = "epoch_end"
FINISHED = "finished"


@dataclass
class Counts:
    """How many were ready, started, processed and completed."""

    ready: int = 0
    started: int = 0
    processed: int = 0
    completed: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.ready + other.ready,
            self.started + other.started,
            self.processed + other.processed,
            self.completed + other.completed,
        )


@dataclass
class Progress:
    """Counts since the last reset (``current``), which are those to add to, and over the whole run (``total``)."""

    before: Counts = field(default_factory=Counts)
    current: Counts = field(default_factory=Counts)

    @property
    def total(self) -> Counts:
        """The counts over the whole run."""
        return self.before + self.current

    def reset(self) -> None:
        """Begin the current counts anew."""
        self.before, self.current = self.total, Counts()

    def state_dict(self) -> dict[str, dict[str, int]]:
        """Return the counts as plain data."""
        return {"total": asdict(self.total), "current": asdict(self.current)}

    def load_state_dict(self, state: dict[str, dict[str, int]]) -> None:
        """Take back what `state_dict` returned."""
        self.current = Counts(**state["current"])
        self.before = Counts(**{name: count - state["current"][name] for name, count in state["total"].items()})


@dataclass
class Seen:
    """How many samples and tokens were trained on, in all processes; None from the first batch on that they cannot be counted in."""

    samples: int | None = 0
    tokens: int | None = 0

    def add(self, samples: int | None, tokens: int | None) -> None:
        """Take in a batch."""
        self.samples = None if samples is None or self.samples is None else self.samples + samples
        self.tokens = None if tokens is None or self.tokens is None else self.tokens + tokens
