"""Looking rows up in a table: embeddings, bags of them, one-hot vectors."""

from __future__ import annotations

from importlib import import_module

import numpy as np

from facula import dtypes, native
from facula.graph.modes import no_grad
from facula.primitive import primitive, promote
from facula.scattering import add_rows
from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["embedding", "embedding_bag", "one_hot"]


def _table_gradient(
    g: Tensor, index: Tensor, shape: tuple[int, int], padding_idx: int, by_frequency: bool, sparse: bool
) -> Tensor:
    if not sparse:
        return _sum_rows(g, index, shape=shape, padding_idx=padding_idx, by_frequency=by_frequency)
    if by_frequency:
        raise RuntimeError("embedding_backward: scale_grad_by_freq not supported with sparse gradients")
    return import_module("facula.sparse.construction").rows_gradient(g, index, shape, padding_idx)


@primitive(
    vjp={
        "weight": lambda g, index, weight_shape, padding_idx, by_frequency, sparse: _table_gradient(
            g, index, weight_shape, padding_idx, by_frequency, sparse
        )
    }
)
def _embedding(xp, weight, index, *, padding_idx, by_frequency, sparse):
    return xp.take(weight, index, axis=0)


@_embedding.kernel("native")
def _embedding_native(weight, index, *, padding_idx, by_frequency, sparse):
    return native.kernels.take_rows(weight, index)


@primitive(
    dtype=promote("x"),
    vjp={
        "x": lambda g, index, padding_idx, by_frequency: _rows_of_sum(
            g, index, padding_idx=padding_idx, by_frequency=by_frequency
        )
    },
)
def _sum_rows(xp, x, index, *, shape, padding_idx, by_frequency):
    """Return the gradient of the table: rows summed where they were looked up, none where it is padding."""
    result = xp.zeros(shape, x.dtype)
    add_rows(xp, result, index, x)
    if by_frequency:
        result /= xp.maximum(xp.bincount(index.reshape(-1), minlength=shape[0]), 1).astype(x.dtype)[:, None]
    if padding_idx >= 0:
        result[padding_idx] = 0
    return result


@_sum_rows.kernel("native")
def _sum_rows_native(x, index, *, shape, padding_idx, by_frequency):
    if by_frequency or x.dtype != np.float32:
        return NotImplemented
    # Behind a layer that takes sequences first, the gradient lies otherwise in memory.
    return native.kernels.sum_rows(np.ascontiguousarray(x), index, shape[0], padding_idx)


@primitive(
    vjp={
        "x": lambda g, index, x_shape, padding_idx, by_frequency: _sum_rows(
            g, index, shape=x_shape, padding_idx=padding_idx, by_frequency=by_frequency
        )
    }
)
def _rows_of_sum(xp, x, index, *, padding_idx, by_frequency):
    """Return the transpose of `_sum_rows`: look rows up, none of the padding."""
    rows = xp.take(x, index, axis=0)
    if by_frequency:
        counts = xp.bincount(index.reshape(-1), minlength=len(x)).astype(x.dtype)
        rows = rows / xp.take(counts, index)[..., None]
    return rows * (index != padding_idx)[..., None].astype(x.dtype) if padding_idx >= 0 else rows


def _check_index(input: Tensor, weight: Tensor, name: str) -> None:
    if input.dtype.name not in ("int32", "int64"):
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: Long, Int; but got "
            f"{input.type()} instead (while checking arguments for {name})"
        )
    array = input._array
    if isinstance(array, np.ndarray) and array.size and (array.min() < 0 or array.max() >= weight.shape[0]):
        raise IndexError(
            f"index out of range in self: expected 0 to {weight.shape[0] - 1}, got {array.min()} to {array.max()}"
        )


def _padding(padding_idx: int | None, rows: int) -> int:
    """Return the padding row counted from the front; -1 for none."""
    if padding_idx is None:
        return -1
    if not -rows <= padding_idx < rows:
        raise AssertionError("Padding_idx must be within num_embeddings")
    return padding_idx % rows


