"""A tensor without operations: an array, its storage's version, its place in the recorded graph."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from facula import native
from facula.backend import Array

if TYPE_CHECKING:
    from facula.graph.node import Target
    from facula.types import Tensor


class _Storage:
    """What a tensor shares with its views and with ``detach()``: how often their memory was written to in place.

    ``rewrites`` counts the recorded writes: after one, a view made before it has another history than it knows of.
    """

    version = 0
    rewrites = 0


class _Fields:
    """The fields that the compiled call reads, as the class has them without it."""

    #: The accumulated gradient of a leaf, or of a tensor whose gradient was retained.
    grad: "Tensor | None" = None
    #: Made when first needed: when a view is taken or the tensor is saved for a gradient.
    _storage: _Storage | None = None


if TYPE_CHECKING or native.base is None:
    Storage = _Storage
    Fields = _Fields
else:
    Storage = native.base.Storage
    Fields = native.base.TensorFields


class OverridingArray(np.ndarray):
    """The array of a tensor whose class overrides operations by ``__torch_function__``.

    The door's usual path takes plain arrays only, so that such a tensor is noticed without a question to all others.
    """


class TensorBase(Fields):
    """An array with a place in the graph.

    ``_array``  the NumPy or CuPy array; views of one memory are views here too.
    ``_node``   where this tensor's gradient goes: its node, one output of a node, an end of path for a leaf that
                requires grad, or None when no gradient is wanted.
    ``_base``   for a differentiable view, the tensor it is a view of (never itself a view); else None.

    These three are set on every tensor, since the door reads them at every call; the rest by default on the class.
    """

    _array: Array
    _node: "Target | None"
    _base: "Tensor | None"

    #: For a view: how many recorded writes to the memory its ``_node`` takes account of.
    _rewrites_seen = 0
    _retains_grad = False
    _is_inference = False
    #: Whether the class has a ``__torch_function__`` of its own, or inherits the usual one as a subclass.
    _overrides = False


_new = TensorBase.__new__

#: The class of new tensors; `facula.tensor` puts ``Tensor`` here.
tensor_class: type[TensorBase] = TensorBase


def register_tensor_class(cls: type[TensorBase]) -> None:
    """Make ``cls`` the class of the tensors that operations return."""
    global tensor_class
    tensor_class = cls
    native.know(tensor_class=cls)
    for listener in _listeners:
        listener(cls)


_listeners: list[Callable[[type[TensorBase]], None]] = []


def on_tensor_class(listener: Callable[[type[TensorBase]], None]) -> None:
    """Call ``listener`` when the class of new tensors is known."""
    _listeners.append(listener)


def wrap(array: Array) -> "Tensor":
    """Return a tensor on ``array``, sharing its memory, that requires no grad."""
    tensor: Any = _new(tensor_class)
    tensor._array = array
    tensor._node = None
    tensor._base = None
    return tensor


def unmarked(array: Array) -> Array:
    """Return an array as the plain one it is a view of, where it is an `OverridingArray`."""
    return array.view(np.ndarray) if type(array) is OverridingArray else array


def storage_of(tensor: TensorBase) -> Storage:
    """Return the storage of a tensor, made on first use."""
    storage = tensor._storage
    if storage is None:
        storage = tensor._storage = Storage()
    return storage


def alias(tensor: TensorBase, array: Array) -> "Tensor":
    """Return a tensor on ``array``, a view of the memory of ``tensor``, with no history but the same version counter."""
    made = wrap(array)
    made._storage = storage_of(tensor)
    return made


def owner(array: np.ndarray) -> np.ndarray:
    """Return the array that owns the memory ``array`` is a view of."""
    while (base := array.base) is not None:
        # What `as_strided` of NumPy made holds on to its base through an object of NumPy's own.
        base = base if isinstance(base, np.ndarray) else getattr(base, "base", None)
        if not isinstance(base, np.ndarray):
            break
        array = base
    return array
