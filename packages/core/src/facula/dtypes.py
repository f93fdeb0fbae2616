"""The element types: names, limits, and the NumPy type behind each."""

import builtins

import ml_dtypes
import numpy as np


class dtype:
    """An element type, such as ``facula.float32``. There is one object for each type; compare with ``is`` or ``==``."""

    __slots__ = ("name", "numpy", "itemsize", "is_floating_point", "is_complex", "is_signed", "category", "__weakref__")

    def __init__(self, name: str, numpy: np.dtype, category: "builtins.int") -> None:
        self.name = name
        self.numpy = numpy
        self.itemsize = numpy.itemsize
        self.category = category
        self.is_floating_point = category == FLOATING
        self.is_complex = category == COMPLEX
        self.is_signed = category >= FLOATING or numpy.kind == "i"

    def __repr__(self) -> str:
        return f"facula.{self.name}"

    def __reduce__(self) -> str:
        return self.name

    def to_real(self) -> "dtype":
        """Return the type of the real part: float32 for complex64; itself when it is real."""
        return {complex64: float32, complex128: float64}.get(self, self)

    def to_complex(self) -> "dtype":
        """Return the complex type whose parts are of this type; itself when it is complex."""
        return {float32: complex64, float64: complex128, float16: complex64, bfloat16: complex64}.get(self, self)


# PyTorch's promotion categories, in order.
BOOLEAN, INTEGRAL, FLOATING, COMPLEX = range(4)

bool_ = dtype("bool", np.dtype(np.bool_), BOOLEAN)
uint8 = dtype("uint8", np.dtype(np.uint8), INTEGRAL)
uint16 = dtype("uint16", np.dtype(np.uint16), INTEGRAL)
uint32 = dtype("uint32", np.dtype(np.uint32), INTEGRAL)
uint64 = dtype("uint64", np.dtype(np.uint64), INTEGRAL)
int8 = dtype("int8", np.dtype(np.int8), INTEGRAL)
int16 = dtype("int16", np.dtype(np.int16), INTEGRAL)
int32 = dtype("int32", np.dtype(np.int32), INTEGRAL)
int64 = dtype("int64", np.dtype(np.int64), INTEGRAL)
float16 = dtype("float16", np.dtype(np.float16), FLOATING)
bfloat16 = dtype("bfloat16", np.dtype(ml_dtypes.bfloat16), FLOATING)
float32 = dtype("float32", np.dtype(np.float32), FLOATING)
float64 = dtype("float64", np.dtype(np.float64), FLOATING)
complex64 = dtype("complex64", np.dtype(np.complex64), COMPLEX)
complex128 = dtype("complex128", np.dtype(np.complex128), COMPLEX)

# Eight bits, for weights that are kept small: converted to and from, computed with in float32.
float8_e4m3fn = dtype("float8_e4m3fn", np.dtype(ml_dtypes.float8_e4m3fn), FLOATING)
float8_e4m3fnuz = dtype("float8_e4m3fnuz", np.dtype(ml_dtypes.float8_e4m3fnuz), FLOATING)
float8_e5m2 = dtype("float8_e5m2", np.dtype(ml_dtypes.float8_e5m2), FLOATING)
float8_e5m2fnuz = dtype("float8_e5m2fnuz", np.dtype(ml_dtypes.float8_e5m2fnuz), FLOATING)
float8_e8m0fnu = dtype("float8_e8m0fnu", np.dtype(ml_dtypes.float8_e8m0fnu), FLOATING)

EIGHT_BITS = (float8_e4m3fn, float8_e4m3fnuz, float8_e5m2, float8_e5m2fnuz, float8_e8m0fnu)
ALL = (
    *(bool_, uint8, uint16, uint32, uint64, int8, int16, int32, int64),
    *(float16, bfloat16, float32, float64, complex64, complex128),
    *EIGHT_BITS,
)

half = float16
float = float32
double = float64
short = int16
int = int32
long = int64
cfloat = complex64
cdouble = complex128

#: From a NumPy type to ours.
from_numpy_dtype: dict[np.dtype, dtype] = {each.numpy: each for each in ALL}

#: The NumPy types that are computed in float32 and rounded once, as PyTorch does.
REDUCED = frozenset(each.numpy for each in (float16, bfloat16, *EIGHT_BITS))


def of_array(array: np.ndarray) -> dtype:
    """Return the element type of an array; TypeError for one that tensors do not have."""
    found = from_numpy_dtype.get(array.dtype)
    if found is None:
        supported = ", ".join(each.name for each in ALL)
        raise TypeError(f"can't convert an array of type {array.dtype}. The supported types are: {supported}.")
    return found


def of_scalar(value: object) -> dtype:
    """Return the type a Python number has as a tensor: bool, int64, the default dtype or its complex type."""
    if isinstance(value, bool):
        return bool_
    if isinstance(value, builtin_int):
        return int64
    if isinstance(value, builtin_float):
        return get_default_dtype()
    if isinstance(value, complex):
        return get_default_dtype().to_complex()
    if isinstance(value, np.generic):
        return of_scalar(value.item())
    raise TypeError(f"expected a number, got {type(value).__name__}")


builtin_int = (0).__class__
builtin_float = (0.0).__class__

_default_dtype = float32


def get_default_dtype() -> dtype:
    """Return the type of new floating-point tensors; float32 unless it was set."""
    return _default_dtype


def set_default_dtype(d: dtype) -> None:
    """Set the type of new floating-point tensors; TypeError unless ``d`` is a floating-point type."""
    global _default_dtype
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default_dtype = d


class finfo:
    """The limits of a floating-point type: ``bits eps max min tiny smallest_normal resolution dtype``."""

    def __init__(self, type: dtype | None = None) -> None:
        chosen = type or get_default_dtype()
        if chosen.category < FLOATING:
            raise TypeError(f"facula.finfo() requires a floating point input type. Use facula.iinfo for {chosen}")
        limits = ml_dtypes.finfo(chosen.to_real().numpy)  # type: ignore[no-untyped-call]
        self.bits = chosen.to_real().itemsize * 8
        self.eps = builtin_float(limits.eps)
        self.max = builtin_float(limits.max)
        self.min = builtin_float(limits.min)
        self.tiny = builtin_float(limits.smallest_normal)
        self.smallest_normal = self.tiny
        self.resolution = builtin_float(limits.resolution)
        self.dtype = chosen.name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution}, min={self.min}, max={self.max}, eps={self.eps}, "
            f"smallest_normal={self.smallest_normal}, tiny={self.tiny}, dtype={self.dtype})"
        )


class iinfo:
    """The limits of an integer type: ``bits max min dtype``."""

    def __init__(self, type: dtype) -> None:
        if type.category != INTEGRAL:
            raise TypeError(f"facula.iinfo() requires an integer input type. Use facula.finfo for {type}")
        limits = np.iinfo(type.numpy)
        self.bits = limits.bits
        self.max = builtin_int(limits.max)
        self.min = builtin_int(limits.min)
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"
