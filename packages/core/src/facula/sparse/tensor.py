"""class SparseTensor: the elements of a tensor that are stored, and where they belong.

A sparse tensor is a pattern (the indices) and a plain tensor of values. What is done to it is composed of operations on
the values, so gradients need no formulas of their own: two nodes lead from a sparse tensor to its values and back.

Its ``_array`` has the shape and type of the whole, and no memory: what asks a tensor for its shape needs to know nothing
about sparse ones. Operations come to `SparseTensor.__torch_function__`, away from the usual path of dense tensors.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula import dtypes
from facula.graph.modes import state
from facula.graph.node import Node, Target
from facula.graph.views import refresh
from facula.ops import conversion
from facula.ops.conversion import layout as Layout
from facula.overrides import DisableTorchFunctionSubclass
from facula.tensor import Tensor
from facula.tensor_base import OverridingArray, wrap

#: What each layout is called in messages.
LAYOUT_NAMES = {
    conversion.strided: "Strided",
    conversion.sparse_coo: "Sparse",
    conversion.sparse_csr: "SparseCsr",
    conversion.sparse_csc: "SparseCsc",
}
COMPRESSED = (conversion.sparse_csr, conversion.sparse_csc)


class Pattern:
    """Which elements are stored: indices of coordinates, or compressed rows (columns) with plain columns (rows)."""

    def __init__(
        self,
        layout: Layout,
        shape: tuple[int, ...],
        indices: np.ndarray,
        compressed: np.ndarray | None = None,
        coalesced: bool = False,
    ) -> None:
        self.layout, self.shape, self.coalesced = layout, shape, coalesced
        #: Of coordinates: (sparse dimensions, elements).
        self.indices = indices
        #: Of compressed layouts: where each row (column) begins among the elements, and their end.
        self.compressed = compressed

    @property
    def sparse_dim(self) -> int:
        """The number of dimensions that have indices."""
        return len(self.indices)

    @property
    def count(self) -> int:
        """The number of elements that are stored."""
        return self.indices.shape[1]

    def flat(self) -> np.ndarray:
        """Return the position of each element among all of the dimensions with indices, in row-major order."""
        sizes = self.shape[: self.sparse_dim]
        if not sizes:
            return np.zeros(self.count, np.int64)
        position = np.zeros(self.count, np.int64)
        for index, size in zip(self.indices, sizes, strict=True):
            position = position * size + index
        return position

    def places(self) -> int:
        """Return how many elements the dimensions with indices have."""
        return math.prod(self.shape[: self.sparse_dim])

    def is_same(self, other: Pattern) -> bool:
        """Return whether both store the same elements in the same order."""
        if self is other:
            return True
        return self.indices.shape == other.indices.shape and bool((self.indices == other.indices).all())


def coordinates(shape: Sequence[int], indices: np.ndarray, coalesced: bool = False) -> Pattern:
    """Return the pattern of a COO tensor."""
    return Pattern(conversion.sparse_coo, tuple(shape), indices, None, coalesced)


def compressed_pattern(layout: Layout, shape: Sequence[int], compressed: np.ndarray, plain: np.ndarray) -> Pattern:
    """Return the pattern of a CSR or CSC tensor."""
    long = np.repeat(np.arange(len(compressed) - 1), np.diff(compressed))
    rows = layout is conversion.sparse_csr
    return Pattern(layout, tuple(shape), np.stack([long, plain] if rows else [plain, long]), compressed, True)


class SparseTensor(Tensor):
    """A tensor of which only some elements are stored; the others are zero."""

    _pattern: Pattern
    _stored: Tensor

    @classmethod
    def __torch_function__(
        cls,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Return what the sparse form of an operation returns."""
        from facula.sparse.table import METADATA, TABLE

        name = getattr(func, "name", None) or func.__name__
        name = name.lstrip("_") if name not in TABLE else name
        if name in TABLE:
            return TABLE[name](*args, **(kwargs or {}))
        if name in METADATA:
            with DisableTorchFunctionSubclass():
                return func(*args, **(kwargs or {}))
        layouts = [each.layout for each in args if isinstance(each, SparseTensor)] or [conversion.sparse_coo]
        raise NotImplementedError(
            f"Could not run 'aten::{name}' with arguments from the '{LAYOUT_NAMES[layouts[0]]}CPU' backend: "
            "facula has no sparse form of it. Use Tensor.to_dense() first."
        )

    @property
    def layout(self) -> Layout:
        """How elements are stored."""
        return self._pattern.layout

    @property
    def is_sparse(self) -> bool:
        """Whether the layout is COO."""
        return self._pattern.layout is conversion.sparse_coo

    @property
    def is_sparse_csr(self) -> bool:
        """Whether the layout is CSR."""
        return self._pattern.layout is conversion.sparse_csr

    @property  # type: ignore[misc]  # which cannot be set
    def data(self) -> Tensor:
        """The tensor without its history."""
        return self.detach()

    @property
    def T(self) -> Tensor:  # type: ignore[override]  # which cannot be set either
        """The transpose."""
        return self.t()

    mT = T

    def __repr__(self, *, tensor_contents: str | None = None) -> str:  # type: ignore[override]
        from facula.sparse.printing import sparse_string

        return sparse_string(self)

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return object.__format__(self, spec)

    def __len__(self) -> int:
        if not self._pattern.shape:
            raise TypeError("len() of a 0-d tensor")
        return self._pattern.shape[0]

    def __array__(self, *args: object, **kwargs: object) -> np.ndarray:
        raise TypeError(
            f"can't convert {LAYOUT_NAMES[self.layout]} layout tensor to numpy. Use Tensor.to_dense() first."
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> SparseTensor:
        made = sparse(self._pattern, self._stored.detach().clone())
        made.requires_grad_(self.requires_grad)
        memo[id(self)] = made
        return made

    def __reduce_ex__(self, protocol: object) -> tuple[Any, ...]:
        return _unpickled, (self._pattern, self._stored.detach(), self.requires_grad)

    def _indices(self) -> Tensor:
        return wrap(as_coordinates(self)._pattern.indices)

    def _values(self) -> Tensor:
        return self._stored.detach()

    def _nnz(self) -> int:
        return self._pattern.count

    def _to_numpy_dtype(self, dtype: np.dtype) -> Tensor:
        return sparse(self._pattern, values_of(self)._to_numpy_dtype(dtype))

    def __getitem__(self, index: Any) -> Any:
        from facula.sparse.elementwise import getitem

        return getitem(self, index)

    def __add__(self, other: Any) -> Any:
        return self.add(other)

    def __radd__(self, other: Any) -> Any:
        return self.add(other)

    def __iadd__(self, other: Any) -> Any:
        return self.add_(other)

    def __sub__(self, other: Any) -> Any:
        return self.sub(other)

    def __isub__(self, other: Any) -> Any:
        return self.sub_(other)

    def __rsub__(self, other: Any) -> Any:
        return self.neg().add(other)

    def __mul__(self, other: Any) -> Any:
        return self.mul(other)

    def __rmul__(self, other: Any) -> Any:
        return self.mul(other)

    def __imul__(self, other: Any) -> Any:
        return self.mul_(other)

    def __truediv__(self, other: Any) -> Any:
        return self.div(other)

    def __itruediv__(self, other: Any) -> Any:
        return self.div_(other)

    def __pow__(self, exponent: Any) -> Any:
        return self.pow(exponent)

    def __neg__(self) -> Any:  # type: ignore[override]  # without `out`, as no operator has it
        return self.neg()

    def __matmul__(self, other: Any) -> Any:
        return self.matmul(other)

    def __rmatmul__(self, other: Any) -> Any:
        from facula.sparse.products import matmul

        return matmul(other, self)

    def __rtruediv__(self, other: Any) -> Any:
        raise NotImplementedError("a dense tensor or a number cannot be divided by a sparse tensor")


def _unpickled(pattern: Pattern, stored: Tensor, requires_grad: bool) -> SparseTensor:
    made = sparse(pattern, stored)
    made.requires_grad_(requires_grad)
    return made


class FromValues(Node):
    """Leads from a sparse tensor to its values: the gradient of a whole, at the elements that are stored."""

    __slots__ = ("pattern",)

    def __init__(self, edge: Target, pattern: Pattern, dtype: np.dtype) -> None:
        super().__init__((edge,), pattern.shape, dtype)
        self.pattern = pattern

    def name(self) -> str:
        """Return the name that is printed."""
        return "SparseValuesBackward0"

    def gradients(self, received: Any) -> Sequence[Tensor | None]:
        """Return the gradient of the values."""
        return (values_at(received, self.pattern),)


class ToValues(Node):
    """Leads from values to the sparse tensor that they are of: the gradient is sparse too."""

    __slots__ = ("pattern",)

    def __init__(self, edge: Target, pattern: Pattern, values: Tensor) -> None:
        super().__init__((edge,), values._array.shape, values._array.dtype)
        self.pattern = pattern

    def name(self) -> str:
        """Return the name that is printed."""
        return "ValuesBackward0"

    def gradients(self, received: Any) -> Sequence[Tensor | None]:
        """Return the gradient of the sparse tensor."""
        return (sparse(self.pattern, received),)


def sparse(pattern: Pattern, values: Tensor) -> SparseTensor:
    """Return the sparse tensor of a pattern and values (elements, dimensions without indices), with their history."""
    # One element stands for all; not a number, so that nobody takes it for a value.
    kind = values._array.dtype
    element = np.asarray(np.nan if kind.kind in "fcV" else 0).astype(kind)
    array = np.broadcast_to(element, pattern.shape).view(OverridingArray)
    made = wrap(array)
    made.__class__ = SparseTensor  # a class with the same attributes and two more
    made._pattern, made._stored = pattern, values.detach()  # type: ignore[attr-defined]
    target = _target(values)
    if target is not None and state.grad_enabled:
        made._node = FromValues(target, pattern, values._array.dtype)
    return made  # type: ignore[return-value]


def values_of(tensor: SparseTensor) -> Tensor:
    """Return the stored values with the history of the sparse tensor."""
    values = tensor._stored.detach()
    if tensor._node is not None and state.grad_enabled:
        values._node = ToValues(tensor._node, tensor._pattern, values)
    return values


def values_at(tensor: Tensor, pattern: Pattern) -> Tensor:
    """Return the values that a tensor, dense or sparse, has at the elements of a pattern."""
    if isinstance(tensor, SparseTensor):
        if tensor._pattern.is_same(pattern):
            return values_of(tensor)
        tensor = to_dense(tensor)
    places = tensor.reshape(pattern.places(), *pattern.shape[pattern.sparse_dim :])
    return places.index_select(0, wrap(pattern.flat()))


def to_dense(tensor: SparseTensor) -> Tensor:
    """Return the tensor with all its elements."""
    pattern = tensor._pattern
    return _summed(values_of(tensor), pattern.flat(), pattern.places()).reshape(pattern.shape)


def _summed(values: Tensor, places: np.ndarray, count: int) -> Tensor:
    """Return ``count`` values: at each place the sum of those that belong there, or whether any is true."""
    if values.dtype is dtypes.bool_:
        return _summed(values.to(dtypes.uint8), places, count).to(dtypes.bool_)
    return values.new_zeros((count, *values.shape[1:])).index_add(0, wrap(places), values)


def _target(tensor: Tensor) -> Target | None:
    if tensor._base is not None:
        refresh(tensor)
    return tensor._node


def as_coordinates(tensor: SparseTensor) -> SparseTensor:
    """Return a tensor of any sparse layout in COO."""
    pattern = tensor._pattern
    if pattern.layout is conversion.sparse_coo:
        return tensor
    return sparse(
        coordinates(pattern.shape, pattern.indices, pattern.layout is conversion.sparse_csr), values_of(tensor)
    )


def coalesced(tensor: SparseTensor) -> SparseTensor:
    """Return the tensor in COO with every element stored once, in row-major order."""
    tensor = as_coordinates(tensor)
    pattern = tensor._pattern
    if pattern.coalesced:
        return tensor
    flat, where = np.unique(pattern.flat(), return_inverse=True)
    sizes = pattern.shape[: pattern.sparse_dim]
    indices = np.stack(np.unravel_index(flat, sizes)) if sizes and len(flat) else np.zeros((len(sizes), len(flat)))
    total = _summed(values_of(tensor), where.reshape(-1), len(flat))
    return sparse(coordinates(pattern.shape, indices.astype(np.int64), True), total)


def compress(tensor: SparseTensor, layout: Layout) -> SparseTensor:
    """Return a matrix in CSR or CSC."""
    tensor = coalesced(tensor)
    pattern = tensor._pattern
    if pattern.sparse_dim != 2:
        raise RuntimeError(f"a matrix is needed for {layout}, got {pattern.sparse_dim} dimensions with indices")
    long = 0 if layout is conversion.sparse_csr else 1
    values, indices = values_of(tensor), pattern.indices
    if long == 1:
        order = np.lexsort((indices[0], indices[1]))
        values, indices = values.index_select(0, wrap(order)), indices[:, order]
    counts = np.bincount(indices[long], minlength=pattern.shape[long])
    begins = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return sparse(Pattern(layout, pattern.shape, indices, begins, True), values)
