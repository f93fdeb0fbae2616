"""Checkpointing: what a function computes is not kept for the backward pass but computed again there.

Source: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost" (arXiv 1604.06174).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import facula
from facula.autograd.graph import saved_tensors_hooks
from facula.tensor import Tensor

__all__ = ["CheckpointError", "checkpoint", "checkpoint_sequential", "noop_context_fn", "set_checkpoint_debug_enabled"]

Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]


def noop_context_fn() -> Contexts:
    """Return two contexts that change nothing."""
    return nullcontext(), nullcontext()


def set_checkpoint_debug_enabled(enabled: bool | None) -> AbstractContextManager[None]:
    """Return a context that changes nothing."""
    return nullcontext()


@contextmanager
def _random_state(state: Any) -> Iterator[None]:
    """Compute with an earlier random state, and leave the present one as it is."""
    if state is None:
        yield
        return
    now = facula.get_rng_state()
    facula.set_rng_state(state)
    try:
        yield
    finally:
        facula.set_rng_state(now)


class CheckpointError(RuntimeError):
    """The second computation did not save what the first one did."""


class _Frame:
    """One checkpointed call: what it saved is numbered in the first computation, and found in the second."""

    def __init__(self, call: Callable[[], Any], state: object, again: AbstractContextManager[Any]) -> None:
        self.call = call
        self.state = state
        self.again = again
        self.shapes: list[tuple[Any, ...]] = []
        self.recomputed: dict[int, Tensor] = {}

    def pack(self, tensor: Tensor) -> int:
        """Return a number in place of a tensor."""
        self.shapes.append((tensor.shape, tensor.dtype))
        return len(self.shapes) - 1

    def unpack(self, number: int) -> Tensor:
        """Return the tensor of a number."""
        if number not in self.recomputed:
            self.recompute()
        return self.recomputed.pop(number)

    def recompute(self) -> None:
        """Compute again, and keep what is saved meanwhile."""
        found: list[Tensor] = []
        hooks = saved_tensors_hooks(lambda tensor: found.append(tensor.detach()), lambda _: facula.empty(0))
        with facula.enable_grad(), _random_state(self.state), self.again, hooks:
            self.call()
        shapes = [(each.shape, each.dtype) for each in found]
        if shapes != self.shapes:
            raise CheckpointError(
                "Recomputed values have different metadata than during the forward pass: expected to save tensors of "
                f"{self.shapes}, got {shapes}. The function must do the same each time it is called."
            )
        self.recomputed = dict(enumerate(found))


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Return ``function(*args, **kwargs)``, computed once more in the backward pass instead of kept for it.

    The second computation draws the random numbers of the first unless ``preserve_rng_state=False``; it must save the
    same tensors, else the backward pass raises `CheckpointError`. ``context_fn`` gives a context for each of the two.
    ``use_reentrant`` is accepted: there is one way, which has the restrictions of neither of PyTorch's.

    >>> x = facula.tensor([1.0, 2.0], requires_grad=True)
    >>> facula.utils.checkpoint.checkpoint(lambda x: (x * x).sin(), x, use_reentrant=False).sum().backward()
    >>> x.grad
    tensor([ 1.0806, -2.6146])
    """
    state = facula.get_rng_state() if kwargs.pop("preserve_rng_state", True) else None
    first, again = context_fn()
    frame = _Frame(lambda: function(*args, **kwargs), state, again)
    with first, saved_tensors_hooks(frame.pack, frame.unpack):
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """Return the input, passed through all ``functions``, of which each of ``segments`` parts is a `checkpoint`."""
    layers: Sequence[Callable[..., Any]] = (
        list(functions.children()) if isinstance(functions, facula.nn.Module) else functions
    )
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError(f"Unexpected keyword arguments: {','.join(kwargs)}")

    def part(start: int, end: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for layer in layers[start:end]:
                value = layer(value)
            return value

        return run

    length = len(layers) // segments
    for index in range(segments - 1):
        run = part(index * length, (index + 1) * length)
        input = checkpoint(run, input, use_reentrant=use_reentrant, preserve_rng_state=preserve)
    return part((segments - 1) * length, len(layers))(input)
