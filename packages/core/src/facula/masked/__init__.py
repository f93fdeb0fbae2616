"""Reductions and normalisations of the elements that a mask lets through.

``mask`` is a boolean tensor that broadcasts to the input; True takes an element part, and no mask all of them. Where
nothing takes part, a reduction gives its identity: 0 for a sum, nan for a mean.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import facula
from facula import Tensor
from facula.dtypes import dtype as DType
from facula.nn import functional as F

__all__ = [
    "amax",
    "amin",
    "argmax",
    "argmin",
    "cumprod",
    "cumsum",
    "log_softmax",
    "logaddexp",
    "logsumexp",
    "mean",
    "median",
    "norm",
    "normalize",
    "prod",
    "softmax",
    "softmin",
    "std",
    "sum",
    "var",
]

Dims = int | Sequence[int] | None


def _mask_of(input: Tensor, mask: Tensor | None) -> Tensor | None:
    """Return the mask in the shape of the input."""
    if mask is None:
        return None
    if mask.dim() > input.dim():
        raise IndexError("_output_mask expected broadcastable mask (got mask dimensionality higher than of the input)")
    return mask.to(facula.bool).expand(input.shape)


def _dims(input: Tensor, dim: Dims) -> tuple[int, ...]:
    count = input.dim()
    if dim is None:
        return tuple(range(count))
    chosen = (dim,) if isinstance(dim, int) else tuple(dim)
    if not chosen:
        return tuple(range(count))
    wrapped = []
    for each in chosen:
        if not -max(count, 1) <= each < max(count, 1):
            raise IndexError(
                f"Dimension out of range (expected to be in range of [{-max(count, 1)}, {max(count, 1) - 1}], "
                f"but got {each})"
            )
        each = each % max(count, 1)
        if each in wrapped:
            raise RuntimeError(f"dim={each} appears multiple times in the list of dims")
        wrapped.append(each)
    return tuple(wrapped) if count else ()


def _filled(input: Tensor, mask: Tensor | None, value: float | bool) -> Tensor:
    """Return the input with ``value`` where the mask is False."""
    mask = _mask_of(input, mask)
    if mask is None:
        return input
    return facula.where(mask, input, facula.tensor(value, dtype=input.dtype, device=input.device))


def _in_type(input: Tensor, dtype: DType | None, integers_to: DType | None = facula.int64) -> Tensor:
    """Return the input in the type asked for; integers in ``integers_to``, where none is."""
    if dtype is not None:
        return input.to(dtype)
    if integers_to is not None and not (input.is_floating_point() or input.is_complex()):
        return input.to(integers_to)
    return input


def sum(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the sum of the elements that take part.

    >>> facula.masked.sum(facula.tensor([1.0, 2.0, 3.0]), mask=facula.tensor([True, False, True]))
    tensor(4.)
    """
    return _filled(_in_type(input, dtype), mask, 0).sum(_dims(input, dim), keepdim=bool(keepdim))


