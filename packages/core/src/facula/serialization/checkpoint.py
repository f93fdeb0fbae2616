"""PyTorch's zip checkpoints: a pickle that names storages, and the storages as files of their own.

Nothing in a file is executed: the unpickler knows a fixed list of names and refuses all others.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
import sys
import zipfile
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import BinaryIO

import numpy as np

from facula import backend, dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.nn.parameter import Parameter
from facula.serialization.atomic import atomic_write
from facula.size import Size
from facula.tensor import Tensor
from facula.tensor_base import owner, wrap

File = str | os.PathLike[str] | BinaryIO

#: PyTorch's names for the storages of each type.
STORAGES = {
    **{"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage", "bfloat16": "BFloat16Storage"},
    **{"int64": "LongStorage", "int32": "IntStorage", "int16": "ShortStorage", "int8": "CharStorage"},
    **{"uint8": "ByteStorage", "bool": "BoolStorage", "complex64": "ComplexFloatStorage"},
    **{"complex128": "ComplexDoubleStorage"},
}
_DTYPES = {each.name: each for each in dtypes.ALL}


class _StorageType:
    """What stands for ``torch.FloatStorage`` in a pickle."""

    def __init__(self, dtype: DType | None) -> None:
        self.dtype = dtype


_STORAGE_TYPES = {name: _StorageType(_DTYPES[kind]) for kind, name in STORAGES.items()}
_STORAGE_TYPES["UntypedStorage"] = _StorageType(None)


def _rebuild_tensor(storage: np.ndarray, offset: int, size: tuple, stride: tuple, *rest: object) -> Tensor:
    """Return a tensor on a storage: what ``torch._utils._rebuild_tensor_v2`` means."""
    requires_grad = bool(rest[0]) if rest else False
    if len(size) != len(stride) or any(n < 0 for n in (*size, *stride, offset)):
        raise pickle.UnpicklingError(f"a tensor has size {tuple(size)}, stride {tuple(stride)}, offset {offset}")
    reach = offset + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) + 1
    if 0 not in size and reach > storage.size:
        raise pickle.UnpicklingError(
            f"a tensor of size {tuple(size)} reaches element {reach} of a storage of {storage.size}"
        )
    steps = tuple(step * storage.itemsize for step in stride)
    start = 0 if 0 in size else offset * storage.itemsize
    made = wrap(np.ndarray(tuple(size), storage.dtype, storage, start, steps))
    return made.requires_grad_() if requires_grad else made


def _rebuild_parameter(data: Tensor, requires_grad: bool, *rest: object) -> Parameter:
    return Parameter(data, requires_grad)


def _rebuild_device(*args: object) -> Device:
    return Device(*args)


def _encode(text: str, encoding: str) -> bytes:
    """Return the bytes that the old protocols write as text."""
    if encoding not in ("latin1", "latin-1", "utf-8"):
        raise pickle.UnpicklingError(f"the file encodes text as {encoding!r}, which was refused")
    return text.encode(encoding)


#: Every name a checkpoint may use, and what is called for it.
_KNOWN: dict[tuple[str, str], object] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("collections", "Counter"): Counter,
    ("collections", "defaultdict"): defaultdict,
    ("builtins", "set"): set,
    ("builtins", "frozenset"): frozenset,
    ("builtins", "complex"): complex,
    ("builtins", "dict"): dict,
    ("builtins", "list"): list,
    ("_codecs", "encode"): _encode,
    ("torch", "Size"): Size,
    ("torch", "device"): Device,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    **{("torch", name): each for name, each in _DTYPES.items()},
    **{("torch", name): each for name, each in _STORAGE_TYPES.items()},
    **{("torch.storage", name): each for name, each in _STORAGE_TYPES.items()},
}

#: The classes whose instances a checkpoint may make without calling them, and give attributes.
_PLAIN = (OrderedDict, Counter, defaultdict, set, frozenset, dict, list)


class _Unpickler(pickle._Unpickler):
    """Python's own unpickler in Python, so that every instruction that could call or change something is checked."""

    dispatch = dict(pickle._Unpickler.dispatch)

    def __init__(self, file: BinaryIO, read_storage: Callable[[tuple], np.ndarray]) -> None:
        super().__init__(file, encoding="utf-8")
        self._read_storage = read_storage

    def find_class(self, module: str, name: str) -> object:
        """Return what a known name means; refuse all others."""
        try:
            # The old protocols write the name that the module of built-in functions had in Python 2.
            return _KNOWN["builtins" if module == "__builtin__" else module, name]
        except KeyError:
            raise pickle.UnpicklingError(
                f"the file asks for {module}.{name}, which is none of the names that checkpoints of tensors and plain "
                "data need; it was refused, and nothing was executed"
            ) from None

    def persistent_load(self, pid: object) -> np.ndarray:
        """Return the storage of a name."""
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage" or not isinstance(pid[1], _StorageType):
            raise pickle.UnpicklingError(f"expected the name of a storage, got {pid!r}")
        return self._read_storage(pid)

    def _checked_reduce(self) -> None:
        if not any(self.stack[-2] is each for each in _KNOWN.values()):
            raise pickle.UnpicklingError(f"the file calls {self.stack[-2]!r}, which was refused")
        pickle._Unpickler.load_reduce(self)

    def _checked_new(self) -> None:
        if self.stack[-2] not in _PLAIN:
            raise pickle.UnpicklingError(f"the file makes an object of {self.stack[-2]!r}, which was refused")
        pickle._Unpickler.load_newobj(self)

    def _checked_build(self) -> None:
        state, instance = self.stack[-1], self.stack[-2]
        if type(instance) not in _PLAIN or not isinstance(state, dict) or not hasattr(instance, "__dict__"):
            raise pickle.UnpicklingError(f"the file sets attributes of {type(instance).__name__}, which was refused")
        self.stack.pop()
        instance.__dict__.update(state)

    def _refused(self) -> None:
        raise pickle.UnpicklingError("the file uses a pickle instruction that no checkpoint needs, which was refused")

    dispatch[pickle.REDUCE[0]] = _checked_reduce
    dispatch[pickle.NEWOBJ[0]] = _checked_new
    dispatch[pickle.BUILD[0]] = _checked_build
    for _code in (
        *(pickle.INST, pickle.OBJ, pickle.NEWOBJ_EX, pickle.EXT1, pickle.EXT2, pickle.EXT4),
        # These take memory by a number in the file before any data is there.
        *(pickle.BYTEARRAY8, pickle.NEXT_BUFFER, pickle.READONLY_BUFFER),
    ):
        dispatch[_code[0]] = _refused


