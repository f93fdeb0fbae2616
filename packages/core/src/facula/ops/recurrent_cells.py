"""Steps of recurrent cells, and runs of them over the steps of a sequence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula import native
from facula.graph.backward import grad
from facula.graph.modes import watch
from facula.ops.joining import cat
from facula.ops.matmul import linear
from facula.primitive import primitive
from facula.types import Tensor

# A cell is a function of (projected input, state, weight_hh, bias_hh) that returns the next state: a tuple whose first
# tensor is the output. Projected inputs, x @ weight_ih.T + bias_ih, are computed for a whole sequence at once.
State = tuple[Tensor, ...]
Cell = Callable[[Tensor, State, Tensor, Tensor | None], State]


def are_usual(*tensors: Tensor | None) -> bool:
    """Return whether compiled kernels take these: float32 in main memory, and nothing that watches single operations."""
    if not native.available or watch.active:
        return False
    return all(
        each is None or (type(each._array) is np.ndarray and each._array.dtype == np.float32) for each in tensors
    )


# What follows from the gates of one step is one operation forward and one backward.


@primitive(
    vjp={
        ("projected", "product", "memory"): lambda g, projected, product, memory: _lstm_gates_slopes(
            g, projected, product, memory
        )
    }
)
def _lstm_gates(xp, projected, product, memory):
    """Return the next hidden and cell state (N, H), from both parts of the sums the gates are functions of, (N, 4 H)."""
    admit, forget, candidate, emit = xp.split(projected + product, 4, -1)
    memory = _logistic(xp, forget) * memory + _logistic(xp, admit) * xp.tanh(candidate)
    return _logistic(xp, emit) * xp.tanh(memory), memory


@_lstm_gates.kernel("native")
def _lstm_gates_native(projected, product, memory):
    return native.kernels.lstm_gates(*dense(projected, product, memory))


@primitive()
def _lstm_gates_gradient(xp, g, g_memory, projected, product, memory):
    """Return the gradients for the sums and the cell state; ``g`` or ``g_memory`` may be None."""
    admit, forget, candidate, emit = xp.split(projected + product, 4, -1)
    admit, forget, emit = (_logistic(xp, each) for each in (admit, forget, emit))
    candidate = xp.tanh(candidate)
    shown = xp.tanh(forget * memory + admit * candidate)
    g = xp.zeros_like(memory) if g is None else g
    kept = g * emit * (1 - shown * shown)
    kept = kept if g_memory is None else kept + g_memory
    each = [
        kept * candidate * admit * (1 - admit),
        kept * memory * forget * (1 - forget),
        kept * admit * (1 - candidate * candidate),
        g * shown * emit * (1 - emit),
    ]
    return xp.concatenate(each, -1), kept * forget


@_lstm_gates_gradient.kernel("native")
def _lstm_gates_gradient_native(g, g_memory, projected, product, memory):
    return native.kernels.lstm_gates_gradient(*dense(g, g_memory, projected, product, memory))


def _lstm_gates_slopes(g: Sequence[Tensor | None], projected: Tensor, product: Tensor, memory: Tensor) -> Any:
    if not any_recorded(*g, projected, product, memory):
        slopes, before = _lstm_gates_gradient(*g, projected, product, memory)
        return slopes, slopes, before
    leaves = as_leaves((projected, product, memory))
    return slopes_of(_lstm_state(*leaves), g, leaves)


@primitive(
    vjp={
        ("projected", "product", "hidden"): lambda g, projected, product, hidden: _gru_gates_slopes(
            g, projected, product, hidden
        )
    }
)
def _gru_gates(xp, projected, product, hidden):
    """Return the next hidden state (N, H), from both parts of the sums the gates are functions of, (N, 3 H)."""
    reset_x, update_x, new_x = xp.split(projected, 3, -1)
    reset_h, update_h, new_h = xp.split(product, 3, -1)
    new = xp.tanh(new_x + _logistic(xp, reset_x + reset_h) * new_h)
    return new + _logistic(xp, update_x + update_h) * (hidden - new)


@_gru_gates.kernel("native")
def _gru_gates_native(projected, product, hidden):
    return native.kernels.gru_gates(*dense(projected, product, hidden))


@primitive()
def _gru_gates_gradient(xp, g, projected, product, hidden):
    """Return the gradients for the inputs of `_gru_gates`."""
    reset_x, update_x, new_x = xp.split(projected, 3, -1)
    reset_h, update_h, new_h = xp.split(product, 3, -1)
    reset, update = _logistic(xp, reset_x + reset_h), _logistic(xp, update_x + update_h)
    new = xp.tanh(new_x + reset * new_h)
    for_new = g * (1 - update) * (1 - new * new)
    for_reset = for_new * new_h * reset * (1 - reset)
    for_update = g * (hidden - new) * update * (1 - update)
    projected = xp.concatenate([for_reset, for_update, for_new], -1)
    return projected, xp.concatenate([for_reset, for_update, for_new * reset], -1), g * update


@_gru_gates_gradient.kernel("native")
def _gru_gates_gradient_native(g, projected, product, hidden):
    return native.kernels.gru_gates_gradient(*dense(g, projected, product, hidden))


def _gru_gates_slopes(g: Tensor, projected: Tensor, product: Tensor, hidden: Tensor) -> Any:
    if not any_recorded(g, projected, product, hidden):
        return _gru_gates_gradient(g, projected, product, hidden)
    leaves = as_leaves((projected, product, hidden))
    return slopes_of(_gru_state(*leaves), [g], leaves)


def _logistic(xp: Any, x: Any) -> Any:
    return 1 / (1 + xp.exp(-x))


def dense(*arrays: np.ndarray | None) -> list[np.ndarray | None]:
    """Return the arrays, or copies, in C order, as the compiled kernels read them."""
    return [None if each is None else np.ascontiguousarray(each) for each in arrays]


def any_recorded(*tensors: Tensor | None) -> bool:
    """Return whether gradients of one of them are wanted."""
    return any(each is not None and each.requires_grad for each in tensors)


def as_leaves(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return tensors to differentiate by, of which none is computed from another, as these may be."""
    return [each.view_as(each) if each.requires_grad else each.detach().requires_grad_() for each in tensors]