@no_grad()
def _limit_norms(input: Tensor, weight: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows that will be looked up so that their norms are at most ``max_norm``, in place."""
    used = wrap(np.unique(input._array))
    rows = weight[used]
    norms = rows.norm(norm_type, -1, keepdim=True)
    scale = (max_norm / (norms + 1e-7)).where(norms > max_norm, 1.0)
    weight.detach()[used] = rows * scale


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """Return the rows of ``weight`` (rows, width) at the indices in ``input``, of any shape, with a last dimension more.

    The padding row gets no gradient. ``max_norm`` first limits the norms of the rows used, in place. With ``sparse``
    the gradient of ``weight`` is a sparse tensor of the rows that were looked up.

    >>> facula.nn.functional.embedding(facula.tensor([1, 0]), facula.tensor([[1.0, 2.0], [3.0, 4.0]]))
    tensor([[3., 4.],
            [1., 2.]])
    """
    if weight.dim() != 2:
        raise RuntimeError("'weight' must be 2-D")
    _check_index(input, weight, "embedding")
    if max_norm is not None:
        _limit_norms(input, weight, max_norm, norm_type)
    padding = _padding(padding_idx, weight.shape[0])
    return _embedding(weight, input, padding_idx=padding, by_frequency=scale_grad_by_freq, sparse=sparse)


def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Return the sum, mean or maximum of the rows of each bag (bags, width).

    Bags are the rows of ``input`` (bags, N), or pieces of ``input`` (N) that start at ``offsets``. Indices equal to
    ``padding_idx`` are left out.
    """
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if mode == "max" and sparse:
        raise ValueError("max mode does not support sparse weights")
    if mode == "max" and scale_grad_by_freq:
        raise ValueError("max mode does not support scaling the gradient by the frequency")
    if per_sample_weights is not None and mode != "sum":
        raise NotImplementedError(
            f"embedding_bag: per_sample_weights was not None. per_sample_weights is only supported for mode='sum' (got mode='{mode}')."
        )
    if per_sample_weights is not None and per_sample_weights.shape != input.shape:
        raise ValueError(
            f"embedding_bag: If per_sample_weights ({per_sample_weights.shape}) is not None, then it must have the same shape as the input ({input.shape})"
        )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError(
                "if input is 2D, then offsets has to be None, as input is treated is a mini-batch of fixed length sequences. However, found offsets of type Tensor"
            )
        bags, length = input.shape
        starts = np.arange(bags) * length
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        starts = offsets._array[:-1] if include_last_offset else offsets._array
    else:
        raise ValueError(f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}")
    flat = input.reshape(-1)
    rows = embedding(flat, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    places = np.arange(flat.numel())
    bag = np.searchsorted(np.asarray(starts), places, side="right") - 1
    kept = np.ones(flat.numel(), bool) if padding_idx is None else flat._array != _padding(padding_idx, weight.shape[0])
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.reshape(-1, 1)
    chosen, owners = rows[wrap(kept)], wrap(bag[kept])
    empty = rows.new_zeros((len(starts), weight.shape[1]))
    if mode == "max":
        index = owners.unsqueeze(1).expand(chosen.shape)
        return empty.scatter_reduce(0, index, chosen, "amax", include_self=False)
    total = empty.index_add(0, owners, chosen)
    if mode == "sum":
        return total
    counts = np.maximum(np.bincount(bag[kept], minlength=len(starts)), 1)
    return total / wrap(counts.astype(weight._array.dtype)[:, None])


def one_hot(tensor: Tensor, num_classes: int = -1) -> Tensor:
    """Return integers as vectors of zeros with a single one, int64, along a new last dimension."""
    if tensor.dtype is not dtypes.int64:
        raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, got {tensor.dtype}")
    array = tensor._array
    if array.size and array.min() < 0:
        raise RuntimeError("Class values must be non-negative.")
    if num_classes == -1:
        if not array.size:
            raise RuntimeError("Can not infer total number of classes from empty tensor.")
        num_classes = int(array.max()) + 1
    elif num_classes < 1:
        raise RuntimeError("num_classes should be positive")
    elif array.size and array.max() >= num_classes:
        raise RuntimeError("Class values must be smaller than num_classes.")
    return (tensor.unsqueeze(-1) == wrap(np.arange(num_classes))).to(dtypes.int64)
