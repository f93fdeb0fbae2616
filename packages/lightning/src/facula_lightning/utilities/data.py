"""Batches and loaders: moving to a device, counting samples, counting batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import facula
import numpy as np
from facula import Tensor

from facula_lightning.utilities.exceptions import MisconfigurationException


def apply_to_collection(data: Any, kind: type | tuple[type, ...], function: Callable[[Any], object]) -> Any:
    """Return ``data`` with ``function`` applied to everything of ``kind`` in it, in a container of the same type."""
    if isinstance(data, kind):
        return function(data)
    make: Callable[..., Any] = type(data)
    if isinstance(data, Mapping):
        items = {key: apply_to_collection(value, kind, function) for key, value in data.items()}
        return items if make is dict else make(items)
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return make(*(apply_to_collection(value, kind, function) for value in data))
    if isinstance(data, (list, tuple)):
        return make([apply_to_collection(value, kind, function) for value in data])
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        names = [field.name for field in dataclasses.fields(data) if field.init]
        return dataclasses.replace(data, **{n: apply_to_collection(getattr(data, n), kind, function) for n in names})
    return data


class _Movable(type):
    """Anything with a method ``to`` counts as something that can be moved."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) or (hasattr(instance, "to") and not isinstance(instance, type))


class Transferable(metaclass=_Movable):
    """A tensor, or an object with a method ``to(device)``."""


def move_data_to_device(batch: Any, device: facula.device | str | int) -> Any:
    """Return ``batch`` with every tensor (and object that has ``to``) in it on ``device``.

    Goes through tuples, lists, named tuples, mappings and dataclasses.
    """

    # Tensors, and tuples or lists of them, are most of what there is.
    if isinstance(batch, Tensor):
        return batch.to(device)
    if type(batch) is list or type(batch) is tuple:
        moved = [
            each.to(device) if isinstance(each, Tensor) else move_data_to_device(each, device) for each in batch
        ]  # fmt: skip
        return moved if type(batch) is list else tuple(moved)

    def move(value: Any) -> object:
        moved = value.to(device)
        return value if moved is None else moved

    return apply_to_collection(batch, Transferable, move)


def extract_batch_size(batch: object) -> int:
    """Return the length of the first dimension of the first tensor (or text) found in ``batch``.

    Raises MisconfigurationException when there is none.
    """
    size = number_of_samples(batch)
    if size is None:
        raise MisconfigurationException(
            "We could not infer the batch_size from the batch. Either simplify its structure"
            " or provide the batch_size as `self.log(..., batch_size=batch_size)`."
        )
    return size


def number_of_samples(batch: object) -> int | None:
    """Return what `extract_batch_size` does, or None where it finds no size."""
    if isinstance(batch, Tensor):
        return 1 if batch.ndim == 0 else batch.shape[0]
    if isinstance(batch, str):
        return len(batch)
    if isinstance(batch, (list, tuple)):
        pass
    elif isinstance(batch, Mapping):
        batch = batch.values()
    elif dataclasses.is_dataclass(batch) and not isinstance(batch, type):
        batch = [getattr(batch, field.name) for field in dataclasses.fields(batch)]
    else:
        return None
    for value in batch:
        size = number_of_samples(value)
        if size is not None:
            return size
    return None


def number_of_tokens(batch: Any) -> int | None:
    """Return how many elements ``input_ids`` in a batch has, else its first tensor; None where that is no table of whole numbers."""
    if isinstance(batch, Mapping):
        batch = batch["input_ids"] if "input_ids" in batch else list(batch.values())
    if isinstance(batch, Tensor):
        whole = not (batch.is_floating_point() or batch.is_complex() or batch.dtype == facula.bool)
        return batch.numel() if whole and batch.ndim == 2 else None
    return number_of_tokens(batch[0]) if isinstance(batch, (list, tuple)) and batch else None


def sized_len(loader: Any) -> int | None:
    """Return the number of batches of ``loader``, or None when it does not know."""
    try:
        return len(loader)
    except (TypeError, NotImplementedError):
        return None


def are_loaders(collection: object) -> bool:
    """Return whether a collection holds loaders, rather than being a list of batches; a dictionary always does."""
    return isinstance(collection, dict) or _holds_loaders(collection)


def _holds_loaders(tree: Any) -> bool:
    children = list(tree.values()) if isinstance(tree, dict) else tree
    if not isinstance(children, (list, tuple)) or not children:
        return False
    return all(_is_loader(child) or _holds_loaders(child) for child in children)


def _is_loader(value: object) -> bool:
    return hasattr(value, "__iter__") and not isinstance(value, (Tensor, np.ndarray, list, tuple, dict, str))


def as_loaders(loaders: Any) -> list[Iterable[Any]]:
    """Return one loader or a list of loaders as a list."""
    if loaders is None:
        return []
    return list(loaders) if isinstance(loaders, (list, tuple)) and _holds_loaders(loaders) else [loaders]


def suggested_max_num_workers(local_world_size: int = 1) -> int:
    """Return how many worker processes one data loader should have here, at most."""
    import os

    if local_world_size < 1:
        raise ValueError(f"`local_world_size` should be >= 1, got {local_world_size}.")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // local_world_size - 1)
