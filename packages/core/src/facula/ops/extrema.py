"""Largest, smallest and middle elements along dimensions, and where they are."""

from collections.abc import Sequence
from typing import Any, NamedTuple, overload

import numpy as np

from facula import dtypes, native
from facula.arguments import need_tensor
from facula.backend import namespace
from facula.dimensions import kept_shape, wrap_dim, wrap_dims
from facula.primitive import primitive, promote, write_out
from facula.tensor_base import TensorBase
from facula.types import Tensor

__all__ = ["amax", "amin", "aminmax", "argmax", "argmin", "kthvalue", "max", "median", "min", "mode", "nanmedian"]
__all__ += ["nanquantile", "quantile"]


class max_result(NamedTuple):
    """The largest elements along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


class min_result(NamedTuple):
    """The smallest elements along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


class median_result(NamedTuple):
    """The middle elements along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


class nanmedian_result(NamedTuple):
    """The middle elements that are not nan, and their indices."""

    values: Tensor
    indices: Tensor


class mode_result(NamedTuple):
    """The most frequent elements along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


class kthvalue_result(NamedTuple):
    """The k-th smallest elements along a dimension, and their indices."""

    values: Tensor
    indices: Tensor


class aminmax_result(NamedTuple):
    """The smallest and the largest elements."""

    min: Tensor
    max: Tensor


Out = tuple[Tensor, Tensor] | None


def _refuse(name: str, input: Tensor) -> None:
    if input.is_complex():
        raise RuntimeError(f"\"{name}\" not implemented for '{input.dtype.name.title()}'")


def _refuse_empty(name: str, input: Tensor, dims: tuple[int, ...] | None) -> None:
    """Refuse to choose among no elements."""
    shape = input._array.shape
    if dims is None:
        if input._array.size == 0:
            raise RuntimeError(
                f"{name}(): Expected reduction dim to be specified for input.numel() == 0. Specify the reduction dim "
                "with "
                "the 'dim' argument."
            )
        return
    for dim in dims:
        if shape[dim] == 0:
            raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


# Extreme values: elements that tie share the gradient.


def _ties(g: Tensor, x: Tensor, out: Tensor, dims: tuple[Any, ...] | None, keepdim: bool) -> Tensor:
    if not keepdim:
        shape = kept_shape(x.shape, dims)
        g, out = g.reshape(shape), out.reshape(shape)
    chosen = (x == out) | (x.isnan() & out.isnan())
    return g.where(chosen, 0.0) / chosen.sum(dims, True)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x, out, dims, keepdim: _ties(g, x, out, dims, keepdim)},
)
def _amax(xp, x, *, dims, keepdim):
    return xp.max(x, axis=dims, keepdims=keepdim)


@_amax.kernel("native")
def _amax_native(x, *, dims, keepdim):
    return native.kernels.amax(x, dims, keepdim)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x, out, dims, keepdim: _ties(g, x, out, dims, keepdim)},
)
def _amin(xp, x, *, dims, keepdim):
    return xp.min(x, axis=dims, keepdims=keepdim)


@_amin.kernel("native")
def _amin_native(x, *, dims, keepdim):
    return native.kernels.amin(x, dims, keepdim)


