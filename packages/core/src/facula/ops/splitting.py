"""Views of parts: slices, single indices, and pieces along a dimension."""

from __future__ import annotations

import builtins
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from facula.dimensions import wrap_dim
from facula.graph.modes import state as modes
from facula.graph.modes import watch
from facula.ops.joining import cat
from facula.primitive import primitive
from facula.tensor_base import TensorBase
from facula.types import Tensor

__all__ = ["chunk", "dsplit", "hsplit", "narrow", "select", "split", "split_with_sizes", "tensor_split", "unbind"]
__all__ += ["vsplit"]


@primitive(view=True, vjp={"x": lambda g, x_shape, key: _put_slice(g, shape=x_shape, key=key)})
def _slice(xp, x, *, key):
    return x[key]


@primitive(vjp={"x": lambda g, key: _slice(g, key=key)})
def _put_slice(xp, x, *, shape, key):
    """Return zeros of a shape with ``x`` in the place a basic index names."""
    result = xp.zeros(shape, x.dtype)
    result[key] = x
    return result


def _whole(key: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return the key with an ellipsis: without one NumPy returns a bare number, no view, where all is indexed by ints."""
    return key if ... in key else (*key, ...)


def slice_view(input: Tensor, key: tuple[Any, ...]) -> Tensor:
    """Return the view of ``input`` that a basic index in NumPy's sense (ints, slices, None) names."""
    return _slice(input, key=_whole(key))


def put_slice(input: Tensor, key: tuple[Any, ...], source: Tensor) -> Tensor:
    """Return a copy of ``input`` with ``source`` in the place that a basic index names."""
    return _replace_slice(input, source, key=_whole(key))


@primitive(
    vjp={
        "x": lambda g, source_shape, key: _replace_slice(g, g.new_zeros(source_shape), key=key),
        "source": lambda g, key: _slice(g, key=key),
    }
)
def _replace_slice(xp, x, source, *, key):
    result = x.copy()
    result[key] = source
    return result


# All pieces of a recorded tensor at once: their gradients are joined, where those of single slices would each be put into
# zeros of the whole shape and added up.


@primitive(view=True, vjp={"x": lambda g, x_shape, sizes, dim: _join_pieces(g, x_shape, sizes, dim)})
def _split(xp, x, *, sizes, dim):
    before = (builtins.slice(None),) * dim
    ends = itertools.accumulate(sizes)
    return tuple([x[(*before, builtins.slice(end - size, end))] for size, end in zip(sizes, ends, strict=True)])


def _join_pieces(g: Sequence[Tensor | None], shape: Sequence[int], sizes: Sequence[int], dim: int) -> Tensor:
    some = next(each for each in g if each is not None)
    zero = some.new_zeros((1,) * len(shape))
    pieces = [
        zero.expand((*shape[:dim], size, *shape[dim + 1 :])) if each is None else each
        for each, size in zip(g, sizes, strict=True)
    ]
    return cat(pieces, dim)


@primitive(view=True, vjp={"x": lambda g, x_shape, dim: _join_pieces(_unsqueezed(g, dim), x_shape, [1] * len(g), dim)})
def _unbind(xp, x, *, dim):
    before = (builtins.slice(None),) * dim
    return tuple([x[(*before, index, ...)] for index in range(x.shape[dim])])


def _unsqueezed(g: Sequence[Tensor | None], dim: int) -> list[Tensor | None]:
    return [None if each is None else each.unsqueeze(dim) for each in g]


def _are_recorded(input: Tensor) -> bool:
    """Whether gradients of the pieces of a tensor go to it, and nothing else watches."""
    return input._node is not None and modes.grad_enabled and not watch.active and type(input._array) is np.ndarray


def _pieces(input: Tensor, sizes: Sequence[int], dim: int) -> tuple[Tensor, ...]:
    """Return views of ``input`` cut into pieces of these sizes, which add up."""
    if len(sizes) > 1 and _are_recorded(input):
        return _split(input, sizes=tuple(sizes), dim=dim)
    starts = itertools.accumulate(sizes, initial=0)
    return tuple([narrow(input, dim, start, size) for start, size in zip(starts, sizes)])


def narrow(input: Tensor, dim: int, start: int | Tensor, length: int) -> Tensor:
    """Return the view of ``length`` elements from ``start`` along ``dim``."""
    if input.dim() == 0:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    at, size = wrap_dim(dim, input.dim()), input.shape[dim]
    if isinstance(start, TensorBase) and (start.dim() or start._array.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    begin = int(start)
    if not -size <= begin <= size:
        raise IndexError(f"start out of range (expected to be in range of [{-size}, {size}], but got {begin})")
    begin = begin + size if begin < 0 else begin
    if begin + length > size:
        raise RuntimeError(f"start ({begin}) + length ({length}) exceeds dimension size ({size}).")
    return slice_view(input, (*[builtins.slice(None)] * at, builtins.slice(begin, begin + length)))


def select(input: Tensor, dim: int, index: int) -> Tensor:
    """Return the view at one index along ``dim``, without that dimension."""
    if input.dim() == 0:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    at, index = wrap_dim(dim, input.dim()), int(index)
    size = input._array.shape[at]
    if not -size <= index < size:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {at}"
        )
    return slice_view(input, (*[builtins.slice(None)] * at, index))


def unbind(input: Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return the views at all indices along ``dim``."""
    if input.dim() == 0:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    at = wrap_dim(dim, input.dim())
    if input._array.shape[at] > 1 and _are_recorded(input):
        return _unbind(input, dim=at)
    return tuple([select(input, at, index) for index in range(input._array.shape[at])])


def split(input: Tensor, split_size_or_sections: int | Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of ``input`` cut along ``dim`` into pieces of one size (the last may be smaller) or of given sizes."""
    if input.dim() == 0:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    at = wrap_dim(dim, input.dim())
    size = input._array.shape[at]
    if isinstance(split_size_or_sections, (list, tuple)):
        return split_with_sizes(input, split_size_or_sections, dim)
    step = int(split_size_or_sections)  # type: ignore[arg-type]  # no sequence: asked above
    if step < 0 or (step == 0 and size):
        raise RuntimeError(f"split expects split_size be non-negative, but got split_size={step}")
    starts = range(0, size, step) if step and size else (0,)
    return _pieces(input, [min(step, size - start) for start in starts], at)


def split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of ``input`` cut along ``dim`` into pieces of the given sizes, which must add up."""
    at = wrap_dim(dim, input.dim())
    size = input._array.shape[at]
    if sum(split_sizes) != size:
        raise RuntimeError(
            f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension {at}), but "
            f"got split_sizes={list(split_sizes)}"
        )
    if any(each < 0 for each in split_sizes):
        raise RuntimeError(
            "split_with_sizes expects split_sizes have only non-negative entries, but got "
            f"split_sizes={list(split_sizes)}"
        )
    return _pieces(input, split_sizes, at)


def chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return at most ``chunks`` views of ``input`` cut along ``dim``, all of one size but the last."""
    if input.dim() == 0:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    at = wrap_dim(dim, input.dim())
    size = input._array.shape[at]
    if size == 0:
        return tuple([narrow(input, at, 0, 0) for _ in range(chunks)])
    return split(input, -(-size // chunks), at)


def tensor_split(input: Tensor, indices_or_sections: int | Sequence[int] | Tensor, dim: int = 0) -> tuple[Tensor, ...]:
    """Return views of ``input`` cut along ``dim`` into so many nearly equal parts, or before given indices."""
    if input.dim() == 0:
        raise RuntimeError("tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims")
    at = wrap_dim(dim, input.dim())
    size = input._array.shape[at]
    if isinstance(indices_or_sections, TensorBase):
        indices_or_sections = indices_or_sections.tolist()
    if isinstance(indices_or_sections, int):
        if indices_or_sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {indices_or_sections}")
        base, longer = divmod(size, indices_or_sections)
        sizes = [base + 1] * longer + [base] * (indices_or_sections - longer)
        return split_with_sizes(input, sizes, at)
    pieces, start = [], 0
    for end in (*indices_or_sections, size):
        end = min(max(end + size if end < 0 else end, 0), size)
        pieces.append(narrow(input, at, min(start, size), max(end - start, 0)))
        start = end
    return tuple(pieces)


def _split_along(name: str, input: Tensor, sections: int | Sequence[int], dim: int, least: int) -> tuple[Tensor, ...]:
    if input.dim() < least:
        raise RuntimeError(
            f"{name} requires a tensor with at least {least} dimension, but got a tensor with {input.dim()} dimensions!"
        )
    if isinstance(sections, int) and (sections == 0 or input.shape[dim] % sections):
        raise RuntimeError(
            f"{name} attempted to split along dimension {dim}, but the size of the dimension {input.shape[dim]} is not "
            f"divisible by the split_size {sections}!"
        )
    return tensor_split(input, sections, dim)


def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return ``input`` cut along its second dimension (its first when it has only one)."""
    return _split_along("facula.hsplit", input, indices_or_sections, 0 if input.dim() == 1 else 1, 1)


def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return ``input`` cut along its first dimension."""
    return _split_along("facula.vsplit", input, indices_or_sections, 0, 2)


def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """Return ``input`` cut along its third dimension."""
    return _split_along("facula.dsplit", input, indices_or_sections, 2, 3)
