"""CombinedBatches: loaders read together, as the loops read one loader."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from facula_lightning.utilities.combined_loader import CombinedLoader
from facula_lightning.utilities.data import sized_len
from facula_lightning.utilities.rank_zero import rank_zero_warn


class CombinedBatches:
    """The batches of a `CombinedLoader` alone, without their numbers.

    With ``share``, a process's number and how many there are, every so many of them: combined first and shared out then,
    evaluation in several processes pairs batches as it does in one.
    """

    def __init__(self, combined: CombinedLoader, share: tuple[int, int] = (0, 1)) -> None:
        self.combined = combined
        self.rank, self.size = share
        #: By how much the loss of this process's part of the newest batch of an iterable counts: see `weight_of`.
        self.weigh: Callable[[Iterable[Any], int], float] | None = None
        self._has_warned = False

    @property
    def flattened(self) -> list[Any]:
        """The loaders."""
        return self.combined.flattened

    def limit(self, limits: list[int | float]) -> int | float:
        """Use so many batches of each loader at most; return how many batches that makes."""
        self.combined.limits = limits
        whole = self.combined.number_of_batches()
        return whole if math.isinf(whole) else len(range(self.rank, int(whole), self.size))

    def __len__(self) -> int:
        if any(sized_len(each) is None for each in self.flattened):
            # Where one ends before its limit, or before the others, shows only when it is read.
            raise TypeError("the length of combined loaders is not known where one of them does not know its own")
        return len(range(self.rank, int(self.combined.number_of_batches()), self.size))

    def __iter__(self) -> Iterator[Any]:
        return _Batches(self, iter(self.combined))

    @property
    def weight(self) -> float:
        """By how much the loss of this process's part of the newest batch counts.

        Where the parts of several loaders' last batches count differently, no one number can be right: it is their mean.
        """
        if self.weigh is None:
            return 1.0
        weights = [self.weigh(each, at - 1) for each, at in zip(self.flattened, self.combined.places) if at]
        if len(set(weights)) > 1 and not self._has_warned:
            self._has_warned = True
            rank_zero_warn(
                "The last batches of combined training loaders are cut unequally among the processes: their losses are"
                " weighed by a mean, which one process with the whole batches would not do. `drop_last=True` avoids that."
            )
        return math.fsum(weights) / len(weights) if weights else 1.0

    def state_dict(self) -> dict[str, Any]:
        """Return where the loaders are."""
        return self.combined.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Begin the next iteration where a `state_dict` was taken."""
        self.combined.load_state_dict(state_dict)


class _Batches(Iterator[Any]):
    """An iteration over `CombinedBatches`."""

    def __init__(self, owner: CombinedBatches, batches: CombinedLoader) -> None:
        self._owner = owner
        self._batches = batches
        self._index = -1

    def __next__(self) -> Any:
        while True:
            batch, _, _ = next(self._batches)
            self._index += 1
            if self._index % self._owner.size == self._owner.rank:
                return batch

    def end(self) -> None:
        """Let loaders that have come to their end know."""
        self._batches.end()
