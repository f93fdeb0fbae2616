"""Sums, means, extremes and other figures over dimensions."""

import builtins
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from facula import dtypes
from facula.dtypes import dtype as DType
from facula.primitive import primitive, promote, to_float, to_integer, write_out
from facula.tensor_base import TensorBase
from facula.types import Number, Tensor

__all__ = [
    *("all", "amax", "amin", "aminmax", "any", "argmax", "argmin", "count_nonzero", "logsumexp", "max", "mean"),
    *("median", "min", "mode", "nanmean", "nanmedian", "nansum", "norm", "prod", "std", "std_mean", "sum"),
    *("var", "var_mean"),
]

Dims = int | Sequence[int] | None


def _axes(input: Tensor, dim: Dims) -> tuple[int, ...]:
    """Return the dimensions meant by ``dim``, none negative; all of them for None or an empty sequence."""
    rank = input._array.ndim
    if dim is None or dim == () or dim == []:
        return tuple(range(rank))
    axes = []
    for each in (dim,) if isinstance(dim, int) else dim:
        each = each.__index__()
        if not -builtins.max(rank, 1) <= each < builtins.max(rank, 1):
            low, high = -builtins.max(rank, 1), builtins.max(rank, 1) - 1
            raise IndexError(f"Dimension out of range (expected to be in range of [{low}, {high}], but got {each})")
        each %= builtins.max(rank, 1)
        if each in axes:
            raise RuntimeError(f"dim {each} appears multiple times in the list of dims")
        axes.append(each)
    return () if rank == 0 else tuple(axes)


