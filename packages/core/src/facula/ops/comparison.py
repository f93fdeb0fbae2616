"""Comparisons, tests of elements, logic and bits."""

import numpy as np

from facula import dtypes
from facula.arguments import need_tensor
from facula.primitive import primitive, promote
from facula.tensor_base import TensorBase
from facula.types import Tensor, TensorLike

__all__ = ["allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift"]
__all__ += ["bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isinf"]
__all__ += ["isnan", "isneginf", "isposinf", "isreal", "le", "less", "less_equal", "logical_and", "logical_not"]
__all__ += ["logical_or", "logical_xor", "lt", "ne", "not_equal"]


# Comparisons: the result is boolean, so no gradient passes.


@primitive(dtype=promote)
def _eq(xp, x, other):
    return xp.equal(x, other)


@primitive(dtype=promote)
def _ne(xp, x, other):
    return xp.not_equal(x, other)


@primitive(dtype=promote)
def _lt(xp, x, other):
    return xp.less(x, other)


@primitive(dtype=promote)
def _le(xp, x, other):
    return xp.less_equal(x, other)


@primitive(dtype=promote)
def _gt(xp, x, other):
    return xp.greater(x, other)


@primitive(dtype=promote)
def _ge(xp, x, other):
    return xp.greater_equal(x, other)


_eq.kernel("cpu")(np.equal)
_ne.kernel("cpu")(np.not_equal)
_lt.kernel("cpu")(np.less)
_lt.native("lt")
_le.kernel("cpu")(np.less_equal)
_le.native("le")
_gt.kernel("cpu")(np.greater)
_gt.native("gt")
_ge.kernel("cpu")(np.greater_equal)
_ge.native("ge")


def _refuse_complex(name: str, *values: TensorLike) -> None:
    for each in values:
        if isinstance(each, complex) or (isinstance(each, TensorBase) and each._array.dtype.kind == "c"):
            raise RuntimeError(f"{name} is not supported for complex numbers, which have no order")


