"""The manifest of a checkpoint: type, shape and SHA-256 of every tensor in it, by its place."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from facula import Tensor

FORMAT = "facula-lightning checkpoint"


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Yield the place and value of everything in nested mappings, lists and tuples that is none of them.

    >>> list(leaves({"a": [1, {"b": 2}]}))
    [('a/0', 1), ('a/1/b', 2)]
    """
    if isinstance(value, Mapping):
        pairs: Any = value.items()
    elif isinstance(value, (list, tuple)):
        pairs = enumerate(value)
    else:
        yield path, value
        return
    for key, each in pairs:
        yield from leaves(each, f"{path}/{key}" if path else str(key))


def tensor_entry(tensor: Tensor) -> dict[str, Any]:
    """Return the type, shape and SHA-256 of a tensor."""
    return {
        "dtype": str(tensor.dtype).rpartition(".")[2],
        "shape": list(tensor.shape),
        "sha256": hashlib.sha256(tensor_bytes(tensor)).hexdigest(),
    }


def tensor_bytes(tensor: Tensor) -> memoryview:
    """Return the numbers of a tensor, in C order."""
    array = np.ascontiguousarray(tensor.detach().cpu().numpy())
    return array.reshape(-1).view(np.uint8).data


def make_manifest(checkpoint: Mapping[str, Any], pickled: bytes | None = None) -> dict[str, Any]:
    """Return the manifest of a checkpoint; with the SHA-256 of its pickle, where it has one."""
    tensors = {path: tensor_entry(each) for path, each in leaves(checkpoint) if isinstance(each, Tensor)}
    manifest: dict[str, Any] = {"format": FORMAT, "version": 1, "tensors": tensors}
    if pickled is not None:
        manifest["pickle"] = hashlib.sha256(pickled).hexdigest()
    return manifest


def compare_with_manifest(checkpoint: Mapping[str, Any], manifest: Mapping[str, Any]) -> list[str]:
    """Return what in a checkpoint is not as its manifest says, a sentence for each; empty when all is well."""
    if not isinstance(manifest.get("tensors"), Mapping):
        return ["its manifest has no tensors"]
    expected = dict(manifest["tensors"])
    wrong = []
    for path, value in leaves(checkpoint):
        if not isinstance(value, Tensor):
            continue
        entry = expected.pop(path, None)
        if entry is None:
            wrong.append(f"the tensor {path!r} is not in its manifest")
        elif entry != tensor_entry(value):
            wrong.append(f"the tensor {path!r} was changed")
    return wrong + [f"the tensor {path!r} is missing" for path in expected]
