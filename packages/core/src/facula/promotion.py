"""PyTorch's type promotion: which type an operation on several types computes in."""

from functools import cache

from facula import dtypes
from facula.dtypes import BOOLEAN, COMPLEX, FLOATING, INTEGRAL, dtype


@cache
def promote_types(type1: dtype, type2: dtype) -> dtype:
    """Return the smallest type that holds both: bool < integers < floating point < complex.

    >>> facula.promote_types(facula.int64, facula.float16)
    facula.float16
    """
    if type1 is type2:
        return type1
    low, high = sorted((type1, type2), key=lambda each: (each.category, each.itemsize))
    if high.category == COMPLEX:
        # A complex result keeps the precision of a real float64.
        wide = high.itemsize == 16 or (low.category == FLOATING and low.itemsize == 8)
        return dtypes.complex128 if wide else dtypes.complex64
    if high.category == FLOATING:
        if low.category == FLOATING and low.itemsize == high.itemsize:
            return dtypes.float32  # float16 with bfloat16
        return high
    if low.category == BOOLEAN:
        return high
    return _promote_integers(low, high)


def _promote_integers(low: dtype, high: dtype) -> dtype:
    if low.is_signed == high.is_signed:
        return high
    unsigned = low if high.is_signed else high
    signed = high if high.is_signed else low
    if signed.itemsize > unsigned.itemsize:
        return signed
    if unsigned.itemsize == 1:
        return dtypes.int16
    raise RuntimeError(
        f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote {low} and {high}"
    )


def combine(dimensioned: list[dtype], zero_dim: list[dtype], numbers: list[dtype]) -> dtype:
    """Return the promoted type where dimensioned tensors outrank zero-dim ones, and those outrank Python numbers.

    A lower rank decides only when its category is higher.
    """
    result: dtype | None = None
    for rank in (dimensioned, zero_dim, numbers):
        if not rank:
            continue
        promoted = rank[0]
        for each in rank[1:]:
            promoted = promote_types(promoted, each)
        if result is None:
            result = promoted
        elif promoted.category > result.category:
            # A complex number keeps the width of the real tensors it meets.
            result = result.to_complex() if promoted.category == COMPLEX and result.category == FLOATING else promoted
    assert result is not None
    return result


def can_cast(from_: dtype, to: dtype) -> bool:
    """Return whether a result of one type may be written into a tensor of another.

    >>> facula.can_cast(facula.float32, facula.int64)
    False
    """
    if from_.category == COMPLEX:
        return to.category == COMPLEX
    if from_.category == FLOATING:
        return to.category >= FLOATING
    if from_.category == INTEGRAL and to.category == BOOLEAN:
        return False
    return True