def amax(
    input: Tensor,
    dim: int | Sequence[int] = (),
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the largest elements along ``dim``, or of everything; equal ones share the gradient.

    >>> facula.amax(facula.tensor([[1, 5], [7, 2]]), 1)
    tensor([5, 7])
    """
    _refuse("amax", input)
    dims = wrap_dims(dim, input._array.ndim)
    _refuse_empty("amax", input, dims)
    return _amax(input, dims=dims, keepdim=keepdim, out=out)


def amin(
    input: Tensor,
    dim: int | Sequence[int] = (),
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the smallest elements along ``dim``, or of everything; equal ones share the gradient.

    >>> facula.amin(facula.tensor([[1, 5], [7, 2]]), 1)
    tensor([1, 2])
    """
    _refuse("amin", input)
    dims = wrap_dims(dim, input._array.ndim)
    _refuse_empty("amin", input, dims)
    return _amin(input, dims=dims, keepdim=keepdim, out=out)


def aminmax(input: Tensor, *, dim: int | None = None, keepdim: bool = False, out: Out = None) -> aminmax_result:
    """Return the smallest and the largest elements along ``dim``, or of everything.

    >>> facula.aminmax(facula.tensor([3, 1, 2])).max
    tensor(3)
    """
    _refuse("aminmax", input)
    dims = wrap_dims(dim, input._array.ndim)
    _refuse_empty("aminmax", input, dims)
    for each in out or ():
        if each.dtype is not input.dtype:
            raise RuntimeError(
                f"Expected out tensor to have dtype {input.dtype.name}, but got {each.dtype.name} instead"
            )
    low, high = (
        _amin(input, dims=dims, keepdim=keepdim),
        _amax(input, dims=dims, keepdim=keepdim),
    )
    return aminmax_result(*_written((low, high), out, "aminmax"))


def _written(results: Sequence[Tensor], out: Sequence[Tensor] | None, name: str) -> Sequence[Tensor]:
    """Return the results, or ``out`` after they were written into it."""
    if out is None:
        return results
    return [write_out(result, each, name) for result, each in zip(results, out, strict=True)]


# One element along a dimension, chosen by its index, which takes the gradient.


def _to_index(values: Tensor, indices: Tensor, x_shape: tuple[int, ...], dim: int, keepdim: bool) -> Tensor:
    """Return the gradient of elements picked at ``indices``: what arrived for them, ``values``, at their places."""
    if not x_shape:
        return values.reshape(())
    if not keepdim:
        values, indices = values.unsqueeze(dim), indices.unsqueeze(dim)
    return values.new_zeros(x_shape).scatter(dim, indices, values)


def _picked(xp, x, indices, dim, keepdim):
    """Return the elements at ``indices``, of length 1 along ``dim``, and the indices themselves."""
    values = xp.take_along_axis(x, indices, dim)
    return (values, indices) if keepdim else (values.squeeze(dim), indices.squeeze(dim))


def _of_one(x: np.ndarray) -> tuple[Any, ...]:
    """Return the only element of a zero-dim array, and index 0."""
    return x.copy(), np.zeros((), np.int64)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out_1, dim, keepdim: _to_index(g[0], out_1, x_shape, dim, keepdim)},
)
def _max_along(xp, x, *, dim, keepdim):
    return _picked(xp, x, xp.argmax(x, axis=dim, keepdims=True), dim, keepdim) if x.ndim else _of_one(x)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out_1, dim, keepdim: _to_index(g[0], out_1, x_shape, dim, keepdim)},
)
def _min_along(xp, x, *, dim, keepdim):
    return _picked(xp, x, xp.argmin(x, axis=dim, keepdims=True), dim, keepdim) if x.ndim else _of_one(x)


