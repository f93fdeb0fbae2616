"""Reading a training loader: which batch is the last, and how to come back to a place in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from facula import Tensor

from facula_lightning.utilities.data import sized_len
from facula_lightning.utilities.loaders import (
    check_workers,
    generator_states,
    is_stateless_stream,
    restore_generators,
)
from facula_lightning.utilities.seed import collect_rng_states, note_rng_states, plain_rng_states, set_rng_states

_NOTHING = object()


class Fetcher:
    """Iterates over a loader, knowing whether more batches follow.

    A loader that knows its length is never read ahead: what its position says is what was trained on. Of others one
    batch is read ahead.
    """

    def __init__(self, loader: Iterable[Any], limit: int | float) -> None:
        self.loader = loader
        self.limit = limit
        self.length = sized_len(loader)
        self.count = 0
        self._ahead: object = _NOTHING
        self._iterator: Iterator[Any] | None = None
        #: Where the program's generators were when the epoch began: as they said it, or as a checkpoint did.
        self._noted_rng: dict[str, Any] | None = None
        self._epoch_rng: dict[str, Any] | None = None
        self._ahead_rng: dict[str, Any] | None = None
        self._epoch_generators: list[Tensor] = []
        self._position: object = None
        #: Where the loader was, in a resumed run that read nothing more of the epoch.
        self._ended: object = None
        #: Called before a batch is given, where a batch that is interrupted is to be done again.
        self.before_batch: Callable[[dict[str, Any]], None] | None = None

    def begin(self) -> None:
        """Start an epoch."""
        self._noted_rng, self._epoch_rng = note_rng_states(), None
        self._epoch_generators = generator_states(self.loader)
        self._position = self._ended = None
        self._start()

    def resume(self, state: dict[str, Any]) -> None:
        """Go to the place in an epoch where ``state`` was taken.

        Random numbers that a loader draws when it begins are drawn here, before the caller restores the generators.
        """
        batches = state["batches"]
        self._epoch_rng, self._noted_rng = state["epoch_rng"], None
        if self._epoch_rng is not None:
            set_rng_states(self._epoch_rng)
        restore_generators(self.loader, state["epoch_generators"])
        self._epoch_generators = state["epoch_generators"]
        skipped = batches
        loader: Any = self.loader
        check_workers(loader, state["loader"])
        if state["loader"] is not None and hasattr(loader, "load_state_dict") and not is_stateless_stream(loader):
            loader.load_state_dict(state["loader"])
            skipped = 0
        self._iterator = iter(loader)
        for _ in range(skipped):
            next(self._iterator, None)
        self.count = batches
        if self.length is not None and batches >= self.length:
            # A sampler with a state of its own is to know that it has come to its end.
            end = getattr(self._iterator, "end", None)
            end() if callable(end) else next(self._iterator, None)
        self._position = state["loader"]
        self._ahead = _NOTHING
        if self.length is None and self.count < self.limit:
            if state["ahead_rng"] is not None:
                set_rng_states(state["ahead_rng"])
            self._read_ahead()

    def finish(self, state: dict[str, Any]) -> None:
        """Go to the end of the epoch that `resume` went into, as far as it was read: the next one can begin."""
        restore_generators(self.loader, state["generators"])
        self._iterator = None
        self._ended = state["loader"]

    def _start(self) -> None:
        self.count = 0
        self._iterator = iter(self.loader)
        self._ahead = _NOTHING
        if self.length is None:
            self._read_ahead()

    def _read_ahead(self) -> None:
        assert self._iterator is not None
        if not getattr(self.loader, "num_workers", 0):
            # The batch is made in this process, with random numbers that a resumed run has to draw again.
            self._ahead_rng = collect_rng_states()
        self._ahead = next(self._iterator, _NOTHING)

    def __iter__(self) -> Iterator[object]:
        assert self._iterator is not None
        while self.count < self.limit:
            if self.before_batch is not None:
                self.before_batch(self.state_dict())
            if self.length is None:
                if self._ahead is _NOTHING:
                    return
                batch = self._ahead
                self.count += 1
                self._position = self._loader_state()
                # What will not be used is not read.
                self._ahead = _NOTHING
                if self.count < self.limit:
                    self._read_ahead()
            else:
                batch = next(self._iterator, _NOTHING)
                if batch is _NOTHING:
                    return
                self.count += 1
            yield batch

    def _loader_state(self) -> object:
        if self._ended is not None:
            return self._ended
        state = getattr(self.loader, "state_dict", None)
        return state() if callable(state) else None

    @property
    def begun(self) -> bool:
        """Whether an epoch was begun."""
        return self._epoch_rng is not None or self._noted_rng is not None

    @property
    def is_last(self) -> bool:
        """Whether the batch given last is the last of the epoch."""
        if self.count >= self.limit:
            return True
        return self._ahead is _NOTHING if self.length is None else self.count >= self.length

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the epoch."""
        if self._noted_rng is not None:
            # Plain data take a while, and most epochs are never asked for them.
            self._epoch_rng, self._noted_rng = plain_rng_states(self._noted_rng), None
        return {
            "batches": self.count,
            "loader": self._position if self.length is None else self._loader_state(),
            "epoch_rng": self._epoch_rng,
            "ahead_rng": self._ahead_rng,
            "epoch_generators": self._epoch_generators,
            "generators": generator_states(self.loader),
        }

    def close(self) -> None:
        """Let go of the iterator, and with it of worker processes."""
        self._iterator = None
        self._ahead = _NOTHING
