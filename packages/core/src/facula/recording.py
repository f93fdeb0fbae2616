"""A recorded call of a primitive: what was saved of it, and how its gradients are computed."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from facula import native, tensor_base
from facula.graph.modes import state
from facula.graph.node import Node, Output, Target
from facula.tensor_base import Storage, TensorBase, storage_of, wrap
from facula.types import Tensor

if TYPE_CHECKING:
    from facula.primitive import Primitive

_new = TensorBase.__new__
_Tensor: Any = TensorBase


def _learn_tensor_class(cls: type[TensorBase]) -> None:
    global _Tensor
    _Tensor = cls


tensor_base.on_tensor_class(_learn_tensor_class)

# What a saved value is: an input as a tensor, its shape, the result, an option; plural for a variadic input; one of
# several results.
INPUT, SHAPE, OUT, OPTION, INPUTS, SHAPES, RESULT = range(7)


class Formula(NamedTuple):
    """One gradient formula: which inputs it serves, the function, and the names it needs after ``g``."""

    targets: tuple[str, ...]
    function: Callable[..., Any]
    needs: tuple[str, ...]


class _Plan(NamedTuple):
    """What to save, and what to run, when a given set of inputs needs gradients.

    ``save``: for each value, what it is and which (an input's position or a name). ``run``: for each formula that is
    needed, its function, which saved values it takes, and the input positions its results are for. ``pairs``: the same
    for the formulas, most of them, of the gradient and one saved tensor for one input. ``inputs``: where nothing but
    inputs is saved, which.
    """

    save: tuple[tuple[int, int | str], ...]
    pairs: tuple[tuple[Callable[..., Any], int, int], ...]
    run: tuple[tuple[Callable[..., Any], tuple[int, ...], tuple[int, ...]], ...]
    inputs: tuple[int, ...] | None


Plan = _Plan
if not TYPE_CHECKING and native.base is not None:
    Plan = native.base.Plan

#: A saved tensor: its array, its storage, and the version that storage had.
Saved = tuple[np.ndarray, Storage, int]

ALREADY_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
    "freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). Specify "
    "retain_graph=True if you need to backward through the graph a second time or if you need to access saved tensors "
    "after calling backward."
)


class Packed:
    """What a hook made of a saved tensor, and the hook that makes the tensor of it again."""

    __slots__ = ("value", "unpack")

    def __init__(self, tensor: Tensor) -> None:
        pack, self.unpack = state.saved_tensor_hooks.pop()  # what a hook itself saves is no business of it
        try:
            self.value = pack(tensor)
        finally:
            state.saved_tensor_hooks.append((pack, self.unpack))

    def unpacked(self) -> Tensor:
        """Return the tensor."""
        tensor = self.unpack(self.value)
        if not isinstance(tensor, Tensor):
            raise TypeError(f"expected the unpack hook to return a Tensor, got {type(tensor).__name__}")
        return tensor


def save(value: Any) -> Any:
    """Return what to keep of an input: a tensor's array and version; a number or None as it is."""
    if state.saved_tensor_hooks and isinstance(value, Tensor):
        return Packed(value)
    try:
        storage = storage_of(value)
    except AttributeError:
        return value
    return value._array, storage, storage.version


def collect(plan: Plan, inputs: tuple[Any, ...], result: Any, options: dict[str, Any]) -> list[Any]:
    """Return the values the plan saves of a call."""
    saved: list[Any] = []
    which: Any
    for what, which in plan.save:
        if state.saved_tensor_hooks and what == INPUT:
            saved.append(save(inputs[which]))
        elif what == INPUT:
            each = inputs[which]
            try:
                storage = each._storage or storage_of(each)
            except AttributeError:
                saved.append(each)  # a number or None
            else:
                saved.append((each._array, storage, storage.version))
        elif what == OUT:
            saved.append(save(result) if type(result) is not tuple else [save(each) for each in result])
        elif what == RESULT:
            saved.append(save(result[which]))
        elif what == OPTION:
            saved.append(options[which])
        elif what == SHAPE:
            each = inputs[which]
            saved.append(each._array.shape if hasattr(each, "_array") else ())
        elif what == INPUTS:
            saved.append([save(each) for each in inputs[which:]])
        else:
            saved.append([each._array.shape for each in inputs[which:]])
    return saved


class RecordedCall(Node):
    """A recorded call of a primitive with one result."""

    __slots__ = ()

    primitive: "Primitive"
    plan: Plan
    saved: "list[Any] | tuple[Any, ...] | None"

    def name(self) -> str:
        """Return the name PyTorch would show, such as ``ExpBackward0``."""
        return self.primitive.name.strip("_").title().replace("_", "") + "Backward0"

    def gradients(self, received: Any) -> "Sequence[Tensor | None]":
        """Return the gradient for each edge, by the primitive's formulas."""
        saved = self.saved
        if saved is None:
            raise RuntimeError(ALREADY_FREED)
        plan = self.plan
        grad_enabled = state.grad_enabled
        produced: list[Tensor | None] = [None] * len(self.edges)
        for function, need, position in plan.pairs:
            value = saved[need]
            if type(value) is tuple and not grad_enabled and value[1].version == value[2]:
                # The usual case of `_restore`, without the calls: a saved tensor that nobody wrote to.
                tensor = _new(_Tensor)
                tensor._array = value[0]
                tensor._base = tensor._node = None
            else:
                tensor = self._restore(plan.save[need], value)
            produced[position] = function(received, tensor)
        for function, needs, positions in plan.run:
            if needs:
                found = function(received, *[self._restore(plan.save[need], saved[need]) for need in needs])
            else:
                found = function(received)
            if type(found) is tuple or type(found) is list:
                for position, gradient in zip(positions, found, strict=True):
                    produced[position] = gradient
            else:
                produced[positions[0]] = found
        return produced

    def _restore(self, source: tuple[int, Any], value: Any) -> Any:
        what, which = source
        if what == INPUT:
            known = type(value) is tuple or type(value) is Packed
            return self._tensor(value, self.edges[which]) if known else value
        if what == OUT:
            return self._results(value)
        if what == RESULT:
            return self._tensor(value, self.target(which))  # type: ignore[attr-defined]  # of a call of several
        if what == INPUTS:
            return [self._tensor(each, self.edges[which + offset]) for offset, each in enumerate(value)]
        return value

    def _results(self, value: Any) -> "Tensor | tuple[Tensor, ...]":
        return self._tensor(value, self)

    def _tensor(self, saved: Any, target: Target | None) -> Tensor:
        """Return a saved tensor, in its place in the graph when gradients are recorded in turn."""
        if type(saved) is Packed:
            tensor = wrap(saved.unpacked()._array)
            if state.grad_enabled:
                tensor._node = target
            return tensor
        array, storage, version = saved
        if storage.version != version:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: "
                f"a tensor of shape {list(array.shape)}, saved for {self.name()}, is at version {storage.version}; "
                f"expected version {version} instead. Hint: facula.autograd.set_detect_anomaly(True) finds the "
                "operation whose gradient could not be computed."
            )
        tensor = wrap(array)
        if state.grad_enabled:
            tensor._node = target
        return tensor

    def release(self) -> None:
        """Forget what was saved."""
        self.saved = None


native.know(recorded_call=RecordedCall)


class RecordedCallOfSeveral(RecordedCall):
    """A recorded call of a primitive with several results; ``targets`` has a target for each."""

    __slots__ = ("metadata",)

    metadata: list[tuple[tuple[int, ...], np.dtype]]

    @property
    def outputs(self) -> int:  # type: ignore[override]
        """How many results the call had."""
        return len(self.metadata)

    def target(self, index: int) -> Output | None:
        """Return the target for the gradient of result ``index``; None when integers have no gradient."""
        shape, dtype = self.metadata[index]
        return Output(self, index, shape, dtype) if dtype.kind in "fcV" else None

    def _results(self, value: list[Saved]) -> tuple[Tensor, ...]:
        return tuple(self._tensor(each, self.target(index)) for index, each in enumerate(value))
