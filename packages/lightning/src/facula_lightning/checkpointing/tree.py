"""Nested plain data as JSON, with references to tensors that are kept elsewhere."""

from __future__ import annotations

import base64
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import facula
import numpy as np
from facula import Tensor

_TAG = "__facula__"


def to_json(value: object, tensors: dict[str, Tensor], path: str = "") -> Any:
    """Return ``value`` as what JSON has; tensors in it go to ``tensors``, by their place.

    Raises TypeError, naming the place, for what is neither a tensor nor plain data.
    """
    if value is None or isinstance(value, (bool, str)) or type(value) in (int, float):
        return value
    if isinstance(value, Tensor):
        return _put(value, tensors, path)
    if isinstance(value, Mapping):
        return _mapping(value, tensors, path)
    if isinstance(value, (list, tuple, set, frozenset)):
        items = [to_json(each, tensors, f"{path}/{number}") for number, each in enumerate(value)]
        kind = next(kind for kind in (list, tuple, frozenset, set) if isinstance(value, kind))
        return items if kind is list else {_TAG: kind.__name__, "items": items}
    if isinstance(value, (int, float, complex)):
        return {_TAG: "complex", "parts": [value.real, value.imag]} if isinstance(value, complex) else value
    if isinstance(value, bytes):
        return {_TAG: "bytes", "base64": base64.b64encode(value).decode()}
    if isinstance(value, (facula.dtype, facula.device)):
        return {_TAG: type(value).__name__, "name": str(value).rpartition(".")[2]}
    if isinstance(value, np.generic):
        return to_json(value.item(), tensors, path)
    raise TypeError(
        f"{path or 'the value'} is a {type(value).__name__}, which a checkpoint cannot hold:"
        " expected tensors and plain data (numbers, text, lists, dictionaries ...)"
    )


def _put(tensor: Tensor, tensors: dict[str, Tensor], path: str) -> dict[str, str]:
    name = path or "tensor"
    if tensor.is_complex():
        tensors[name] = facula.view_as_real(tensor.detach())
        return {_TAG: "complex_tensor", "name": name}
    tensors[name] = tensor.detach()
    return {_TAG: "tensor", "name": name}


def _mapping(value: Mapping[Any, Any], tensors: dict[str, Tensor], path: str) -> dict[str, Any]:
    def inside(key: object) -> str:
        return f"{path}/{key}" if path else str(key)

    ordered = isinstance(value, OrderedDict)
    if all(isinstance(key, str) for key in value) and _TAG not in value and not ordered:
        return {key: to_json(each, tensors, inside(key)) for key, each in value.items()}
    items = [[to_json(key, tensors), to_json(each, tensors, inside(key))] for key, each in value.items()]
    return {_TAG: "ordered" if ordered else "dict", "items": items}


def from_json(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Return what `to_json` was given."""
    if isinstance(value, list):
        return [from_json(each, tensors) for each in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: from_json(each, tensors) for key, each in value.items()}
    if tag in ("tensor", "complex_tensor"):
        tensor = tensors[value["name"]]
        return tensor if tag == "tensor" else facula.view_as_complex(tensor)
    if tag in ("tuple", "set", "frozenset"):
        return {"tuple": tuple, "set": set, "frozenset": frozenset}[tag](from_json(value["items"], tensors))
    if tag in ("dict", "ordered"):
        pairs = [(from_json(key, tensors), from_json(each, tensors)) for key, each in value["items"]]
        return dict(pairs) if tag == "dict" else OrderedDict(pairs)
    if tag == "complex":
        return complex(*value["parts"])
    if tag == "bytes":
        return base64.b64decode(value["base64"])
    if tag == "device":
        return facula.device(value["name"])
    if tag == "dtype":
        found = getattr(facula, value["name"], None)
        if isinstance(found, facula.dtype):
            return found
    raise ValueError(f"a checkpoint has no {value!r}")
