"""What a loader and its samplers have that a resumed run needs, generators, workers, an epoch; and a loader like another."""

from __future__ import annotations

from typing import Any

from facula import Generator, Tensor
from facula.utils.data import DataLoader, IterableDataset

from facula_lightning.utilities.rank_zero import rank_zero_warn


def parts(loader: object) -> list[object]:
    """Return the loaders that a loader combines; of any other the loader itself."""
    return list(getattr(loader, "flattened", [loader]))


def set_epoch(loader: object, epoch: int) -> None:
    """Tell a loader's samplers which epoch it is, where they want to know."""
    for each in parts(loader):
        for part in ("sampler", "batch_sampler"):
            sampler: Any = getattr(each, part, None)
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)


def check_workers(loader: object, state: object) -> None:
    """Warn where workers drew random numbers, and there are not as many as there were."""
    now = getattr(loader, "num_workers", 0)
    if isinstance(state, dict) and state.get("random") and state.get("num_workers") != now:
        rank_zero_warn(
            f"The checkpoint was saved with {state.get('num_workers')} workers of the training loader, and now there are {now}:"
            " the random numbers that workers draw will differ from those of a run that was not interrupted."
        )


def is_stateless_stream(loader: object) -> bool:
    """Return whether a loader reads a stream that cannot say where it is: it is read again from its start."""
    dataset = getattr(loader, "dataset", None)
    return isinstance(dataset, IterableDataset) and not hasattr(dataset, "load_state_dict")


def generators(loader: object) -> list[Generator]:
    """Return the generators that belong to a loader and its samplers, each once."""
    found: list[Generator] = []
    for part in parts(loader):
        batch_sampler = getattr(part, "batch_sampler", None)
        owners = [part, getattr(part, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None)]
        for owner in owners:
            generator = getattr(owner, "generator", None)
            if isinstance(generator, Generator) and not any(generator is each for each in found):
                found.append(generator)
    return found


def generator_states(loader: object) -> list[Tensor]:
    """Return where the generators of a loader are."""
    return [each.get_state() for each in generators(loader)]


def restore_generators(loader: object, states: list[Tensor]) -> None:
    """Take back what `generator_states` returned."""
    for generator, state in zip(generators(loader), states):
        generator.set_state(state)


def loader_like(loader: DataLoader[Any], **order: Any) -> DataLoader[Any]:
    """Return a loader of the same data, read in the same way, with another ``order``: a sampler, or batches.

    >>> loader_like(DataLoader([1, 2, 3], timeout=5), batch_size=3).timeout
    5
    """
    return DataLoader(
        loader.dataset,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
        pin_memory=loader.pin_memory,
        timeout=loader.timeout,
        worker_init_fn=loader.worker_init_fn,
        multiprocessing_context=loader.multiprocessing_context,
        generator=loader.generator,
        prefetch_factor=loader.prefetch_factor,
        persistent_workers=loader.persistent_workers,
        pin_memory_device=loader.pin_memory_device,
        in_order=loader.in_order,
        **order,
    )
