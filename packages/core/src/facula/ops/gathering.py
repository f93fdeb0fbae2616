"""Along one dimension: gather and scatter, and slices at the indices of a vector."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from facula import dtypes, native
from facula.arguments import need_slices
from facula.backend import Array
from facula.dimensions import wrap_dim
from facula.primitive import need_out, primitive, write_out
from facula.scattering import add_rows, check_range, range_of
from facula.tensor_base import TensorBase
from facula.types import Number, Tensor, TensorLike

__all__ = ["gather", "index_add", "index_select", "scatter", "scatter_add", "scatter_reduce", "take_along_dim"]


def _index_for(input: Tensor, index: Tensor, name: str, like: str = "input") -> None:
    if index.dtype.name not in ("int64", "int32"):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")


def _bounds(index: Array, size: int, name: str, dim: int) -> None:
    """Refuse indices outside [0, size): PyTorch's gather and scatter take no negative ones."""
    if isinstance(index, np.ndarray) and index.size:
        low, high = range_of(index)
        if low < 0 or high >= size:
            wrong = low if low < 0 else high
            raise RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


def _places(xp, index: Array, axis: int) -> tuple[Any, ...]:
    """Return the key that pairs an index along one dimension with its own position along the others."""
    key = []
    for at, length in enumerate(index.shape):
        shape = [1] * index.ndim
        shape[at] = length
        key.append(index if at == axis else xp.arange(length).reshape(shape))
    return tuple(key)


@primitive(vjp={"x": lambda g, index, x_shape, axis: _scatter_sum(g, index, shape=x_shape, axis=axis)})
def _gather(xp, x, index, *, axis):
    _bounds(index, x.shape[axis], "gather", axis)
    if all(have == wanted for at, (have, wanted) in enumerate(zip(x.shape, index.shape)) if at != axis):
        return xp.take_along_axis(x, index, axis=axis)
    return x[_places(xp, index, axis)]


_gather.kernel("native")(lambda x, index, *, axis: native.kernels.gather(x, index, axis))


@primitive(vjp={"x": lambda g, index, axis: _gather(g, index, axis=axis)})
def _scatter_sum(xp, x, index, *, shape, axis):
    """Return zeros of a shape with elements of ``x`` added where ``index`` says along an axis."""
    result = xp.zeros(shape, x.dtype)
    part = x[tuple(slice(length) for length in index.shape)]
    xp.add.at(result, _places(xp, index, axis), part)
    return result


@_scatter_sum.kernel("native")
def _scatter_sum_native(x, index, *, shape, axis):
    sums = native.kernels.sum_at(x, index, shape[0]) if len(shape) == 1 else NotImplemented
    if sums is not NotImplemented or any(a != b for at, (a, b) in enumerate(zip(shape, x.shape)) if at != axis):
        return sums
    return native.kernels.scatter_sum(x, index, axis, shape[axis])


@primitive(vjp={"x": lambda g, x_shape: g.new_zeros(x_shape)})
def _gather_nothing(xp, x, *, shape):
    return xp.empty(shape, x.dtype)


