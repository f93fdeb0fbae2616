"""A loader's part for each process: training steps of one global batch, evaluation without doubles."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from typing import Any

from facula.utils.data import BatchSampler, DataLoader, DistributedSampler, SequentialSampler

from facula_lightning.strategies.strategy import Strategy


class _Shards:
    """Batches of indices, of which this process takes some."""

    def __init__(self, batches: Iterable[Any], strategy: Strategy) -> None:
        self.batches = batches
        self.strategy = strategy

    @property
    def sampler(self) -> Any:
        """What the batches are made of, where they are made of something."""
        return getattr(self.batches, "sampler", None)

    @property
    def generator(self) -> Any:
        """The generator of what gives the batches, where it has one."""
        return getattr(self.batches, "generator", None)

    def _agreed(self, order: list[Any], source: object) -> list[Any]:
        """Return the order of the first process, which alone may know a random one."""
        return order if type(source) is SequentialSampler else self.strategy.broadcast(order)

    def set_epoch(self, epoch: int) -> None:
        """Tell the sampler which epoch begins, where it wants to know."""
        parts: tuple[Any, ...] = (self.batches, self.sampler)
        for part in parts:
            if hasattr(part, "set_epoch"):
                part.set_epoch(epoch)


class TrainingShards(_Shards):
    """Training batches: in each step the processes share a batch of as many times the size among them.

    The samples and their order are those of one process with the global batch size. Where the last batch cannot be cut into
    equal parts, ``weights`` says by how much the loss of a part counts for the average over processes to be that of the
    whole batch. A process for which nothing is left repeats a sample, with the weight 0.
    """

    def __init__(self, batches: Iterable[Any], strategy: Strategy) -> None:
        super().__init__(batches, strategy)
        #: For each step of the epoch.
        self.weights: list[float] = []

    def __len__(self) -> int:
        size = self.strategy.world_size
        if type(self.batches) is BatchSampler:
            whole, rest = divmod(len(self.batches.sampler), self.batches.batch_size * size)  # type: ignore[arg-type]
            return whole + bool(rest and not self.batches.drop_last)
        return -(-len(self.batches) // size)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[list[Any]]:
        size, rank = self.strategy.world_size, self.strategy.global_rank
        self.weights = []
        for parts in self._steps(size):
            counts = [len(part) if isinstance(part, list) else int(part is not None) for part in parts]
            self.weights.append(counts[rank] * size / sum(counts))
            first = parts[0][:1] if isinstance(parts[0], list) else parts[0]
            yield parts[rank] if counts[rank] else first

    def _steps(self, size: int) -> Iterator[list[Any]]:
        """Yield for each step the parts of all processes; nothing is an empty list or None."""
        batches = self.batches
        if type(batches) is BatchSampler:
            order = self._agreed(list(batches.sampler), batches.sampler)
            together = batches.batch_size * size
            for start in range(0, len(order), together):
                batch = order[start : start + together]
                if len(batch) == together or not batches.drop_last:
                    yield [batch[rank::size] for rank in range(size)]
            return
        drawn = self._agreed(list(batches), None)
        for start in range(0, len(drawn), size):
            parts = drawn[start : start + size]
            yield parts + [None] * (size - len(parts))


class EvaluationShards(_Shards):
    """Every so many batches of those that one process would have: nothing twice, nothing left out."""

    @property
    def whole(self) -> int:
        """How many batches there are in all."""
        return len(self.batches)  # type: ignore[arg-type]

    def share(self, count: int) -> int:
        """Return how many of the first ``count`` batches are this process's."""
        return len(range(self.strategy.global_rank, count, self.strategy.world_size))

    def __len__(self) -> int:
        return self.share(self.whole)

    def __iter__(self) -> Iterator[Any]:
        source = getattr(self.batches, "sampler", self.batches)
        plain = type(self.batches) in (BatchSampler, SequentialSampler)
        drawn = self._agreed(list(self.batches), source if plain else None)
        yield from drawn[self.strategy.global_rank :: self.strategy.world_size]


def shard(loader: Iterable[Any], strategy: Strategy, training: bool) -> Iterable[Any]:
    """Return a loader of this process's part; the loader itself where it is a stream or its sampler is distributed."""
    if not isinstance(loader, DataLoader) or loader._is_stream or isinstance(loader.sampler, DistributedSampler):
        return loader
    made = copy.copy(loader)
    made._pool = made._position = made._resume = None
    kind = TrainingShards if training else EvaluationShards
    if loader.batch_sampler is None:
        made.sampler = kind(loader.sampler, strategy)
        return made
    shards = kind(loader.batch_sampler, strategy)
    made.batch_sampler = shards
    # The order is the shards' affair; a position in the sampler would be one in the whole.
    made.sampler = SequentialSampler(loader.dataset)  # type: ignore[arg-type]
    return made


def shards_of(loader: Iterable[Any]) -> _Shards | None:
    """Return what cuts a loader's batches into parts; None when nothing does."""
    for part in (getattr(loader, "batch_sampler", None), getattr(loader, "sampler", None)):
        if isinstance(part, _Shards):
            return part
    return None


def in_order(parts: list[list[Any]]) -> list[Any]:
    """Return the batches of all processes in the order of one."""
    found = []
    for at in range(max(map(len, parts), default=0)):
        found += [part[at] for part in parts if at < len(part)]
    return found
