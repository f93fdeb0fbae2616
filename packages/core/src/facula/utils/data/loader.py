"""class DataLoader: batches of a dataset, in this process or from worker processes."""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from facula.creation import empty
from facula.dtypes import int64
from facula.ops.random import get_rng_state, set_rng_state
from facula.rng import Generator
from facula.utils.data.collate import default_collate, default_convert
from facula.utils.data.dataset import Dataset, IterableDataset
from facula.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler
from facula.utils.data.worker import End, Fetcher, has_state

if TYPE_CHECKING:
    from multiprocessing.context import BaseContext

    from facula.utils.data.pool import Pool

Item = TypeVar("Item")


class _Forever(Sampler[Any]):
    """What a stream has for a sampler: one empty request after the other."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader(Generic[Item]):
    """Batches of a dataset.

    With ``num_workers`` processes, batches come in the same order as without. ``state_dict()`` between two batches says
    where the epoch is; a loader that loads it goes on with the next batch.

    >>> loader = facula.utils.data.DataLoader(range(5), batch_size=2)
    >>> [batch.tolist() for batch in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset[Item],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[Any] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], object] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: BaseContext | str | None = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        if num_workers < 0:
            raise ValueError("num_workers option should be non-negative; use num_workers=0 to disable multiprocessing.")
        if timeout < 0:
            raise ValueError("timeout option should be non-negative")
        if num_workers == 0 and prefetch_factor is not None:
            raise ValueError(
                "prefetch_factor option could only be specified in multiprocessing. Let num_workers > 0 to enable "
                "multiprocessing, otherwise set prefetch_factor to None."
            )
        if prefetch_factor is not None and prefetch_factor < 0:
            raise ValueError("prefetch_factor option should be non-negative")
        if persistent_workers and num_workers == 0:
            raise ValueError("persistent_workers option needs num_workers > 0")
        self.dataset = dataset
        self.num_workers = num_workers
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory = pin_memory
        self.pin_memory_device = pin_memory_device
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = multiprocessing_context
        self.generator = generator
        self.persistent_workers = persistent_workers
        self.in_order = in_order
        self._is_stream = isinstance(dataset, IterableDataset)
        if self._is_stream:
            for name, given in (("shuffle", shuffle), ("sampler", sampler), ("batch_sampler", batch_sampler)):
                if given not in (None, False):
                    raise ValueError(
                        f"DataLoader with IterableDataset: expected unspecified {name} option, but got {name}={given}"
                    )
        if sampler is not None and shuffle:
            raise ValueError("sampler option is mutually exclusive with shuffle")
        if batch_sampler is not None:
            if batch_size != 1 or shuffle or sampler is not None or drop_last:
                raise ValueError(
                    "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last"
                )
            batch_size, drop_last = None, False
        elif batch_size is None and drop_last:
            raise ValueError("batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None:
            if self._is_stream:
                sampler = _Forever()
            elif shuffle:
                sampler = RandomSampler(dataset, generator=generator)  # type: ignore[arg-type]  # no stream: it has a length
            else:
                sampler = SequentialSampler(dataset)  # type: ignore[arg-type]
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._pool: Pool | None = None
        self._position: _Position | None = None
        self._resume: dict[str, Any] | None = None

    def __len__(self) -> int:
        if self._is_stream:
            if not isinstance(self.dataset, Sized):
                raise TypeError(f"object of type '{type(self.dataset).__name__}' has no len()")
            count = len(self.dataset)
            if self.batch_size is None:
                return count
            whole, rest = divmod(count, self.batch_size)
            return whole + bool(rest and not self.drop_last)
        chosen: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
        return len(chosen)

    def __iter__(self) -> Iterator[Any]:
        resume, self._resume = self._resume, None
        position = self._position = _Position(self, resume)
        if self.num_workers == 0:
            return _here(self, position)
        if not self.persistent_workers:
            return _elsewhere(self, position, self._make_pool(position))
        if self._pool is None:
            self._pool = self._make_pool(position)
        return _elsewhere(self, position, self._pool)

    def __getstate__(self) -> dict[str, Any]:
        # A copy, here or in another process, has no workers yet and begins at the start of an epoch.
        return {**self.__dict__, "_pool": None, "_position": None}

    def _make_pool(self, position: _Position) -> Pool:
        # Brings all of multiprocessing, which a loader without workers does not need.
        from facula.utils.data.pool import Pool

        fetcher = self._fetcher()
        pool = Pool(fetcher, self.num_workers, position.base_seed, self.worker_init_fn, self.multiprocessing_context)
        pool.random.update(position.random)
        return pool

    def _fetcher(self) -> Fetcher:
        return Fetcher(self.dataset, self.collate_fn, self.batch_sampler is not None, self.drop_last)

    def state_dict(self) -> dict[str, Any]:
        """Return where the epoch is: batches given, the random state it began with, and where streams are.

        With it goes where the generators of workers are that drew from them, so that what a worker draws for the next
        batch does not hang on whether the loader was interrupted.

        A stream, a sampler, or (without workers) a dataset that itself has ``state_dict`` and ``load_state_dict`` is
        brought back by them. Any other stream is read again from its start, any other sampler asked again. Between two
        epochs the state is that of the loader's own generator, where it has one; the default generator is the program's
        to bring back.
        """
        if self._resume is not None:
            return dict(self._resume)
        if self._position is not None:
            return self._position.state_dict()
        state = _Position.NONE.copy()
        if self.generator is not None:
            state["random_state"] = self.generator.get_state()
        if self._pool is not None:
            state["num_workers"], state["random"] = self.num_workers, dict(self._pool.random)
        state["sampler"] = _state_of(self._stateful_sampler())
        state["dataset"] = None if self._is_stream or self.num_workers else _state_of(self.dataset)
        return state

    def _stateful_sampler(self) -> Any:
        """Return the batch sampler, or the sampler, that says where it is; None where neither does."""
        return next((each for each in (self.batch_sampler, self.sampler) if _has_state(each)), None)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Begin the next iteration where a `state_dict` was taken.

        The default generator is left as it is found; one given to the loader goes back to where the epoch began.
        ValueError when a stream was read by another number of workers.
        """
        # Older states have neither.
        missing = set(_Position.NONE) - {"random", "asked_state"} - set(state_dict)
        if missing:
            raise ValueError(f"the state of a DataLoader has {sorted(_Position.NONE)}; missing: {sorted(missing)}")
        if self._is_stream and state_dict["batches"] and state_dict["num_workers"] != self.num_workers:
            raise ValueError(
                f"a stream read by {state_dict['num_workers']} workers cannot go on with {self.num_workers}: "
                "their batches differ"
            )
        self._resume = dict(state_dict)


class StatefulDataLoader(DataLoader[Item]):
    """A `DataLoader` by the name it has in torchdata; every loader has ``state_dict`` and ``load_state_dict``.

    ``snapshot_every_n_steps`` is taken and has no meaning: where each batch ends is known without a snapshot.

    >>> loader = facula.utils.data.StatefulDataLoader(range(6), batch_size=2)
    >>> batches = iter(loader)
    >>> _ = next(batches)
    >>> other = facula.utils.data.StatefulDataLoader(range(6), batch_size=2)
    >>> other.load_state_dict(loader.state_dict())
    >>> [batch.tolist() for batch in other]
    [[2, 3], [4, 5]]
    """

    def __init__(self, dataset: Dataset[Item], *args: Any, snapshot_every_n_steps: int = 1, **kwargs: Any) -> None:
        super().__init__(dataset, *args, **kwargs)
        self.snapshot_every_n_steps = snapshot_every_n_steps


def _has_state(part: object) -> bool:
    return hasattr(part, "state_dict") and hasattr(part, "load_state_dict")


def _state_of(part: Any) -> Any:
    """Return a copy of the state of what has one, else None."""
    return copy.deepcopy(part.state_dict()) if _has_state(part) else None


class _Position:
    """Where in an epoch a loader is, and how to get there again."""

    NONE: ClassVar[dict[str, Any]] = {
        "batches": 0,
        "num_workers": 0,
        "random_state": None,
        "asked_state": None,
        "streams": {},
        "turns": [],
        "sampler": None,
        "dataset": None,
        "random": {},
    }

    def __init__(self, loader: DataLoader[Any], resume: dict[str, Any] | None) -> None:
        resume = resume or {**self.NONE, "num_workers": loader.num_workers}
        self.batches = int(resume["batches"])
        self.streams: dict[int, Any] = dict(resume["streams"])
        self._loader = loader
        self.turns = list(range(loader.num_workers))
        #: Where the generators of workers are that drew from them.
        self.random: dict[int, tuple[Any, ...]] = {} if loader._pool is None else dict(loader._pool.random)
        same_workers = not loader._is_stream and resume["num_workers"] == loader.num_workers
        if has_state(loader.dataset) or same_workers:
            # Who comes next matters for a stream that says where it is, and where workers draw random numbers.
            self.turns = list(resume["turns"]) or self.turns
            self.random.update(resume.get("random", {}))
        #: How many batches must be read again to get back to where a stream was.
        self.reread = self.batches if loader._is_stream and not has_state(loader.dataset) else 0
        generator = loader.generator
        now = get_rng_state() if resume["random_state"] is not None and generator is None else None
        if resume["random_state"] is not None:
            (set_rng_state if generator is None else generator.set_state)(resume["random_state"])
        self._start = get_rng_state() if generator is None else generator.get_state()
        self.base_seed = int(empty((), dtype=int64).random_(generator=generator).item())
        self._sampler = loader._stateful_sampler()
        if self._sampler is not None and resume["sampler"] is not None:
            self._sampler.load_state_dict(resume["sampler"])
        if resume["dataset"] is not None:
            loader.dataset.load_state_dict(resume["dataset"])  # type: ignore[attr-defined]  # its state was saved
        #: Where the sampler was after each request whose batch has not been given yet.
        self._sampler_states: deque[Any] = deque()
        self.sampler_state = _state_of(self._sampler)
        asked: Any = iter(loader.sampler if loader.batch_sampler is None else loader.batch_sampler)
        #: Where the generator was when the samplers were first asked, which is when they draw.
        self._asked_state = resume.get("asked_state")
        if self._sampler is None and self.batches and not loader._is_stream:
            if self._asked_state is not None:
                (set_rng_state if generator is None else generator.set_state)(self._asked_state)
            for _ in islice(asked, self.batches):
                pass
        if self._sampler is not None:
            self.requests = self._watched(asked)
        else:
            self.requests = asked if loader._is_stream or self.batches else self._begun(asked)
        if now is not None:
            set_rng_state(now)

    def _watched(self, requests: Iterator[Any]) -> Iterator[Any]:
        for request in requests:
            self._sampler_states.append(_state_of(self._sampler))
            yield request

    def _begun(self, requests: Iterator[Any]) -> Iterator[Any]:
        generator = self._loader.generator
        self._asked_state = get_rng_state() if generator is None else generator.get_state()
        yield from requests

    def given(self) -> None:
        """One more batch has been given."""
        self.batches += 1
        if self._sampler_states:
            self.sampler_state = self._sampler_states.popleft()

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        loader = self._loader
        streams = dict(self.streams)
        if loader.num_workers == 0 and has_state(loader.dataset):
            streams = {0: loader.dataset.state_dict()}  # type: ignore[attr-defined]  # `has_state` asked
        return {
            "batches": self.batches,
            "num_workers": loader.num_workers,
            "random_state": self._start,
            "asked_state": self._asked_state,
            "streams": streams,
            "turns": list(self.turns),
            "sampler": self.sampler_state,
            "dataset": None if loader._is_stream or loader.num_workers else _state_of(loader.dataset),
            "random": dict(self.random),
        }


def _here(loader: DataLoader[Any], position: _Position) -> Iterator[Any]:
    """Yield batches made in this process."""
    fetch = loader._fetcher().start(position.streams.get(0))
    for request in position.requests:
        batch = fetch(request)
        if isinstance(batch, End):
            break
        if position.reread:
            position.reread -= 1
            continue
        position.given()
        yield batch
    _finish(loader, position)


def _elsewhere(loader: DataLoader[Any], position: _Position, pool: Pool) -> Iterator[Any]:
    """Yield batches made by worker processes."""
    kept = False
    try:
        answers = pool.batches(
            position.requests,
            position.turns,
            position.streams,
            position.random,
            loader.prefetch_factor,  # type: ignore[arg-type]  # set where there are workers
            loader.timeout,
            loader.in_order,
        )
        for batch, worker, state, drawn, turns in answers:
            if drawn is not None:
                position.random[worker] = pool.random[worker] = drawn
            if position.reread:
                position.reread -= 1
                continue
            position.given()
            position.turns = turns
            if state is not None:
                position.streams[worker] = state
            yield batch
        kept = loader.persistent_workers
        _finish(loader, position)
    except GeneratorExit:
        kept = loader.persistent_workers
        raise
    finally:
        if not kept:
            pool.close()
            if loader._pool is pool:
                loader._pool = None


def _finish(loader: DataLoader[Any], position: _Position) -> None:
    """The epoch is over: the next one begins at its start."""
    if loader._position is position:
        loader._position = None