def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False, out: Tensor | None = None) -> Tensor:
    """Return, for each place of ``index``, the element of ``input`` at that index along ``dim`` and that place otherwise.

    >>> facula.gather(facula.tensor([[1, 2], [3, 4]]), 1, facula.tensor([[0], [1]]))
    tensor([[1],
            [4]])
    """
    axis = wrap_dim(dim, input.dim())
    need_out(out, input.dtype, input, index)
    if index.numel() == 0:
        return _gather_nothing(input, shape=tuple(index.shape), out=out)
    _index_for(input, index, "gather")
    if max(input.dim(), 1) != max(index.dim(), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    for at in range(index.dim()):
        if at != axis and index.shape[at] > input.shape[at]:
            raise RuntimeError(
                f"Size does not match at dimension {at} expected index {list(index.shape)} to be no larger than self "
                f"{list(input.shape)} apart from dimension {axis}"
            )
    if input.dim() == 0 or index.dim() == 0:
        result = _gather(input.reshape(-1), index.reshape(-1), axis=0).reshape(index.shape)
        return result if out is None else write_out(result, out, "gather")
    return _gather(input, index, axis=axis, out=out)


def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return elements of ``input`` at ``indices`` along ``dim``, the two broadcast; of the flattened one without ``dim``."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1), out=out)
    if input.dim() != indices.dim():
        raise RuntimeError(
            f"take_along_dim(): input and indices should have the same number of dimensions, but got {input.dim()} dimensions for "
            f"input, and {indices.dim()} dimensions for indices"
        )
    axis = wrap_dim(dim, input.dim())
    shape = list(
        np.broadcast_shapes(
            *(tuple(1 if at == axis else n for at, n in enumerate(each.shape)) for each in (input, indices))
        )
    )
    wide = [*shape[:axis], input.shape[axis], *shape[axis + 1 :]]
    shape[axis] = indices.shape[axis]
    indices = indices.where(indices >= 0, indices + input.shape[axis])
    return gather(input.expand(wide), axis, indices.expand(shape), out=out)


def _scatter_arguments(input: Tensor, dim: int, index: Tensor, source: TensorLike, name: str) -> int:
    _index_for(input, index, name)
    axis = wrap_dim(dim, input.dim())
    if index.numel() == 0:
        return axis
    if max(input.dim(), 1) != max(index.dim(), 1):
        raise RuntimeError("Index tensor must have the same number of dimensions as self tensor")
    if isinstance(source, TensorBase):
        if source.dtype != input.dtype:
            raise RuntimeError(f"{name}(): Expected self.dtype to be equal to src.dtype")
        if max(source.dim(), 1) != max(index.dim(), 1):
            raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    for at in range(index.dim()):
        too_large = at != axis and index.shape[at] > input.shape[at]
        if too_large or (isinstance(source, TensorBase) and index.shape[at] > source.shape[at]):
            raise RuntimeError(
                f"Expected index {list(index.shape)} to be no larger than self {list(input.shape)} apart from dimension {axis} and "
                f"to be no larger size than src {list(source.shape) if isinstance(source, TensorBase) else ''}"
            )
    _bounds(index._array, input.shape[axis] if input.dim() else 1, name, axis)
    return axis


@primitive(
    vjp={
        "x": lambda g, index, axis: _scatter(g, index, 0.0, axis=axis),
        "source": lambda g, index, source_shape, axis: _padded(_gather(g, index, axis=axis), source_shape),
    }
)
def _scatter(xp, x, index, source, *, axis):
    result = x.copy()
    part = (
        source[tuple(slice(length) for length in index.shape)] if hasattr(source, "shape") and source.ndim else source
    )
    result[_places(xp, index, axis)] = part
    return result


@_scatter.kernel("native")
def _scatter_native(x, index, source, *, axis):
    if not isinstance(source, np.ndarray) or source.ndim == 0:
        source = np.full(index.shape, source, x.dtype)
    return native.kernels.scatter(x, index, source, axis)


def _padded(g: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return a gradient with zeros for the part of the source that the index did not use."""
    if tuple(g.shape) == tuple(shape) or not shape:
        return g
    return g.new_zeros(shape)._put_slice(tuple(slice(length) for length in g.shape), g)


def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: TensorLike | None = None,
    *,
    value: Number | None = None,
    reduce: str | None = None,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with elements of ``src`` written where ``index`` says along ``dim``; or added or multiplied."""
    source: Any = value if src is None else src
    if source is None:
        raise TypeError("scatter(): expected either src or value")
    axis = _scatter_arguments(input, dim, index, source, "scatter")
    need_out(out, input.dtype, index, source)
    if reduce is not None:
        if reduce not in ("add", "multiply"):
            raise RuntimeError("reduce argument must be either add or multiply.")
        if not isinstance(source, TensorBase):
            source = input.new_full(index.shape, source)
        return scatter_reduce(input, dim, index, source, "sum" if reduce == "add" else "prod", out=out)
    if input.dim() == 0 or index.numel() == 0:
        result = input.clone()
        if index.numel():
            first = source.reshape(-1)[:1] if isinstance(source, Tensor) else source
            result = _scatter(input.reshape(1), index.reshape(-1), first, axis=0).reshape(())
        return result if out is None else write_out(result, out, "scatter")
    return _scatter(input, index, source, axis=axis, out=out)


def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return ``input`` with elements of ``src`` added where ``index`` says along ``dim``."""
    axis = _scatter_arguments(input, dim, index, src, "scatter")
    need_out(out, input.dtype, index, src)
    if index.numel() == 0:
        result = input.clone()
        return result if out is None else write_out(result, out, "scatter_add")
    if input.dim() == 0:
        return input.add(src.reshape(-1)[: index.numel()].sum(dtype=src.dtype), out=out)
    return input.add(_sum_parts(src, index, shape=tuple(input.shape), axis=axis), out=out)


@primitive(vjp={"x": lambda g, index, x_shape, axis: _padded(_gather(g, index, axis=axis), x_shape)})
def _sum_parts(xp, x, index, *, shape, axis):
    result = xp.zeros(shape, x.dtype)
    xp.add.at(result, _places(xp, index, axis), x[tuple(slice(length) for length in index.shape)])
    return result


@_sum_parts.kernel("native")
def _sum_parts_native(x, index, *, shape, axis):
    return _scatter_sum_native(x, index, shape=shape, axis=axis)


def scatter_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """Return ``input`` with elements of ``src`` combined where ``index`` says: "sum", "prod", "mean", "amax" or "amin"."""
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}.")
    axis = _scatter_arguments(input, dim, index, src, "scatter")
    need_out(out, input.dtype, index, src)
    if reduce == "mean" and input.dtype is dtypes.bool_:
        raise NotImplementedError("\"scatter_gather_tensor_cpu_reduce_mean\" not implemented for 'Bool'")
    if reduce in ("amax", "amin") and input.is_complex():
        raise NotImplementedError(f"scatter_reduce of '{reduce}' is not implemented for {input.dtype.name}")
    if index.numel() == 0 or input.dim() == 0:
        result = input + src.sum() * 0 if src.requires_grad and not index.numel() else input.clone()
        if index.numel():
            flat = scatter_reduce(
                input.reshape(1), 0, index.reshape(-1), src.reshape(-1), reduce, include_self=include_self
            )
            result = flat.reshape(())
        return result if out is None else write_out(result, out, "scatter_reduce")
    part = src._slice(tuple(slice(length) for length in index.shape)) if tuple(src.shape) != tuple(index.shape) else src
    ones = index.new_ones(index.shape, dtype=dtypes.int64)
    named = input.new_zeros(input.shape, dtype=dtypes.int64).scatter_add(axis, index, ones)
    base = input
    if not include_self:
        base = input.masked_fill(named != 0, _neutral(input, reduce))
    if reduce == "sum":
        result = scatter_add(base, axis, index, part)
    elif reduce == "mean":
        count = (named + int(include_self)).clamp_min(1)
        total = scatter_add(base, axis, index, part)
        whole = input.dtype.category == dtypes.INTEGRAL
        result = total.div(count, rounding_mode="floor").to(input.dtype) if whole else total / count
    elif reduce == "prod":
        result = _scatter_product(base, part, index, axis=axis)
    else:
        result = _scatter_extreme(base, part, index, axis=axis, largest=reduce == "amax")
    return result if out is None else write_out(result, out, "scatter_reduce")


def _neutral(input: Tensor, reduce: str) -> Number:
    """Return the number that changes no other number when reduced with it."""
    if reduce in ("sum", "mean", "prod"):
        return int(reduce == "prod")
    highest = reduce == "amin"
    if input.dtype is dtypes.bool_:
        return highest
    if input.is_floating_point():
        return math.inf if highest else -math.inf
    limits = dtypes.iinfo(input.dtype)
    return limits.max if highest else limits.min


@primitive(
    vjp={
        "x": lambda g, x, source, index, axis: g * _scatter_product(x.new_ones(x.shape), source, index, axis=axis),
        "source": lambda g, x, source, index, out, axis: _factor_gradient(g, x, source, index, out, axis),
    }
)
def _scatter_product(xp, x, source, index, *, axis):
    result = x.copy()
    xp.multiply.at(result, _places(xp, index, axis), source)
    return result


def _factor_gradient(g: Tensor, x: Tensor, source: Tensor, index: Tensor, out: Tensor, axis: int) -> Tensor:
    """Return the gradient times the product of all other factors.

    The product is divided by the factor. A factor of zero, where it is the only one, is left out of another product;
    where it is not, the gradient is zero but has gradients that these formulas do not give.
    """
    zero = source == 0
    count = _gather(_sum_parts(zero.to(dtypes.int64), index, shape=tuple(x.shape), axis=axis), index, axis=axis)
    alone = zero & (count == 1)
    others = _scatter_product(x, source.masked_fill(alone, 1), index, axis=axis)
    divided = _gather(g * out, index, axis=axis) / source.masked_fill(zero, 1)
    gradient = _gather(g * others, index, axis=axis).where(alone, divided)
    return _without_gradient(gradient) if bool((count > 1).any()) else gradient


@primitive(vjp={"x": lambda g: _refuse_second_gradient()})
def _without_gradient(xp, x):
    return x


def _refuse_second_gradient() -> Tensor:
    raise RuntimeError(
        "scatter_reduce(): Double backward is unsupported for src when >1 zeros in src are scattered to the same "
        "position in self"
    )


@primitive(vjp={("x", "source"): lambda g, x, source, index, out, axis: _share_extreme(g, x, source, index, out, axis)})
def _scatter_extreme(xp, x, source, index, *, axis, largest):
    result = x.copy()
    (xp.maximum if largest else xp.minimum).at(result, _places(xp, index, axis), source)
    return result


def _share_extreme(
    g: Tensor, x: Tensor, source: Tensor, index: Tensor, out: Tensor, axis: int
) -> tuple[Tensor, Tensor]:
    mine = (x == out).to(g.dtype)
    theirs = (source == _gather(out, index, axis=axis)).to(g.dtype)
    share = g / scatter_add(mine, axis, index, theirs)
    return share * mine, _gather(share, index, axis=axis) * theirs


def index_select(input: Tensor, dim: int, index: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return the slices of ``input`` at the indices of a vector along ``dim``."""
    if index.dim() > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    axis = wrap_dim(dim, input.dim())
    need_out(out, input.dtype, input, index)
    if input.dim() == 0:
        return input.clone() if out is None else write_out(input, out, "index_select")
    check_range(index._array, input.shape[axis])
    return _take_slices(input, index.reshape(-1), axis=axis, out=out)


@primitive(vjp={"x": lambda g, index, x_shape, axis: _sum_slices(g, index, shape=x_shape, axis=axis)})
def _take_slices(xp, x, index, *, axis):
    return xp.take(x, index, axis=axis)


_take_slices.kernel("native")(lambda x, index, *, axis: native.kernels.take_slices(x, index, axis))


@primitive(vjp={"x": lambda g, index, axis: _take_slices(g, index, axis=axis)})
def _sum_slices(xp, x, index, *, shape, axis):
    result = xp.zeros(shape, x.dtype)
    if axis == 0:
        add_rows(xp, result, index, x)
    else:
        xp.add.at(result, (slice(None),) * axis + (index,), x)
    return result


@_sum_slices.kernel("native")
def _sum_slices_native(x, index, *, shape, axis):
    sums = NotImplemented
    if x.ndim == 1:
        sums = native.kernels.sum_at(x, index, shape[0])
    elif axis == 0:
        sums = native.kernels.sum_rows(x, index, shape[0], -1)
    if sums is NotImplemented:
        return native.kernels.sum_slices(x, index, axis, shape[axis])
    return sums.reshape(shape)


def index_add(
    input: Tensor, dim: int, index: Tensor, source: Tensor, *, alpha: Number = 1, out: Tensor | None = None
) -> Tensor:
    """Return ``input`` with slices of ``source``, times ``alpha``, added at the indices of a vector along ``dim``."""
    axis = wrap_dim(dim, input.dim())
    need_slices("index_add_", input, axis, index, source)
    need_out(out, input.dtype, index, source)
    scaled = source if alpha == 1 else (source * alpha).to(source.dtype)
    if input.dim() == 0:
        return input.add(scaled.sum(dtype=scaled.dtype), out=out)
    check_range(index._array, input.shape[axis])
    return input.add(_sum_slices(scaled, index.reshape(-1), shape=tuple(input.shape), axis=axis), out=out)
