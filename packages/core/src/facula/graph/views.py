"""Views and in-place writes in the recorded graph.

A view's gradient is placed into zeros of its base's shape. A recorded write into a view gives the *base* a new history:
everything of the base but the written part has its old one, the written part has that of what was written. Views made
before the write learn of it when they are next used, by the count of rewrites in their common storage.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from facula import native
from facula.graph.node import AccumulateGrad, Node
from facula.tensor_base import TensorBase, storage_of
from facula.types import Tensor


class Geometry(NamedTuple):
    """Where a view lies in its base: the strides of both, and the distance between their first elements, in elements."""

    base_shape: tuple[int, ...]
    base_strides: tuple[int, ...]
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int


def geometry_of(view: TensorBase, base: TensorBase) -> Geometry:
    """Return where the memory of ``view`` lies in that of ``base``."""
    inner, outer = view._array, base._array
    size = outer.itemsize
    if inner.itemsize != size:
        raise RuntimeError(
            f"a write into a view of type {inner.dtype} of a tensor of type {outer.dtype} cannot be recorded; "
            "write into the tensor itself, or use facula.no_grad()"
        )
    return Geometry(
        outer.shape,
        tuple(stride // size for stride in outer.strides),
        inner.shape,
        tuple(stride // size for stride in inner.strides),
        (_address(inner) - _address(outer)) // size,
    )


def _address(array: np.ndarray) -> int:
    return array.ctypes.data if isinstance(array, np.ndarray) else array.data.ptr


class ViewNode(Node):
    """A view whose base was written to after the view was made: it hangs on the base's present history."""

    __slots__ = ("geometry",)

    def __init__(self, view: TensorBase, base: TensorBase) -> None:
        super().__init__((base._node,), view._array.shape, view._array.dtype)
        self.geometry = geometry_of(view, base)

    def gradients(self, received: Tensor) -> Sequence[Tensor | None]:
        """Return the gradient of the base: zero outside the view."""
        return (received._place_region(self.geometry),)


class WriteNode(Node):
    """A base after a write into a view of it (or into all of it). Edges: the base before, and what was written."""

    __slots__ = ("geometry",)

    def __init__(self, base: Tensor, value: Tensor, geometry: Geometry | None) -> None:
        super().__init__((base._node, value._node), base._array.shape, base._array.dtype)
        self.geometry = geometry

    def gradients(self, received: Tensor) -> Sequence[Tensor | None]:
        """Return the gradient of the base before (zero where it was overwritten) and of the value."""
        before, value = self.edges
        if self.geometry is None:
            return (None if before is None else received * 0.0, received)
        return (
            None if before is None else received._clear_region(self.geometry),
            None if value is None else received._take_region(self.geometry),
        )


def refresh(view: TensorBase) -> None:
    """Hang a view on the present history of its base, when that was rewritten since the view last looked."""
    storage: Any = view._storage  # there is one, as there is a base: asked before the call
    if storage.rewrites != view._rewrites_seen:
        base: Any = view._base
        view._node = None if base._node is None else ViewNode(view, base)
        view._rewrites_seen = storage.rewrites


native.know(refresh=refresh)


def rewrite_history(target: Tensor, value: Tensor) -> None:
    """Give ``target``, whose memory was just overwritten with ``value``, the history of ``value``."""
    base = target._base
    if base is None:
        # What was written has exactly the history of the value; a constant must still cut off the old history.
        same = value._node is not None and value._array.shape == target._array.shape
        target._node = value._node if same else WriteNode(target, value, None)
    else:
        base._node = WriteNode(base, value, geometry_of(target, base))
    if target._storage is not None:
        target._storage.rewrites += 1
        if base is not None:
            refresh(target)


def check_writable(tensor: Tensor) -> None:
    """Refuse to record a write into a leaf that requires grad, or into a view of one."""
    if isinstance(tensor._node, AccumulateGrad):
        raise RuntimeError("a leaf Variable that requires grad is being used in an in-place operation.")
    base = tensor._base
    if base is not None and isinstance(base._node, AccumulateGrad):
        raise RuntimeError("a view of a leaf Variable that requires grad is being used in an in-place operation.")


def mark_view(view: Tensor, of: Tensor) -> None:
    """Make ``view`` a differentiable view of ``of``: one storage, one version, one base."""
    storage = storage_of(of)
    view._storage = storage
    view._base = of if of._base is None else of._base
    if storage.rewrites:
        view._rewrites_seen = storage.rewrites
