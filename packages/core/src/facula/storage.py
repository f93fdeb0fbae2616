"""Storages: the memory of a tensor and its views, as PyTorch shows it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import numpy as np

from facula import devices, dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.tensor_base import owner, unmarked, wrap
from facula.types import Tensor

__all__ = ["TypedStorage", "UntypedStorage"]


class UntypedStorage:
    """The bytes that a tensor and its views share; ``tensor.untyped_storage()`` gives it.

    >>> facula.zeros(3).untyped_storage().nbytes()
    12
    """

    def __init__(self, size: int = 0, *, device: Device | str | None = None) -> None:
        self._bytes = devices.move(np.zeros(size, np.uint8), devices.canonical(device))

    @classmethod
    def _of(cls, array: np.ndarray) -> UntypedStorage:
        made = cls.__new__(cls)
        whole = owner(unmarked(array)) if isinstance(array, np.ndarray) else array
        if not whole.flags.c_contiguous:
            whole = whole.T if whole.T.flags.c_contiguous else array
        made._bytes = whole.reshape(-1).view(np.uint8) if whole.flags.c_contiguous else whole
        return made

    @classmethod
    def from_file(cls, filename: str, shared: bool = False, nbytes: int = 0) -> UntypedStorage:
        """Return the first ``nbytes`` bytes of a file, mapped into memory; what is written goes to it when ``shared``.

        A shared file is made as long as that first.
        """
        available = os.path.getsize(filename) if os.path.exists(filename) else 0
        if not shared and available < nbytes:
            raise RuntimeError(f"{filename}: expected at least {nbytes} bytes, got {available}")
        if shared and (not os.path.exists(filename) or os.path.getsize(filename) < nbytes):
            with open(filename, "ab") as file:
                file.truncate(nbytes)
        made = cls.__new__(cls)
        made._bytes = np.asarray(np.memmap(filename, np.uint8, "r+" if shared else "c", 0, nbytes or None))
        return made

    @property
    def device(self) -> Device:
        """Where the bytes are."""
        return devices.of_array(self._bytes)

    @property
    def is_cuda(self) -> bool:
        """Whether they are on a CUDA device."""
        return self.device.type == "cuda"

    def nbytes(self) -> int:
        """Return how many bytes there are."""
        return self._bytes.nbytes

    size = __len__ = nbytes

    def data_ptr(self) -> int:
        """Return the address of the first byte."""
        array = self._bytes
        return array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr

    def element_size(self) -> int:
        """Return 1."""
        return 1

    def __getitem__(self, index: int | slice) -> int | UntypedStorage:
        """Return a byte, or a part of the bytes that shares their memory."""
        found = self._bytes[index]
        if isinstance(index, slice):
            part = UntypedStorage.__new__(UntypedStorage)
            part._bytes = found
            return part
        return int(found)

    def __setitem__(self, index: int | slice, value: int) -> None:
        self._bytes[index] = value

    def __iter__(self) -> Iterator[int]:
        return iter(self.tolist())

    def tolist(self) -> list[int]:
        """Return the bytes as numbers."""
        return self._bytes.tolist()

    def clone(self) -> UntypedStorage:
        """Return a copy."""
        return UntypedStorage._of(self._bytes.copy())

    def copy_(self, source: UntypedStorage, non_blocking: bool = False) -> UntypedStorage:
        """Write the bytes of ``source`` into this storage and return it."""
        self._bytes[...] = devices.move(source._bytes, self.device)
        return self

    def fill_(self, value: int) -> UntypedStorage:
        """Set all bytes and return the storage."""
        self._bytes[...] = value
        return self

    def cpu(self) -> UntypedStorage:
        """Return the storage in main memory."""
        return UntypedStorage._of(devices.move(self._bytes, devices.CPU))

    def untyped(self) -> UntypedStorage:
        """Return the storage itself."""
        return self

    def is_shared(self) -> bool:
        """Return False: processes share memory by copying through it."""
        return False

    def share_memory_(self) -> UntypedStorage:
        """Return the storage: what is sent to another process is shared then."""
        return self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UntypedStorage) and self.data_ptr() == other.data_ptr()

    def __hash__(self) -> int:
        return hash(self.data_ptr())

    def __repr__(self) -> str:
        return f"<UntypedStorage of {self.nbytes()} bytes on {self.device}>"


class TypedStorage:
    """A storage seen as elements of one type; ``tensor.storage()`` gives it."""

    def __init__(self, *, wrap_storage: UntypedStorage, dtype: DType | None = None, _internal: bool = False) -> None:
        self._untyped_storage = wrap_storage
        self.dtype = dtype or dtypes.get_default_dtype()

    def _elements(self) -> np.ndarray:
        return self._untyped_storage._bytes.view(self.dtype.numpy)

    @property
    def device(self) -> Device:
        """Where the elements are."""
        return self._untyped_storage.device

    def untyped(self) -> UntypedStorage:
        """Return the bytes."""
        return self._untyped_storage

    def nbytes(self) -> int:
        """Return how many bytes there are."""
        return self._untyped_storage.nbytes()

    def size(self) -> int:
        """Return how many elements there are."""
        return self.nbytes() // self.dtype.itemsize

    __len__ = size

    def data_ptr(self) -> int:
        """Return the address of the first element."""
        return self._untyped_storage.data_ptr()

    def element_size(self) -> int:
        """Return the size of an element in bytes."""
        return self.dtype.itemsize

    def __getitem__(self, index: int | slice) -> object:
        """Return an element, or a part as a list of numbers."""
        return self._elements()[index].tolist()

    def __setitem__(self, index: int | slice, value: object) -> None:
        self._elements()[index] = value

    def __iter__(self) -> Iterator[object]:
        return iter(self.tolist())

    def tolist(self) -> list[Any]:
        """Return the elements as numbers."""
        return self._elements().tolist()

    def is_shared(self) -> bool:
        """Return False: processes share memory by copying through it."""
        return False

    def __repr__(self) -> str:
        return f"<TypedStorage of {self.size()} elements of {self.dtype} on {self.device}>"


def untyped_storage(self: Tensor) -> UntypedStorage:
    """Return the bytes this tensor shares with its views."""
    return UntypedStorage._of(self._array)


def typed_storage(self: Tensor) -> TypedStorage:
    """Return the elements this tensor shares with its views."""
    return TypedStorage(wrap_storage=untyped_storage(self), dtype=self.dtype)


def tensor_on(storage: UntypedStorage, dtype: DType) -> Tensor:
    """Return a tensor of one dimension on a storage."""
    return wrap(storage._bytes.view(dtype.numpy))


def is_set_to(self: Tensor, tensor: Tensor) -> bool:
    """Return whether two tensors are the same elements of the same memory."""
    same = self.data_ptr() == tensor.data_ptr() and self._array.shape == tensor._array.shape
    return same and self._array.strides == tensor._array.strides


def is_shared(self: Tensor) -> bool:
    """Return whether the memory is open to other processes: that of a CUDA tensor is."""
    return self.is_cuda


def is_pinned(self: Tensor, device: object = None) -> bool:
    """Return False: memory is not pinned."""
    return False


def pin_memory(self: Tensor, device: object = None) -> Tensor:
    """Return the tensor: its memory needs no pinning to be copied to a CUDA device."""
    return self


def dim_order(self: Tensor) -> tuple[int, ...]:
    """Return the dimensions from the outermost in memory to the innermost."""
    return tuple(sorted(range(self.dim()), key=lambda dim: (-self.stride()[dim], dim)))
