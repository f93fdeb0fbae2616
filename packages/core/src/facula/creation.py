"""New tensors: from data, constants, ranges, and like another tensor."""

from __future__ import annotations

import builtins
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import backend, devices, dtypes
from facula.arguments import need_tensor
from facula.creation_arguments import finish, library, numpy_dtype, shape_of
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.ops import conversion
from facula.ops.conversion import memory_format, preserve_format
from facula.primitive import primitive
from facula.promotion import promote_types
from facula.storage import UntypedStorage, tensor_on
from facula.tensor import Tensor
from facula.tensor_base import TensorBase, wrap
from facula.types import Number

__all__ = ["as_tensor", "asarray", "complex", "empty", "empty_like", "empty_permuted", "empty_strided", "eye"]
__all__ += ["from_dlpack", "from_file", "from_numpy", "frombuffer", "full", "full_like", "ones", "ones_like", "polar"]
__all__ += ["scalar_tensor", "tensor", "to_dlpack", "zeros", "zeros_like"]

Data = Number | Sequence[Any] | np.ndarray | Tensor


def _kind_of_data(data: Data) -> DType | None:
    """Return the type that nested Python data has as a tensor; None when it holds nothing."""
    if isinstance(data, TensorBase):
        return dtypes.from_numpy_dtype[data._array.dtype]
    if isinstance(data, (np.ndarray, np.generic)):
        return dtypes.of_array(np.asarray(data))
    if isinstance(data, (builtins.bool, builtins.int, builtins.float, builtins.complex)):
        return dtypes.of_scalar(data)
    if isinstance(data, (str, bytes)):
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    if not hasattr(data, "__iter__") or not hasattr(data, "__len__"):
        raise RuntimeError(f"Could not infer dtype of {type(data).__name__}")
    found: DType | None = None
    # Rows of numbers are the usual case: each distinct type is looked at once.
    for each in {type(item): item for item in data}.values() if _are_numbers(data) else data:
        kind = _kind_of_data(each)
        if kind is not None:
            found = kind if found is None else promote_types(found, kind)
    return found


def _are_numbers(data: Sequence[Any]) -> bool:
    return all(type(item) in _NUMBER_TYPES for item in data)


_NUMBER_TYPES = frozenset({builtins.bool, builtins.int, builtins.float, builtins.complex})


def _plain(data: Data) -> object:
    """Return nested data with tensors in it as nested lists."""
    if isinstance(data, TensorBase):
        return backend.to_numpy(data._array)
    if isinstance(data, (list, tuple)) and not _are_numbers(data):
        return [_plain(each) for each in data]
    return data


def _array_of(data: Data, dtype: DType | None) -> np.ndarray:
    kind = _kind_of_data(data)
    target = numpy_dtype(dtype, kind)
    try:
        array = np.array(_plain(data))
    except ValueError:
        raise ValueError(_ragged(data)) from None
    if array.dtype == object:
        raise (RuntimeError if _fits_no_integer(data) else ValueError)(_ragged(data))
    if array.size == 0 and array.dtype != target:
        return np.empty(array.shape, target)
    if array.dtype.kind in "fc" and target.kind in "iu":
        return array.real.astype(np.int64).astype(target)
    return array.astype(target)


def _fits_no_integer(data: Data) -> bool:
    return isinstance(data, builtins.int)


def _ragged(data: Data, dim: int = 0) -> str:
    """Return the words that say where nested data is not rectangular."""
    if isinstance(data, (list, tuple)):
        lengths = [len(each) if hasattr(each, "__len__") else 0 for each in data]
        for position, length in enumerate(lengths):
            if length != lengths[0]:
                return (
                    f"expected sequence of length {lengths[0]} at dim {dim + 1} (got {length} at position {position})"
                )
        for each in data:
            inner = _ragged(each, dim + 1)
            if inner:
                return inner
    return "" if dim else "Overflow when unpacking long: an integer does not fit in 64 bits"


