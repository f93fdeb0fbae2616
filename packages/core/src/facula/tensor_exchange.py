"""What leaves a tensor for NumPy, for other libraries, and for Python's numbers."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from facula import backend, dtypes
from facula.tensor_base import TensorBase, unmarked

bool_of, int_of, float_of = True.__class__, (1).__class__, (1.0).__class__


class TensorExchange(TensorBase):
    """A tensor as an array of NumPy, as memory for other libraries, and as a number."""

    #: A property of the class that this is a part of.
    requires_grad: builtins.bool

    def numpy(self, *, force: builtins.bool = False) -> np.ndarray:
        """Return a NumPy array on the same memory.

        RuntimeError when the tensor requires grad, TypeError when it is on a CUDA device, unless ``force``.
        """
        if not force:
            if self.requires_grad:
                raise RuntimeError(
                    "Can't call numpy() on Tensor that requires grad. Use tensor.detach().numpy() instead."
                )
            if not isinstance(self._array, np.ndarray):
                raise TypeError(
                    f"can't convert {self.device} device type tensor to numpy. Use Tensor.cpu() to copy the tensor to "
                    "host memory first."
                )
            if self._array.dtype == dtypes.bfloat16.numpy:
                raise TypeError("Got unsupported ScalarType BFloat16")
        return unmarked(backend.to_numpy(self._array))

    def __array__(self, dtype: np.dtype | None = None, copy: builtins.bool | None = None) -> np.ndarray:
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            return array.astype(dtype)
        return array.copy() if copy else array

    @property
    def __cuda_array_interface__(self) -> dict[Any, Any]:
        if isinstance(self._array, np.ndarray):
            raise AttributeError("Can't get __cuda_array_interface__ on non-CUDA tensor. Use cuda() first.")
        return self._array.__cuda_array_interface__

    def __dlpack__(self, **options: Any) -> object:
        if self.requires_grad:
            raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, ...]:
        return self._array.__dlpack_device__()

    def item(self) -> builtins.int | builtins.float:
        """Return the only element as a Python number; RuntimeError when there is not exactly one."""
        # The type leaves out complex, as PyTorch's does: else no `x.item() > 0` would pass a type checker.
        array = self._array
        if array.size != 1:
            raise RuntimeError(f"a Tensor with {array.size} elements cannot be converted to Scalar")
        value = array.item()
        return value if array.dtype.kind != "V" else float_of(value)

    def tolist(self) -> Any:
        """Return the elements as nested lists of Python numbers."""
        array = backend.to_numpy(self._array)
        return array.astype(np.float32).tolist() if array.dtype.kind == "V" else array.tolist()

    def __bool__(self) -> builtins.bool:
        if self._array.size == 1:
            return bool_of(self._array.item())
        if self._array.size == 0:
            raise RuntimeError("Boolean value of Tensor with no values is ambiguous")
        raise RuntimeError("Boolean value of Tensor with more than one value is ambiguous")

    def __int__(self) -> builtins.int:
        return int_of(self.item())

    def __float__(self) -> builtins.float:
        return float_of(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> builtins.int:
        if self._array.size != 1 or self._array.dtype.kind not in "iub":
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int_of(self._array.item())
