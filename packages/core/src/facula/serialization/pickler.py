"""Writing the pickles of checkpoints: tensors as calls that rebuild them from named storages."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, BinaryIO, ClassVar

import numpy as np

from facula import backend, dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.nn.parameter import Parameter
from facula.serialization.unpickler import STORAGES
from facula.size import Size
from facula.tensor import Tensor
from facula.tensor_base import owner


class _Global:
    """A name in a pickle, of a module that is not here."""

    def __init__(self, module: str, name: str) -> None:
        self.module = module
        self.name = name

    def __call__(self) -> None:
        raise TypeError(f"{self.module}.{self.name} is only a name here")


_REBUILD_TENSOR = _Global("torch._utils", "_rebuild_tensor_v2")
_REBUILD_TENSOR_OF_BYTES = _Global("torch._utils", "_rebuild_tensor_v3")
_REBUILD_PARAMETER = _Global("torch._utils", "_rebuild_parameter")
_STORAGE_NAMES = {kind: _Global("torch", name) for kind, name in STORAGES.items()}
_STORAGE_NAMES["bytes"] = _Global("torch.storage", "UntypedStorage")
_DTYPE_NAMES = {each.name: _Global("torch", each.name) for each in dtypes.ALL}
_SIZE, _DEVICE = _Global("torch", "Size"), _Global("torch", "device")


class _Storage:
    """A storage on its way into a pickle."""

    def __init__(self, whole: np.ndarray, kind: str, device: str) -> None:
        self.whole = whole
        self.kind = kind
        self.device = device


class CheckpointPickler(pickle._Pickler):
    """Writes tensors as PyTorch does: a call that rebuilds them from a named storage."""

    dispatch: ClassVar[dict[Any, Any]] = dict(pickle._Pickler.dispatch)
    # Of Python's own pickler, which has no types.
    write: Callable[[bytes], Any]
    memoize: Callable[[object], None]
    save: Callable[[object], None]

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

    def reducer_override(self, value: object) -> Any:
        """Return how to rebuild what is ours; the rest is left to pickle."""
        if isinstance(value, Tensor):
            return self._reduce_tensor(value)
        if isinstance(value, Size):
            return _SIZE, (tuple(value),)
        if isinstance(value, Device):
            return _DEVICE, (value.type,) if value.index is None else (value.type, value.index)
        return NotImplemented

    def _reduce_tensor(self, tensor: Tensor) -> tuple[Any, ...]:
        if isinstance(tensor, Parameter):
            return _REBUILD_PARAMETER, (tensor.detach(), tensor.requires_grad, OrderedDict())
        array = backend.to_numpy(tensor._array)
        whole = owner(array)
        # A view of foreign bytes, or of another type, is saved by itself.
        if whole.dtype != array.dtype or not whole.flags.c_contiguous:
            array = whole = np.ascontiguousarray(array)
        offset = (array.ctypes.data - whole.ctypes.data) // max(array.itemsize, 1) if array.size else 0
        flat = whole.reshape(-1)
        stride = tuple(step // array.itemsize for step in array.strides) if array.size else tensor.stride()
        hooks: OrderedDict[str, Any] = OrderedDict()
        where = (offset, tuple(array.shape), stride, tensor.requires_grad, hooks)
        if tensor.dtype.name in STORAGES:
            return _REBUILD_TENSOR, (_Storage(flat, tensor.dtype.name, str(tensor.device)), *where)
        # A type without a storage of its own is bytes, read as that type.
        untyped = _Storage(flat.view(np.uint8), "bytes", str(tensor.device))
        return _REBUILD_TENSOR_OF_BYTES, (untyped, *where, tensor.dtype)

    def _save_global_name(self, value: _Global) -> None:
        self.write(pickle.GLOBAL + f"{value.module}\n{value.name}\n".encode())
        self.memoize(value)

    def _save_dtype(self, value: DType) -> None:
        self.save(_DTYPE_NAMES[value.name])

    dispatch[_Global] = _save_global_name
    dispatch[DType] = _save_dtype
