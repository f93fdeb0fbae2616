"""Checkpoints as safetensors files: the tensors, and all else as JSON among the metadata; nothing to execute."""

from __future__ import annotations

import hashlib
import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import facula
from facula import Tensor

from facula_lightning.checkpointing.manifest import make_manifest
from facula_lightning.checkpointing.tree import from_json, to_json

_TREE, _MANIFEST, _HASH = "facula_checkpoint", "facula_manifest", "facula_checkpoint_sha256"


def write_safetensors_checkpoint(checkpoint: Mapping[str, Any], path: str | os.PathLike[str]) -> None:
    """Write a checkpoint to a safetensors file, whole or not at all; any reader of such files finds its tensors."""
    tensors: dict[str, Tensor] = {}
    text = json.dumps(to_json(checkpoint, tensors))
    metadata = {
        _TREE: text,
        _HASH: hashlib.sha256(text.encode()).hexdigest(),
        _MANIFEST: json.dumps(make_manifest(checkpoint)),
    }
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    facula.serialization.save_safetensors(tensors, path, metadata)


def is_safetensors(file: BinaryIO) -> bool:
    """Return whether an open file begins as safetensors files do."""
    start = file.read(9)
    return len(start) == 9 and start[8:] == b"{" and struct.unpack("<Q", start[:8])[0] < 100_000_000


def read_safetensors_checkpoint(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the checkpoint in a safetensors file, and its manifest.

    A file with tensors only is a checkpoint with only a ``state_dict``.
    """
    tensors = facula.serialization.load_safetensors(path)
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        metadata = json.loads(file.read(length)).get("__metadata__", {})
    ours = [name in metadata for name in (_TREE, _HASH, _MANIFEST)]
    if not any(ours):
        return {"state_dict": tensors}, None
    if not all(ours):
        raise ValueError("part of its plain data is missing")
    if hashlib.sha256(metadata[_TREE].encode()).hexdigest() != metadata.get(_HASH):
        raise ValueError("the plain data in it was changed")
    return from_json(json.loads(metadata[_TREE]), tensors), json.loads(metadata[_MANIFEST])