def _expand(g: Tensor, shape: tuple[int, ...], axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """Return the gradient of a reduction at every element that went into it."""
    if not keepdim:
        kept = tuple(1 if axis in axes else length for axis, length in enumerate(shape))
        g = g.reshape(kept)
    return g.expand(shape)


def _count(shape: Sequence[int], axes: tuple[int, ...]) -> int:
    return math.prod(shape[axis] for axis in axes)


@primitive(
    dtype=to_integer, vjp={"x": lambda g, x_shape, axes, keepdim: _expand(g, x_shape, axes, keepdim)}
)
def _sum(xp, x, *, axes, keepdim):
    # NumPy would widen small integers by itself, and keep float16; the door has chosen the type already.
    return x.sum(axis=axes, keepdims=keepdim, dtype=x.dtype)


def sum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Return the sum over ``dim`` (all dimensions by default); int64 for integers.

    >>> facula.sum(facula.tensor([[1, 2], [3, 4]]), dim=0)
    tensor([4, 6])
    """
    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "iu" and input.dtype is not dtypes.int64:
        input = input.to(dtypes.int64)
    return _sum(input, axes=_axes(input, dim), keepdim=keepdim, out=out)


def _needs_float(input: Tensor, dtype: DType | None, name: str) -> Tensor:
    if dtype is not None:
        input = input.to(dtype)
    if input.dtype.category < dtypes.FLOATING:
        raise RuntimeError(
            f"{name}(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: "
            f"{input.dtype.name.title()}"
        )
    return input


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x_shape, axes, keepdim: _expand(g / builtins.max(_count(x_shape, axes), 1), x_shape, axes, keepdim)},
)
def _mean(xp, x, *, axes, keepdim):
    total = x.sum(axis=axes, keepdims=keepdim, dtype=x.dtype)
    return total / x.dtype.type(_count(x.shape, axes))


def mean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Return the mean over ``dim``; RuntimeError for integers."""
    input = _needs_float(input, dtype, "mean")
    return _mean(input, axes=_axes(input, dim), keepdim=keepdim, out=out)


@primitive(dtype=to_integer, vjp={"x": lambda g, x, out, axes, keepdim: _prod_gradient(g, x, out, axes, keepdim)})
def _prod(xp, x, *, axes, keepdim):
    return x.prod(axis=axes, keepdims=keepdim, dtype=x.dtype)


def _prod_gradient(g: Tensor, x: Tensor, out: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """Return g times the product of all other elements, by products from both sides: no division by zero."""
    shape = tuple(x.shape)
    if not axes:
        return g
    moved = x.movedim(axes, tuple(range(-len(axes), 0))) if len(axes) > 1 else x.movedim(axes[0], -1)
    flat = moved.reshape(*moved.shape[: x.dim() - len(axes)], -1)
    if flat.shape[-1] == 0:
        return g.new_zeros(shape)
    one = flat.new_ones((*flat.shape[:-1], 1))
    before = one._joined(flat[..., :-1].cumprod(-1), -1)
    after = one._joined(flat.flip(-1)[..., :-1].cumprod(-1), -1).flip(-1)
    others = (before * after).reshape(moved.shape)
    others = others.movedim(tuple(range(-len(axes), 0)), axes) if len(axes) > 1 else others.movedim(-1, axes[0])
    others = others.conj() if others.is_complex() else others
    return _expand(g, shape, axes, keepdim) * others


def prod(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Return the product over ``dim`` (all dimensions by default); int64 for integers."""
    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "iu" and input.dtype is not dtypes.int64:
        input = input.to(dtypes.int64)
    return _prod(input, axes=_axes(input, dim), keepdim=keepdim, out=out)


# Variance.


@primitive(
    dtype=to_float,
    vjp={"x": lambda g, x, axes, correction, keepdim: _var_gradient(g, x, axes, correction, keepdim)},
)
def _var(xp, x, *, axes, correction, keepdim):
    centred = x - x.mean(axis=axes, keepdims=True)
    squares = (centred * centred.conj()).real if x.dtype.kind == "c" else centred * centred
    freedom = builtins.max(_count(x.shape, axes) - correction, 0)
    return squares.sum(axis=axes, keepdims=keepdim) / squares.dtype.type(freedom)


def _var_gradient(g: Tensor, x: Tensor, axes: tuple[int, ...], correction: float, keepdim: bool) -> Tensor:
    freedom = _count(x.shape, axes) - correction
    centred = x - x.mean(axes, keepdim=True)
    scale = 2.0 / freedom if freedom > 0 else math.nan
    return _expand(g, tuple(x.shape), axes, keepdim) * scale * centred


def _var_arguments(args: tuple, dim: Dims, unbiased: bool | None, correction: Number | None) -> tuple[Dims, Number]:
    """Return dim and correction from the forms ``(unbiased)``, ``(dim, unbiased)`` and ``(dim, correction=)``."""
    for each in args:
        if isinstance(each, bool):
            unbiased = each
        else:
            dim = each
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


def var(
    input: Tensor,
    *args: Dims | bool,
    dim: Dims = None,
    unbiased: bool | None = None,
    correction: Number | None = None,
    keepdim: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return the variance over ``dim``: the sum of squared deviations over (count - correction), by default 1."""
    if len(args) == 3:
        args, keepdim = args[:2], args[2]
    input = _needs_float(input, None, "var")
    dim, correction = _var_arguments(args, dim, unbiased, correction)
    return _var(input, axes=_axes(input, dim), correction=correction, keepdim=keepdim, out=out)


def std(
    input: Tensor,
    *args: Dims | bool,
    dim: Dims = None,
    unbiased: bool | None = None,
    correction: Number | None = None,
    keepdim: bool = False,
    out: Tensor | None = None,
) -> Tensor:
    """Return the standard deviation over ``dim``: the square root of the variance."""
    spread = var(input, *args, dim=dim, unbiased=unbiased, correction=correction, keepdim=keepdim)
    return _root(spread) if out is None else write_out(_root(spread), out, "std")


@primitive(vjp={"x": lambda g, out: (g / (2 * out)).where(out != 0, 0.0)})
def _root(xp, x):
    return xp.sqrt(x)


def var_mean(
    input: Tensor,
    *args: Dims | bool,
    dim: Dims = None,
    unbiased: bool | None = None,
    correction: Number | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the variance and the mean over ``dim``."""
    chosen, _ = _var_arguments(args, dim, unbiased, correction)
    spread = var(input, *args, dim=dim, unbiased=unbiased, correction=correction, keepdim=keepdim)
    return spread, mean(input, chosen, keepdim)


def std_mean(
    input: Tensor,
    *args: Dims | bool,
    dim: Dims = None,
    unbiased: bool | None = None,
    correction: Number | None = None,
    keepdim: bool = False,
) -> tuple[Tensor, Tensor]:
    """Return the standard deviation and the mean over ``dim``."""
    spread, centre = var_mean(input, *args, dim=dim, unbiased=unbiased, correction=correction, keepdim=keepdim)
    return _root(spread), centre


# Extremes.


class ValuesAndIndices(NamedTuple):
    """Values along a dimension, and where they are."""

    values: Tensor
    indices: Tensor


class MinMax(NamedTuple):
    """The smallest and largest elements."""

    min: Tensor
    max: Tensor


def _evenly(g: Tensor, x: Tensor, out: Tensor, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """Return the gradient shared evenly by the elements equal to the extreme."""
    shape = tuple(x.shape)
    chosen = x == _expand(out, shape, axes, keepdim)
    return (_expand(g, shape, axes, keepdim) / chosen.sum(axes, keepdim=True)).where(chosen, 0.0)


@primitive(dtype=promote, vjp={"x": lambda g, x, out, axes, keepdim: _evenly(g, x, out, axes, keepdim)})
def _amax(xp, x, *, axes, keepdim):
    return x.max(axis=axes, keepdims=keepdim)


@primitive(dtype=promote, vjp={"x": lambda g, x, out, axes, keepdim: _evenly(g, x, out, axes, keepdim)})
def _amin(xp, x, *, axes, keepdim):
    return x.min(axis=axes, keepdims=keepdim)


def _not_empty(input: Tensor, axes: tuple[int, ...], name: str) -> None:
    if any_of(input.shape[axis] == 0 for axis in axes):
        if len(axes) == input.dim():
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with "
                "the 'dim' argument."
            )
        raise IndexError(f"{name}(): Expected reduction dim {axes[0]} to have non-zero size.")


any_of = builtins.any


def amax(input: Tensor, dim: Dims = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the largest elements over ``dim``; equal ones share the gradient."""
    axes = _axes(input, dim)
    _not_empty(input, axes, "amax")
    return _amax(input, axes=axes, keepdim=keepdim, out=out)


def amin(input: Tensor, dim: Dims = (), keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return the smallest elements over ``dim``; equal ones share the gradient."""
    axes = _axes(input, dim)
    _not_empty(input, axes, "amin")
    return _amin(input, axes=axes, keepdim=keepdim, out=out)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: Sequence[Tensor] | None = None) -> MinMax:
    """Return the smallest and largest elements, of all or along ``dim``."""
    low, high = amin(input, () if dim is None else dim, keepdim), amax(input, () if dim is None else dim, keepdim)
    if out is not None:
        low, high = write_out(low, out[0], "aminmax"), write_out(high, out[1], "aminmax")
    return MinMax(low, high)


@primitive()
def _argmax(xp, x, *, axis, keepdim):
    return x.argmax(axis=axis, keepdims=keepdim) if x.dtype.kind != "V" else x.astype(np.float32).argmax(axis, keepdims=keepdim)


@primitive()
def _argmin(xp, x, *, axis, keepdim):
    return x.argmin(axis=axis, keepdims=keepdim) if x.dtype.kind != "V" else x.astype(np.float32).argmin(axis, keepdims=keepdim)


def _refuse_complex(input: Tensor, name: str) -> None:
    if input.is_complex():
        raise RuntimeError(f"{name} does not support complex inputs.")


def _arg(function: object, name: str, input: Tensor, dim: int | None, keepdim: bool, out: Tensor | None) -> Tensor:
    _refuse_complex(input, name)
    if dim is None:
        if input.numel() == 0:
            raise IndexError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.")
        flat = function(input.reshape(-1), axis=0, keepdim=False)
        found = flat.reshape([1] * input.dim()) if keepdim else flat
        return found if out is None else write_out(found, out, name)
    (axis,) = _axes(input, dim) or (None,)
    if axis is None:
        return function(input.reshape(1), axis=0, keepdim=False, out=out)
    _not_empty(input, (axis,), name)
    return function(input, axis=axis, keepdim=keepdim, out=out)


def argmax(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return where the largest element is: in the flattened tensor, or along ``dim``; the first of equal ones.

    >>> facula.argmax(facula.tensor([3, 9, 5]))
    tensor(1)
    """
    return _arg(_argmax, "argmax", input, dim, keepdim, out)


def argmin(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return where the smallest element is: in the flattened tensor, or along ``dim``; the first of equal ones."""
    return _arg(_argmin, "argmin", input, dim, keepdim, out)


def _along(argument: object, input: Tensor, dim: int, keepdim: bool) -> ValuesAndIndices:
    """Return the elements at the places one of the functions above finds along ``dim``."""
    if input.dim() == 0:
        return ValuesAndIndices(input.clone(), input.new_zeros((), dtype=dtypes.int64))
    index = argument(input, dim, keepdim=True)
    values = input.gather(dim, index)
    return ValuesAndIndices(values, index) if keepdim else ValuesAndIndices(values.squeeze(dim), index.squeeze(dim))


def _extreme(
    name: str, input: Tensor, dim: "int | Tensor | None", keepdim: bool, other: Tensor | None, out: object
) -> Tensor | ValuesAndIndices:
    _refuse_complex(input, name)
    if isinstance(dim, TensorBase):
        dim, other = None, dim
    if other is not None:
        return (input.maximum if name == "max" else input.minimum)(other) if out is None else (
            write_out(getattr(input, name + "imum")(other), out, name))
    if dim is None:
        if input.numel() == 0:
            raise RuntimeError(f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim with the 'dim' argument.")
        return (amax if name == "max" else amin)(input, out=out)
    found = _along(argmax if name == "max" else argmin, input, dim, keepdim)
    if out is None:
        return found
    return ValuesAndIndices(write_out(found.values, out[0], name), write_out(found.indices, out[1], name))


def max(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Tensor | Sequence[Tensor] | None = None,
) -> Tensor | ValuesAndIndices:
    """Return the largest element; with ``dim`` the largest along it and where they are; with a tensor as `maximum`."""
    return _extreme("max", input, dim, keepdim, other, out)


def min(
    input: Tensor,
    dim: int | Tensor | None = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Tensor | Sequence[Tensor] | None = None,
) -> Tensor | ValuesAndIndices:
    """Return the smallest element; with ``dim`` the smallest along it and where they are; with a tensor as `minimum`."""
    return _extreme("min", input, dim, keepdim, other, out)


# Logic and counts.


@primitive()
def _all(xp, x, *, axes, keepdim):
    result = xp.all(x, axis=axes, keepdims=keepdim)
    return result.astype(np.uint8) if x.dtype == np.uint8 else result


@primitive()
def _any(xp, x, *, axes, keepdim):
    result = xp.any(x, axis=axes, keepdims=keepdim)
    return result.astype(np.uint8) if x.dtype == np.uint8 else result


def all(input: Tensor, dim: Dims = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return whether all elements over ``dim`` are not zero."""
    return _all(input, axes=_axes(input, dim), keepdim=keepdim, out=out)


def any(input: Tensor, dim: Dims = None, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return whether an element over ``dim`` is not zero."""
    return _any(input, axes=_axes(input, dim), keepdim=keepdim, out=out)


@primitive()
def _count_nonzero(xp, x, *, axes):
    return xp.count_nonzero(x, axis=axes)


def count_nonzero(input: Tensor, dim: Dims = None) -> Tensor:
    """Return how many elements over ``dim`` are not zero."""
    return _count_nonzero(input, axes=_axes(input, dim))


def nansum(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Return the sum over ``dim``, nan counting as zero."""
    if input.is_complex():
        raise RuntimeError("nansum does not support complex inputs")
    clean = input.where(~input.isnan(), 0.0) if input.is_floating_point() else input
    return sum(clean, dim, keepdim, dtype=dtype, out=out)


def nanmean(
    input: Tensor, dim: Dims = None, keepdim: bool = False, *, dtype: DType | None = None, out: Tensor | None = None
) -> Tensor:
    """Return the mean over ``dim`` of the elements that are not nan."""
    input = _needs_float(input, dtype, "nanmean")
    result = nansum(input, dim, keepdim) / (~input.isnan()).sum(dim, keepdim)
    return result if out is None else write_out(result, out, "nanmean")


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, out, axes, keepdim: _expand(g, tuple(x.shape), axes, keepdim)
        * (x - _expand(out, tuple(x.shape), axes, keepdim).where(_expand(out, tuple(x.shape), axes, keepdim).abs() != math.inf, 0.0)).exp()
    },
)
def _logsumexp(xp, x, *, axes, keepdim):
    if not axes:
        return x.copy()
    if x.size == 0:
        return xp.log(xp.exp(x).sum(axis=axes, keepdims=keepdim))
    largest = x.max(axis=axes, keepdims=True)
    largest = xp.where(xp.isfinite(largest), largest, 0)
    total = xp.log(xp.exp(x - largest).sum(axis=axes, keepdims=True)) + largest
    return total if keepdim else total.squeeze(axes)


def logsumexp(input: Tensor, dim: Dims, keepdim: bool = False, *, out: Tensor | None = None) -> Tensor:
    """Return ``log(sum(exp(input)))`` over ``dim`` without overflow."""
    return _logsumexp(input, axes=_axes(input, dim), keepdim=keepdim, out=out)


def norm(
    input: Tensor,
    p: float | str | None = "fro",
    dim: Dims = None,
    keepdim: bool = False,
    out: Tensor | None = None,
    dtype: DType | None = None,
) -> Tensor:
    """Return the p-norm over ``dim``: ``sum(|x| ** p) ** (1 / p)``; ``"fro"`` is the 2-norm."""
    if dtype is not None:
        input = input.to(dtype)
    if p == "nuc":
        return input.svd()[1].sum(-1, keepdim=keepdim)
    order = 2.0 if p is None or p == "fro" else float(p)
    result = vector_norm(input, order, _axes(input, dim), keepdim)
    return result if out is None else write_out(result, out, "norm")


def vector_norm(input: Tensor, order: float, axes: tuple[int, ...], keepdim: bool) -> Tensor:
    """Return the p-norm of all elements over ``axes``; its gradient at zero is zero."""
    if order == 2:
        return _norm2(input, axes=axes, keepdim=keepdim)
    size = input.abs()
    if order == math.inf:
        return amax(size, axes, keepdim) if axes else size
    if order == -math.inf:
        return amin(size, axes, keepdim) if axes else size
    if order == 0:
        return (size != 0).to(size.dtype).sum(axes, keepdim=keepdim)
    if order == 1:
        return size.sum(axes, keepdim=keepdim)
    total = size.pow(order).sum(axes, keepdim=keepdim)
    flat = total == 0
    return total.where(~flat, 1.0).pow(1.0 / order).where(~flat, 0.0 if order > 0 else math.inf)


@primitive(
    dtype=to_float,
    vjp={
        "x": lambda g, x, out, axes, keepdim: x
        * _expand((g / out).where(out != 0, 0.0), tuple(x.shape), axes, keepdim)
    },
)
def _norm2(xp, x, *, axes, keepdim):
    squares = (x * x.conj()).real if x.dtype.kind == "c" else x * x
    return xp.sqrt(squares.sum(axis=axes, keepdims=keepdim))


# Middle and most frequent.


def _middle(input: Tensor, dim: int | None, keepdim: bool, skip_nan: bool) -> Tensor | ValuesAndIndices:
    if dim is None:
        if input.numel() == 0:
            return input.new_full((), math.nan if input.is_floating_point() else -(2**63))
        return _middle(input.reshape(-1), 0, False, skip_nan).values
    if input.dim() == 0:
        return ValuesAndIndices(input.clone(), input.new_zeros((), dtype=dtypes.int64))
    (axis,) = _axes(input, dim)
    index = _median_index(input, axis=axis, skip_nan=skip_nan)
    values = input.gather(axis, index)
    return ValuesAndIndices(values, index) if keepdim else ValuesAndIndices(values.squeeze(axis), index.squeeze(axis))


@primitive()
def _median_index(xp, x, *, axis, skip_nan):
    """Return where the lower median is along an axis, kept; where a nan is, unless nan is skipped."""
    order = xp.argsort(x, axis=axis, kind="stable")
    length = x.shape[axis]
    if x.dtype.kind != "f":
        return xp.take(order, xp.asarray([(length - 1) // 2]), axis=axis)
    missing = xp.isnan(x).sum(axis=axis, keepdims=True)
    valid = length - missing
    middle = xp.maximum(valid - 1, 0) // 2 if skip_nan else xp.where(missing > 0, valid, (length - 1) // 2)
    return xp.take_along_axis(order, middle, axis=axis)


def _write_pair(found: Tensor | ValuesAndIndices, out: object, name: str) -> Tensor | ValuesAndIndices:
    if out is None:
        return found
    if isinstance(found, TensorBase):
        return write_out(found, out, name)
    return ValuesAndIndices(write_out(found.values, out[0], name), write_out(found.indices, out[1], name))


def median(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Sequence[Tensor] | None = None
) -> Tensor | ValuesAndIndices:
    """Return the lower median of all elements, or of those along ``dim`` with where it is; nan when there is one."""
    return _write_pair(_middle(input, dim, keepdim, False), out, "median")


def nanmedian(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Sequence[Tensor] | None = None
) -> Tensor | ValuesAndIndices:
    """Return the lower median, nan left out."""
    return _write_pair(_middle(input, dim, keepdim, True), out, "nanmedian")


@primitive()
def _mode_index(xp, x, *, axis):
    """Return where the last occurrence of the smallest most frequent value is along an axis, kept."""
    order = xp.argsort(x, axis=axis, kind="stable")
    ordered = xp.moveaxis(xp.take_along_axis(x, order, axis=axis), axis, -1)
    length = ordered.shape[-1]
    starts = xp.ones(ordered.shape, bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    places = xp.broadcast_to(xp.arange(length), ordered.shape)
    run_start = xp.maximum.accumulate(xp.where(starts, places, 0), axis=-1)
    best = (places - run_start).argmax(axis=-1)
    return xp.take_along_axis(order, xp.moveaxis(best[..., None], -1, axis), axis=axis)


def mode(
    input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Sequence[Tensor] | None = None
) -> ValuesAndIndices:
    """Return the most frequent value along ``dim`` (the smallest of several) and where it last is."""
    if input.dim() == 0:
        return ValuesAndIndices(input.clone(), input.new_zeros((), dtype=dtypes.int64))
    (axis,) = _axes(input, dim)
    _not_empty(input, (axis,), "mode")
    index = _mode_index(input, axis=axis)
    values = input.gather(axis, index)
    if not keepdim:
        values, index = values.squeeze(axis), index.squeeze(axis)
    return _write_pair(ValuesAndIndices(values, index), out, "mode")


# Undoing a broadcast, for the engine.


@primitive(vjp={"x": lambda g, x_shape: g.expand(x_shape)})
def _sum_to(xp, x, *, shape):
    extra = x.ndim - len(shape)
    ones = tuple(extra + axis for axis, length in enumerate(shape) if length == 1 and x.shape[extra + axis] != 1)
    result = x.sum(axis=(*range(extra), *ones), keepdims=True, dtype=x.dtype)
    return result.reshape(shape)


def sum_to_size(input: Tensor, *size: int | Sequence[int]) -> Tensor:
    """Return ``input`` summed over the dimensions in which a tensor of ``size`` was broadcast to its shape."""
    shape = tuple(size[0]) if len(size) == 1 and not isinstance(size[0], int) else size
    if tuple(input._array.shape) == shape:
        return input
    extra = input.dim() - len(shape)
    fits = extra >= 0 and builtins.all(
        wanted in (1, have) for wanted, have in zip(shape, input._array.shape[extra:], strict=True)
    )
    if not fits:
        raise RuntimeError(f"size {{{list(shape)}}} is not expandable to size {{{list(input.shape)}}}.")
    return _sum_to(input, shape=shape)