def prod(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the product of the elements that take part; 1 where none does."""
    found = _filled(_in_type(input, dtype), mask, 1)
    for each in sorted(_dims(input, dim), reverse=True):
        found = found.prod(each, keepdim=bool(keepdim))
    return found


def cumsum(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Return the running sums of the elements that take part."""
    return _filled(_in_type(input, dtype), mask, 0).cumsum(_dims(input, dim)[0] if input.dim() else dim)


def cumprod(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Return the running products of the elements that take part."""
    return _filled(_in_type(input, dtype), mask, 1).cumprod(_dims(input, dim)[0] if input.dim() else dim)


def _lowest(dtype: DType) -> float:
    if dtype.is_floating_point or dtype.is_complex:
        return -math.inf
    return 0 if dtype is facula.bool else facula.iinfo(dtype).min


def _highest(dtype: DType) -> float:
    if dtype.is_floating_point:
        return math.inf
    return 1 if dtype is facula.bool else facula.iinfo(dtype).max


def amax(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the largest of the elements that take part."""
    input = _in_type(input, dtype, None)
    return _filled(input, mask, _lowest(input.dtype)).amax(_dims(input, dim), keepdim=bool(keepdim))


def amin(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the smallest of the elements that take part."""
    input = _in_type(input, dtype, None)
    return _filled(input, mask, _highest(input.dtype)).amin(_dims(input, dim), keepdim=bool(keepdim))


def argmax(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return where the largest of the elements that take part is, as numbers of the input's type."""
    input = _in_type(input, dtype, None)
    return _filled(input, mask, _lowest(input.dtype)).argmax(dim, keepdim=bool(keepdim)).to(input.dtype)


def argmin(
    input: Tensor,
    dim: int | None = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return where the smallest of the elements that take part is, as numbers of the input's type."""
    input = _in_type(input, dtype, None)
    return _filled(input, mask, _highest(input.dtype)).argmin(dim, keepdim=bool(keepdim)).to(input.dtype)


def _counts(input: Tensor, dims: tuple[int, ...], keepdim: bool, mask: Tensor | None) -> Tensor:
    """Return how many elements take part."""
    present = facula.ones(input.shape, dtype=facula.int64, device=input.device)
    return _filled(present, mask, 0).sum(dims, keepdim=keepdim)


def mean(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the mean of the elements that take part; nan where none does."""
    input = _in_type(input, dtype, None)
    if not (input.is_floating_point() or input.is_complex()):
        if dtype is None and mask is None:
            raise ValueError(f"expected an input of a floating-point or complex type, got {input.dtype}")
        input = input.to(facula.float32) if dtype is None else input
    dims = _dims(input, dim)
    total = _filled(input, mask, 0).sum(dims, keepdim=bool(keepdim))
    return total / _counts(input, dims, bool(keepdim), mask)


def median(
    input: Tensor, dim: int = -1, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the median along a dimension of the elements that take part; nan where none does."""
    if not input.is_floating_point() and dtype is None:
        raise ValueError(f"input must be floating point, got {input.dtype}")
    input = _in_type(input, dtype, None)
    return _filled(input, mask, math.nan).nanmedian(dim, keepdim=bool(keepdim)).values


def logsumexp(
    input: Tensor, dim: Dims = None, *, keepdim: bool = False, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the logarithm of the sum of the exponentials of the elements that take part."""
    input = _in_type(input, dtype)
    found = facula.logsumexp(_filled(input, mask, _lowest(input.dtype)), _dims(input, dim), keepdim=bool(keepdim))
    return found.to(input.dtype)


def logaddexp(
    input: Tensor,
    other: Tensor,
    *,
    dtype: DType | None = None,
    input_mask: Tensor | None = None,
    other_mask: Tensor | None = None,
) -> Tensor:
    """Return the logarithm of the sum of two exponentials, of those that take part."""
    first, second = _in_type(input, dtype, None), _in_type(other, dtype, None)
    return facula.logaddexp(_filled(first, input_mask, -math.inf), _filled(second, other_mask, -math.inf))


def norm(
    input: Tensor,
    ord: float | None = 2.0,
    dim: Dims = None,
    *,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the vector norm of the elements that take part."""
    order = 2.0 if ord is None else float(ord)
    # What does not take part must not be the smallest element, nor count.
    fill = math.inf if order < 0 else 0.0
    filled = _filled(_in_type(input, dtype, None), mask, fill)
    return facula.linalg.vector_norm(filled, order, _dims(input, dim), bool(keepdim))


def _variance(
    input: Tensor,
    dim: Dims,
    unbiased: bool | None,
    correction: float | None,
    keepdim: bool,
    dtype: DType | None,
    mask: Tensor | None,
) -> Tensor:
    if unbiased is not None and correction is not None:
        raise ValueError("Only one of unbiased and correction may be given")
    less = 1 if correction is None and unbiased in (None, True) else 0 if correction is None else correction
    kind = dtype or (input.dtype if input.is_floating_point() or input.is_complex() else facula.float32)
    input = input.to(kind)
    dims = _dims(input, dim)
    count = _counts(input, dims, True, mask)
    middle = _filled(input, mask, 0).sum(dims, keepdim=True) / count
    difference = input - middle
    square = difference * difference.conj() if input.is_complex() else difference * difference
    total = _filled(square, mask, 0).sum(dims, keepdim=keepdim)
    if not keepdim:
        count = count.reshape(total.shape)
    return total / (count - less).clamp(min=0)


def var(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the variance of the elements that take part."""
    return _variance(input, dim, unbiased, correction, bool(keepdim), dtype, mask)


def std(
    input: Tensor,
    dim: Dims = None,
    unbiased: bool | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
    dtype: DType | None = None,
    mask: Tensor | None = None,
) -> Tensor:
    """Return the standard deviation of the elements that take part."""
    return _variance(input, dim, unbiased, correction, bool(keepdim), dtype, mask).sqrt()


def softmax(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Return the softmax over the elements that take part, 0 elsewhere; nan where none does."""
    return F.softmax(
        _filled(_in_type(input, dtype, facula.float32), mask, -math.inf), _dims(input, dim)[0] if input.dim() else dim
    )


def log_softmax(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Return the logarithm of `softmax`."""
    return F.log_softmax(
        _filled(_in_type(input, dtype, facula.float32), mask, -math.inf), _dims(input, dim)[0] if input.dim() else dim
    )


def softmin(input: Tensor, dim: int, *, dtype: DType | None = None, mask: Tensor | None = None) -> Tensor:
    """Return `softmax` of the negative."""
    return F.softmin(
        _filled(_in_type(input, dtype, facula.float32), mask, math.inf), _dims(input, dim)[0] if input.dim() else dim
    )


def normalize(
    input: Tensor, ord: float, dim: int, *, eps: float = 1e-12, dtype: DType | None = None, mask: Tensor | None = None
) -> Tensor:
    """Return the elements that take part over their norm, or over ``eps`` where that is smaller."""
    input = _in_type(input, dtype, None)
    size = norm(input, ord, dim, keepdim=True, mask=mask)
    return _filled(input, mask, 0) / size.clamp(min=eps)
