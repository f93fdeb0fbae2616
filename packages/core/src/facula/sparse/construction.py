"""Sparse tensors from indices and values, and from dense tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import devices, dtypes
from facula.creation import as_tensor
from facula.dtypes import dtype as DType
from facula.ops import conversion
from facula.ops.conversion import layout as Layout
from facula.sparse.tensor import (
    COMPRESSED,
    LAYOUT_NAMES,
    SparseTensor,
    as_coordinates,
    coalesced,
    compress,
    compressed_pattern,
    coordinates,
    sparse,
    values_of,
)
from facula.tensor import Tensor
from facula.tensor_base import wrap

__all__ = [
    "sparse_compressed_tensor",
    "sparse_coo_tensor",
    "sparse_csc_tensor",
    "sparse_csr_tensor",
]

#: Whether `check_sparse_tensor_invariants` is in force.
checks_invariants = False


def _values(values: Any, dtype: DType | None, device: Any) -> Tensor:
    made = as_tensor(values, dtype=dtype)
    if device is not None and devices.canonical(device).type != "cpu":
        raise NotImplementedError("sparse tensors are on the CPU only")
    return made.to(dtype) if dtype is not None else made


def _integers(indices: Any) -> np.ndarray:
    found = as_tensor(indices)
    if found.is_floating_point() and found.numel():
        raise RuntimeError(f"indices must be an int64 tensor, but got {found.dtype}")
    return np.ascontiguousarray(found.detach()._array.astype(np.int64))


def sparse_coo_tensor(
    indices: Any,
    values: Any = None,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
    is_coalesced: bool | None = None,
) -> Tensor:
    """Return the tensor with ``values`` at ``indices`` (dimensions with indices, elements), zero elsewhere.

    Values at the same indices add up. Values may have dimensions of their own, the last ones of the tensor.

    >>> facula.sparse_coo_tensor([[0, 1], [2, 0]], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    if values is None:
        shape = tuple(indices)
        empty = _values(np.zeros(0, dtypes.get_default_dtype().numpy), dtype, device)
        made = sparse(coordinates(shape, np.zeros((len(shape), 0), np.int64), True), empty)
        return made.requires_grad_() if requires_grad else made
    places, stored = _integers(indices), _values(values, dtype, device)
    if stored.dim() == 0:
        stored = stored.reshape(1).expand(places.shape[1] if places.ndim == 2 else 1)
    if places.ndim != 2:
        places = places.reshape(-1, 1) if places.size else places.reshape(0, 0)
    if size is None:
        if not places.size and places.shape[0]:
            sizes: tuple[int, ...] = (0,) * len(places)
        else:
            sizes = tuple(int(each.max()) + 1 for each in places)
        size = (*sizes, *stored.shape[1:])
    shape = tuple(int(each) for each in size)
    if len(shape) != len(places) + stored.dim() - 1:
        raise RuntimeError(
            f"'len(size) == sparse_dim + dense_dim' is not satisfied: len(size) = {len(shape)}, "
            f"sparse_dim = {len(places)}, dense_dim = {stored.dim() - 1}"
        )
    if places.shape[1] != stored.shape[0]:
        raise RuntimeError(
            f"indices and values must have same nnz, but got nnz from indices: {places.shape[1]}, "
            f"nnz from values: {stored.shape[0]}"
        )
    if tuple(stored.shape[1:]) != shape[len(places) :]:
        raise RuntimeError(
            f"values has incorrect size, expected {[stored.shape[0], *shape[len(places) :]]}, got {list(stored.shape)}"
        )
    # Checked always: an index outside would be read from memory that is not the tensor's.
    for dim, index in enumerate(places):
        if index.size and index.min() < 0:
            raise RuntimeError(f"found negative index {index.min()} for dim {dim}")
        if index.size and index.max() >= shape[dim]:
            raise RuntimeError(
                f"size is inconsistent with indices: for dim {dim}, size is {shape[dim]} but found index {index.max()}"
            )
    made = sparse(coordinates(shape, places, bool(is_coalesced)), stored)
    return made.detach().requires_grad_() if requires_grad else made


def sparse_compressed_tensor(
    compressed_indices: Any,
    plain_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    layout: Layout | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """Return the matrix of a compressed layout: rows (columns) begin at ``compressed_indices``."""
    if layout not in COMPRESSED:
        raise NotImplementedError(f"expected layout sparse_csr or sparse_csc, got {layout}")
    begins, plain, stored = _integers(compressed_indices), _integers(plain_indices), _values(values, dtype, device)
    name, other = (
        ("crow_indices", "col_indices") if layout is conversion.sparse_csr else ("ccol_indices", "row_indices")
    )
    if begins.ndim != 1 or plain.ndim != 1 or stored.dim() != 1:
        raise NotImplementedError("batches and blocks of compressed sparse matrices are not implemented")
    if len(plain) != stored.shape[0]:
        raise RuntimeError(f"number of values ({stored.shape[0]}) is not that of {other} ({len(plain)})")
    if size is None:
        pair = [len(begins) - 1, int(plain.max()) + 1 if plain.size else 0]
        size = pair if layout is conversion.sparse_csr else pair[::-1]
    shape = tuple(int(each) for each in size)
    long, short = (0, 1) if layout is conversion.sparse_csr else (1, 0)
    if len(begins) != shape[long] + 1:
        raise RuntimeError(f"{name}.shape[-1] must be equal to {shape[long] + 1}, but got {len(begins)}")
    if begins[0] != 0 or begins[-1] != len(plain) or (np.diff(begins) < 0).any():
        raise RuntimeError(f"`{name}` must rise from 0 to the number of elements, {len(plain)}, got {begins.tolist()}")
    if plain.size and (plain.min() < 0 or plain.max() >= shape[short]):
        raise RuntimeError(f"`0 <= {other} < {shape[short]}` is not satisfied")
    made = sparse(compressed_pattern(layout, shape, begins, plain), stored)
    return made.detach().requires_grad_() if requires_grad else made


def sparse_csr_tensor(
    crow_indices: Any,
    col_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """Return the matrix whose row ``i`` has the elements from ``crow_indices[i]`` on.

    >>> facula.sparse_csr_tensor([0, 1, 2], [2, 0], [3.0, 4.0], (2, 3)).to_dense()
    tensor([[0., 0., 3.],
            [4., 0., 0.]])
    """
    given = (crow_indices, col_indices, values, size)
    return sparse_compressed_tensor(
        *given, dtype=dtype, layout=conversion.sparse_csr, device=device, requires_grad=requires_grad
    )


def sparse_csc_tensor(
    ccol_indices: Any,
    row_indices: Any,
    values: Any,
    size: Sequence[int] | None = None,
    *,
    dtype: DType | None = None,
    device: Any = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
    check_invariants: bool | None = None,
) -> Tensor:
    """Return the matrix whose column ``j`` has the elements from ``ccol_indices[j]`` on."""
    given = (ccol_indices, row_indices, values, size)
    return sparse_compressed_tensor(
        *given, dtype=dtype, layout=conversion.sparse_csc, device=device, requires_grad=requires_grad
    )


def to_sparse(
    input: Tensor,
    sparse_dim: int | None = None,
    *,
    layout: Layout | None = None,
    blocksize: Any = None,
    dense_dim: int | None = None,
) -> Tensor:
    """Return a tensor in a sparse layout, COO by default, with indices for its first ``sparse_dim`` dimensions."""
    if layout is not None and sparse_dim is not None:
        raise RuntimeError("to_sparse: only one of sparse_dim and layout may be given")
    if isinstance(input, SparseTensor):
        kind = conversion.sparse_coo if layout is None else layout
        if kind is input.layout:
            return input
        return compress(input, kind) if kind in COMPRESSED else as_coordinates(input)
    if layout is conversion.strided:
        raise RuntimeError("to_sparse: conversion from Strided to Strided is no conversion to a sparse layout")
    if layout not in (None, conversion.sparse_coo, *COMPRESSED):
        raise NotImplementedError(f"to_sparse: layout {layout} is not implemented")
    count = input.dim() - (dense_dim or 0) if sparse_dim is None else sparse_dim
    if not 0 <= count <= input.dim() or (count == 0 and input.dim() > 0):
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{min(1, input.dim())}, {input.dim()}], but got {count})"
        )
    array = input.detach()._array
    present = (
        (array != 0).reshape(*array.shape[:count], -1).any(-1) if array.size else np.zeros(array.shape[:count], bool)
    )
    indices = np.stack(np.nonzero(present)) if count else np.zeros((0, int(present)), np.int64)
    pattern = coordinates(array.shape, indices.astype(np.int64), True)
    places = input.reshape(pattern.places(), *array.shape[count:])
    made = sparse(pattern, places.index_select(0, wrap(pattern.flat())))
    return compress(made, layout) if layout in COMPRESSED else made


