"""What runs in a worker process of the loader."""

from __future__ import annotations

import pickle
import random
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from facula.creation import from_numpy
from facula.ops.random import get_rng_state, manual_seed, set_rng_state
from facula.settings import set_num_threads
from facula.tensor import Tensor
from facula.utils.data.collate import collate_tensor_fn, default_collate, default_collate_fn_map
from facula.utils.data.dataset import Dataset, IterableDataset, Subset, TensorDataset

if TYPE_CHECKING:
    from multiprocessing.connection import Connection


@dataclass
class WorkerInfo:
    """Which worker this is, of how many, with its seed and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Dataset[Any]


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return what a worker process knows of itself; None in the main process."""
    return _info


@dataclass
class Failure:
    """An exception on its way from a worker to the main process."""

    kind: type[BaseException]
    text: str
    worker: int

    def raise_again(self) -> None:
        """Raise the exception, with the worker's traceback in its text."""
        message = f"Caught {self.kind.__name__} in DataLoader worker process {self.worker}.\nOriginal {self.text}"
        if self.kind is KeyError:
            # A KeyError shows the repr of its text, in which line ends would not break lines.
            raise KeyError(_Text(message))
        try:
            error = self.kind(message)
        except Exception:  # an exception whose constructor wants something else
            raise RuntimeError(message) from None
        raise error


class _Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


@dataclass
class End:
    """What takes the place of a batch when a stream has ended."""


def has_state(dataset: Dataset[Any]) -> bool:
    """Return whether a stream can say where it is, and go there."""
    return (
        isinstance(dataset, IterableDataset) and hasattr(dataset, "state_dict") and hasattr(dataset, "load_state_dict")
    )


@dataclass
class Fetcher:
    """How batches are made of a dataset: what a worker, or the main process, needs to know of its loader."""

    dataset: Any
    collate: Callable[[list[Any]], object]
    batched: bool
    drop_last: bool

    def start(self, state: object = None) -> Callable[[Any], object]:
        """Return the function from what a sampler yields to a batch; a stream begins anew, or where ``state`` says."""
        if not isinstance(self.dataset, IterableDataset):
            return self.by_index
        if state is not None:
            self.dataset.load_state_dict(state)  # type: ignore[attr-defined]  # a state comes from one that has it
        samples = iter(self.dataset)
        return lambda request: self.from_stream(samples, request)

    def by_index(self, request: Any) -> object:
        """Return the batch of the samples at some indices, or one sample."""
        if not self.batched:
            return self.collate(self.dataset[request])
        if self.collate is default_collate and default_collate_fn_map.get(Tensor) is collate_tensor_fn:
            rows = _rows_together(self.dataset, request)
            if rows is not None:
                return rows
        together = getattr(self.dataset, "__getitems__", None)
        return self.collate(together(request) if together else [self.dataset[index] for index in request])

    def from_stream(self, samples: Iterator[Any], request: Any) -> object:
        """Return a batch of the next samples, or the next sample, or the end."""
        if not self.batched:
            for sample in samples:
                return self.collate(sample)
            return End()
        batch = list(islice(samples, len(request)))
        if not batch or (self.drop_last and len(batch) < len(request)):
            return End()
        return self.collate(batch)


def _rows_together(dataset: object, indices: list[int]) -> list[Tensor] | None:
    """Return what stacking samples of tensors gives, read in one piece; None where the dataset may do something else."""
    while type(dataset) is Subset and all(type(index) is int for index in indices):
        chosen = dataset.indices
        indices = [chosen[index] for index in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or any(type(each) is not Tensor for each in dataset.tensors):
        return None
    if not indices or any(type(index) is not int for index in indices):
        return None
    where = from_numpy(np.array(indices, np.int64))
    return [each[where] for each in dataset.tensors]


@dataclass
class Start:
    """The order to begin an epoch, a stream where ``state`` says, the generators where ``random`` says."""

    state: object = None
    random: tuple[Any, ...] | None = None


def random_states() -> tuple[Any, ...]:
    """Return where Python's, NumPy's and facula's generators of this process are, in values that can be compared."""
    legacy: Any = np.random.get_state()
    kind, words, *rest = legacy
    return random.getstate(), (kind, words.tobytes(), *rest), get_rng_state().numpy().tobytes()


def set_random_states(states: tuple[Any, ...]) -> None:
    """Bring the generators of this process to where `random_states` found them."""
    python, (kind, words, *rest), own = states
    version, numbers, gauss = python
    random.setstate((version, tuple(numbers), gauss))
    np.random.set_state((kind, np.frombuffer(words, np.uint32), *rest))
    set_rng_state(from_numpy(np.frombuffer(own, np.uint8).copy()))


def run(
    fetcher: Fetcher,
    line: Connection,
    worker: int,
    count: int,
    base_seed: int,
    init: Callable[[int], None] | None,
) -> None:
    """Answer each request (epoch, number, what to fetch) by (epoch, number, batch, state of the stream, random), until None.

    The last is where the generators are, when they are elsewhere than after the answer before.
    """
    global _info
    seed = base_seed + worker
    random.seed(seed)
    manual_seed(seed)
    set_num_threads(1)  # the processes share the cores
    # As PyTorch does: every word of NumPy's seed hangs on both numbers.
    words = np.random.SeedSequence([worker, base_seed & 0xFFFFFFFF, base_seed >> 32, 0])
    np.random.seed(words.generate_state(4))
    _info = WorkerInfo(worker, count, seed, fetcher.dataset)
    failure = None
    fetch: Any = None
    stateful = has_state(fetcher.dataset)
    known: tuple[Any, ...] | None = None
    try:
        if init is not None:
            try:
                init(worker)
            except Exception as error:
                failure = _failure(error, worker)
        known = random_states()
        while (request := line.recv()) is not None:
            epoch, number, wanted = request
            state = None
            try:
                if isinstance(wanted, Start):
                    if wanted.random is not None:
                        set_random_states(wanted.random)
                        known = wanted.random
                    if failure is None:
                        fetch = fetcher.start(wanted.state)
                    continue
                answer = fetch(wanted) if failure is None else failure
                if stateful and failure is None:
                    state = fetcher.dataset.state_dict()
            except Exception as error:
                answer = _failure(error, worker)
                if isinstance(wanted, Start):
                    failure = answer
                    continue
            now = random_states()
            _answer(line, (epoch, number, answer, state, None if now == known else now), worker)
            known = now
    except (EOFError, OSError, KeyboardInterrupt):
        pass  # the main process has gone, or goes
    finally:
        line.close()


def _answer(line: Connection, message: tuple[Any, ...], worker: int) -> None:
    from facula.utils.data import transport

    try:
        transport.send(line, message)
    except (pickle.PicklingError, TypeError, AttributeError, RuntimeError) as error:
        # What cannot be pickled is found before anything was sent.
        transport.send(line, (*message[:2], _failure(error, worker), None, None))


def _failure(error: BaseException, worker: int) -> Failure:
    kind = type(error)
    try:
        pickle.dumps(kind)
    except (pickle.PicklingError, AttributeError, TypeError):
        kind = RuntimeError
    return Failure(kind, "".join(traceback.format_exception(error)), worker)