@overload
def max(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(input: Tensor, other: Tensor, /, *, out: Tensor | None = None) -> Tensor: ...
@overload
def max(input: Tensor, *, other: Tensor, out: Tensor | None = None) -> Tensor: ...
@overload
def max(input: Tensor, dim: int, keepdim: bool = False, *, out: Out = None) -> max_result: ...
def max(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Any = None,
) -> Tensor | max_result:
    """Return the largest element; along ``dim``, values and indices; given a tensor, the larger of each pair.

    >>> facula.max(facula.tensor([1.0, 3.0, 2.0]))
    tensor(3.)
    >>> facula.max(facula.tensor([1.0, 3.0, 2.0]), 0).indices
    tensor(1)
    """
    need_tensor("max", input)
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return input.maximum(other) if out is None else write_out(input.maximum(other), out, "max")
    _refuse("max", input)
    if dim is None:
        _refuse_empty("max", input, None)
        return _amax(input, dims=None, keepdim=False, out=out)
    dim = wrap_dim(dim, input._array.ndim)
    _refuse_empty("max", input, (dim,) if input._array.ndim else None)
    return max_result(*_written(_max_along(input, dim=dim, keepdim=keepdim), out, "max"))


@overload
def min(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(input: Tensor, other: Tensor, /, *, out: Tensor | None = None) -> Tensor: ...
@overload
def min(input: Tensor, *, other: Tensor, out: Tensor | None = None) -> Tensor: ...
@overload
def min(input: Tensor, dim: int, keepdim: bool = False, *, out: Out = None) -> min_result: ...
def min(
    input: Tensor,
    dim: Any = None,
    keepdim: bool = False,
    *,
    other: Tensor | None = None,
    out: Any = None,
) -> Tensor | min_result:
    """Return the smallest element; along ``dim``, values and indices; given a tensor, the smaller of each pair.

    >>> facula.min(facula.tensor([2.0, 1.0, 3.0]))
    tensor(1.)
    >>> facula.min(facula.tensor([2.0, 1.0, 3.0]), 0).indices
    tensor(1)
    """
    need_tensor("min", input)
    other = dim if isinstance(dim, Tensor) else other
    if other is not None:
        return input.minimum(other) if out is None else write_out(input.minimum(other), out, "min")
    _refuse("min", input)
    if dim is None:
        _refuse_empty("min", input, None)
        return _amin(input, dims=None, keepdim=False, out=out)
    dim = wrap_dim(dim, input._array.ndim)
    _refuse_empty("min", input, (dim,) if input._array.ndim else None)
    return min_result(*_written(_min_along(input, dim=dim, keepdim=keepdim), out, "min"))


@primitive(dtype=promote)
def _argmax(xp, x, *, dim, keepdim):
    return xp.argmax(x, axis=dim if x.ndim else None, keepdims=keepdim)


@primitive(dtype=promote)
def _argmin(xp, x, *, dim, keepdim):
    return xp.argmin(x, axis=dim if x.ndim else None, keepdims=keepdim)


def _index_of(
    name: str,
    function,
    input: Tensor,
    dim: int | None,
    keepdim: bool,
    out: Tensor | None,
) -> Tensor:
    if input.is_complex() or input.dtype is dtypes.bool_:
        raise RuntimeError(f"\"{name}_cpu\" not implemented for '{input.dtype.name.title()}'")
    if dim is not None:
        dim = wrap_dim(dim, input._array.ndim)
    _refuse_empty(name, input, (dim,) if dim is not None and input._array.ndim else None)
    return function(input, dim=dim, keepdim=keepdim, out=out)


def argmax(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the index of the largest element along ``dim``, or in the flattened tensor.

    >>> facula.argmax(facula.tensor([1.0, 3.0, 2.0]))
    tensor(1)
    """
    return _index_of("argmax", _argmax, input, dim, keepdim, out)


def argmin(
    input: Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return the index of the smallest element along ``dim``, or in the flattened tensor.

    >>> facula.argmin(facula.tensor([2.0, 1.0, 3.0]))
    tensor(1)
    """
    return _index_of("argmin", _argmin, input, dim, keepdim, out)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out_1, dim, keepdim: _to_index(g[0], out_1, x_shape, dim, keepdim)},
)
def _kth(xp, x, *, k, dim, keepdim):
    """The element of rank k, from 0; nan ranks last."""
    if not x.ndim:
        return _of_one(x)
    order = xp.argpartition(x, k, axis=dim)
    return _picked(xp, x, xp.take(order, xp.asarray([k]), axis=dim), dim, keepdim)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out_1, dim, keepdim: _to_index(g[0], out_1, x_shape, dim, keepdim)},
)
def _median(xp, x, *, dim, keepdim, ignore_nan):
    """The middle element, the lower of two; with a nan among them the nan, unless they are to be ignored."""
    if not x.ndim:
        return _of_one(x)
    order = xp.argsort(x, axis=dim, kind="stable")
    count = x.shape[dim]
    middle = (count - 1) // 2
    if x.dtype.kind != "f":
        return _picked(xp, x, xp.take(order, xp.asarray([middle]), axis=dim), dim, keepdim)
    numbers = count - xp.count_nonzero(xp.isnan(x), axis=dim, keepdims=True)
    rank = xp.maximum(numbers - 1, 0) // 2 if ignore_nan else xp.where(numbers < count, numbers, middle)
    return _picked(xp, x, xp.take_along_axis(order, rank, dim), dim, keepdim)


@_median.kernel("native")
def _median_native(x, *, dim, keepdim, ignore_nan):
    if not x.ndim:
        return NotImplemented
    found = native.kernels.median(np.ascontiguousarray(np.moveaxis(x, dim, -1)), ignore_nan)
    if found is NotImplemented or not keepdim:
        return found
    return tuple([np.expand_dims(each, dim) for each in found])


