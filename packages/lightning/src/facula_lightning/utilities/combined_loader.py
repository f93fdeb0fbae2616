"""class CombinedLoader: several loaders read together, or one after the other."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from facula import Tensor

from facula_lightning.utilities.data import sized_len
from facula_lightning.utilities.loaders import (
    check_workers,
    generator_states,
    generators,
    is_stateless_stream,
    restore_generators,
)
from facula_lightning.utilities.seed import collect_rng_states, isolate_rng, set_rng_states

_NOTHING = object()


class _Part:
    """One of the iterables: its place in the pass over it."""

    def __init__(self, iterable: Iterable[Any]) -> None:
        self.iterable = iterable
        #: Batches given in this pass.
        self.count = 0
        #: Whether its end was come to, in this pass or an earlier one.
        self.ended = False
        self._iterator: Iterator[Any] | None = None
        self._began: dict[str, Any] | None = None
        self._asked: dict[str, Any] | None = None

    def begin(self) -> None:
        """Start a pass."""
        self.count = 0
        self._began, self._asked = self._randomness(), None
        self._iterator = iter(self.iterable)

    def next(self) -> Any:
        """Return the next batch of the pass, or `_NOTHING`."""
        if self._iterator is None:
            return _NOTHING
        if self._asked is None:
            self._asked = self._randomness()
        batch = next(self._iterator, _NOTHING)
        if batch is _NOTHING:
            self.ended = True
            self._iterator = None
        else:
            self.count += 1
        return batch

    def end(self) -> None:
        """Let a sampler or stream with a state of its own know that it has come to its end, where it has."""
        length = sized_len(self.iterable)
        if length is not None and self.count >= length:
            self.next()

    @property
    def is_under_way(self) -> bool:
        """Whether a pass was begun whose end was not come to."""
        return self._iterator is not None

    def _randomness(self) -> dict[str, Any]:
        return {"rng": collect_rng_states(), "generators": generator_states(self.iterable)}

    def state_dict(self) -> dict[str, Any]:
        """Return the place."""
        state: Any = getattr(self.iterable, "state_dict", None)
        return {
            "begun": self.is_under_way,
            "count": self.count,
            "ended": self.ended,
            "began": self._began,
            "asked": self._asked,
            "loader": state() if callable(state) else None,
        }

    def resume(self, state: dict[str, Any]) -> None:
        """Go to a place; generators of the program are left anywhere."""
        self.count, self.ended = state["count"], state["ended"]
        self._began, self._asked = state["began"], state["asked"]
        if not state["begun"]:
            return
        loader: Any = self.iterable
        check_workers(loader, state["loader"])
        set_rng_states(state["began"]["rng"])
        if state["loader"] is not None and hasattr(loader, "load_state_dict") and not is_stateless_stream(loader):
            # Its samplers are asked at once.
            restore_generators(loader, (state["asked"] or state["began"])["generators"])
            loader.load_state_dict(state["loader"])
            self._iterator = iter(loader)
            return
        restore_generators(loader, state["began"]["generators"])
        self._iterator = iter(loader)
        if state["asked"] is not None:
            set_rng_states(state["asked"]["rng"])
            restore_generators(loader, state["asked"]["generators"])
        for _ in range(self.count):
            next(self._iterator, None)


class CombinedLoader(Iterable[Any]):
    """Batches of several iterables, held by lists, tuples and dictionaries, nested at will.

    Each iteration gives a batch, its number, and the number of the iterable. By ``mode``:

    - ``"min_size"``: a batch of each, until the shortest ends.
    - ``"max_size_cycle"``: a batch of each, until the longest ends; the others begin again.
    - ``"max_size"``: a batch of each, until the longest ends; None for those that have ended.
    - ``"sequential"``: one iterable after the other.

    ``state_dict()`` between two batches says where each iterable is; a loader that loads it goes on with the next batch.

    >>> loader = CombinedLoader({"a": range(2), "b": "xyz"}, "max_size_cycle")
    >>> [batch for batch, batch_idx, dataloader_idx in loader]
    [{'a': 0, 'b': 'x'}, {'a': 1, 'b': 'y'}, {'a': 0, 'b': 'z'}]
    >>> list(CombinedLoader([range(1), "xy"], "sequential"))
    [(0, 0, 0), ('x', 0, 1), ('y', 1, 1)]
    """

    def __init__(self, iterables: Any, mode: str = "min_size") -> None:
        if mode not in _MODES:
            raise ValueError(f"Unsupported mode {mode!r}, please select one of: {list(_MODES)}.")
        self._iterables = iterables
        self._flattened = _leaves(iterables)
        self._mode = mode
        self._limits: list[int | float] | None = None
        self._parts: list[_Part] | None = None
        self._index = 0
        #: Of the parts, the one being read, where they are read one after the other.
        self._current = 0
        self._resume: dict[str, Any] | None = None

    @property
    def mode(self) -> str:
        """How the iterables are combined."""
        return self._mode

    @property
    def iterables(self) -> Any:
        """The collection of iterables."""
        return self._iterables

    @property
    def flattened(self) -> list[Any]:
        """The iterables in a list; one of the same length can be set in its place."""
        return self._flattened

    @flattened.setter
    def flattened(self, flattened: list[Any]) -> None:
        if len(flattened) != len(self._flattened):
            raise ValueError(
                f"Mismatch in flattened length ({len(flattened)}) and existing length ({len(self._flattened)})"
            )
        self._iterables = self._filled(flattened)
        self._flattened = flattened

    @property
    def limits(self) -> list[int | float] | None:
        """The most batches that count of each iterable, for the length and in "sequential" mode; a number is for all."""
        return self._limits

    @limits.setter
    def limits(self, limits: int | float | list[int | float] | None) -> None:
        if isinstance(limits, (int, float)):
            limits = [limits] * len(self._flattened)
        elif limits is not None and len(limits) != len(self._flattened):
            raise ValueError(
                f"Mismatch in number of limits ({len(limits)}) and number of iterables ({len(self._flattened)})"
            )
        self._limits = limits

    @property
    def sampler(self) -> Any:
        """The iterables' samplers, in a collection like theirs; None for those that have none."""
        return self._filled([getattr(each, "sampler", None) for each in self._flattened])

    @property
    def batch_sampler(self) -> Any:
        """The iterables' batch samplers, in a collection like theirs; None for those that have none."""
        return self._filled([getattr(each, "batch_sampler", None) for each in self._flattened])

    def _filled(self, values: list[Any]) -> Any:
        left = iter(values)
        return _map_leaves(self._iterables, lambda _: next(left))

    def __len__(self) -> int:
        """Return the number of batches; TypeError where iterables that count do not know theirs."""
        if self._parts is None:
            raise RuntimeError("Please call `iter(combined_loader)` first.")
        count = self.number_of_batches()
        if math.isinf(count):
            raise TypeError(f"the length of a CombinedLoader in mode {self._mode!r} is not known")
        return int(count)

    def number_of_batches(self) -> int | float:
        """Return the number of batches under the limits, infinity where that is not known."""
        lengths: list[int | float] = []
        for each in self._flattened:
            length = sized_len(each)
            lengths.append(math.inf if length is None else length)
        if self._limits is not None:
            lengths = [min(length, limit) for length, limit in zip(lengths, self._limits)]
        if not lengths and self._mode == "sequential":
            return 0
        return _MODES[self._mode](lengths)

    # Reading

    def __iter__(self) -> CombinedLoader:
        resume, self._resume = self._resume, None
        self._parts = [_Part(each) for each in self._flattened]
        self._index = self._current = 0
        if resume is not None:
            self._go_on(resume)
        elif self._mode != "sequential":
            for part in self._parts:
                part.begin()
        elif self._parts:
            self._parts[0].begin()
        return self

    def _go_on(self, state: dict[str, Any]) -> None:
        assert self._parts is not None
        self._index, self._current = state["index"], state["current"]
        with isolate_rng():
            for part, place in zip(self._parts, state["parts"]):
                part.resume(place)
        # One that several draw from is where the last of them left it.
        for generator, place in zip(self._shared_generators(), state["shared_generators"]):
            generator.set_state(place)

    def __next__(self) -> tuple[Any, int, int]:
        if self._parts is None:
            raise RuntimeError("Please call `iter(combined_loader)` first.")
        if self._mode == "sequential":
            return self._next_in_turn()
        batches = []
        for part in self._parts:
            batch = part.next()
            if batch is _NOTHING:
                if self._mode == "min_size":
                    raise StopIteration
                if self._mode == "max_size_cycle":
                    if all(each.ended for each in self._parts):
                        raise StopIteration
                    part.begin()
                    batch = part.next()
                    if batch is _NOTHING:
                        raise StopIteration
            batches.append(batch)
        if all(batch is _NOTHING for batch in batches):
            raise StopIteration
        index = self._index
        self._index += 1
        return self._filled([None if batch is _NOTHING else batch for batch in batches]), index, 0

    def _next_in_turn(self) -> tuple[Any, int, int]:
        parts = self._parts or []
        while self._current < len(parts):
            if self._limits is None or self._index < self._limits[self._current]:
                batch = parts[self._current].next()
                if batch is not _NOTHING:
                    index = self._index
                    self._index += 1
                    return batch, index, self._current
            self._current += 1
            self._index = 0
            if self._current < len(parts):
                parts[self._current].begin()
        raise StopIteration

    @property
    def places(self) -> list[int]:
        """Of each iterable, the newest batch's number in the current pass, counted from 1; 0 where it gave none."""
        return [part.count if part.is_under_way else 0 for part in self._parts or []]

    def end(self) -> None:
        """Let iterables that have come to their end know."""
        for part in self._parts or []:
            part.end()

    def reset(self) -> None:
        """Let go of the iterators, and with them of worker processes."""
        self._parts = None
        self._index = self._current = 0

    # Saving

    def state_dict(self) -> dict[str, Any]:
        """Return where each iterable is; between two passes, where those that say so themselves are."""
        if self._resume is not None:
            return dict(self._resume)
        parts = self._parts or [_Part(each) for each in self._flattened]
        return {
            "mode": self._mode,
            "index": self._index,
            "current": self._current,
            "parts": [part.state_dict() for part in parts],
            "shared_generators": [each.get_state() for each in self._shared_generators()],
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Begin the next iteration where a `state_dict` was taken; RuntimeError where the iterables are not the same."""
        states = state_dict["parts"]
        if len(states) != len(self._flattened) or state_dict["mode"] != self._mode:
            raise RuntimeError(
                f"expected the state of {len(self._flattened)} loaders combined in mode {self._mode!r}, got one of"
                f" {len(states)} in mode {state_dict['mode']!r}. Please make sure you define the same dataloaders that were"
                " used when saving the checkpoint."
            )
        self._resume = dict(state_dict)

    def _shared_generators(self) -> list[Any]:
        seen: list[Any] = []
        shared: list[Any] = []
        for each in self._flattened:
            for generator in generators(each):
                if any(generator is other for other in seen):
                    if not any(generator is other for other in shared):
                        shared.append(generator)
                else:
                    seen.append(generator)
        return shared

    def __getstate__(self) -> dict[str, Any]:
        # Iterators do not leave their process.
        return {**self.__dict__, "_parts": None, "_index": 0, "_current": 0}


_MODES: dict[str, Callable[[list[int | float]], int | float]] = {
    "min_size": min,
    "max_size_cycle": max,
    "max_size": max,
    "sequential": sum,
}


def _is_leaf(tree: Any) -> bool:
    """Return whether a tree is an iterable to read: no collection, or a list of numbers, texts or tensors."""
    if not _is_collection(tree):
        return True
    return all(isinstance(child, (int, float, str, Tensor)) for child in _children(tree))


def _is_collection(tree: Any) -> bool:
    named = isinstance(tree, tuple) and hasattr(tree, "_fields")
    return type(tree) in (list, tuple) or named or isinstance(tree, dict)


def _children(tree: Any) -> list[Any]:
    return list(tree.values()) if isinstance(tree, dict) else list(tree)


def _leaves(tree: Any) -> list[Any]:
    if _is_leaf(tree):
        return [tree]
    return [leaf for child in _children(tree) for leaf in _leaves(child)]


def _map_leaves(tree: Any, function: Callable[[Any], Any]) -> Any:
    if _is_leaf(tree):
        return function(tree)
    values = [_map_leaves(child, function) for child in _children(tree)]
    if isinstance(tree, dict):
        made = copy.copy(tree)
        made.update(zip(tree, values))
        return made
    make: Callable[..., Any] = type(tree)
    return make(*values) if hasattr(tree, "_fields") else make(values)
