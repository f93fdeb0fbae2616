"""The hooks of a module: what they are, and a place in the graph for those on gradients."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from facula.graph.node import Node, Output, RemovableHandle
from facula.tensor import Tensor
from facula.tensor_base import wrap

Hooks = OrderedDict[int, Callable[..., Any]]

# Hooks of every module in the process.
forward_pre_hooks: Hooks = OrderedDict()
forward_hooks: Hooks = OrderedDict()
forward_hooks_always: dict[int, bool] = {}
forward_hooks_with_kwargs: dict[int, bool] = {}
backward_hooks: Hooks = OrderedDict()
backward_pre_hooks: Hooks = OrderedDict()
parameter_registration_hooks: Hooks = OrderedDict()
buffer_registration_hooks: Hooks = OrderedDict()
module_registration_hooks: Hooks = OrderedDict()


def register(hooks: Hooks, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
    """Add a hook to a table, at its end or its start, and return the handle that removes it."""
    handle = RemovableHandle(hooks, hook)
    if prepend:
        hooks.move_to_end(handle.id, last=False)
    return handle


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module."""
    return register(forward_pre_hooks, hook)


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module."""
    handle = register(forward_hooks, hook)
    if with_kwargs:
        forward_hooks_with_kwargs[handle.id] = True
    if always_call:
        forward_hooks_always[handle.id] = True
    return handle


def register_module_full_backward_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` when the gradients of any module's inputs are known."""
    return register(backward_hooks, hook)


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` when the gradients of any module's outputs are known."""
    return register(backward_pre_hooks, hook)


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, parameter)`` when any module is given a parameter; what it returns takes its place."""
    return register(parameter_registration_hooks, hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when any module is given a buffer; what it returns takes its place."""
    return register(buffer_registration_hooks, hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> RemovableHandle:
    """Call ``hook(module, name, child)`` when any module is given a child; what it returns takes its place."""
    return register(module_registration_hooks, hook)


def registered(hooks: Hooks, module: object, name: str, value: Any) -> Any:
    """Return what the hooks make of a value that a module is given under a name."""
    for hook in tuple(hooks.values()):
        replaced = hook(module, name, value)
        if replaced is not None:
            value = replaced
    return value


def _as_many(found: Any, expected: int, what: str) -> tuple[Any, ...]:
    """Return what a hook returned as a tuple; RuntimeError when it is of another length."""
    made = found if isinstance(found, tuple) else (found,)
    if len(made) != expected:
        raise RuntimeError(f"{what}, got {len(made)}, but expected {expected}")
    return made


class _Boundary(Node):
    """A place all inputs (or all outputs) of a module pass, so that their gradients are seen together."""

    __slots__ = ("_count", "_see")

    def __init__(self, tensors: tuple[Tensor, ...], see: Callable[..., Any]) -> None:
        super().__init__([each._node for each in tensors], None, None)  # type: ignore[arg-type]  # several results
        self._count = len(tensors)
        self._see = see

    @property
    def outputs(self) -> int:  # type: ignore[override]
        return max(self._count, 2)  # gradients always come as a list

    def gradients(self, received: list[Tensor | None]) -> list[Tensor | None]:
        found = self._see(tuple(received[: self._count]))
        return list(received[: self._count] if found is None else found)


def _pass_through(tensors: tuple[Tensor, ...], see: Callable[..., Any]) -> tuple[Tensor, ...]:
    """Return the tensors on the far side of a boundary that calls ``see(gradients)``."""
    boundary = _Boundary(tensors, see)
    passed = []
    for index, each in enumerate(tensors):
        made = wrap(each._array)
        made._storage = each._storage
        if each._node is not None:
            made._node = Output(boundary, index, each._array.shape, each._array.dtype)
        passed.append(made)
    return tuple(passed)


class GradientHooks:
    """The backward hooks of one call of a module.

    Inputs pass one boundary and outputs another. The outputs' boundary runs first in the backward pass and remembers
    its gradients; the inputs' boundary then calls the hooks with both.
    """

    def __init__(self, module: object, hooks: list[Callable[..., Any]], pre_hooks: list[Callable[..., Any]]) -> None:
        self.module = module
        self.hooks = hooks
        self.pre_hooks = pre_hooks
        self.grad_outputs: tuple[Any, ...] | None = None
        self._inputs_have_gradients = False

    def on_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return the arguments with those that require grad behind the boundary."""
        chosen = [at for at, each in enumerate(args) if isinstance(each, Tensor) and each.requires_grad]
        if not chosen or not self.hooks:
            return args
        self._inputs_have_gradients = True

        def see(gradients: tuple[Any, ...]) -> tuple[Any, ...] | None:
            every = [None] * len(args)
            for at, gradient in zip(chosen, gradients, strict=True):
                every[at] = gradient
            found = self._call(tuple(every))
            return None if found is None else tuple(found[at] for at in chosen)

        passed = _pass_through(tuple(args[at] for at in chosen), see)
        result = list(args)
        for at, each in zip(chosen, passed, strict=True):
            result[at] = each
        return tuple(result)

    def on_outputs(self, result: object) -> object:
        """Return the result with its tensors behind the boundary."""
        outputs = (result,) if isinstance(result, Tensor) else result
        if not isinstance(outputs, (tuple, list)):
            return result
        chosen = [at for at, each in enumerate(outputs) if isinstance(each, Tensor) and each.requires_grad]
        if not chosen:
            return result

        def see(gradients: tuple[Any, ...]) -> tuple[Any, ...] | None:
            every = [None] * len(outputs)
            for at, gradient in zip(chosen, gradients, strict=True):
                every[at] = gradient
            self.grad_outputs = tuple(every)
            for hook in self.pre_hooks:
                found = hook(self.module, self.grad_outputs)
                if found is not None:
                    what = "Backward pre hook returned an invalid number of grad_output"
                    self.grad_outputs = _as_many(found, len(outputs), what)
            if not self._inputs_have_gradients:
                self._call((None,))
            return tuple(self.grad_outputs[at] for at in chosen)

        passed = _pass_through(tuple(outputs[at] for at in chosen), see)
        made = list(outputs)
        for at, each in zip(chosen, passed, strict=True):
            made[at] = each
        if isinstance(result, Tensor):
            return made[0]
        made_of: Any = type(result)
        return made_of(*made) if hasattr(result, "_fields") else made_of(made)

    def _call(self, grad_inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
        replaced = None
        for hook in self.hooks:
            found = hook(self.module, grad_inputs, self.grad_outputs)
            if found is not None:
                what = "Backward hook returned an invalid number of grad_input"
                replaced = grad_inputs = _as_many(found, len(grad_inputs), what)
        return replaced
