"""New tensors: from data, constants, ranges, and like another tensor."""

from __future__ import annotations

import builtins
import math
import warnings
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import numpy as np

from facula import backend, devices, dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.ops import conversion
from facula.ops.conversion import memory_format, preserve_format
from facula.promotion import promote_types
from facula.tensor import Tensor
from facula.tensor_base import TensorBase, storage_of, wrap
from facula.types import Number

__all__ = ["arange", "as_tensor", "asarray", "complex", "empty", "empty_like", "empty_strided", "eye", "from_numpy"]
__all__ += ["from_dlpack", "frombuffer", "full", "full_like", "linspace", "logspace", "ones", "ones_like", "polar"]
__all__ += ["range", "scalar_tensor", "tensor", "zeros", "zeros_like"]

Data = Number | Sequence[Any] | np.ndarray | Tensor


def _library(device: Device | str | int | None) -> tuple[ModuleType, Device]:
    """Return the array library for a device argument, and the device."""
    target = devices.canonical(device)
    if target.type == "cpu":
        return np, target
    devices.move(np.empty(0), target)  # says clearly when there is no such device
    return backend.cupy(), target


def _finish(array: backend.Array, requires_grad: bool, out: Tensor | None = None) -> Tensor:
    made = wrap(array)
    if out is not None:
        return _fill_out(array, out)
    return made.requires_grad_() if requires_grad else made


def _fill_out(array: backend.Array, out: Tensor) -> Tensor:
    if out._array.shape != array.shape:
        out._array = array.astype(out._array.dtype)
    else:
        out._array[...] = array
    storage_of(out).version += 1
    return out


def _shape(size: tuple[Any, ...]) -> tuple[int, ...]:
    """Return the shape that positional sizes, or one sequence of them, name."""
    if len(size) == 1 and isinstance(size[0], (tuple, list)):
        size = tuple(size[0])
    shape = []
    for each in size:
        if isinstance(each, builtins.float) or not hasattr(each, "__index__"):
            raise TypeError(f"expected the sizes to be int, got {type(each).__name__} in {tuple(size)}")
        length = each.__index__()
        if length < 0:
            raise RuntimeError(f"Trying to create tensor with negative dimension {length}: {list(size)}")
        shape.append(length)
    return tuple(shape)


def _numpy_dtype(dtype: DType | None, otherwise: DType | None = None) -> np.dtype:
    if dtype is None:
        return (otherwise or dtypes.get_default_dtype()).numpy
    if not isinstance(dtype, DType):
        raise TypeError(f"argument 'dtype' must be facula.dtype, not {type(dtype).__name__}")
    return dtype.numpy


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
    target = _numpy_dtype(dtype, kind)
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
        array = data._array.astype(_numpy_dtype(dtype, data.dtype), copy=True)
        device = data.device if device is None else device
    else:
        array = _array_of(data, dtype)
    return _finish(devices.move(array, devices.canonical(device)), requires_grad)


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
    return _finish(np.frombuffer(buffer, _numpy_dtype(dtype), count, offset), requires_grad)


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
    xp, target = _library(device)
    return _finish(devices.move(xp.empty(_shape(size), _numpy_dtype(dtype)), target), requires_grad, out)


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
    xp, target = _library(device)
    return _finish(devices.move(xp.zeros(_shape(size), _numpy_dtype(dtype)), target), requires_grad, out)


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
    xp, target = _library(device)
    return _finish(devices.move(xp.ones(_shape(size), _numpy_dtype(dtype)), target), requires_grad, out)


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
    xp, target = _library(device)
    array = xp.full(
        _shape((size,) if isinstance(size, builtins.int) else tuple(size)),
        value,
        _numpy_dtype(dtype, dtypes.of_scalar(value)),
    )
    return _finish(devices.move(array, target), requires_grad, out)


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
    xp, target = _library(device)
    extent = 1 + sum((length - 1) * step for length, step in zip(size, stride, strict=True)) if math.prod(size) else 0
    memory = xp.empty(extent, _numpy_dtype(dtype))
    array = xp.lib.stride_tricks.as_strided(memory, tuple(size), tuple(step * memory.itemsize for step in stride))
    return _finish(array, requires_grad)