def slopes_of(results: Sequence[Tensor], g: Sequence[Tensor | None], leaves: Sequence[Tensor]) -> Any:
    """Return the gradients for ``leaves``, recorded in turn, from those of the results, of which some may be None."""
    wanted = [(result, slope) for result, slope in zip(results, g, strict=True) if slope is not None]
    results, slopes = [each for each, _ in wanted], [slope for _, slope in wanted]
    return grad(results, leaves, slopes, create_graph=True, allow_unused=True)


# The same in tensor code.


def _lstm_state(projected: Tensor, product: Tensor, memory: Tensor) -> State:
    admit, forget, candidate, emit = (projected + product).chunk(4, -1)
    memory = forget.sigmoid() * memory + admit.sigmoid() * candidate.tanh()
    return emit.sigmoid() * memory.tanh(), memory


def _gru_state(projected: Tensor, product: Tensor, hidden: Tensor) -> State:
    reset_x, update_x, new_x = projected.chunk(3, -1)
    reset_h, update_h, new_h = product.chunk(3, -1)
    update = (update_x + update_h).sigmoid()
    new = (new_x + (reset_x + reset_h).sigmoid() * new_h).tanh()
    return (new + update * (hidden - new),)


# The cells.


def lstm_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    """Return the next hidden and cell state."""
    hidden, memory = state
    product = linear(hidden, weight, bias)
    if memory._array.ndim == 2 and are_usual(projected, product, memory):
        hidden, memory = _lstm_gates(projected, product, memory)
        return hidden, memory
    return _lstm_state(projected, product, memory)


def gru_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    """Return the next hidden state."""
    (hidden,) = state
    product = linear(hidden, weight, bias)
    if hidden._array.ndim == 2 and are_usual(projected, product, hidden):
        return (_gru_gates(projected, product, hidden),)
    return _gru_state(projected, product, hidden)


def tanh_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    """Return the next hidden state of Elman's cell with tanh."""
    return ((projected + linear(state[0], weight, bias)).tanh(),)


def relu_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    """Return the next hidden state of Elman's cell with relu."""
    return ((projected + linear(state[0], weight, bias)).relu(),)


# Whole sequences.


def run(
    cell: Cell, steps: Sequence[Tensor], state: State, weight: Tensor, bias: Tensor | None
) -> tuple[list[Any], State]:
    """Return the outputs and the last state of one direction over time steps whose batch never grows."""
    outputs = []
    finished: list[State] = []
    for step in steps:
        batch = step.shape[0]
        if batch < state[0].shape[0]:
            finished.append(tuple(each[batch:] for each in state))
            state = tuple(each[:batch] for each in state)
        state = cell(step, state, weight, bias)
        outputs.append(state[0])
    return outputs, _join(state, finished)


def run_backwards(
    cell: Cell, steps: Sequence[Tensor], state: State, weight: Tensor, bias: Tensor | None
) -> tuple[list[Any], State]:
    """Return the same from the last step to the first: the batch never shrinks, and sequences join at their end."""
    outputs = []
    now: Any = None
    for step in reversed(steps):
        batch = step.shape[0]
        present = 0 if now is None else now[0].shape[0]
        if batch > present:
            joining = tuple(each[present:batch] for each in state)
            now = joining if now is None else _join(now, [joining])
        now = cell(step, now, weight, bias)
        outputs.append(now[0])
    return outputs[::-1], now


def _join(state: State, others: list[State]) -> State:
    if not others:
        return state
    parts = [state, *reversed(others)]
    return tuple(cat([part[at] for part in parts], 0) for at in range(len(state)))