def tensor(
    data: Data,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor with a copy of ``data``: a number, nested sequences, a NumPy array or a tensor.

    The type is that of the data; Python floats get the default type. ValueError for ragged sequences.

    >>> facula.tensor([[1.0, 2.0], [3.0, 4.0]])
    tensor([[1., 2.],
            [3., 4.]])
    """
    if isinstance(data, TensorBase):
        array = data._array.astype(numpy_dtype(dtype, data.dtype), copy=True)
        device = data.device if device is None else device
    else:
        array = _array_of(data, dtype)
    return finish(devices.move(array, devices.canonical(device)), requires_grad)


def as_tensor(data: Data, dtype: DType | None = None, device: Device | str | int | None = None) -> Tensor:
    """Return ``data`` as a tensor, sharing memory with a tensor or NumPy array where type and device allow."""
    if isinstance(data, TensorBase):
        return data.to(device=device, dtype=dtype)
    if isinstance(data, np.ndarray):
        return from_numpy(data).to(device=device, dtype=dtype)
    return tensor(data, dtype=dtype, device=device)


def asarray(
    obj: Data,
    *,
    dtype: DType | None = None,
    device: Device | str | int | None = None,
    copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``obj`` as a tensor, sharing memory where possible; ``copy`` demands or forbids a copy."""
    made = as_tensor(obj, dtype, device)
    shares = isinstance(obj, (TensorBase, np.ndarray)) and np.shares_memory(made._array, getattr(obj, "_array", obj))
    if copy is False and not shares:
        raise ValueError("can't alias the given data without a copy, and copy=False was given")
    made = conversion.clone(made) if copy and shares else made
    return made.detach().requires_grad_() if requires_grad else made


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """Return a tensor on the memory of a NumPy array; TypeError for an unsupported type.

    >>> facula.from_numpy(np.arange(3))
    tensor([0, 1, 2])
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if ndarray.dtype not in dtypes.from_numpy_dtype or not ndarray.dtype.isnative:
        dtypes.of_array(ndarray)
        raise ValueError(
            "given numpy array has byte order different from the native byte order, which is not supported"
        )
    if any(stride < 0 for stride in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative strides are not "
            "currently supported. (You can probably work around this by making a copy of your array with array.copy().)"
        )
    # Types are compared by identity at the door, so a foreign instance of the same type is replaced.
    return wrap(ndarray.view(dtypes.from_numpy_dtype[ndarray.dtype].numpy))


def from_dlpack(ext_tensor: Any) -> Tensor:
    """Return a tensor on the memory of another library's array, through DLPack."""
    if hasattr(ext_tensor, "__dlpack_device__") and ext_tensor.__dlpack_device__()[0] != 1:
        return wrap(backend.cupy().from_dlpack(ext_tensor))
    array = np.from_dlpack(ext_tensor)
    return wrap(array if array.flags.writeable else array.view())


def frombuffer(buffer: Any, *, dtype: DType, count: int = -1, offset: int = 0, requires_grad: bool = False) -> Tensor:
    """Return a one-dimensional tensor on the memory of an object with the buffer protocol."""
    return finish(np.frombuffer(buffer, numpy_dtype(dtype), count, offset), requires_grad)


def to_dlpack(tensor: Tensor) -> object:
    """Return a DLPack capsule on the memory of a tensor."""
    return tensor.__dlpack__()


def from_file(
    filename: str,
    shared: bool | None = None,
    size: int = 0,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return a tensor of ``size`` elements on the memory of a file; what is written goes to it when ``shared``."""
    kind = dtype or dtypes.get_default_dtype()
    storage = UntypedStorage.from_file(filename, bool(shared), size * kind.itemsize)
    return tensor_on(storage, kind).requires_grad_(requires_grad)


def scalar_tensor(
    s: Number, *, dtype: DType | None = None, device: Device | str | int | None = None, requires_grad: bool = False
) -> Tensor:
    """Return a zero-dim tensor of the default type, or of ``dtype``."""
    return full((), s, dtype=dtype or dtypes.get_default_dtype(), device=device, requires_grad=requires_grad)


def empty(
    *size: int | Sequence[int],
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format | None = None,
) -> Tensor:
    """Return a tensor of a shape whose elements are whatever was in memory."""
    xp, target = library(device)
    return finish(devices.move(xp.empty(shape_of(size), numpy_dtype(dtype)), target), requires_grad, out, dtype)


def zeros(
    *size: int | Sequence[int],
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of zeros.

    >>> facula.zeros(2, 2)
    tensor([[0., 0.],
            [0., 0.]])
    """
    xp, target = library(device)
    return finish(devices.move(xp.zeros(shape_of(size), numpy_dtype(dtype)), target), requires_grad, out, dtype)


def ones(
    *size: int | Sequence[int],
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of ones."""
    xp, target = library(device)
    return finish(devices.move(xp.ones(shape_of(size), numpy_dtype(dtype)), target), requires_grad, out, dtype)


def full(
    size: Sequence[int],
    fill_value: Number | Tensor,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return a tensor of a shape with every element ``fill_value``, of its type unless ``dtype`` is given.

    >>> facula.full((2,), 7)
    tensor([7, 7])
    """
    value = fill_value.item() if isinstance(fill_value, TensorBase) else fill_value
    xp, target = library(device)
    array = xp.full(
        shape_of((size,) if isinstance(size, builtins.int) else tuple(size)),
        value,
        numpy_dtype(dtype, dtypes.of_scalar(value)),
    )
    return finish(devices.move(array, target), requires_grad, out, dtype)


def _like(input: Tensor, dtype: DType | None, device: Device | str | int | None) -> dict[Any, Any]:
    return {"dtype": dtype or input.dtype, "device": input.device if device is None else device}


def empty_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format = preserve_format,
) -> Tensor:
    """Return an uninitialised tensor with the shape, type and device of ``input``."""
    return empty(input.shape, requires_grad=requires_grad, **_like(input, dtype, device))


def zeros_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format = preserve_format,
    out: Tensor | None = None,
) -> Tensor:
    """Return zeros with the shape, type and device of ``input``."""
    return zeros(input.shape, requires_grad=requires_grad, out=out, **_like(input, dtype, device))


def ones_like(
    input: Tensor,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format = preserve_format,
    out: Tensor | None = None,
) -> Tensor:
    """Return ones with the shape, type and device of ``input``."""
    return ones(input.shape, requires_grad=requires_grad, out=out, **_like(input, dtype, device))


def full_like(
    input: Tensor,
    fill_value: Number,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: memory_format = preserve_format,
    out: Tensor | None = None,
) -> Tensor:
    """Return a tensor with the shape, type and device of ``input`` and every element ``fill_value``."""
    return full(input.shape, fill_value, requires_grad=requires_grad, out=out, **_like(input, dtype, device))


def empty_strided(
    size: Sequence[int],
    stride: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return an uninitialised tensor of the given shape and strides (in elements)."""
    size = shape_of(tuple(size))
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides ({len(stride)})"
        )
    if any(step < 0 for step in stride):
        raise RuntimeError(f"strides must not be negative, got {list(stride)} for sizes {list(size)}")
    xp, target = library(device)
    extent = 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if math.prod(size) else 0
    memory = xp.empty(extent, numpy_dtype(dtype))
    array = xp.lib.stride_tricks.as_strided(memory, tuple(size), tuple(step * memory.itemsize for step in stride))
    return finish(array, requires_grad)


def empty_permuted(
    size: Sequence[int],
    physical_layout: Sequence[int],
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return an uninitialised tensor of a shape whose dimensions lie in memory in the order ``physical_layout``.

    >>> facula.empty_permuted((2, 3, 4), (2, 0, 1)).stride()
    (3, 1, 6)
    """
    shape, order = shape_of(tuple(size)), list(physical_layout)
    if len(shape) != len(order):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. len(size) = "
            f"{len(shape)} is not equal to len(physical_layout) = {len(order)}"
        )
    for at, dim in enumerate(order):
        if not 0 <= dim < len(shape):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(shape) - 1}, but got {dim} at index {at})"
            )
        if dim in order[:at]:
            raise RuntimeError("Duplicate dim not allowed")
    strides, step = [0] * len(shape), 1
    for dim in reversed(order):
        strides[dim] = step
        step *= max(shape[dim], 1)
    return empty_strided(shape, strides, dtype=dtype, device=device, requires_grad=requires_grad)