def arange(
    *bounds: builtins.float | Tensor,
    start: builtins.float | Tensor | None = None,
    end: builtins.float | Tensor | None = None,
    step: builtins.float | Tensor = 1,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Return the numbers from ``start`` (0) up to, without, ``end``, in steps of ``step``; int64 when all are ints.

    >>> facula.arange(1, 7, 2)
    tensor([1, 3, 5])
    """
    given: list[Any] = [each.item() if isinstance(each, Tensor) else each for each in bounds]
    numbers: list[Any] = [each.item() if isinstance(each, Tensor) else each for each in (start, end, step)]
    start, end, step = numbers
    if end is None:
        end = given.pop(0) if len(given) == 1 else given.pop(1)
    first = given.pop(0) if given else (0 if start is None else start)
    step = given.pop(0) if given else step
    if not all(math.isfinite(each) for each in (first, end)):
        raise RuntimeError(f"unsupported range: {first} -> {end}")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if (end - first) * step < 0:
        raise RuntimeError(
            f"upper bound and lower bound inconsistent with step sign: {first} to {end} in steps of {step}"
        )
    integral = all(isinstance(each, (builtins.int, np.integer)) for each in (first, end, step))
    natural = dtypes.int64 if integral else dtypes.get_default_dtype()
    target_dtype = _numpy_dtype(dtype, natural if out is None else out.dtype)
    xp, target = _library(device)
    count = math.ceil((end - first) / step)
    if integral and target_dtype.kind in "iu":
        array = xp.arange(first, first + count * step, step, dtype=np.int64)
    elif target_dtype.kind in "iu":
        array = (xp.arange(count, dtype=np.int64) * builtins.int(step)) + builtins.int(first)
    else:
        # Each element on its own, in double precision: errors do not add up.
        array = first + xp.arange(count, dtype=np.float64) * step
    return _finish(devices.move(array.astype(target_dtype), target), requires_grad, out)


def range(
    start: builtins.float = 0,
    end: builtins.float | None = None,
    step: builtins.float = 1,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the numbers from ``start`` to ``end``, both included, in steps of ``step``. Deprecated, as in PyTorch."""
    warnings.warn("range is deprecated: use arange, which leaves the end out", UserWarning, stacklevel=2)
    if end is None:
        start, end = 0, start
    count = math.floor((end - start) / step) + 1
    xp, target = _library(device)
    array = (start + xp.arange(count, dtype=np.float64) * step).astype(_numpy_dtype(dtype))
    return _finish(devices.move(array, target), requires_grad, out)


def _evenly(xp: ModuleType, start: backend.Array, end: backend.Array, steps: int, dtype: np.dtype) -> backend.Array:
    """Return ``steps`` points from start to end, computed from both ends so that each end is met exactly.

    Rounded as PyTorch does it: the step in the type itself, in float64 for integers; then a product and a sum in one
    rounding, which a wider type gives, or in two for types of 16 bits.
    """
    start, end = xp.asarray(start).astype(dtype), xp.asarray(end).astype(dtype)
    if steps == 1:
        return start[None]
    narrow = np.dtype(np.float64) if dtype.kind in "iub" else dtype
    start, end = start.astype(narrow), end.astype(narrow)
    wide = _wider(narrow, xp is np)
    parts = xp.asarray(max(steps - 1, 1)).astype(narrow if narrow.kind != "c" else wide)
    step = ((end - start) / parts).astype(narrow)
    start, end, step = (each.astype(wide) for each in (start, end, step))
    places = xp.arange(steps)
    points = xp.where(
        places < steps // 2,
        start + places.astype(wide) * step,
        end - (steps - 1 - places).astype(wide) * step,
    ).astype(narrow)
    return points if narrow is dtype else xp.trunc(points)


def _wider(dtype: np.dtype, extended: bool) -> np.dtype:
    """Return the type in which a product of two numbers of ``dtype`` is exact, or nearly; 16 bits stay as they are."""
    if dtype.kind == "V" or dtype.itemsize == 2:
        return dtype
    if dtype.itemsize == (8 if dtype.kind == "c" else 4):
        return np.dtype(np.complex128 if dtype.kind == "c" else np.float64)
    if not extended:
        return dtype
    return np.dtype(np.clongdouble if dtype.kind == "c" else np.longdouble)


def linspace(
    start: Number | Tensor,
    end: Number | Tensor,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``steps`` evenly spaced numbers from ``start`` to ``end``, both included.

    >>> facula.linspace(0, 1, 5)
    tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000])
    """
    array, target_dtype, target = _points(start, end, steps, dtype if out is None else out.dtype, device)
    return _finish(devices.move(array.astype(target_dtype), target), requires_grad, out)


def logspace(
    start: Number | Tensor,
    end: Number | Tensor,
    steps: int,
    base: float = 10.0,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | int | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``base`` raised to ``steps`` evenly spaced exponents from ``start`` to ``end``."""
    wanted = dtype if out is None else out.dtype
    exponents, target_dtype, target = _points(start, end, steps, wanted, device)
    array = np.power(complex_or_float(base), exponents.astype(_wider(exponents.dtype, True)))
    return _finish(devices.move(array.astype(target_dtype), target), requires_grad, out)


def complex_or_float(value: Number) -> builtins.float | builtins.complex:
    """Return a number as a float, or as complex when it is."""
    return value if isinstance(value, builtins.complex) else builtins.float(value)


def _points(
    start: Number | Tensor, end: Number | Tensor, steps: int, dtype: DType | None, device: Device | str | int | None
) -> tuple[backend.Array, np.dtype, Device]:
    if steps < 0:
        raise RuntimeError(f"number of steps must be non-negative, got {steps}")
    ends: list[Any] = [each.item() if isinstance(each, Tensor) else each for each in (start, end)]
    natural = dtypes.get_default_dtype()
    if any(isinstance(each, builtins.complex) for each in ends):
        natural = natural.to_complex()
    xp, target = _library(device)
    found = _numpy_dtype(dtype, natural)
    return _evenly(xp, ends[0], ends[1], steps, found), found, target


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
    xp, target = _library(device)
    return _finish(devices.move(xp.eye(n, m, dtype=_numpy_dtype(dtype)), target), requires_grad, out)


def complex(real: Tensor, imag: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex tensor with the given real and imaginary parts, two tensors of one floating-point type."""
    if real.dtype != imag.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {real.dtype} but got scalar type {imag.dtype} for second argument"
        )
    if not real.is_floating_point():
        raise RuntimeError(
            f"Expected both inputs to be Half, Float or Double tensors but got {real.dtype} and {imag.dtype}"
        )
    unit = full((), 1j, dtype=real.dtype.to_complex(), device=real.device)
    result = real + imag * unit
    return result if out is None else _fill_out(result._array, out)


def polar(abs: Tensor, angle: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the complex tensor with the given absolute values and angles in radians."""
    return complex(abs * angle.cos(), abs * angle.sin(), out=out)