def kthvalue(input: Tensor, k: int, dim: int = -1, keepdim: bool = False, *, out: Out = None) -> kthvalue_result:
    """Return the ``k``-th smallest element along ``dim``, counted from 1, and its index.

    >>> facula.kthvalue(facula.tensor([3, 1, 2]), 2).values
    tensor(2)
    """
    _refuse("kthvalue_cpu", input)
    dim = wrap_dim(dim, input._array.ndim)
    length = input._array.shape[dim] if input._array.ndim else 1
    if length == 0:
        raise IndexError(f"kthvalue(): Expected reduction dim {dim} to have non-zero size.")
    if not 1 <= k <= length:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: {k} of {length}")
    if out is not None and any(_overlap(input, each) for each in out):
        raise RuntimeError(
            "unsupported operation: some elements of the input tensor and the written-to tensor refer to a single memory "
            "location. Please clone() the tensor before performing the operation."
        )
    return kthvalue_result(*_written(_kth(input, k=k - 1, dim=dim, keepdim=keepdim), out, "kthvalue"))


def _overlap(input: Tensor, out: Tensor) -> bool:
    array, target = input._array, out._array
    return type(array) is type(target) and bool(namespace(array).may_share_memory(array, target))


def _middle(name: str, input: Tensor, dim: int | None, keepdim: bool, out: Any, ignore_nan: bool) -> Any:
    _refuse(f"{name}_cpu", input)
    if dim is None:
        if input._array.size == 0:
            nothing = input.new_full((), float("nan") if input.is_floating_point() else 0)
            return nothing if out is None else write_out(nothing, out, name)
        values = _median(input.reshape(-1), dim=0, keepdim=False, ignore_nan=ignore_nan)[0]
        return values if out is None else write_out(values, out, name)
    dim = wrap_dim(dim, input._array.ndim)
    _refuse_empty(name, input, (dim,) if input._array.ndim else None)
    return _written(_median(input, dim=dim, keepdim=keepdim, ignore_nan=ignore_nan), out, name)


