"""The nodes of the recorded graph: what is differentiated, and where gradients go next."""

import itertools
import weakref
from collections.abc import Callable, Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from facula import native
from facula.tensor_base import TensorBase
from facula.types import Tensor

_next_number: Callable[[], int] = itertools.count().__next__ if native.base is None else native.base.next_number

#: References to a gradient inside `AccumulateGrad.accumulate` when only the engine holds it: the engine's variable,
#: the parameter, and the argument of ``getrefcount``.
_HELD_BY_ENGINE = 3


class _Fields:
    """The fields that the compiled walk reads, as the class has them without it; the last three are a recorded call's."""

    __slots__ = ("edges", "number", "shape", "dtype", "primitive", "plan", "saved")

    hooked = False


if not TYPE_CHECKING and native.base is not None:
    _Fields = native.base.NodeFields


class Node(_Fields):
    """One recorded operation.

    ``edges`` has, for each input, the target its gradient goes to: the node that made the input, one `Output` of a
    node with several, an `AccumulateGrad` for a leaf, or None. A node never holds its input tensors themselves: an
    in-place operation may give such a tensor another history later. ``number`` grows with time, so walking by falling
    numbers visits a node after everything that depends on it. ``shape`` and ``dtype`` are those of the result, and
    thus of its gradient. ``hooked`` says whether any of the three tables of hooks has something in it.
    """

    __slots__ = ("__dict__", "__weakref__")

    edges: Sequence["Target | None"]
    number: int
    shape: tuple[int, ...]
    dtype: np.dtype
    hooked: bool

    #: For each output index, the functions that see (and may replace) its gradient.
    tensor_hooks: dict[int, dict[int, Callable[..., Any]]] | None = None
    #: Functions of (gradients of inputs, gradients of outputs), after the node has run.
    hooks: dict[int, Callable[..., Any]] | None = None
    #: Functions of (gradients of outputs), before it runs.
    pre_hooks: dict[int, Callable[..., Any]] | None = None
    #: Where the operation was called, kept in anomaly mode.
    trace: str | None = None
    #: How many results the operation has.
    outputs = 1
    #: Which of a node's outputs a target stands for; a node itself stands for its only one.
    index = 0

    def __init__(self, edges: Sequence["Target | None"], shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.edges = edges
        self.shape = shape
        self.dtype = dtype
        self.number = _next_number()

    @property
    def node(self) -> "Node":
        """The node of this target: itself."""
        return self

    def gradients(self, received: Any) -> "Sequence[Tensor | None]":
        """Return the gradient for each edge from the gradient of the result (a list of them for several results)."""
        raise NotImplementedError

    def release(self) -> None:
        """Forget what was saved, after the only backward pass."""

    def name(self) -> str:
        """Return the name PyTorch would show, such as ``ExpBackward0``."""
        return type(self).__name__

    def __repr__(self) -> str:
        return f"<{self.name()}>"

    @property
    def next_functions(self) -> tuple[tuple["Node | None", int], ...]:
        """For each input, the node its gradient goes to and which of that node's outputs it is."""
        return tuple((None, 0) if edge is None else (edge.node, edge.index) for edge in self.edges)

    def register_hook(self, hook: Callable[..., Any]) -> "RemovableHandle":
        """Call ``hook(grad_inputs, grad_outputs)`` after this node has run; what it returns replaces grad_inputs."""
        self.hooked = True
        if self.hooks is None:
            self.hooks = {}
        return RemovableHandle(self.hooks, hook)

    def register_prehook(self, hook: Callable[..., Any]) -> "RemovableHandle":
        """Call ``hook(grad_outputs)`` before this node runs; what it returns replaces grad_outputs."""
        self.hooked = True
        if self.pre_hooks is None:
            self.pre_hooks = {}
        return RemovableHandle(self.pre_hooks, hook)

    def add_tensor_hook(self, index: int, hook: Callable[..., Any]) -> "RemovableHandle":
        """Call ``hook(grad)`` when the gradient of output ``index`` is complete."""
        self.hooked = True
        if self.tensor_hooks is None:
            self.tensor_hooks = {}
        return RemovableHandle(self.tensor_hooks.setdefault(index, {}), hook)


class Output:
    """One result of a node that has several: a target for gradients."""

    __slots__ = ("node", "index", "shape", "dtype")

    #: A node says here how many results it has; a target that is no node is one of several.
    outputs = 0

    def __init__(self, node: Node, index: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
        self.node = node
        self.index = index
        self.shape = shape
        self.dtype = dtype


class AccumulateGrad(Node):
    """The end of a path: adds the gradient that arrives to ``grad`` of a leaf.

    It knows its leaf weakly; the leaf owns it. So a leaf and its graph never form a cycle.
    """

    __slots__ = ("_leaf",)

    #: Functions of the leaf, after its ``grad`` was updated.
    post_hooks: dict[int, Callable[..., Any]] | None = None

    def __init__(self, leaf: TensorBase) -> None:
        super().__init__((), leaf._array.shape, leaf._array.dtype)
        self._leaf: Any = weakref.ref(leaf)

    @property
    def variable(self) -> "Tensor | None":
        """The leaf, or None when nothing else holds it any more."""
        return self._leaf()

    def accumulate(self, gradient: Tensor, *, create_graph: bool) -> None:
        """Add ``gradient`` to the leaf's ``grad``."""
        leaf = self._leaf()
        if leaf is None:
            return
        if leaf.grad is None:
            # grad is written to in place later, so an array that is shared with anything else is copied.
            alone = getrefcount(gradient) <= _HELD_BY_ENGINE and getrefcount(gradient._array) <= 2
            whole = gradient._array.base is None
            leaf.grad = gradient if create_graph or (alone and whole) else gradient.detach().clone()
        elif create_graph or (leaf.grad._overrides and leaf.grad.is_sparse):
            if create_graph or not gradient._overrides:
                leaf.grad = leaf.grad + gradient  # of sparse and dense the sum is dense
            else:
                leaf.grad.add_(gradient)
        else:
            leaf.grad.detach().add_(gradient)
        if self.post_hooks:
            for hook in tuple(self.post_hooks.values()):
                hook(leaf)

    def add_post_hook(self, hook: Callable[..., Any]) -> "RemovableHandle":
        """Call ``hook(leaf)`` after its ``grad`` was updated."""
        if self.post_hooks is None:
            self.post_hooks = {}
        return RemovableHandle(self.post_hooks, hook)

    def gradients(self, received: Any) -> "Sequence[Tensor | None]":
        """Return nothing: there is no further node."""
        return ()


native.know(accumulate_grad=AccumulateGrad)

Target = Node | Output


class RemovableHandle:
    """What registering a hook returns; ``remove()`` takes the hook back."""

    _next_id = itertools.count().__next__

    def __init__(self, hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any], first: bool = False) -> None:
        self.id = self._next_id()
        self._hooks = weakref.ref(hooks) if hasattr(hooks, "__weakref__") else (lambda: hooks)
        hooks[self.id] = hook
        if first and hasattr(hooks, "move_to_end"):
            hooks.move_to_end(self.id, last=False)

    def remove(self) -> None:
        """Take the hook back; once is enough."""
        hooks = self._hooks()
        if hooks is not None:
            hooks.pop(self.id, None)

    def __enter__(self) -> "RemovableHandle":
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()