def rows_gradient(gradient: Tensor, index: Tensor, shape: tuple[int, int], padding_idx: int) -> Tensor:
    """Return the gradient of a table as the rows that were looked up, none of the padding."""
    flat = index._array.reshape(-1).astype(np.int64)
    rows = gradient.reshape(flat.size, shape[1])
    if padding_idx >= 0:
        kept = np.flatnonzero(flat != padding_idx)
        flat, rows = flat[kept], rows.index_select(0, wrap(kept))
    return sparse(coordinates(shape, flat[None]), rows)


# What a tensor says of its layout.


def require(tensor: Tensor, layouts: tuple[Layout, ...], name: str, expected: str) -> SparseTensor:
    """Return the tensor where its layout is one of those, else raise RuntimeError."""
    if not isinstance(tensor, SparseTensor) or tensor.layout not in layouts:
        raise RuntimeError(f"{name} expected {expected} tensor layout but got {LAYOUT_NAMES[tensor.layout]}")
    return tensor


def coalesce(input: Tensor) -> Tensor:
    """Return a COO tensor with every element stored once, in row-major order."""
    return coalesced(require(input, (conversion.sparse_coo,), "coalesce", "sparse coordinate"))


def is_coalesced(input: Tensor) -> bool:
    """Return whether every element is stored once, in row-major order."""
    return require(input, (conversion.sparse_coo,), "is_coalesced", "sparse coordinate")._pattern.coalesced