@overload
def median(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def median(input: Tensor, dim: int, keepdim: bool = False, *, out: Out = None) -> median_result: ...
def median(input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None) -> Tensor | median_result:
    """Return the middle element, the lower of two; along ``dim``, values and indices; nan where there is one.

    >>> facula.median(facula.tensor([4.0, 1.0, 3.0, 2.0]))
    tensor(2.)
    """
    found = _middle("median", input, dim, keepdim, out, False)
    return found if dim is None else median_result(*found)


@overload
def nanmedian(input: Tensor, *, out: Tensor | None = None) -> Tensor: ...
@overload
def nanmedian(input: Tensor, dim: int, keepdim: bool = False, *, out: Out = None) -> nanmedian_result: ...
def nanmedian(
    input: Tensor, dim: int | None = None, keepdim: bool = False, *, out: Any = None
) -> Tensor | nanmedian_result:
    """Return the middle of the elements that are not nan; along ``dim``, values and indices.

    >>> facula.nanmedian(facula.tensor([4.0, float("nan"), 3.0]))
    tensor(3.)
    """
    found = _middle("nanmedian", input, dim, keepdim, out, True)
    return found if dim is None else nanmedian_result(*found)


@primitive(
    dtype=promote,
    vjp={"x": lambda g, x_shape, out_1, dim, keepdim: _to_index(g[0], out_1, x_shape, dim, keepdim)},
)
def _mode(xp, x, *, dim, keepdim):
    if not x.ndim:
        return _of_one(x)
    order = xp.argsort(x, axis=dim, kind="stable")
    ordered = xp.take_along_axis(x, order, dim)
    length = x.shape[dim]
    places = xp.arange(length).reshape([-1 if at == dim else 1 for at in range(x.ndim)])
    first = xp.ones(x.shape, bool)
    after = tuple([slice(1, None) if at == dim else slice(None) for at in range(x.ndim)])
    before = tuple([slice(None, -1) if at == dim else slice(None) for at in range(x.ndim)])
    first[after] = ordered[after] != ordered[before]
    # How far each element of a run of equals is from its first; the end of the longest run is where this is largest.
    distance = places - xp.maximum.accumulate(xp.where(first, places, 0), axis=dim)
    end = xp.argmax(distance, axis=dim, keepdims=True)
    return _picked(xp, x, xp.take_along_axis(order, end, dim), dim, keepdim)


def mode(input: Tensor, dim: int = -1, keepdim: bool = False, *, out: Out = None) -> mode_result:
    """Return the most frequent element along ``dim``, the smallest among equally frequent, and the last index of it.

    >>> facula.mode(facula.tensor([1, 2, 2])).values
    tensor(2)
    """
    _refuse("mode_cpu", input)
    dim = wrap_dim(dim, input._array.ndim)
    if input._array.ndim and input._array.shape[dim] == 0:
        raise IndexError(f"mode(): Expected reduction dim {dim} to have non-zero size.")
    return mode_result(*_written(_mode(input, dim=dim, keepdim=keepdim), out, "mode"))


# Quantiles, between the sorted elements.

INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(
    name: str,
    input: Tensor,
    q: float | Tensor,
    dim: int | None,
    keepdim: bool,
    interpolation: str,
    ignore_nan: bool,
) -> Tensor:
    if input.dtype not in (dtypes.float32, dtypes.float64):
        raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(
            f"{name}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if not isinstance(q, TensorBase):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{name}() q must be in the range [0, 1] but got {q}")
        q = input.new_full((), q)
    if q.dim() > 1:
        raise RuntimeError(f"{name}() q must be a scalar or 1D tensor")
    if q.dtype is not input.dtype:
        raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
    if input.numel() == 0:
        raise RuntimeError(f"{name}() input tensor must be non-empty")
    if not bool(((q >= 0) & (q <= 1)).all()):
        raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
    ndim = input.dim()
    if dim is None:
        ordered = input.reshape(-1).sort(dim=0).values
        kept = (1,) * ndim
    else:
        dim = wrap_dim(dim, ndim)
        ordered = (input if ndim else input.reshape(1)).movedim(dim, -1).sort(dim=-1).values
        kept = kept_shape(input.shape, (dim,))
    if ignore_nan:
        last = (~ordered.isnan()).sum(-1, True) - 1
        position = (q.reshape(-1) * last.clamp(min=0)).to(input.dtype)
    else:
        end = ordered.shape[-1] - 1
        # With a nan anywhere (sorted last), every quantile is nan.
        position = (q.reshape(-1) * end).where(~ordered.narrow(-1, end, 1).isnan(), float(end))
    if interpolation == "nearest":
        position = position.round()
    below = position.detach().ceil() if interpolation == "higher" else position.detach().floor()
    low = ordered.gather(-1, below.long())
    if interpolation in ("linear", "midpoint"):
        high = ordered.gather(-1, position.detach().ceil().long())
        weight = position - below
        weight = weight if interpolation == "linear" else (weight * 0 + 0.5)
        low = low.lerp(high, weight)
    result = low.movedim(-1, 0)
    if keepdim:
        return result.reshape((*q.shape, *kept))
    return result if q.dim() else result.squeeze(0)


def quantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """Return the elements below which the fractions ``q`` lie, along ``dim`` or of everything.

    Several fractions become the first dimension. ``interpolation`` is linear, lower, higher, midpoint or nearest.

    >>> facula.quantile(facula.tensor([1.0, 2.0, 3.0]), 0.25)
    tensor(1.5000)
    """
    result = _quantile("quantile", input, q, dim, keepdim, interpolation, False)
    return result if out is None else write_out(result, out, "quantile")


def nanquantile(
    input: Tensor,
    q: float | Tensor,
    dim: int | None = None,
    keepdim: bool = False,
    *,
    interpolation: str = "linear",
    out: Tensor | None = None,
) -> Tensor:
    """Return the quantiles of the elements that are not nan.

    >>> facula.nanquantile(facula.tensor([1.0, float("nan"), 3.0]), 0.5)
    tensor(2.)
    """
    result = _quantile("nanquantile", input, q, dim, keepdim, interpolation, True)
    return result if out is None else write_out(result, out, "nanquantile")