def eye(
    n: int,
    m: int | None = None,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return an ``n`` by ``m`` matrix with ones on the diagonal and zeros elsewhere."""
    if n < 0 or (m is not None and m < 0):
        raise RuntimeError(f"n and m must be greater or equal to 0, got {n} and {m}")
    xp, target = library(device)
    return finish(devices.move(xp.eye(n, m, dtype=numpy_dtype(dtype)), target), requires_grad, out, dtype)


@primitive(vjp={"real": lambda g: g.real, "imag": lambda g: g.imag})
def _complex(xp: Any, real: backend.Array, imag: backend.Array) -> backend.Array:
    kind = dtypes.from_numpy_dtype[real.dtype].to_complex().numpy
    result = xp.empty(np.broadcast_shapes(real.shape, imag.shape), kind)
    result.real = real
    result.imag = imag
    return result


def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex tensor with the given real and imaginary parts, two tensors of one floating-point type.

    >>> facula.complex(facula.tensor(1.0), facula.tensor(2.0))
    tensor(1.+2.j)
    """
    _check_parts("complex", "real", real, "imag", imag, out)
    return _complex(real, imag, out=out)


def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex tensor with the given absolute values and angles in radians."""
    _check_parts("polar", "abs", abs, "angle", angle, out)
    return complex(abs * angle.cos(), abs * angle.sin(), out=out)


_PARTS = ("float16", "float32", "float64")


def _check_parts(
    function: str, first_name: str, first: Tensor, second_name: str, second: Tensor, out: Tensor | None
) -> None:
    need_tensor(function, first, first_name)
    need_tensor(function, second, second_name)
    if first.dtype.name not in _PARTS or second.dtype.name not in _PARTS:
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {first.dtype} and {second.dtype}"
        )
    if first.dtype is not second.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {first.dtype.name} but got scalar type {second.dtype.name} for second argument"
        )
    if out is not None and out.dtype is not first.dtype.to_complex():
        raise RuntimeError(
            f"Expected object of scalar type {first.dtype.to_complex().name} but got scalar type {out.dtype.name} for "
            "argument 'out'"
        )
