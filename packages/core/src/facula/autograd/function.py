"""Operations of one's own: `Function` with a forward and a backward."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.graph.modes import no_grad, state
from facula.graph.node import Node, Output
from facula.graph.views import refresh
from facula.recording import Packed
from facula.tensor import Tensor
from facula.tensor_base import storage_of, wrap


class FunctionCtx(Node):
    """What a forward keeps for its backward; also the node in the graph."""

    __slots__ = (
        "_function",
        "_saved",
        "_inputs",
        "_dirty",
        "_non_differentiable",
        "_metadata",
        "_materialize",
        "needs_input_grad",
    )

    needs_input_grad: tuple[bool, ...]

    def __init__(self, function: type[Function]) -> None:
        super().__init__((), None, None)  # type: ignore[arg-type]  # known after the forward
        self._function = function
        self._saved: tuple[Any, ...] | None = ()
        self._dirty: tuple[Any, ...] = ()
        self._non_differentiable: tuple[Any, ...] = ()
        self._metadata: list[Any] = []
        self._materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for the backward; they are checked for in-place changes."""
        self._saved = tensors

    save_for_forward = save_for_backward

    def mark_dirty(self, *args: Tensor) -> None:
        """Name the inputs that the forward changed in place."""
        self._dirty = args

    def mark_non_differentiable(self, *args: Tensor) -> None:
        """Name the outputs that have no gradient."""
        self._non_differentiable = args

    def set_materialize_grads(self, value: bool) -> None:
        """Choose whether missing gradients of outputs come as zeros (the default) or None."""
        self._materialize = value

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors that were kept; RuntimeError when they changed or were freed."""
        if self._saved is None:
            raise RuntimeError(
                "Trying to backward through the graph a second time (or directly access saved tensors after they have already been "
                "freed). Specify retain_graph=True if you need to backward through the graph a second time."
            )
        return tuple(
            self._restore(*each) if isinstance(each, tuple) else each.unpacked() if isinstance(each, Packed) else each
            for each in self._saved
        )

    def _restore(self, array: Any, storage: Any, version: int, target: Any) -> Tensor:
        if storage.version != version:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an inplace operation: a tensor of shape "
                f"{list(array.shape)}, saved by {self.name()}, is at version {storage.version}; expected version {version} instead."
            )
        tensor = wrap(array)
        tensor._node = self._own_target(target) if isinstance(target, int) else target
        return tensor

    def _own_target(self, index: int) -> Node | Output:
        shape, dtype = self._metadata[index]
        return Output(self, index, shape, dtype)

    def _pack(self, outputs: Sequence[Tensor]) -> None:
        """Replace kept tensors by what the graph may hold: an output only by its number, or it would hold itself."""
        packed = []
        for each in self._saved or ():
            if not isinstance(each, Tensor):
                packed.append(each)
                continue
            if state.saved_tensor_hooks:
                packed.append(Packed(each))
                continue
            number = next((at for at, output in enumerate(outputs) if output is each), None)
            storage = storage_of(each)
            packed.append((each._array, storage, storage.version, each._node if number is None else number))
        self._saved = tuple(packed)

    @property
    def outputs(self) -> int:  # type: ignore[override]
        """How many results there are, at least two, so that gradients come as a list."""
        return max(len(self._metadata), 2)

    def name(self) -> str:
        """Return the name PyTorch would show."""
        return self._function.__name__ + "Backward"

    def gradients(self, received: list[Tensor | None]) -> list[Tensor | None]:
        """Return what the backward of the function computes."""
        given = []
        for gradient, (shape, dtype) in zip(received, self._metadata):
            if gradient is None and self._materialize and dtype is not None:
                gradient = wrap(np.zeros(shape, dtype))
            given.append(gradient)
        produced = self._function.backward(self, *given)
        produced = produced if isinstance(produced, tuple) else (produced,)
        count = len(self.needs_input_grad)
        if len(produced) > count and all(each is None for each in produced[count:]):
            produced = produced[:count]
        if len(produced) != count:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected {count}, got {len(produced)})"
            )
        return list(produced)

    def release(self) -> None:
        """Forget the tensors that were kept."""
        self._saved = None


class Function:
    """Base class of differentiable operations: subclass it with static ``forward`` and ``backward``, call ``apply``.

    >>> class Double(facula.autograd.Function):
    ...     @staticmethod
    ...     def forward(ctx, x):
    ...         return x * 2
    ...     @staticmethod
    ...     def backward(ctx, g):
    ...         return g * 2
    >>> Double.apply(facula.tensor(3.0))
    tensor(6.)
    """

    generate_vmap_rule = False

    @staticmethod
    def forward(*args: object, **kwargs: object) -> object:
        """Compute the result; the first argument is the context, unless the class defines ``setup_context``."""
        raise NotImplementedError("You must implement the forward function for custom autograd.Function.")

    @staticmethod
    def setup_context(ctx: FunctionCtx, inputs: tuple[Any, ...], output: object) -> None:
        """Keep what the backward needs, when ``forward`` takes no context."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: FunctionCtx, *grad_outputs: Tensor | None) -> object:
        """Return the gradient of each input, from those of the outputs."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom autograd.Function to use it with backward mode AD."
        )

    @classmethod
    def apply(cls, *args: object, **kwargs: object) -> object:
        """Return the result of the forward, recorded."""
        ctx = FunctionCtx(cls)
        for each in args:
            if isinstance(each, Tensor) and each._base is not None:
                refresh(each)
        ctx.edges = [each._node if isinstance(each, Tensor) else None for each in args]
        ctx.needs_input_grad = tuple(edge is not None for edge in ctx.edges)
        recorded = state.grad_enabled and any(ctx.needs_input_grad)
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                result = cls.forward(*args, **kwargs)
                cls.setup_context(ctx, args, result)
            else:
                result = cls.forward(ctx, *args, **kwargs)
        outputs = result if isinstance(result, tuple) else (result,)
        outputs = tuple(cls._own(each, args, ctx) for each in outputs)
        ctx._metadata = [
            (each._array.shape, each._array.dtype) if isinstance(each, Tensor) else ((), None) for each in outputs
        ]
        if recorded:
            ctx._pack(outputs)
            for index, each in enumerate(outputs):
                fixed = any(each is other for other in ctx._non_differentiable)
                if isinstance(each, Tensor) and not fixed and each._array.dtype.kind in "fcV":
                    each._node = Output(ctx, index, *ctx._metadata[index])
        return outputs if isinstance(result, tuple) else outputs[0]

    @staticmethod
    def _own(output: object, args: tuple[Any, ...], ctx: FunctionCtx) -> object:
        """Return an output that is an input, unchanged, as a tensor of its own."""
        if not isinstance(output, Tensor) or any(output is each for each in ctx._dirty):
            return output
        return wrap(output._array) if any(output is each for each in args) else output


def once_differentiable(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Mark a backward whose result has no further gradients."""

    @functools.wraps(backward)
    def wrapped(ctx: FunctionCtx, *grad_outputs: Tensor) -> object:
        with no_grad():
            return backward(ctx, *grad_outputs)

    return wrapped
