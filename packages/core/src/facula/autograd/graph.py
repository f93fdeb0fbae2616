"""The recorded graph as programs may touch it: hooks on what is saved, edges, hooks on several gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from facula.graph.modes import state, watch
from facula.graph.node import Node, RemovableHandle
from facula.tensor import Tensor
from facula.tensor_base import storage_of

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


class saved_tensors_hooks:
    """Context in which ``pack_hook(tensor)`` is kept of each tensor saved for the backward pass.

    There ``unpack_hook`` gets what was kept and returns the tensor.

    >>> with facula.autograd.graph.saved_tensors_hooks(lambda x: x.numpy(), facula.from_numpy):
    ...     y = facula.tensor([2.0]).requires_grad_(False) * facula.tensor([3.0], requires_grad=True)
    >>> y.backward()
    """

    def __init__(self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook

    def __enter__(self) -> None:
        if _Disabled.message is not None:
            raise RuntimeError(_Disabled.message)
        state.saved_tensor_hooks.append((self.pack_hook, self.unpack_hook))
        watch.active += 1

    def __exit__(self, *exception: object) -> None:
        watch.active -= 1
        state.saved_tensor_hooks.pop()


class save_on_cpu(saved_tensors_hooks):
    """Context in which what is saved for the backward pass waits in main memory."""

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        super().__init__(lambda tensor: (tensor.device, tensor.detach().cpu()), lambda kept: kept[1].to(kept[0]))


class _Disabled:
    message: str | None = None


@contextmanager
def disable_saved_tensors_hooks(error_message: str) -> Any:
    """Context in which `saved_tensors_hooks` raises RuntimeError with this message."""
    before, _Disabled.message = _Disabled.message, error_message
    try:
        yield
    finally:
        _Disabled.message = before


class GradientEdge(NamedTuple):
    """Where the gradient of a tensor goes: to which output of which node."""

    node: Node
    output_nr: int


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Return where the gradient of a tensor goes. RuntimeError when it requires none."""
    if not tensor.requires_grad:
        raise RuntimeError("It is not possible to get the gradient edge for a Tensor that does not require gradients")
    node: Any = tensor._node
    return GradientEdge(node.node, node.index)


def increment_version(tensor: Tensor | Sequence[Tensor]) -> None:
    """Count a write to the memory of a tensor, or of several, that was made from outside."""
    for each in (tensor,) if isinstance(tensor, Tensor) else tensor:
        storage_of(each).version += 1


class _MultiHandle(RemovableHandle):
    """A handle on several hooks."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self.handles = tuple(handles)

    def remove(self) -> None:
        """Take all hooks back."""
        for handle in self.handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor], fn: Callable[[Any], None], *, mode: str = "all"
) -> RemovableHandle:
    """Call ``fn`` with the gradients of several tensors when all are there, or with the first when ``mode`` is "any"."""
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    gradients: list[Tensor | None] = [None] * len(tensors)
    arrived: set[int] = set()

    def hook(index: int, gradient: Tensor) -> None:
        if mode == "any":
            if not arrived:
                fn(gradient)
            arrived.add(index)
        else:
            gradients[index] = gradient
            arrived.add(index)
            if len(arrived) < len(tensors):
                return
            fn(tuple(gradients))
        if len(arrived) == len(tensors):
            arrived.clear()
            gradients[:] = [None] * len(tensors)

    return _MultiHandle([each.register_hook(functools.partial(hook, index)) for index, each in enumerate(tensors)])
