"""Comparisons, logic and bits, element by element."""

import numpy as np

from facula import dtypes
from facula.primitive import primitive, promote
from facula.tensor_base import TensorBase
from facula.types import Number, Tensor, TensorLike

__all__ = [
    *("allclose", "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift"),
    *("bitwise_xor", "eq", "equal", "ge", "greater", "greater_equal", "gt", "isclose", "isfinite", "isinf", "isnan"),
    *("isneginf", "isposinf", "isreal", "le", "less", "less_equal", "logical_and", "logical_not", "logical_or"),
    *("logical_xor", "lt", "ne", "not_equal"),
]


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


def _ordered(name: str, *values: TensorLike) -> None:
    if any(each.is_complex() if isinstance(each, TensorBase) else isinstance(each, complex) for each in values):
        raise RuntimeError(f'"{name}" not implemented for \'ComplexFloat\'')


def eq(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements are equal.

    >>> facula.eq(facula.tensor([1, 2]), 2)
    tensor([False,  True])
    """
    return _eq(input, other, out=out)


def ne(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements differ."""
    return _ne(input, other, out=out)


def lt(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements of ``input`` are smaller."""
    _ordered("lt", input, other)
    return _lt(input, other, out=out)


def le(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements of ``input`` are smaller or equal."""
    _ordered("le", input, other)
    return _le(input, other, out=out)


def gt(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements of ``input`` are larger."""
    _ordered("gt", input, other)
    return _gt(input, other, out=out)


def ge(input: Tensor, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements of ``input`` are larger or equal."""
    _ordered("ge", input, other)
    return _ge(input, other, out=out)


def equal(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape and elements."""
    if input._array.shape != other._array.shape:
        return False
    return bool(_eq(input, other).all().item())


@primitive()
def _isnan(xp, x):
    return xp.zeros(x.shape, bool) if x.dtype.kind in "iub" else xp.isnan(x)


@primitive()
def _isinf(xp, x):
    return xp.zeros(x.shape, bool) if x.dtype.kind in "iub" else xp.isinf(x)


@primitive()
def _isfinite(xp, x):
    return xp.ones(x.shape, bool) if x.dtype.kind in "iub" else xp.isfinite(x)


def isnan(input: Tensor) -> Tensor:
    """Return whether elements are nan."""
    return _isnan(input)


def isinf(input: Tensor) -> Tensor:
    """Return whether elements are infinite."""
    return _isinf(input)


def isfinite(input: Tensor) -> Tensor:
    """Return whether elements are neither infinite nor nan."""
    return _isfinite(input)


def isposinf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements are plus infinity."""
    _ordered("isposinf", input)
    return _eq(input, float("inf"), out=out)


def isneginf(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements are minus infinity."""
    _ordered("isneginf", input)
    return _eq(input, float("-inf"), out=out)


def isreal(input: Tensor) -> Tensor:
    """Return whether elements have no imaginary part."""
    return _eq(input.imag, 0) if input.is_complex() else _eq(input, input) | True


@primitive(dtype=promote)
def _isclose(xp, x, other, *, rtol, atol, equal_nan):
    if x.dtype.kind in "iub":
        x, other = x.astype(np.float64), other.astype(np.float64)
    close = x == other
    finite = xp.isfinite(x) & xp.isfinite(other)
    close |= finite & (xp.abs(x - other) <= atol + xp.abs(rtol * other))
    if equal_nan:
        close |= xp.isnan(x) & xp.isnan(other)
    return close


def isclose(
    input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False
) -> Tensor:
    """Return whether ``|input - other| <= atol + rtol * |other|``, element by element."""
    if input.dtype != other.dtype:
        raise RuntimeError(f"{input.dtype} did not match {other.dtype}")
    if rtol < 0 or atol < 0:
        raise RuntimeError(f"rtol and atol must be greater than or equal to zero, but got {rtol} and {atol}")
    return _isclose(input, other, rtol=rtol, atol=atol, equal_nan=equal_nan)


def allclose(input: Tensor, other: Tensor, rtol: float = 1e-05, atol: float = 1e-08, equal_nan: bool = False) -> bool:
    """Return whether all elements are close: see `isclose`."""
    return bool(isclose(input, other, rtol, atol, equal_nan).all().item())


@primitive()
def _logical_not(xp, x):
    return xp.logical_not(x)


@primitive(dtype=promote)
def _logical_and(xp, x, other):
    return xp.logical_and(x, other)


@primitive(dtype=promote)
def _logical_or(xp, x, other):
    return xp.logical_or(x, other)


@primitive(dtype=promote)
def _logical_xor(xp, x, other):
    return xp.logical_xor(x, other)


def logical_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether elements are zero."""
    return _logical_not(input, out=out)


def logical_and(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether both elements are not zero."""
    return _logical_and(input, other, out=out)


def logical_or(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether one of the elements is not zero."""
    return _logical_or(input, other, out=out)


def logical_xor(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return whether exactly one of the elements is not zero."""
    return _logical_xor(input, other, out=out)


@primitive(dtype=promote)
def _bitwise_not(xp, x):
    return xp.invert(x)


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
def _left_shift(xp, x, other):
    bits = x.dtype.itemsize * 8
    return xp.where((xp.asarray(other) < 0) | (xp.asarray(other) >= bits), 0, xp.left_shift(x, other)).astype(x.dtype)


@primitive(dtype=promote)
def _right_shift(xp, x, other):
    # A shift by the width or more leaves only the sign.
    bits = x.dtype.itemsize * 8
    most = xp.where((xp.asarray(other) < 0) | (xp.asarray(other) >= bits), bits - 1, other).astype(x.dtype)
    return xp.right_shift(x, most) if x.dtype.kind == "i" else xp.where(xp.asarray(other) >= bits, 0, x >> most).astype(x.dtype)


def _bits(name: str, *values: TensorLike) -> None:
    for each in values:
        kind = each.dtype if isinstance(each, TensorBase) else dtypes.of_scalar(each)
        if kind.category >= dtypes.FLOATING:
            raise RuntimeError(f'"{name}_cpu" not implemented for \'{kind.name.title()}\'')


def bitwise_not(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return integers with all bits inverted; for booleans, their negation."""
    _bits("bitwise_not", input)
    return _bitwise_not(input, out=out)


def bitwise_and(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits that both integers have."""
    _bits("bitwise_and", input, other)
    return _bitwise_and(input, other, out=out)


def bitwise_or(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits that either integer has."""
    _bits("bitwise_or", input, other)
    return _bitwise_or(input, other, out=out)


def bitwise_xor(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return the bits that exactly one of the integers has."""
    _bits("bitwise_xor", input, other)
    return _bitwise_xor(input, other, out=out)


def bitwise_left_shift(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return integers with their bits moved up by ``other`` places."""
    return _left_shift(input, other, out=out)


def bitwise_right_shift(input: TensorLike, other: TensorLike, *, out: Tensor | None = None) -> Tensor:
    """Return integers with their bits moved down by ``other`` places, keeping the sign."""
    return _right_shift(input, other, out=out)


def is_nonzero(input: Tensor) -> bool:
    """Return whether the only element is not zero."""
    if input.numel() != 1:
        raise RuntimeError(f"Boolean value of Tensor with {'no values' if not input.numel() else 'more than one value'} is ambiguous")
    return bool(input.item())


Comparable = Number | Tensor

greater, greater_equal, less, less_equal, not_equal = gt, ge, lt, le, ne
