"""PyTorch's zip checkpoints: a pickle that names storages, and the storages as files of their own."""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zipfile
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from facula import dtypes
from facula.devices import device as Device
from facula.nn.parameter import Parameter
from facula.serialization import legacy
from facula.serialization.atomic import atomic_write
from facula.serialization.pickler import CheckpointPickler
from facula.serialization.unpickler import CheckpointUnpickler, ExecutingUnpickler
from facula.tensor import Tensor

File = str | os.PathLike[str] | BinaryIO
Location = Device | str | dict[str, str] | Callable[[object, str], object] | None


def _write_record(archive: zipfile.ZipFile, name: str, data: bytes | memoryview) -> None:
    """Add a file whose bytes start at a multiple of 64, so that it can be mapped into memory."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    start = archive.fp.tell() + 30 + len(name.encode()) + 4  # type: ignore[union-attr]  # open
    padding = -start % 64
    info.extra = struct.pack("<HH", 0x4246, padding) + b"Z" * padding
    archive.writestr(info, data)


def save(
    obj: object,
    f: File,
    pickle_module: object = None,
    pickle_protocol: int = 2,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Write tensors and plain data, in any nesting, to a file in PyTorch's format, which PyTorch reads.

    A path is written whole or not at all. Tensors that share memory still do when loaded.
    """
    if not _use_new_zipfile_serialization:
        raise NotImplementedError("facula.save writes PyTorch's zip format only, not the one before it")
    if isinstance(f, (str, os.PathLike)):
        with atomic_write(f) as file:
            _save(obj, file, os.path.basename(os.fspath(f)).rpartition(".")[0] or "archive", pickle_protocol)
    else:
        _save(obj, f, "archive", pickle_protocol)


def _save(obj: object, file: BinaryIO, name: str, protocol: int) -> None:
    text = io.BytesIO()
    pickler = CheckpointPickler(text, protocol)
    pickler.dump(obj)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        _write_record(archive, f"{name}/data.pkl", text.getvalue())
        _write_record(archive, f"{name}/byteorder", sys.byteorder.encode())
        for key, whole, _ in pickler.storages.values():
            _write_record(archive, f"{name}/data/{key}", whole.tobytes())
        _write_record(archive, f"{name}/version", b"3\n")


# Reading.


def load(
    f: File,
    map_location: Location = None,
    pickle_module: object = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: object,
) -> Any:
    """Return what `save`, or PyTorch's, wrote to a file; nothing in the file is executed, whatever it holds.

    ``map_location`` is the device for all tensors, or a dictionary or function that gives it for each saved one. With
    ``mmap`` the file's storages are mapped into memory, and read when they are first used. RuntimeError for a file that
    is broken or no checkpoint, and UnpicklingError for one that asks for more than tensors and plain data, with
    ``weights_only=False`` too: `facula.serialization.unsafe_load` reads such a file.
    """
    if mmap and not isinstance(f, (str, os.PathLike)):
        raise ValueError(f"f must be a file path in order to use the mmap argument, got {type(f).__name__}")
    return _load(f, map_location, CheckpointUnpickler, bool(mmap))


def unsafe_load(f: File, map_location: Location = None) -> object:
    """Return what is in a checkpoint that holds more than tensors and plain data; it may do anything while it is read.

    Only for files that are trusted like a program: whoever wrote the file decides what is executed here.
    """
    return _load(f, map_location, ExecutingUnpickler)


def _load(f: File, map_location: Location, unpickler: type[CheckpointUnpickler], mapped: bool = False) -> object:
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            result = _read(file, f"file {os.fspath(f)!r}", unpickler, os.fspath(f) if mapped else None)
    else:
        result = _read(f, "the given file object", unpickler, None)
    return result if map_location is None else _on_device(result, map_location, {})


def _read(file: BinaryIO, label: str, unpickler: type[CheckpointUnpickler], mapped: str | None) -> object:
    """Return the object in an open file; ``mapped`` is the path of one whose storages are to be mapped."""
    try:
        if legacy.is_legacy(file):
            if mapped is not None:
                raise RuntimeError(f"{label} is in PyTorch's format before the zip files, which cannot be mapped")
            return legacy.read(file, unpickler)
        try:
            archive = zipfile.ZipFile(file)
        except zipfile.BadZipFile as error:
            raise RuntimeError(f"{label} is no checkpoint in PyTorch's format, or is cut short: {error}") from None
        with archive:
            return _Reader(archive, label, mapped).read(unpickler)
    except (zipfile.BadZipFile, EOFError, struct.error) as error:
        raise RuntimeError(f"{label} is damaged: {error}") from None
    except pickle.UnpicklingError as error:
        advice = "" if unpickler is ExecutingUnpickler else _ADVICE
        raise pickle.UnpicklingError(f"{label}: {error}{advice}") from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise RuntimeError(f"{label} is damaged: its pickle cannot be read ({type(error).__name__}: {error})") from None


