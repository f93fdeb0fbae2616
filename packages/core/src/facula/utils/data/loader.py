"""class DataLoader: batches of a dataset, in this process or from worker processes."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait

from facula.creation import empty
from facula.dtypes import int64
from facula.ops.random import get_rng_state, set_rng_state
from facula.rng import Generator
from facula.utils.data import worker as workers
from facula.utils.data.collate import default_collate, default_convert
from facula.utils.data.dataset import Dataset, IterableDataset
from facula.utils.data.sampler import BatchSampler, RandomSampler, Sampler, SequentialSampler


class _Forever(Sampler):
    """What a stream has for a sampler: one empty request after the other."""

    def __iter__(self) -> Iterator[None]:
        while True:
            yield None


class DataLoader:
    """Batches of a dataset.

    With ``num_workers`` processes, batches come in the same order as without. ``state_dict()`` between two batches says
    where the epoch is; a loader that loads it goes on with the next batch.

    >>> loader = facula.utils.data.DataLoader(range(5), batch_size=2)
    >>> [batch.tolist() for batch in loader]
    [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: Dataset,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler | Iterable | None = None,
        batch_sampler: Sampler | Iterable[list] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list], object] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: object = None,
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
                "prefetch_factor option could only be specified in multiprocessing. Let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
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
                sampler = RandomSampler(dataset, generator=generator)
            else:
                sampler = SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.batch_size = batch_size
        self.drop_last = drop_last
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.collate_fn = collate_fn or (default_convert if batch_sampler is None else default_collate)
        self._pool: _Pool | None = None
        self._position = _Position()

    def __len__(self) -> int:
        if self._is_stream:
            if not isinstance(self.dataset, Sized):
                raise TypeError(f"object of type '{type(self.dataset).__name__}' has no len()")
            count = len(self.dataset)
            if self.batch_size is None:
                return count
            whole, rest = divmod(count, self.batch_size)
            return whole + bool(rest and not self.drop_last)
        return len(self.sampler if self.batch_sampler is None else self.batch_sampler)

    def __iter__(self) -> Iterator:
        skipped = self._position.begin(self.generator)
        base_seed = int(empty((), dtype=int64).random_(generator=self.generator).item())
        requests = iter(self.sampler if self.batch_sampler is None else self.batch_sampler)
        if self.num_workers == 0:
            batches = self._in_this_process(requests, skipped)
        else:
            batches = self._from_workers(requests, skipped, base_seed)
        for batch in batches:
            self._position.batches += 1
            yield batch
        self._position = _Position()

    def _in_this_process(self, requests: Iterator, skipped: int) -> Iterator:
        fetch = _fetcher(self.dataset, self._is_stream, self.batch_sampler is not None, self.collate_fn, self.drop_last)
        # A stream can only be brought forward by reading it; samples by index need not be read at all.
        for request in requests if self._is_stream else islice(requests, skipped, None):
            try:
                batch = fetch(request)
            except StopIteration:
                return
            if self._is_stream and skipped:
                skipped -= 1
                continue
            yield batch

    def _from_workers(self, requests: Iterator, skipped: int, base_seed: int) -> Iterator:
        if self._pool is None:
            make = partial(
                _fetcher,
                stream=self._is_stream,
                batched=self.batch_sampler is not None,
                collate=self.collate_fn,
                drop_last=self.drop_last,
            )
            self._pool = _Pool(self, make, base_seed)
        pool = self._pool
        finished = False
        try:
            yield from pool.batches(requests, skipped, self._is_stream, self.prefetch_factor, self.timeout)
            finished = True
        finally:
            if not (self.persistent_workers and finished and not self._is_stream):
                pool.close()
                self._pool = None

    def state_dict(self) -> dict[str, object]:
        """Return where the epoch is: how many batches were given, and the random state it began with."""
        return self._position.state_dict()

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Begin the next iteration where a `state_dict` was taken."""
        self._position = _Position(dict(state_dict))


class _Position:
    """Where in an epoch a loader is, and how to get there again."""

    def __init__(self, resume: dict[str, object] | None = None) -> None:
        self.batches = 0
        self._start: object = None
        self._resume = resume

    def begin(self, generator: Generator | None) -> int:
        """Remember the random state at the start of an epoch, or restore it; return how many batches to skip."""
        resume, self._resume = self._resume, None
        if resume is not None and resume["random_state"] is not None:
            state = resume["random_state"]
            if generator is None:
                set_rng_state(state)
            else:
                generator.set_state(state)
        skipped = 0 if resume is None else int(resume["batches"])
        self.batches = skipped
        self._start = get_rng_state() if generator is None else generator.get_state()
        return skipped

    def state_dict(self) -> dict[str, object]:
        """Return the position."""
        if self._resume is not None:
            return dict(self._resume)
        return {"batches": self.batches, "random_state": self._start if self.batches else None}


def _fetcher(
    dataset: Dataset, stream: bool, batched: bool, collate: Callable[[list], object], drop_last: bool
) -> Callable[[object], object]:
    """Return the function that makes a batch of what a sampler yields."""
    if stream:
        samples = iter(dataset)

        def next_batch(request: list | None) -> object:
            if not batched:
                return collate(next(samples))
            batch = list(islice(samples, len(request)))
            if not batch or (drop_last and len(batch) < len(request)):
                raise StopIteration
            return collate(batch)

        return next_batch

    def by_index(request: object) -> object:
        if not batched:
            return collate(dataset[request])
        together = getattr(dataset, "__getitems__", None)
        return collate(together(request) if together else [dataset[index] for index in request])

    return by_index


class _Pool:
    """Worker processes and the lines to them."""

    def __init__(self, loader: DataLoader, make_fetch: Callable, base_seed: int) -> None:
        context = loader.multiprocessing_context
        if not isinstance(context, multiprocessing.context.BaseContext):
            context = multiprocessing.get_context(context or "fork")
        self.lines: list[Connection] = []
        self.processes = []
        for number in range(loader.num_workers):
            here, there = context.Pipe()
            process = context.Process(
                target=_work,
                args=(list(self.lines), here, loader.dataset, make_fetch, there, number, loader.num_workers, base_seed,
                      loader.worker_init_fn),
                daemon=True,
            )  # fmt: skip
            process.start()
            there.close()
            self.lines.append(here)
            self.processes.append(process)

    def batches(self, requests: Iterator, skipped: int, stream: bool, prefetch: int, timeout: float) -> Iterator:
        """Yield the answers to requests in their order; worker i answers requests i, i + n, i + 2n …"""
        if not stream:
            requests = islice(requests, skipped, None)
        alive = deque(range(len(self.lines)))
        asked: deque[tuple[int, int]] = deque()
        arrived: dict[int, object] = {}
        number = 0
        exhausted = False
        while True:
            while not exhausted and alive and len(asked) < max(prefetch, 1) * len(self.lines):
                try:
                    request = next(requests)
                except StopIteration:
                    exhausted = True
                    break
                chosen = alive[0]
                alive.rotate(-1)
                self._send(chosen, (number, request))
                asked.append((number, chosen))
                number += 1
            if not asked:
                return
            wanted, chosen = asked.popleft()
            while wanted not in arrived:
                key, answer = self._receive(chosen, timeout)
                arrived[key] = answer
            answer = arrived.pop(wanted)
            if isinstance(answer, workers.Failure):
                answer.raise_again()
            if isinstance(answer, str) and answer == workers.END:
                if chosen in alive:
                    alive.remove(chosen)
                continue
            if stream and skipped:
                skipped -= 1
                continue
            yield answer

    def _send(self, chosen: int, message: object) -> None:
        try:
            self.lines[chosen].send(message)
        except (BrokenPipeError, ConnectionResetError):
            self._died(chosen)

    def _receive(self, chosen: int, timeout: float) -> tuple[int, object]:
        line, process = self.lines[chosen], self.processes[chosen]
        ready = wait([line, process.sentinel], timeout or None)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
        if line in ready:
            try:
                return line.recv()
            except (EOFError, ConnectionResetError):
                pass
        self._died(chosen)
        raise AssertionError("unreachable")

    def _died(self, chosen: int) -> None:
        process = self.processes[chosen]
        process.join(5)
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with code {code}"
        raise RuntimeError(f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly: worker {chosen} {how}.")

    def close(self) -> None:
        """End all workers: those that do not leave at once are stopped."""
        for line in self.lines:
            try:
                line.send(None)
            except (BrokenPipeError, ConnectionResetError, OSError):
                pass
            line.close()
        deadline = time.monotonic() + 1.0
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            process.close()


def _work(
    others: list[Connection], own: Connection, dataset: Dataset, make_fetch: Callable, line: Connection, *rest: object
) -> None:
    """Close the ends of lines that belong to the main process, then work."""
    for each in (*others, own):
        each.close()
    workers.run(dataset, make_fetch, line, *rest)
