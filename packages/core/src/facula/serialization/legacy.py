"""PyTorch's format before the zip files: five pickles in a row, then the storages."""

from __future__ import annotations

import pickle
import struct
from typing import Any, BinaryIO

import numpy as np

from facula import dtypes
from facula.serialization.unpickler import CheckpointUnpickler

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
#: How the file begins: the number above as a pickle of protocol 2.
BEGINNING = pickle.dumps(MAGIC, protocol=2)


class _Storages:
    """The storages of a file: made when their names are met, filled when their bytes come."""

    def __init__(self, size_of_file: int) -> None:
        self.found: dict[str, np.ndarray] = {}
        self._left = size_of_file

    def named(self, pid: tuple[Any, ...]) -> np.ndarray:
        """Return the storage of a name, or the part of one that a view is of."""
        _, kind, key, _, count, *rest = pid
        dtype = (kind.dtype or dtypes.uint8).numpy
        storage = self.found.get(key)
        if storage is None:
            if not isinstance(count, int) or not 0 <= count * dtype.itemsize <= self._left:
                raise pickle.UnpicklingError(f"storage {key!r} of {count} elements is longer than the file")
            self._left -= count * dtype.itemsize
            storage = self.found[key] = np.empty(count, dtype)
        if rest and rest[0] is not None:
            _, offset, length = rest[0]
            return storage[offset : offset + length]
        return storage


def is_legacy(file: BinaryIO) -> bool:
    """Return whether a file, at its start, is in this format."""
    start = file.tell()
    beginning = file.read(len(BEGINNING))
    file.seek(start)
    return beginning == BEGINNING


def read(file: BinaryIO, unpickler: type[CheckpointUnpickler]) -> object:
    """Return the object in a file of this format. UnpicklingError or EOFError where the file is not as it should be."""
    start = file.tell()
    size = file.seek(0, 2) - start
    file.seek(start)
    storages = _Storages(size)
    plain = [unpickler(file, storages.named).load() for _ in range(3)]
    if plain[0] != MAGIC or plain[1] != PROTOCOL or not isinstance(plain[2], dict):
        raise pickle.UnpicklingError(f"expected the format {PROTOCOL} of PyTorch, got {plain[1]!r}")
    if not plain[2].get("little_endian", True):
        raise pickle.UnpicklingError("the file was written on a big-endian machine")
    result = unpickler(file, storages.named).load()
    keys = unpickler(file, storages.named).load()
    if not isinstance(keys, list) or set(keys) != set(storages.found):
        raise pickle.UnpicklingError(f"expected the storages {sorted(storages.found)}, got {keys!r}")
    for key in keys:
        storage = storages.found[key]
        (count,) = struct.unpack("<q", _exactly(file, 8))
        if count != storage.size:
            raise pickle.UnpicklingError(f"storage {key!r} has {count} elements, expected {storage.size}")
        storage.view(np.uint8)[...] = np.frombuffer(_exactly(file, storage.nbytes), np.uint8)
    return result


def _exactly(file: BinaryIO, count: int) -> bytes:
    data = file.read(count)
    if len(data) != count:
        raise EOFError(f"the file ends {count - len(data)} bytes too early")
    return data