def _require_coalesced(input: Tensor, name: str) -> SparseTensor:
    found = require(input, (conversion.sparse_coo,), name, "sparse coordinate")
    if not found._pattern.coalesced:
        raise RuntimeError(f"Cannot get {name} on an uncoalesced tensor, please call .coalesce() first")
    return found


def indices(input: Tensor) -> Tensor:
    """Return the indices of a coalesced COO tensor (dimensions with indices, elements)."""
    return wrap(_require_coalesced(input, "indices")._pattern.indices)


def values(input: Tensor) -> Tensor:
    """Return the values that are stored."""
    if not isinstance(input, SparseTensor):
        raise RuntimeError(f"values expected sparse tensor layout but got {LAYOUT_NAMES[input.layout]}")
    return values_of(_require_coalesced(input, "values") if input.is_sparse else input)


def compressed_indices(input: Tensor, name: str) -> Tensor:
    """Return ``crow_indices``, ``col_indices``, ``ccol_indices`` or ``row_indices``."""
    by_rows = name in ("crow_indices", "col_indices")
    layout = conversion.sparse_csr if by_rows else conversion.sparse_csc
    pattern = require(input, (layout,), name, f"sparse {'row' if by_rows else 'column'} compressed")._pattern
    if name in ("crow_indices", "ccol_indices"):
        return wrap(pattern.compressed)  # type: ignore[arg-type]  # a compressed layout has it
    return wrap(pattern.indices[1 if by_rows else 0])


class check_sparse_tensor_invariants:
    """Context, decorator or switch for PyTorch's check of indices; facula checks them always."""

    def __init__(self, enable: bool = True) -> None:
        self._enable, self._before = enable, checks_invariants

    @staticmethod
    def is_enabled() -> bool:
        """Return whether the check is asked for."""
        return checks_invariants

    @staticmethod
    def enable() -> None:
        """Ask for the check."""
        _set_checks(True)

    @staticmethod
    def disable() -> None:
        """Ask for none."""
        _set_checks(False)

    def __enter__(self) -> None:
        self._before = checks_invariants
        _set_checks(self._enable)

    def __exit__(self, *exception: object) -> None:
        _set_checks(self._before)


def _set_checks(enable: bool) -> None:
    global checks_invariants
    checks_invariants = enable