def eq(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements are equal.

    >>> facula.eq(facula.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    need_tensor("eq", input)
    return _eq(input, other, out=out)


def ne(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements differ.

    >>> facula.ne(facula.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    need_tensor("ne", input)
    return _ne(input, other, out=out)


def lt(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether ``input < other``; RuntimeError for complex numbers.

    >>> facula.lt(facula.tensor([1, 2]), 2)
    tensor([ True, False])
    """
    need_tensor("lt", input)
    _refuse_complex("lt", input, other)
    return _lt(input, other, out=out)


def le(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether ``input <= other``; RuntimeError for complex numbers.

    >>> facula.le(facula.tensor([1, 2]), 1)
    tensor([ True, False])
    """
    need_tensor("le", input)
    _refuse_complex("le", input, other)
    return _le(input, other, out=out)


def gt(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether ``input > other``; RuntimeError for complex numbers.

    >>> facula.gt(facula.tensor([1, 2]), 1)
    tensor([False,  True])
    """
    need_tensor("gt", input)
    _refuse_complex("gt", input, other)
    return _gt(input, other, out=out)


def ge(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether ``input >= other``; RuntimeError for complex numbers.

    >>> facula.ge(facula.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    need_tensor("ge", input)
    _refuse_complex("ge", input, other)
    return _ge(input, other, out=out)


@primitive(dtype=promote)
def _isclose(xp, x, other, *, rtol, atol, equal_nan):
    close = x == other
    if equal_nan and x.dtype.kind in "fc":
        close |= xp.isnan(x) & xp.isnan(other)
    if rtol == 0 and atol == 0:
        return close
    if x.dtype.kind in "iub":
        x, other = x.astype(np.float64), other.astype(np.float64)
    distance = xp.abs(x - other)
    return close | (xp.isfinite(distance) & (distance <= atol + xp.abs(rtol * other)))


def isclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> Tensor:
    """Return whether ``abs(input - other) <= atol + rtol * abs(other)``.

    >>> facula.isclose(facula.tensor([1.0, 2.0]), facula.tensor([1.0, 2.1]))
    tensor([ True, False])
    """
    need_tensor("isclose", input)
    need_tensor("isclose", other, "other")
    if input.dtype is not other.dtype:
        raise RuntimeError(f"{input.dtype.name.title()} did not match {other.dtype.name.title()}")
    if rtol < 0:
        raise RuntimeError(f"rtol must be greater than or equal to zero, but got {rtol}")
    if atol < 0:
        raise RuntimeError(f"atol must be greater than or equal to zero, but got {atol}")
    return _isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(
    input: Tensor,
    other: Tensor,
    rtol: float = 1e-05,
    atol: float = 1e-08,
    equal_nan: bool = False,
) -> bool:
    """Return whether all elements are close, as `isclose` has it, as a Python bool.

    >>> facula.allclose(facula.tensor([1.0]), facula.tensor([1.0 + 1e-7]))
    True
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether both have the same shape and elements, as a Python bool.

    >>> facula.equal(facula.tensor([1, 2]), facula.tensor([1, 2]))
    True
    """
    if not isinstance(other, TensorBase):
        raise TypeError(f"equal(): argument 'other' must be Tensor, not {type(other).__name__}")
    if input.dtype is not other.dtype:
        raise RuntimeError(
            f"Expected object of data type {input.dtype} but got data type {other.dtype} for argument 'other'"
        )
    return input.shape == other.shape and bool(_eq(input, other).all())


# Tests of each element.


def _never(xp, x):
    return xp.zeros(x.shape, bool)


@primitive()
def _isnan(xp, x):
    return _never(xp, x) if x.dtype.kind in "iub" else xp.isnan(x)


@primitive()
def _isinf(xp, x):
    return _never(xp, x) if x.dtype.kind in "iub" else xp.isinf(x)


@primitive()
def _isfinite(xp, x):
    return ~_never(xp, x) if x.dtype.kind in "iub" else xp.isfinite(x)


@primitive()
def _isposinf(xp, x):
    return _never(xp, x) if x.dtype.kind in "iub" else x == np.inf


@primitive()
def _isneginf(xp, x):
    return _never(xp, x) if x.dtype.kind in "iub" else x == -np.inf


@primitive()
def _isreal(xp, x):
    return x.imag == 0 if x.dtype.kind == "c" else ~_never(xp, x)


def isnan(input: Tensor) -> Tensor:
    """Return whether each element is nan.

    >>> facula.isnan(facula.tensor([1.0, float("nan")]))
    tensor([False,  True])
    """
    return _isnan(input)


def isinf(input: Tensor) -> Tensor:
    """Return whether each element is positive or negative infinity.

    >>> facula.isinf(facula.tensor([1.0, float("inf")]))
    tensor([False,  True])
    """
    return _isinf(input)


def isfinite(input: Tensor) -> Tensor:
    """Return whether each element is neither infinite nor nan.

    >>> facula.isfinite(facula.tensor([1.0, float("inf")]))
    tensor([ True, False])
    """
    return _isfinite(input)


def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether each element is positive infinity; RuntimeError for complex numbers.

    >>> facula.isposinf(facula.tensor([-float("inf"), float("inf")]))
    tensor([False,  True])
    """
    _refuse_complex("isposinf", input)
    return _isposinf(input, out=out)


def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether each element is negative infinity; RuntimeError for complex numbers.

    >>> facula.isneginf(facula.tensor([-float("inf"), float("inf")]))
    tensor([ True, False])
    """
    _refuse_complex("isneginf", input)
    return _isneginf(input, out=out)


def isreal(input: Tensor) -> Tensor:
    """Return whether each element has no imaginary part.

    >>> facula.isreal(facula.tensor([1, 1j]))
    tensor([ True, False])
    """
    return _isreal(input)


# Logic: elements are true when they are not zero.


@primitive()
def _logical_and(xp, x, other):
    return xp.logical_and(x, other)


@primitive()
def _logical_or(xp, x, other):
    return xp.logical_or(x, other)


@primitive()
def _logical_xor(xp, x, other):
    return xp.logical_xor(x, other)


@primitive()
def _logical_not(xp, x):
    return xp.logical_not(x)


def logical_and(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether both elements are true.

    >>> facula.logical_and(facula.tensor([1, 0]), facula.tensor([2, 2]))
    tensor([ True, False])
    """
    need_tensor("logical_and", input)
    need_tensor("logical_and", other, "other")
    return _logical_and(input, other, out=out)


def logical_or(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether one of the elements is true.

    >>> facula.logical_or(facula.tensor([1, 0]), facula.tensor([0, 0]))
    tensor([ True, False])
    """
    need_tensor("logical_or", input)
    need_tensor("logical_or", other, "other")
    return _logical_or(input, other, out=out)


def logical_xor(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether exactly one of the elements is true.

    >>> facula.logical_xor(facula.tensor([1, 0]), facula.tensor([2, 2]))
    tensor([False,  True])
    """
    need_tensor("logical_xor", input)
    need_tensor("logical_xor", other, "other")
    return _logical_xor(input, other, out=out)


def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether each element is zero.

    >>> facula.logical_not(facula.tensor([1, 0]))
    tensor([False,  True])
    """
    return _logical_not(input, out=out)


# Bits.


@primitive(dtype=promote)
def _bitwise_and(xp, x, other):
    return xp.bitwise_and(x, other)


@primitive(dtype=promote)
def _bitwise_or(xp, x, other):
    return xp.bitwise_or(x, other)


@primitive(dtype=promote)
def _bitwise_xor(xp, x, other):
    return xp.bitwise_xor(x, other)


@primitive(dtype=promote)
def _bitwise_not(xp, x):
    return xp.invert(x)


@primitive(dtype=promote)
def _left_shift(xp, x, other):
    return xp.left_shift(x, other)


@primitive(dtype=promote)
def _right_shift(xp, x, other):
    return xp.right_shift(x, other)


def _refuse_non_integers(name: str, *values: TensorLike, boolean: bool = True) -> None:
    """Refuse what has no bits, and booleans too unless ``boolean``."""
    for each in values:
        kind = dtypes.from_numpy_dtype[each._array.dtype] if isinstance(each, TensorBase) else dtypes.of_scalar(each)
        if kind.category > dtypes.INTEGRAL:
            raise RuntimeError(f"\"{name}\" not implemented for '{kind.name.title()}'")
    if not boolean:
        kinds = [each.dtype for each in values if isinstance(each, TensorBase)]
        if all(kind is dtypes.bool_ for kind in kinds) and all(isinstance(each, (bool, TensorBase)) for each in values):
            raise RuntimeError(f"\"{name}\" not implemented for 'Bool'")


def bitwise_and(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits set in both; of booleans, whether both are true.

    >>> facula.bitwise_and(facula.tensor([6]), 3)
    tensor([2])
    """
    _refuse_non_integers("bitwise_and_cpu", input, other)
    return _bitwise_and(input, other, out=out)


def bitwise_or(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits set in either; of booleans, whether one is true.

    >>> facula.bitwise_or(facula.tensor([6]), 3)
    tensor([7])
    """
    _refuse_non_integers("bitwise_or_cpu", input, other)
    return _bitwise_or(input, other, out=out)


def bitwise_xor(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits set in exactly one; of booleans, whether they differ.

    >>> facula.bitwise_xor(facula.tensor([6]), 3)
    tensor([5])
    """
    _refuse_non_integers("bitwise_xor_cpu", input, other)
    return _bitwise_xor(input, other, out=out)


def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return all bits turned; of booleans, the opposite.

    >>> facula.bitwise_not(facula.tensor([0, 5]))
    tensor([-1, -6])
    """
    _refuse_non_integers("bitwise_not_cpu", input)
    return _bitwise_not(input, out=out)


def bitwise_left_shift(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits moved up by ``other``: ``input * 2 ** other``.

    >>> facula.bitwise_left_shift(facula.tensor([1, 3]), 2)
    tensor([ 4, 12])
    """
    _refuse_non_integers("lshift_cpu", input, other, boolean=False)
    return _left_shift(input, other, out=out)


def bitwise_right_shift(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits moved down by ``other``; the sign stays.

    >>> facula.bitwise_right_shift(facula.tensor([4, -8]), 2)
    tensor([ 1, -2])
    """
    _refuse_non_integers("rshift_cpu", input, other, boolean=False)
    return _right_shift(input, other, out=out)


greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
