"""Where the loaders come from, and how many of their batches are used."""

from __future__ import annotations

import copy
import math
import os
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from facula.utils.data import DataLoader, RandomSampler

from facula_lightning.loops.combined import CombinedBatches
from facula_lightning.trainer.call import call_data, is_overridden
from facula_lightning.utilities.combined_loader import CombinedLoader
from facula_lightning.utilities.data import are_loaders, as_loaders, sized_len
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.loaders import loader_like
from facula_lightning.utilities.rank_zero import rank_zero_warn
from facula_lightning.utilities.seed import pl_worker_init_function
from facula_lightning.utilities.warnings import PossibleUserWarning

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer

_HOOKS = {
    "train": "train_dataloader",
    "val": "val_dataloader",
    "test": "test_dataloader",
    "predict": "predict_dataloader",
}


class DataSource:
    """The loaders a run was given, directly or through a data module or the module's own hooks."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.given: dict[str, Any] = {}
        #: By kind, the collection that loaders were given in, where they were given in one.
        self.collections: dict[str, Any] = {}

    def has(self, kind: str) -> bool:
        """Return whether there is a source of loaders of a kind: train, val, test or predict."""
        hook = _HOOKS[kind]
        trainer = self.trainer
        return (
            self.given.get(kind) is not None
            or is_overridden(hook, trainer.datamodule)
            or is_overridden(hook, trainer.lightning_module)
        )

    def loaders(self, kind: str) -> list[Iterable[Any]]:
        """Return the loaders of a kind, prepared."""
        hook = _HOOKS[kind]
        given = self.given.get(kind)
        if given is None:
            if not self.has(kind):
                return []
            given = call_data(self.trainer, hook)
        combined = combine(given, kind)
        loaders = [self.taken(each) for each in (as_loaders(given) if combined is None else combined.flattened)]
        for loader in loaders:
            if not hasattr(loader, "__iter__") and not hasattr(loader, "__getitem__"):
                raise TypeError(
                    f"An invalid dataloader was passed to `Trainer`: `{hook}` gave {type(loader).__name__},"
                    " expected something to iterate over, such as a DataLoader"
                )
        if self.trainer.overfit_batches:
            loaders = [_without_shuffling(loader) for loader in loaders]
        for loader in loaders:
            self._prepare(loader, kind)
        strategy = self.trainer.strategy
        is_shared = strategy.is_distributed and self.trainer.use_distributed_sampler
        together = combined is not None and (kind == "train" or combined.mode != "sequential")
        if is_shared and (kind == "train" or not together):
            from facula_lightning.trainer.sharding import shard

            loaders = [shard(loader, strategy, kind == "train") for loader in loaders]
        self.collections.pop(kind, None)
        if combined is None:
            return loaders
        combined.flattened = loaders
        self.collections[kind] = combined.iterables
        if not together:
            return loaders
        if kind == "train":
            batches = CombinedBatches(combined)
            batches.weigh = weight_of if is_shared else None
        else:
            batches = CombinedBatches(combined, (strategy.global_rank, strategy.world_size) if is_shared else (0, 1))
        return [batches]

    def taken(self, loader: Iterable[Any]) -> Iterable[Any]:
        """Return what is read in place of a loader that was given: the loader itself."""
        return loader

    def _prepare(self, loader: Iterable[Any], kind: str) -> None:
        if not isinstance(loader, DataLoader):
            return
        if loader.num_workers and loader.worker_init_fn is None and os.environ.get("PL_SEED_WORKERS") == "1":
            loader.worker_init_fn = partial(pl_worker_init_function, rank=self.trainer.global_rank)
        if kind != "train" and not self.trainer.overfit_batches and isinstance(loader.sampler, RandomSampler):
            rank_zero_warn(
                f"Your `{_HOOKS[kind]}`'s sampler has shuffling enabled, it is strongly recommended that you turn shuffling"
                " off for val/test dataloaders.",
                category=PossibleUserWarning,
            )


def combine(given: Any, kind: str) -> CombinedLoader | None:
    """Return the loader that a collection of loaders makes, or a `CombinedLoader` given as such; None for one loader.

    Training loaders are read together, the shorter ones again and again; others one after the other. ValueError where
    `fit` is to read several one after the other, or `predict` several together.
    """
    if isinstance(given, CombinedLoader):
        if kind == "train" and given.mode == "sequential":
            modes = ["min_size", "max_size_cycle", "max_size"]
            raise ValueError(
                '`trainer.fit()` does not support the `CombinedLoader(mode="sequential")` mode for training. The available'
                f" modes are: {modes}"
            )
        if kind == "predict" and given.mode != "sequential":
            raise ValueError('`trainer.predict()` only supports the `CombinedLoader(mode="sequential")` mode.')
        return copy.copy(given)
    if are_loaders(given):
        return CombinedLoader(given, "max_size_cycle" if kind == "train" else "sequential")
    return None


def number_of_batches(loader: Iterable[Any], limit: int | float, kind: str) -> int | float:
    """Return how many batches of a loader are used under a limit; infinity when it does not know its length.

    Raises MisconfigurationException for a fraction of an unknown length, and for one that leaves nothing.
    """
    if isinstance(loader, CombinedBatches):
        return loader.limit([number_of_batches(each, limit, kind) for each in loader.flattened])
    shards: Any = getattr(loader, "batch_sampler", None)
    if not hasattr(shards, "share"):
        shards = getattr(loader, "sampler", None)
    if hasattr(shards, "share"):
        # A limit is one of all processes' batches together.
        return shards.share(int(_limited(shards.whole, limit, loader, kind)))
    return _limited(sized_len(loader), limit, loader, kind)


def _limited(count: int | None, limit: int | float, loader: Iterable[Any], kind: str) -> int | float:
    if count == 0:
        rank_zero_warn(
            f"Total length of `{type(loader).__name__}` for {kind} is zero. Please make sure this was your intention."
        )
        return 0
    if isinstance(limit, int):
        return limit if count is None else min(limit, count)
    if limit in (0.0, 1.0):
        return 0 if limit == 0.0 else (math.inf if count is None else count)
    if count is None:
        raise MisconfigurationException(
            f"When using an `IterableDataset`, `Trainer(limit_{kind}_batches)` must be `1.0` or an int. An int specifies"
            f" `num_{kind}_batches` to use."
        )
    if count * limit < 1:
        raise MisconfigurationException(
            f"You requested to check {limit} of the `{_HOOKS[kind]}` but {limit} * {count} < 1."
            f" Please increase the `limit_{kind}_batches` argument. Try at least `limit_{kind}_batches={1 / count}`"
        )
    return int(count * limit)


def weight_of(loader: Iterable[Any], batch_idx: int) -> float:
    """Return by how much the loss of this process's part of a batch counts: see `TrainingShards`."""
    if isinstance(loader, CombinedBatches):
        return loader.weight
    for part in ("batch_sampler", "sampler"):
        weights = getattr(getattr(loader, part, None), "weights", None)
        if isinstance(weights, list):
            return float(weights[batch_idx])
    return 1.0


def _without_shuffling(loader: Iterable[Any]) -> Iterable[Any]:
    """Return the loader, or one like it that reads in order, for overfitting on the same few batches."""
    if not isinstance(loader, DataLoader) or not isinstance(loader.sampler, RandomSampler):
        return loader
    rank_zero_warn("You requested to overfit but enabled training dataloader shuffling. We are turning it off for you.")
    return loader_like(loader, batch_size=loader.batch_size, drop_last=loader.drop_last)
