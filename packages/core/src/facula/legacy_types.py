"""The tensor classes of old programs, one for each element type: ``facula.LongTensor([1, 2])``."""

from collections.abc import Callable
from typing import Any

import numpy as np

from facula import dtypes
from facula.creation import empty, tensor
from facula.dtypes import dtype as DType
from facula.size import Size
from facula.tensor import Tensor

__all__ = ["BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor", "HalfTensor"]
__all__ += ["IntTensor", "LongTensor", "ShortTensor"]


class _LegacyType(type):
    """A class whose instances are the tensors of one type."""

    dtype: DType

    def __call__(cls, *args: Any) -> Tensor:
        """Return a tensor with the data given, or an uninitialised one of the shape given."""
        if len(args) == 1 and not isinstance(args[0], (int, np.integer, Size)):
            return tensor(args[0], dtype=cls.dtype)
        return empty(*(args or (0,)), dtype=cls.dtype)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype


def _legacy(name: str, dtype: DType) -> Callable[..., Tensor]:
    return _LegacyType(name, (), {"dtype": dtype, "__doc__": f"Tensors of type {dtype.name}."})


BFloat16Tensor = _legacy("BFloat16Tensor", dtypes.bfloat16)
BoolTensor = _legacy("BoolTensor", dtypes.bool_)
ByteTensor = _legacy("ByteTensor", dtypes.uint8)
CharTensor = _legacy("CharTensor", dtypes.int8)
DoubleTensor = _legacy("DoubleTensor", dtypes.float64)
FloatTensor = _legacy("FloatTensor", dtypes.float32)
HalfTensor = _legacy("HalfTensor", dtypes.float16)
IntTensor = _legacy("IntTensor", dtypes.int32)
LongTensor = _legacy("LongTensor", dtypes.int64)
ShortTensor = _legacy("ShortTensor", dtypes.int16)
