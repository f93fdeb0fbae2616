"""Which samples come in a batch, and which batches are left out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence, Sized
from typing import Any

import facula
from facula import Generator
from facula.utils.data import DataLoader, Sampler

from facula_lightning.utilities.loaders import loader_like


class LengthGroupedSampler(Sampler[int]):
    """A random order in which samples of about the same length are in a batch, so that little is padding; the longest first.

    A random order is cut into parts of up to 50 batches, and each is sorted by length. ``lengths`` are those of the samples;
    left out, of what ``dataset`` gives, or of what that has under ``model_input_name``.

    >>> order = list(LengthGroupedSampler(2, lengths=[5, 1, 9, 4]))
    >>> order[0], sorted(order)
    (2, [0, 1, 2, 3])
    """

    def __init__(
        self,
        batch_size: int,
        dataset: Any = None,
        lengths: Sequence[int] | None = None,
        model_input_name: str = "input_ids",
        generator: Generator | None = None,
    ) -> None:
        if dataset is None and lengths is None:
            raise ValueError("One of dataset and lengths must be provided.")
        self.batch_size = batch_size
        if lengths is None:
            lengths = [_length(dataset[at], model_input_name) for at in range(len(dataset))]
        self.lengths = [int(each) for each in lengths]
        self.generator = generator

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        count = len(self.lengths)
        size = self.batch_size * max(1, min(count // (self.batch_size * 4), 50))
        order = facula.randperm(count, generator=self.generator).tolist()
        parts = [
            sorted(order[start : start + size], key=self.lengths.__getitem__, reverse=True)
            for start in range(0, count, size)
        ]
        if parts:
            # With the longest first, too little memory shows at once.
            longest = max(range(len(parts)), key=lambda at: self.lengths[parts[at][0]])
            parts[0][0], parts[longest][0] = parts[longest][0], parts[0][0]
        return itertools.chain.from_iterable(parts)


def _length(sample: Any, name: str) -> int:
    if isinstance(sample, dict):
        sample = sample.get(name)
    if not isinstance(sample, Sized):
        raise ValueError(
            f"Can only automatically infer lengths for datasets whose items are sequences or dictionaries with a {name!r}"
            " key: give `lengths`"
        )
    return len(sample)


class _Rest:
    """What an order of batches or samples has after the first few."""

    def __init__(self, order: Any, skipped: int) -> None:
        self.order = order
        self.skipped = skipped

    @property
    def sampler(self) -> Any:
        """What the order is made of, where it is made of something."""
        return getattr(self.order, "sampler", None)

    @property
    def generator(self) -> Any:
        """The generator of what gives the order, where it has one."""
        return getattr(self.order, "generator", None)

    def set_epoch(self, epoch: int) -> None:
        """Tell what gives the order which epoch begins, where it wants to know."""
        for part in (self.order, self.sampler):
            if hasattr(part, "set_epoch"):
                part.set_epoch(epoch)

    def __len__(self) -> int:
        return max(len(self.order) - self.skipped, 0)

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(iter(self.order), self.skipped, None)


class _RestOfStream:
    """The batches of a loader after the first few, which are read and thrown away."""

    def __init__(self, loader: Iterable[Any], skipped: int) -> None:
        self.loader = loader
        self.skipped = skipped

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(iter(self.loader), self.skipped, None)


def skip_first_batches(dataloader: Any, num_batches: int = 0) -> Any:
    """Return a loader like this one that leaves out the first batches: for the epoch that a run goes on in.

    Their samples are not read, where the dataset has an index; the order of the rest is what it would have been.

    >>> loader = DataLoader([0, 1, 2, 3, 4, 5], batch_size=2)
    >>> [batch.tolist() for batch in skip_first_batches(loader, 2)]
    [[4, 5]]
    """
    if num_batches < 0:
        raise ValueError(f"expected a number of batches from 0 on, got {num_batches}")
    if not isinstance(dataloader, DataLoader) or dataloader._is_stream:
        return _RestOfStream(dataloader, num_batches)
    if dataloader.batch_sampler is None:
        return loader_like(dataloader, sampler=_Rest(dataloader.sampler, num_batches), batch_size=None)
    return loader_like(dataloader, batch_sampler=_Rest(dataloader.batch_sampler, num_batches))