class _ExecutingUnpickler(_Unpickler):
    """The whole of pickle, for files that are trusted like a program."""

    dispatch = pickle._Unpickler.dispatch

    def find_class(self, module: str, name: str) -> object:
        """Return what a name means here or in the module it names."""
        found = _KNOWN.get((module, name))
        return pickle._Unpickler.find_class(self, module, name) if found is None else found


# Writing.


class _Global:
    """A name in a pickle, of a module that is not here."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self) -> None:
        raise TypeError(f"{self.module}.{self.name} is only a name here")


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_STORAGE_NAMES = {kind: _Global("torch", name) for kind, name in STORAGES.items()}
_DTYPE_NAMES = {each.name: _Global("torch", each.name) for each in dtypes.ALL}
_SIZE, _DEVICE = _Global("torch", "Size"), _Global("torch", "device")


class _Storage:
    """A storage on its way into a pickle."""

    def __init__(self, whole: np.ndarray, kind: str, device: str) -> None:
        self.whole = whole
        self.kind = kind
        self.device = device


class _Pickler(pickle._Pickler):
    """Writes tensors as PyTorch does: a call that rebuilds them from a named storage."""

    dispatch = dict(pickle._Pickler.dispatch)

    def __init__(self, file: BinaryIO, protocol: int) -> None:
        super().__init__(file, protocol)
        self.storages: dict[int, tuple[str, np.ndarray, str]] = {}

    def persistent_id(self, value: object) -> object:
        """Return the name a storage is saved under."""
        if not isinstance(value, _Storage):
            return None
        whole = value.whole
        known = self.storages.setdefault(whole.ctypes.data, (str(len(self.storages)), whole, value.kind))
        if known[2] != value.kind:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different types: "
                f"{known[2]} and {value.kind}"
            )
        return ("storage", _STORAGE_NAMES[value.kind], known[0], value.device, whole.size)

    def reducer_override(self, value: object) -> object:
        """Return how to rebuild what is ours; the rest is left to pickle."""
        if isinstance(value, Tensor):
            return self._reduce_tensor(value)
        if isinstance(value, Size):
            return _SIZE, (tuple(value),)
        if isinstance(value, Device):
            return _DEVICE, (value.type,) if value.index is None else (value.type, value.index)
        return NotImplemented

    def _reduce_tensor(self, tensor: Tensor) -> tuple:
        if isinstance(tensor, Parameter):
            return _REBUILD_PARAMETER, (tensor.detach(), tensor.requires_grad, OrderedDict())
        if tensor.dtype.name not in STORAGES:
            raise TypeError(f"tensors of type {tensor.dtype} cannot be saved in PyTorch's format")
        array = backend.to_numpy(tensor._array)
        whole = owner(array)
        # A view of foreign bytes, or of another type, is saved by itself.
        if whole.dtype != array.dtype or not whole.flags.c_contiguous:
            array = whole = np.ascontiguousarray(array)
        offset = (array.ctypes.data - whole.ctypes.data) // max(array.itemsize, 1) if array.size else 0
        flat = whole.reshape(-1)
        storage = _Storage(flat, tensor.dtype.name, str(tensor.device))
        stride = tuple(step // array.itemsize for step in array.strides) if array.size else tensor.stride()
        gradient = tensor.requires_grad
        return _REBUILD_TENSOR, (storage, offset, tuple(array.shape), stride, gradient, OrderedDict())

    def _save_global_name(self, value: _Global) -> None:
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        self.memoize(value)

    def _save_dtype(self, value: DType) -> None:
        self.save(_DTYPE_NAMES[value.name])

    dispatch[_Global] = _save_global_name
    dispatch[DType] = _save_dtype


def _write_record(archive: zipfile.ZipFile, name: str, data: bytes | memoryview) -> None:
    """Add a file whose bytes start at a multiple of 64, so that it can be mapped into memory."""
    info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
    start = archive.fp.tell() + 30 + len(name.encode()) + 4
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
    pickler = _Pickler(text, protocol)
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
    map_location: Device | str | None = None,
    pickle_module: object = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
) -> object:
    """Return what `save`, or PyTorch's, wrote to a file; nothing in the file is executed, whatever it holds.

    ``map_location`` is the device for all tensors. RuntimeError for a file that is broken or no checkpoint, and
    UnpicklingError for one that asks for more than tensors and plain data.
    """
    if weights_only is False:
        raise ValueError(
            "facula.load never executes what is in a file; for a file that is trusted like a program, call "
            "facula.serialization.unsafe_load in place of load with weights_only=False"
        )
    if mmap:
        raise NotImplementedError("mmap=True is not available yet; the file is read into memory without it")
    return _load(f, map_location, _Unpickler)


def unsafe_load(f: File, map_location: Device | str | None = None) -> object:
    """Return what is in a checkpoint that holds more than tensors and plain data; it may do anything while it is read.

    Only for files that are trusted like a program: whoever wrote the file decides what is executed here.
    """
    return _load(f, map_location, _ExecutingUnpickler)


def _load(f: File, map_location: Device | str | None, unpickler: type[_Unpickler]) -> object:
    label = f"file {os.fspath(f)!r}" if isinstance(f, (str, os.PathLike)) else "the given file object"
    try:
        archive = zipfile.ZipFile(f)
    except zipfile.BadZipFile as error:
        raise RuntimeError(f"{label} is no checkpoint in PyTorch's zip format, or is cut short: {error}") from None
    with archive:
        try:
            result = _Reader(archive, label).read(unpickler)
        except (zipfile.BadZipFile, EOFError, struct.error) as error:
            raise RuntimeError(f"{label} is damaged: {error}") from None
        except pickle.UnpicklingError as error:
            raise pickle.UnpicklingError(f"{label}: {error}") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RuntimeError(
                f"{label} is damaged: its pickle cannot be read ({type(error).__name__}: {error})"
            ) from None
    return result if map_location is None else _on_device(result, map_location, {})


class _Reader:
    """Reads one archive."""

    def __init__(self, archive: zipfile.ZipFile, label: str) -> None:
        self.archive = archive
        self.label = label
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

    def read(self, unpickler: type[_Unpickler]) -> object:
        """Return the object."""
        text = io.BytesIO(self.archive.read(f"{self.root}/data.pkl"))
        return unpickler(text, self.storage).load()

    def storage(self, pid: tuple) -> np.ndarray:
        """Return the storage of a name, read once."""
        _, kind, key, _, count = pid[:5]
        found = self.storages.get(key)
        if found is None:
            name = f"{self.root}/data/{key}"
            if name not in self.names:
                raise RuntimeError(f"{self.label} is damaged: storage {key!r} is missing")
            dtype = (kind.dtype or dtypes.uint8).numpy
            data = bytearray(self.archive.read(name))
            if len(data) != count * dtype.itemsize:
                raise RuntimeError(
                    f"{self.label} is damaged: storage {key!r} has {len(data)} bytes, "
                    f"expected {count} elements of {dtype}"
                )
            found = np.frombuffer(data, dtype)
            if self.swapped:
                found = found.byteswap()
            self.storages[key] = found
        return found


def _on_device(value: object, device: Device | str, moved: dict[int, object]) -> object:
    if isinstance(value, Tensor):
        if id(value) not in moved:
            made = value.detach().to(device=device)
            made = Parameter(made, value.requires_grad) if isinstance(value, Parameter) else made
            moved[id(value)] = made.requires_grad_(value.requires_grad)
        return moved[id(value)]
    if isinstance(value, dict):
        for key, each in value.items():
            value[key] = _on_device(each, device, moved)
        return value
    if isinstance(value, list):
        value[:] = [_on_device(each, device, moved) for each in value]
        return value
    return tuple(_on_device(each, device, moved) for each in value) if type(value) is tuple else value
