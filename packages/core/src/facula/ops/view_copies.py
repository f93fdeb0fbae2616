"""What would be a view, as a tensor of its own: ``expand_copy`` and its kin. Also splits that are never written into.

Each is the view, cloned; the clone is contiguous.
"""

from __future__ import annotations

from collections.abc import Sequence

from facula.dtypes import dtype as DType
from facula.ops.conversion import contiguous_format
from facula.primitive import write_out
from facula.types import Tensor

__all__ = [
    "alias_copy",
    "as_strided_copy",
    "as_strided_scatter",
    "detach_copy",
    "diagonal_copy",
    "expand_copy",
    "narrow_copy",
    "permute_copy",
    "select_copy",
    "split_with_sizes_copy",
    "squeeze_copy",
    "t_copy",
    "transpose_copy",
    "unbind_copy",
    "unfold_copy",
    "unsafe_chunk",
    "unsafe_split",
    "unsafe_split_with_sizes",
    "unsqueeze_copy",
    "view_copy",
]


def _own(view: Tensor, out: Tensor | None, name: str) -> Tensor:
    copy = view.clone(memory_format=contiguous_format)
    return copy if out is None else write_out(copy, out, name)


def _own_several(views: Sequence[Tensor], out: Sequence[Tensor] | None, name: str) -> tuple[Tensor, ...] | None:
    if out is None:
        return tuple(_own(each, None, name) for each in views)
    if len(out) != len(views):
        raise RuntimeError(f"{name}_out() expected an out= argument of {len(views)} tensors, got {len(out)}")
    for view, target in zip(views, out, strict=True):
        _own(view, target, name)
    return None


def alias_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return a copy."""
    return _own(input, out, "alias_copy")


def detach_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return a copy outside the graph."""
    return _own(input.detach(), out, "detach_copy")


def as_strided_copy(
    input: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return a copy of the view `as_strided`."""
    return _own(input.as_strided(size, stride, storage_offset), out, "as_strided_copy")


def diagonal_copy(input: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `diagonal`."""
    return _own(input.diagonal(offset, dim1, dim2), out, "diagonal_copy")


def expand_copy(input: Tensor, size: Sequence[int], *, implicit: bool = False, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `expand`.

    >>> facula.expand_copy(facula.tensor([[1], [2]]), (2, 2))
    tensor([[1, 1],
            [2, 2]])
    """
    return _own(input.expand(size), out, "expand_copy")


def narrow_copy(input: Tensor, dim: int, start: int, length: int, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `narrow`."""
    if input.dim() and dim >= input.dim():
        raise RuntimeError(f"narrow_copy(): Expected dim < {input.dim()}, the number of dimensions, but got {dim}")
    return _own(input.narrow(dim, start, length), out, "narrow_copy")


def permute_copy(input: Tensor, dims: Sequence[int], *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `permute`."""
    return _own(input.permute(dims), out, "permute_copy")


def select_copy(input: Tensor, dim: int, index: int, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `select`."""
    return _own(input.select(dim, index), out, "select_copy")


def squeeze_copy(input: Tensor, dim: int | Sequence[int] | None = None, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `squeeze`."""
    return _own(input.squeeze() if dim is None else input.squeeze(dim), out, "squeeze_copy")


def t_copy(input: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `t`."""
    return _own(input.t(), out, "t_copy")


def transpose_copy(input: Tensor, dim0: int, dim1: int, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `transpose`."""
    return _own(input.transpose(dim0, dim1), out, "transpose_copy")


def unfold_copy(input: Tensor, dimension: int, size: int, step: int, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `unfold`."""
    return _own(input.unfold(dimension, size, step), out, "unfold_copy")


def unsqueeze_copy(input: Tensor, dim: int, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `unsqueeze`."""
    return _own(input.unsqueeze(dim), out, "unsqueeze_copy")


def view_copy(input: Tensor, size: Sequence[int] | DType, *, out: Tensor | None = None) -> Tensor:
    """Return a copy of the view `view`."""
    return _own(input.view(size), out, "view_copy")


def unbind_copy(input: Tensor, dim: int = 0, *, out: Sequence[Tensor] | None = None) -> tuple[Tensor, ...] | None:
    """Return copies of the views `unbind`; None when they are written to ``out``."""
    return _own_several(input.unbind(dim), out, "unbind_copy")


def split_with_sizes_copy(
    input: Tensor, split_sizes: Sequence[int], dim: int = 0, *, out: Sequence[Tensor] | None = None
) -> tuple[Tensor, ...] | None:
    """Return copies of the views `split_with_sizes`; None when they are written to ``out``."""
    return _own_several(input.split_with_sizes(split_sizes, dim), out, "split_with_sizes_copy")


def as_strided_scatter(
    input: Tensor,
    src: Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
    *,
    out: Tensor | None = None,
) -> Tensor:
    """Return a copy of ``input`` with ``src`` written where `as_strided` would look."""
    copy = input.clone()
    part = copy.as_strided(size, stride, storage_offset)
    if part.shape != src.shape:
        raise RuntimeError(
            f"expected src to have a size equal to the slice of self. src size = {list(src.shape)}, slice size = "
            f"{list(part.shape)}"
        )
    part.copy_(src)
    return copy if out is None else write_out(copy, out, "as_strided_scatter")


def unsafe_chunk(input: Tensor, chunks: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return copies of the views `chunk`."""
    return tuple(_own(each, None, "unsafe_chunk") for each in input.chunk(chunks, dim))


def unsafe_split(input: Tensor, split_size: int, dim: int = 0) -> tuple[Tensor, ...]:
    """Return copies of the views `split`."""
    return tuple(_own(each, None, "unsafe_split") for each in input.split(split_size, dim))


def unsafe_split_with_sizes(input: Tensor, split_sizes: Sequence[int], dim: int = 0) -> tuple[Tensor, ...]:
    """Return copies of the views `split_with_sizes`."""
    return tuple(_own(each, None, "unsafe_split_with_sizes") for each in input.split_with_sizes(split_sizes, dim))
