"""Data as a learner takes it: arrays, datasets, loaders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import facula
import numpy as np
from facula import Tensor
from facula.utils.data import DataLoader, Dataset, IterableDataset, Subset

from facula_lightning.datamodule import LightningDataModule
from facula_lightning.utilities.data import apply_to_collection


class Rows(Dataset[Any]):
    """Tensors of one length, in lists, tuples or dictionaries; samples are their rows, batches are taken out at once."""

    def __init__(self, tensors: Any) -> None:
        lengths = set(_lengths(tensors))
        if len(lengths) != 1:
            raise ValueError(f"Data cardinality is ambiguous: expected arrays of one length, got {sorted(lengths)}")
        self.tensors = tensors
        self._length = lengths.pop()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int | slice) -> Any:
        return apply_to_collection(self.tensors, Tensor, lambda tensor: tensor[index])

    def __getitems__(self, indices: list[int]) -> Any:
        """Return the batch of some rows."""
        return apply_to_collection(self.tensors, Tensor, lambda tensor: tensor[indices])


def _as_it_is(batch: Any) -> Any:
    return batch


def _lengths(tensors: Any) -> list[int]:
    found: list[int] = []
    apply_to_collection(tensors, Tensor, lambda tensor: found.append(len(tensor) if tensor.ndim else 0))
    return found


def _is_array(data: object) -> bool:
    return isinstance(data, Tensor) or hasattr(data, "__array__")


def is_arrays(data: object) -> bool:
    """Return whether data is an array or several inputs that are, in a tuple, list or dictionary."""
    if isinstance(data, Mapping):
        return bool(data) and all(map(is_arrays, data.values()))
    if isinstance(data, tuple):
        return bool(data) and all(map(is_arrays, data))
    return _is_array(data)


def as_tensors(data: Any, labels: bool = False) -> Any:
    """Return arrays as tensors, in the same tuples and dictionaries.

    As in Keras, floating-point arrays that are not tensors get the default type; whole numbers that are ``labels`` become
    int64, the type of class numbers.
    """
    if isinstance(data, Mapping):
        return {name: as_tensors(each, labels) for name, each in data.items()}
    if isinstance(data, tuple) or (isinstance(data, list) and any(map(_is_array, data))):
        return tuple(as_tensors(each, labels) for each in data)
    if isinstance(data, Tensor):
        return data
    array = np.asarray(data)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"expected an array of numbers, got {type(data).__name__} of {array.dtype}")
    tensor = facula.tensor(array) if not array.flags.writeable else facula.from_numpy(np.ascontiguousarray(array))
    if array.dtype.kind == "f":
        return tensor.to(facula.get_default_dtype())
    return tensor.long() if labels and array.dtype.kind in "iu" else tensor


def unpack(batch: Any) -> tuple[Any, Any, Any]:
    """Return input, target and weights of a batch ``x``, ``(x, y)`` or ``(x, y, sample_weight)``; None for what is not there."""
    if not isinstance(batch, (list, tuple)):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise ValueError(f"expected batches `x`, `(x, y)` or `(x, y, sample_weight)`, got {len(batch)} parts")
    x, y, weight = (*batch, None, None)[:3]
    return x, y, weight


def as_dataset(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Return arrays as a dataset; what is a dataset, a loader or a data module already, as it is.

    ValueError where targets or weights are given beside one of those.
    """
    if is_arrays(x) or (isinstance(x, list) and y is not None):
        parts = [as_tensors(x)]
        parts += [] if y is None else [as_tensors(y, labels=True)]
        if sample_weight is not None:
            if y is None:
                raise ValueError("sample weights need targets: expected `y` beside `sample_weight`")
            parts.append(as_tensors(sample_weight))
        return Rows(parts)
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise ValueError(
                f"`{name}` is for arrays: {type(x).__name__} should give batches `(x, y)` or `(x, y, sample_weight)` itself"
            )
    if not is_dataset(x) and not isinstance(x, (LightningDataModule, Iterable)):
        raise TypeError(f"expected arrays, a Dataset, a DataLoader or a LightningDataModule, got {type(x).__name__}")
    return x


def is_dataset(data: object) -> bool:
    """Return whether data gives samples, by their numbers or as a stream, and not batches."""
    by_number = hasattr(data, "__getitem__") and hasattr(data, "__len__")
    return isinstance(data, Dataset) or (by_number and not isinstance(data, (list, tuple, dict)))


def part(dataset: Any, start: int, stop: int) -> Any:
    """Return the samples of a dataset from one number to another."""
    return Rows(dataset[start:stop]) if isinstance(dataset, Rows) else Subset(dataset, range(start, stop))


def split(dataset: Any, fraction: float) -> tuple[Any, Any]:
    """Return a dataset's first part, and its last, which is ``fraction`` of it: as in Keras, before anything is shuffled.

    ValueError where one of them would be empty, and for what has no fixed order and length.
    """
    if not is_dataset(dataset) or isinstance(dataset, IterableDataset):
        raise ValueError(
            f"`validation_split` needs arrays or a Dataset with a length, got {type(dataset).__name__}: give `validation_data`"
        )
    count = len(dataset)
    at = math.floor(count * (1.0 - fraction))
    if not 0 < at < count:
        raise ValueError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation and training set"
            f" as specified by `validation_split={fraction}`. Either provide more data, or a different value."
        )
    return part(dataset, 0, at), part(dataset, at, count)


def as_loader(dataset: Any, batch_size: int | None, shuffle: bool = False) -> Any:
    """Return a dataset's batches, 32 samples each unless ``batch_size`` says otherwise; loaders as they are."""
    if not is_dataset(dataset):
        if batch_size is not None:
            raise ValueError(f"`batch_size` is for arrays and datasets; {type(dataset).__name__} gives batches itself")
        return dataset
    return DataLoader(
        dataset,
        batch_size=32 if batch_size is None else batch_size,
        shuffle=shuffle and not isinstance(dataset, IterableDataset),
        collate_fn=_as_it_is if isinstance(dataset, Rows) else None,
    )


def joined(parts: Sequence[Any]) -> Any:
    """Return outputs for several batches as those for one: tensors one after the other, in the same tuples and dictionaries."""
    first = parts[0]
    if isinstance(first, Tensor):
        return facula.cat([each if each.ndim else each.reshape(1) for each in parts])
    if isinstance(first, Mapping):
        return {name: joined([each[name] for each in parts]) for name in first}
    if isinstance(first, (list, tuple)):
        return tuple(joined(each) for each in zip(*parts))
    raise TypeError(f"expected tensors, or tuples or dictionaries of them, from the model, got {type(first).__name__}")
