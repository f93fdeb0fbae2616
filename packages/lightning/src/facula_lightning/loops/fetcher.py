"""Reading a training loader: which batch is the last, and how to come back to a place in the middle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from facula_lightning.utilities.data import sized_len
from facula_lightning.utilities.seed import collect_rng_states, set_rng_states

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
        self._epoch_rng: dict[str, Any] | None = None
        self._position: object = None

    def begin(self) -> None:
        """Start an epoch."""
        self._epoch_rng = collect_rng_states()
        self._position = None
        self._start()

    def resume(self, state: dict[str, Any]) -> None:
        """Go to the place in an epoch where ``state`` was taken.

        The last batch that was used is read once more and dropped, so that whatever random numbers a loader draws when it
        begins are drawn before the caller restores the generators.
        """
        batches = state["batches"]
        read_ahead = self.length is None
        self._epoch_rng = state["epoch_rng"]
        set_rng_states(self._epoch_rng)
        position = state["loader"]
        if position is not None and hasattr(self.loader, "load_state_dict"):
            if not read_ahead and isinstance(position, dict) and position.get("batches") == batches and batches > 0:
                self.loader.load_state_dict({**position, "batches": batches - 1})
                skipped = 1
            else:
                self.loader.load_state_dict(position)
                skipped = 0
        else:
            skipped = batches
        self._iterator = iter(self.loader)
        for _ in range(skipped):
            next(self._iterator, None)
        self.count = batches
        self._ahead = next(self._iterator, _NOTHING) if read_ahead else _NOTHING

    def _start(self) -> None:
        self.count = 0
        self._iterator = iter(self.loader)
        self._ahead = next(self._iterator, _NOTHING) if self.length is None else _NOTHING

    def __iter__(self) -> Iterator[object]:
        assert self._iterator is not None
        while self.count < self.limit:
            if self.length is None:
                if self._ahead is _NOTHING:
                    return
                batch = self._ahead
                self.count += 1
                self._position = self._loader_state()
                # What will not be used is not read.
                self._ahead = next(self._iterator, _NOTHING) if self.count < self.limit else _NOTHING
            else:
                batch = next(self._iterator, _NOTHING)
                if batch is _NOTHING:
                    return
                self.count += 1
            yield batch

    def _loader_state(self) -> object:
        state = getattr(self.loader, "state_dict", None)
        return state() if callable(state) else None

    @property
    def is_last(self) -> bool:
        """Whether the batch given last is the last of the epoch."""
        if self.count >= self.limit:
            return True
        return self._ahead is _NOTHING if self.length is None else self.count >= self.length

    def state_dict(self) -> dict[str, Any]:
        """Return the place in the epoch."""
        position = self._position if self.length is None else self._loader_state()
        return {"batches": self.count, "epoch_rng": self._epoch_rng, "loader": position}

    def close(self) -> None:
        """Let go of the iterator, and with it of worker processes."""
        self._iterator = None
        self._ahead = _NOTHING
