"""Batches of samples of similar length, so that little is padded."""

from collections.abc import Iterator, Sequence

import facula
from facula import Generator
from facula.utils.data import Sampler

__all__ = ["BucketBatchSampler"]


class BucketBatchSampler(Sampler[list[int]]):
    """A batch sampler that groups samples of similar length; every sample comes once an epoch.

    With ``shuffle`` the samples are shuffled, cut into pools of ``batch_size * pool_factor``, sorted by length within
    each pool, and the batches come in random order; without it batches go from the shortest samples to the longest.

    >>> list(BucketBatchSampler([5, 1, 4, 2], batch_size=2, shuffle=False))
    [[1, 3], [2, 0]]
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        shuffle: bool = True,
        drop_last: bool = False,
        generator: Generator | None = None,
        pool_factor: int = 100,
    ) -> None:
        if batch_size < 1 or pool_factor < 1:
            raise ValueError(f"expected batch_size and pool_factor of 1 or more, got {batch_size} and {pool_factor}")
        self.lengths = list(lengths)
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.drop_last = drop_last
        self.generator = generator
        self.pool_factor = pool_factor

    def __len__(self) -> int:
        whole, rest = divmod(len(self.lengths), self.batch_size)
        return whole if self.drop_last or rest == 0 else whole + 1

    def __iter__(self) -> Iterator[list[int]]:
        order = list(range(len(self.lengths)))
        pool = max(len(order), 1)
        if self.shuffle:
            order = facula.randperm(len(order), generator=self.generator).tolist()
            pool = self.batch_size * self.pool_factor
        batches: list[list[int]] = []
        for start in range(0, len(order), pool):
            by_length = sorted(order[start : start + pool], key=lambda index: self.lengths[index])
            batches += [
                by_length[first : first + self.batch_size] for first in range(0, len(by_length), self.batch_size)
            ]
        # Only the last pool can end in a short batch: the pools before it are whole numbers of batches.
        if self.drop_last and batches and len(batches[-1]) < self.batch_size:
            batches.pop()
        if self.shuffle:
            batches = [batches[index] for index in facula.randperm(len(batches), generator=self.generator).tolist()]
        yield from batches
