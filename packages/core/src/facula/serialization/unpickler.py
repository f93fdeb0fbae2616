"""Reading the pickles of checkpoints: nothing in a file is executed.

The unpickler knows a fixed list of names, and those a program adds by `add_safe_globals`, and refuses all others.
"""

from __future__ import annotations

import importlib
import pickle
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import numpy as np

from facula import dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.nn.parameter import Parameter
from facula.size import Size
from facula.tensor import Tensor
from facula.tensor_base import wrap

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


def _rebuild_tensor(
    storage: np.ndarray, offset: int, size: tuple[Any, ...], stride: tuple[Any, ...], *rest: object
) -> Tensor:
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


def _rebuild_tensor_of_bytes(
    storage: np.ndarray,
    offset: int,
    size: tuple[Any, ...],
    stride: tuple[Any, ...],
    requires_grad: bool,
    hooks: object,
    dtype: DType,
    *rest: object,
) -> Tensor:
    """Return a tensor on a storage that has no type of its own: ``torch._utils._rebuild_tensor_v3``."""
    if not isinstance(dtype, DType) or storage.nbytes % dtype.itemsize:
        raise pickle.UnpicklingError(f"a storage of {storage.nbytes} bytes is read as {dtype}")
    return _rebuild_tensor(storage.view(dtype.numpy), offset, size, stride, requires_grad)


def _rebuild_parameter_with_state(data: Tensor, requires_grad: bool, hooks: object, state: object) -> Parameter:
    parameter = Parameter(data, requires_grad)
    if isinstance(state, dict):
        vars(parameter).update({name: value for name, value in state.items() if name not in vars(parameter)})
    return parameter


def _rebuild_parameter(data: Tensor, requires_grad: bool, *rest: object) -> Parameter:
    return Parameter(data, requires_grad)


def _rebuild_device(*args: Any) -> Device:
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
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_tensor_of_bytes,
    ("torch._utils", "_rebuild_parameter"): _rebuild_parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _rebuild_parameter_with_state,
    **{("torch", name): each for name, each in _DTYPES.items()},
    **{("torch", name): each for name, each in _STORAGE_TYPES.items()},
    **{("torch.storage", name): each for name, each in _STORAGE_TYPES.items()},
}

#: The classes whose instances a checkpoint may make without calling them, and give attributes.
_PLAIN = (OrderedDict, Counter, defaultdict, set, frozenset, dict, list)


#: What a program has declared safe, by module and name.
_added: dict[tuple[str, str], object] = {}


def _name_of(safe: Any) -> tuple[tuple[str, str], object]:
    """Return the module and name under which files know an object, and the object."""
    if isinstance(safe, tuple):
        found, path = safe
        module, _, name = path.rpartition(".")
        return (module, name), found
    return (safe.__module__, safe.__qualname__), safe


def add_safe_globals(safe_globals: list[Any]) -> None:
    """Let checkpoints use these classes and functions: each an object, or a pair of it and its name in the file.

    Whoever writes a file can then call them; add nothing that does more than hold data.
    """
    _added.update(_name_of(each) for each in safe_globals)


def get_safe_globals() -> list[Any]:
    """Return the classes and functions that were added."""
    return list(_added.values())


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` added."""
    _added.clear()


class safe_globals:
    """Context in which checkpoints may use these classes and functions, as by `add_safe_globals`."""

    def __init__(self, safe_globals: list[Any]) -> None:
        self._safe = safe_globals

    def __enter__(self) -> None:
        self._before = dict(_added)
        add_safe_globals(self._safe)

    def __exit__(self, *exception: object) -> None:
        _added.clear()
        _added.update(self._before)


class CheckpointUnpickler(pickle._Unpickler):
    """Python's own unpickler in Python, so that every instruction that could call or change something is checked."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Unpickler.dispatch)
    stack: list[Any]

    def __init__(self, file: BinaryIO, read_storage: Callable[[tuple[Any, ...]], np.ndarray]) -> None:
        super().__init__(file, encoding="utf-8")
        self._read_storage = read_storage

    def find_class(self, module: str, name: str) -> object:
        """Return what a known name means; refuse all others."""
        # The old protocols write the name that the module of built-in functions had in Python 2.
        key = ("builtins" if module == "__builtin__" else module, name)
        try:
            return _KNOWN[key] if key in _KNOWN else _added[key]
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
        if not any(self.stack[-2] is each for each in (*_KNOWN.values(), *_added.values())):
            raise pickle.UnpicklingError(f"the file calls {self.stack[-2]!r}, which was refused")
        pickle._Unpickler.load_reduce(self)  # type: ignore[attr-defined]  # of Python's own, untyped

    def _checked_new(self) -> None:
        if self.stack[-2] not in _PLAIN and not any(self.stack[-2] is each for each in _added.values()):
            raise pickle.UnpicklingError(f"the file makes an object of {self.stack[-2]!r}, which was refused")
        pickle._Unpickler.load_newobj(self)  # type: ignore[attr-defined]  # of Python's own, untyped

    def _checked_build(self) -> None:
        state, instance = self.stack[-1], self.stack[-2]
        if any(type(instance) is each for each in _added.values()):
            pickle._Unpickler.load_build(self)  # type: ignore[attr-defined]  # of Python's own, untyped
            return
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


class ExecutingUnpickler(CheckpointUnpickler):
    """The whole of pickle, for files that are trusted like a program."""

    dispatch = pickle._Unpickler.dispatch

    def find_class(self, module: str, name: str) -> object:
        """Return what a name means here or in the module it names; PyTorch's classes are facula's."""
        found = _KNOWN.get((module, name))
        if found is not None:
            return found
        if module.partition(".")[0] != "torch":
            return pickle._Unpickler.find_class(self, module, name)
        same = "facula" + module.removeprefix("torch")
        for path in (same, "facula.nn", "facula.optim", "facula.optim.lr_scheduler", "facula"):
            try:
                return getattr(importlib.import_module(path), name)
            except (ImportError, AttributeError):
                continue
        raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which facula does not have")
