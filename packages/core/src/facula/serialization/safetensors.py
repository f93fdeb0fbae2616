"""Safetensors files: named tensors and nothing else. https://github.com/huggingface/safetensors"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from facula import backend, dtypes
from facula.serialization.atomic import atomic_write
from facula.tensor import Tensor
from facula.tensor_base import wrap

_NAMES = {
    **{"float64": "F64", "float32": "F32", "float16": "F16", "bfloat16": "BF16", "int64": "I64", "int32": "I32"},
    **{"int16": "I16", "int8": "I8", "uint8": "U8", "uint16": "U16", "uint32": "U32", "uint64": "U64", "bool": "BOOL"},
}
_DTYPES = {label: next(each for each in dtypes.ALL if each.name == name).numpy for name, label in _NAMES.items()}
_LONGEST_HEADER = 100_000_000


def save_safetensors(
    tensors: Mapping[str, Tensor], filename: str | os.PathLike[str], metadata: Mapping[str, str] | None = None
) -> None:
    """Write named tensors to a file, whole or not at all."""
    header: dict[str, object] = {"__metadata__": dict(metadata)} if metadata else {}
    arrays, position = [], 0
    # Wide types first, so that every tensor is aligned to its element size.
    for name in sorted(tensors, key=lambda each: (-tensors[each].itemsize, each)):
        tensor = tensors[name]
        if tensor.dtype.name not in _NAMES:
            raise TypeError(f"tensor {name!r} is of type {tensor.dtype}, which safetensors files do not have")
        array = np.ascontiguousarray(backend.to_numpy(tensor._array))
        end = position + array.nbytes
        header[name] = {
            "dtype": _NAMES[tensor.dtype.name],
            "shape": list(tensor.shape),
            "data_offsets": [position, end],
        }
        arrays.append(array)
        position = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with atomic_write(filename) as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for array in arrays:
            file.write(array.tobytes())


def load_safetensors(filename: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Return the named tensors of a file; RuntimeError, naming it, when it is damaged."""
    data = Path(filename).read_bytes()

    def refuse(why: str) -> RuntimeError:
        return RuntimeError(f"file {os.fspath(filename)!r} is no safetensors file, or is damaged: {why}")

    if len(data) < 8:
        raise refuse(f"it has {len(data)} bytes, and the length of its header takes 8")
    (length,) = struct.unpack("<Q", data[:8])
    if length > min(len(data) - 8, _LONGEST_HEADER):
        raise refuse(f"its header should have {length} bytes, and {len(data) - 8} follow")
    try:
        header = json.loads(data[8 : 8 + length])
    except ValueError as error:
        raise refuse(f"its header is no JSON ({error})") from None
    if not isinstance(header, dict):
        raise refuse("its header is no JSON object")
    body = memoryview(data)[8 + length :]
    tensors: dict[str, Tensor] = {}
    spans = []
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            kind, shape, (start, end) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
            if not isinstance(entry["shape"], list) or not all(type(each) is int and each >= 0 for each in shape):
                raise ValueError(f"a shape is a list of lengths, got {entry['shape']!r}")
            expected = int(np.prod(shape, dtype=object)) * kind.itemsize
        except (KeyError, TypeError, ValueError) as error:
            raise refuse(f"the entry of tensor {name!r} is wrong ({type(error).__name__}: {error})") from None
        if not 0 <= start <= end <= len(body) or end - start != expected:
            raise refuse(
                f"tensor {name!r} of shape {list(shape)} needs {expected} bytes, "
                f"got offsets [{start}, {end}] of {len(body)} bytes"
            )
        spans.append((start, end, name))
        tensors[name] = wrap(np.frombuffer(bytearray(body[start:end]), kind).reshape(shape))
    position = 0
    for start, end, name in sorted(spans):
        if start != position:
            raise refuse(f"tensor {name!r} begins at byte {start}, where the one before it ends at {position}")
        position = end
    if position != len(body):
        raise refuse(f"its tensors end at byte {position} of {len(body)}")
    return tensors
