"""Samples into a batch, by a table that says how for each type."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from facula.creation import as_tensor, tensor
from facula.dtypes import float64
from facula.ops.joining import stack
from facula.tensor import Tensor

#: A type, or a tuple of types, and the function that makes a batch of samples of it. It is called as
#: ``function(batch, collate_fn_map=table)``.
CollateTable = Mapping[type | tuple[type, ...], Callable[..., Any]]


default_collate_err_msg_format = (
    "default_collate: batch must contain tensors, numpy arrays, numbers, dicts or lists; found {}"
)


def default_convert(data: Any) -> object:
    """Return data with its NumPy arrays as tensors; what else there is stays as it is."""
    if isinstance(data, Tensor):
        return data
    if isinstance(data, (np.ndarray, np.generic)):
        return data if data.dtype.kind in "SUO" else as_tensor(np.asarray(data))
    if isinstance(data, Mapping):
        return _with_items(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        make: Any = type(data)
        return make(*(default_convert(each) for each in data))
    if isinstance(data, tuple):
        return [default_convert(each) for each in data]
    if isinstance(data, Sequence) and not isinstance(data, (str, bytes)):
        return _with_elements(data, [default_convert(each) for each in data])
    return data


def collate(batch: Sequence[Any], *, collate_fn_map: CollateTable | None = None) -> Any:
    """Return samples as a batch: by the table's function for their type, or a type it is derived from.

    Containers that the table does not know are taken part by part, and keep their type where it can be filled.
    TypeError for a type that is neither in the table nor a container; RuntimeError for sequences of unequal length.

    >>> from facula.utils.data.collate import collate, default_collate_fn_map
    >>> collate([b"a", b"b"], collate_fn_map={**default_collate_fn_map, bytes: lambda batch, **_: b"".join(batch)})
    b'ab'
    """
    first = batch[0]
    kind = type(first)
    if collate_fn_map is not None:
        if kind in collate_fn_map:
            return collate_fn_map[kind](batch, collate_fn_map=collate_fn_map)
        for known, function in collate_fn_map.items():
            if isinstance(first, known):
                return function(batch, collate_fn_map=collate_fn_map)
    if isinstance(first, Mapping):
        parts = {key: collate([each[key] for each in batch], collate_fn_map=collate_fn_map) for key in first}
        return _with_items(first, parts)
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*(collate(part, collate_fn_map=collate_fn_map) for part in zip(*batch, strict=True)))
    if isinstance(first, Sequence):
        if any(len(each) != len(first) for each in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        together = [collate(part, collate_fn_map=collate_fn_map) for part in zip(*batch, strict=True)]
        return together if isinstance(first, tuple) else _with_elements(first, together)
    raise TypeError(_refusal(kind))


def _with_items(model: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """Return a mapping of the model's type with other values, or a dict where that type cannot be filled."""
    if type(model) is dict:
        return items
    try:
        if isinstance(model, MutableMapping):
            made = copy.copy(model)
            made.update(items)
            return made
        return type(model)(items)  # type: ignore[call-arg]  # as most mappings can be made
    except TypeError:
        return items


def _with_elements(model: Sequence[Any], elements: list[Any]) -> Any:
    """Return a sequence of the model's type with other elements, or a list where that type cannot be filled."""
    if type(model) is list:
        return elements
    try:
        if isinstance(model, MutableSequence):
            made = copy.copy(model)
            for at, each in enumerate(elements):
                made[at] = each
            return made
        return type(model)(elements)  # type: ignore[call-arg]
    except TypeError:
        return elements


def _refusal(kind: object) -> str:
    return default_collate_err_msg_format.format(kind)


# What the usual table does with each type.


def collate_tensor_fn(batch: Sequence[Tensor], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    """Return tensors stacked along a new first dimension."""
    return stack(list(batch), 0)


def collate_numpy_array_fn(batch: Sequence[np.ndarray], *, collate_fn_map: CollateTable | None = None) -> Any:
    """Return arrays as tensors, collated; TypeError for arrays of texts or objects."""
    if batch[0].dtype.kind in "SUO":
        raise TypeError(_refusal(batch[0].dtype))
    return collate([as_tensor(each) for each in batch], collate_fn_map=collate_fn_map)


def collate_numpy_scalar_fn(batch: Sequence[np.generic], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    """Return NumPy's numbers as a tensor of their type."""
    return as_tensor(np.array(batch))


def collate_float_fn(batch: Sequence[float], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    """Return floats as a tensor of float64."""
    return tensor(batch, dtype=float64)


def collate_int_fn(batch: Sequence[int], *, collate_fn_map: CollateTable | None = None) -> Tensor:
    """Return whole numbers as a tensor of int64, truth values as one of bool."""
    return tensor(batch)


def collate_str_fn(batch: Sequence[str | bytes], *, collate_fn_map: CollateTable | None = None) -> Any:
    """Return texts as they are."""
    return batch


#: The usual table: change it to change what every loader without a ``collate_fn`` does.
default_collate_fn_map: dict[type | tuple[type, ...], Callable[..., Any]] = {
    Tensor: collate_tensor_fn,
    np.ndarray: collate_numpy_array_fn,
    (np.bool_, np.number, np.object_): collate_numpy_scalar_fn,
    float: collate_float_fn,
    int: collate_int_fn,
    str: collate_str_fn,
    bytes: collate_str_fn,
}


def default_collate(batch: Sequence[Any]) -> Any:
    """Return samples as a batch by `default_collate_fn_map`.

    Tensors and arrays are stacked, numbers become a tensor, containers are taken part by part.

    >>> facula.utils.data.default_collate([(1, "a"), (2, "b")])
    [tensor([1, 2]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)