_ADVICE = (
    ". A file that is trusted like a program can be read by facula.serialization.unsafe_load; single classes can be "
    "allowed by facula.serialization.add_safe_globals"
)


class _Reader:
    """Reads one archive."""

    def __init__(self, archive: zipfile.ZipFile, label: str, mapped: str | None) -> None:
        self.archive = archive
        self.label = label
        self.mapped = mapped
        self.names = set(archive.namelist())
        pickles = [name for name in self.names if name.endswith("/data.pkl") and name.count("/") == 1]
        if len(pickles) != 1:
            raise RuntimeError(f"{label} is a zip file but no checkpoint: it has {len(pickles)} files named */data.pkl")
        self.root = pickles[0].rpartition("/")[0]
        self.storages: dict[str, np.ndarray] = {}
        # A compressed file may be a thousand times as long as it looks; those of checkpoints are not compressed.
        compressed = [info.filename for info in archive.infolist() if info.compress_type != zipfile.ZIP_STORED]
        if compressed:
            raise RuntimeError(f"{label} is no checkpoint: {compressed[0]!r} in it is compressed")
        order = f"{self.root}/byteorder"
        self.swapped = order in self.names and archive.read(order).decode().strip() != sys.byteorder

    def read(self, unpickler: type[CheckpointUnpickler]) -> object:
        """Return the object."""
        text = io.BytesIO(self.archive.read(f"{self.root}/data.pkl"))
        return unpickler(text, self.storage).load()

    def _map(self, name: str) -> np.ndarray:
        """Return the bytes of a record, mapped from the file; what is written to them stays in this process."""
        record = self.archive.getinfo(name)
        assert self.mapped is not None
        with open(self.mapped, "rb") as file:
            file.seek(record.header_offset)
            header = file.read(30)
        length_of_name, length_of_extra = struct.unpack("<26xHH", header)
        start = record.header_offset + 30 + length_of_name + length_of_extra
        if not record.file_size:
            return np.empty(0, np.uint8)
        return np.memmap(self.mapped, np.uint8, "c", start, record.file_size)

    def storage(self, pid: tuple[Any, ...]) -> np.ndarray:
        """Return the storage of a name, read once."""
        _, kind, key, _, count = pid[:5]
        found = self.storages.get(key)
        if found is None:
            name = f"{self.root}/data/{key}"
            if name not in self.names:
                raise RuntimeError(f"{self.label} is damaged: storage {key!r} is missing")
            dtype = (kind.dtype or dtypes.uint8).numpy
            size = self.archive.getinfo(name).file_size
            if size != count * dtype.itemsize:
                raise RuntimeError(
                    f"{self.label} is damaged: storage {key!r} has {size} bytes, expected {count} elements of {dtype}"
                )
            found = np.ndarray(count, dtype, self._map(name) if self.mapped else bytearray(self.archive.read(name)))
            if self.swapped:
                found = found.byteswap()
            self.storages[key] = found
        return found


def _target(map_location: Location, saved: Device) -> Device | str:
    """Return where a tensor goes that was saved from a device."""
    if isinstance(map_location, dict):
        return map_location.get(str(saved), saved)
    if callable(map_location):
        found = map_location(None, str(saved))
        # The usual function returns the storage it is given: one on the CPU.
        return found if isinstance(found, (str, Device)) else "cpu"
    return saved if map_location is None else map_location


def _on_device(value: object, map_location: Location, moved: dict[int, object]) -> object:
    if isinstance(value, Tensor):
        if id(value) not in moved:
            made = value.detach().to(device=_target(map_location, value.device))
            made = Parameter(made, value.requires_grad) if isinstance(value, Parameter) else made
            moved[id(value)] = made.requires_grad_(value.requires_grad)
        return moved[id(value)]
    if isinstance(value, dict):
        for key, each in value.items():
            value[key] = _on_device(each, map_location, moved)
        return value
    if isinstance(value, list):
        value[:] = [_on_device(each, map_location, moved) for each in value]
        return value
    return tuple(_on_device(each, map_location, moved) for each in value) if type(value) is tuple else value
