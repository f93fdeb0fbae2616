"""Recurrent networks: one step of each cell, and layers of them over sequences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula import native
from facula.graph.backward import grad
from facula.graph.modes import state as modes
from facula.graph.modes import watch
from facula.ops.joining import cat, stack
from facula.ops.matmul import linear
from facula.ops.random import dropout as drop
from facula.primitive import primitive
from facula.types import Tensor

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]

# A cell is a function of (projected input, state, weight_hh, bias_hh) that returns the next state: a tuple whose first
# tensor is the output. Projected inputs, x @ weight_ih.T + bias_ih, are computed for a whole sequence at once.
State = tuple[Tensor, ...]
Cell = Callable[[Tensor, State, Tensor, Tensor | None], State]


def _linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    product = x @ weight.t()
    return product if bias is None else product + bias


def _lstm_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    hidden, memory = state
    gates = projected + _linear(hidden, weight, bias)
    admit, forget, candidate, emit = gates.chunk(4, -1)
    memory = forget.sigmoid() * memory + admit.sigmoid() * candidate.tanh()
    return emit.sigmoid() * memory.tanh(), memory


def _gru_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    (hidden,) = state
    reset_x, update_x, new_x = projected.chunk(3, -1)
    reset_h, update_h, new_h = _linear(hidden, weight, bias).chunk(3, -1)
    update = (update_x + update_h).sigmoid()
    new = (new_x + (reset_x + reset_h).sigmoid() * new_h).tanh()
    return (new + update * (hidden - new),)


def _tanh_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    return ((projected + _linear(state[0], weight, bias)).tanh(),)


def _relu_step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
    return ((projected + _linear(state[0], weight, bias)).relu(),)


def _one_step(
    cell: Cell,
    input: Tensor,
    state: State,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
    gates: int,
) -> State:
    hidden = state[0]
    if input.shape[-1] != w_ih.shape[1]:
        raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {w_ih.shape[1]}")
    if hidden.shape[-1] != w_hh.shape[0] // gates:
        raise RuntimeError(
            f"hidden has inconsistent hidden_size: got {hidden.shape[-1]}, expected {w_hh.shape[0] // gates}"
        )
    return cell(_linear(input, w_ih, b_ih), state, w_hh, b_hh)


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the next hidden and cell state (N, H) of an LSTM. Hochreiter and Schmidhuber 1997; gates i, f, g, o."""
    hidden, memory = _one_step(_lstm_step, input, tuple(hx), w_ih, w_hh, b_ih, b_hh, 4)
    return hidden, memory


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return the next hidden state (N, H) of a GRU. Cho et al. 2014, arXiv 1406.1078; gates r, z, n."""
    return _one_step(_gru_step, input, (hx,), w_ih, w_hh, b_ih, b_hh, 3)[0]


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return ``tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)``."""
    return _one_step(_tanh_step, input, (hx,), w_ih, w_hh, b_ih, b_hh, 1)[0]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return ``relu(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)``."""
    return _one_step(_relu_step, input, (hx,), w_ih, w_hh, b_ih, b_hh, 1)[0]


# Whole sequences.


def _run(
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


def _run_backwards(
    cell: Cell, steps: Sequence[Tensor], state: State, weight: Tensor, bias: Tensor | None
) -> tuple[list[Any], State]:
    """The same from the last step to the first: the batch never shrinks, and sequences join at their end."""
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


def _layers(
    cell: Cell,
    steps: list[Tensor],
    hx: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[list[Tensor], State]:
    """Return the outputs of the last layer for each step, and the last states (layers * directions, N, H)."""
    directions = 2 if bidirectional else 1
    each_has = len(params) // (num_layers * directions)
    last: list[State] = []
    for layer in range(num_layers):
        results = []
        for direction in range(directions):
            at = layer * directions + direction
            weights = list(params[at * each_has : (at + 1) * each_has])
            w_ih, w_hh = weights[:2]
            b_ih, b_hh = weights[2:4] if has_biases else (None, None)
            projection = weights[-1] if each_has in (3, 5) else None
            lengths = [step.shape[0] for step in steps]
            projected = _linear(cat(steps, 0), w_ih, b_ih).split(lengths, 0)
            stepper = cell if projection is None else _projected(cell, projection)
            run = _run_backwards if direction else _run
            outputs, state = run(stepper, projected, tuple(each[at] for each in hx), w_hh, b_hh)
            results.append(outputs)
            last.append(state)
        steps = results[0] if directions == 1 else [cat(pair, -1) for pair in zip(*results, strict=True)]
        if dropout and train and layer < num_layers - 1:
            steps = list(drop(cat(steps, 0), dropout).split([step.shape[0] for step in steps], 0))
    return steps, tuple(stack([state[at] for state in last], 0) for at in range(len(hx)))


def _projected(cell: Cell, projection: Tensor) -> Cell:
    """Return an LSTM step whose hidden state is projected. Sak et al. 2014, arXiv 1402.1128."""

    def step(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        hidden, memory = cell(projected, state, weight, bias)
        return hidden @ projection.t(), memory

    return step


# A layer of LSTM cells over a padded batch of float32 is one operation forward and one backward.


@primitive(
    vjp={
        ("projected", "hidden", "memory", "weight"): lambda g, projected, hidden, memory, weight, out, backwards: (
            _lstm_slopes(g, projected, hidden, memory, weight, out, backwards)
        ),
    },
)
def _lstm(xp, projected, hidden, memory, weight, *, backwards, keep):
    """Return the hidden and cell states of all steps (T, N, H), and the gates (T, N, 4 H), if these are to be kept."""
    steps, batch, width = projected.shape
    outputs = xp.empty((steps, batch, width // 4), projected.dtype)
    memories, gates = xp.empty_like(outputs), xp.empty_like(projected)
    for time in range(steps)[:: -1 if backwards else 1]:
        admit, forget, candidate, emit = xp.split(projected[time] + hidden @ weight.T, 4, -1)
        admit, forget, emit = (1 / (1 + xp.exp(-each)) for each in (admit, forget, emit))
        candidate = xp.tanh(candidate)
        memory = forget * memory + admit * candidate
        hidden = emit * xp.tanh(memory)
        outputs[time], memories[time] = hidden, memory
        gates[time] = xp.concatenate([admit, forget, candidate, emit], -1)
    return outputs, memories, gates if keep else gates[:0]


@_lstm.kernel("native")
def _lstm_native(projected, hidden, memory, weight, *, backwards, keep):
    arrays = (np.ascontiguousarray(each) for each in (projected, hidden, memory, weight))
    return native.kernels.lstm(*arrays, backwards, keep)


@primitive()
def _lstm_gradient(xp, g, g_memory, outputs, memories, gates, hidden, memory, weight, *, backwards):
    """Return the gradients for the first four inputs of `_lstm`; ``g`` or ``g_memory`` may be None."""
    order = range(outputs.shape[0])[:: -1 if backwards else 1]
    slopes = xp.empty_like(gates)
    slope, carried, for_weight = xp.zeros_like(hidden), xp.zeros_like(memory), xp.zeros_like(weight)
    for at in reversed(range(len(order))):
        time, before = order[at], order[at - 1]
        admit, forget, candidate, emit = xp.split(gates[time], 4, -1)
        slope = slope if g is None else slope + g[time]
        shown = xp.tanh(memories[time])
        kept = carried + slope * emit * (1 - shown * shown)
        kept = kept if g_memory is None else kept + g_memory[time]
        previous = memories[before] if at else memory
        each = [
            kept * candidate * admit * (1 - admit),
            kept * previous * forget * (1 - forget),
            kept * admit * (1 - candidate * candidate),
            slope * shown * emit * (1 - emit),
        ]
        slopes[time] = xp.concatenate(each, -1)
        carried = kept * forget
        slope = slopes[time] @ weight
        for_weight += slopes[time].T @ (outputs[before] if at else hidden)
    return slopes, slope, carried, for_weight


@_lstm_gradient.kernel("native")
def _lstm_gradient_native(g, g_memory, outputs, memories, gates, hidden, memory, weight, *, backwards):
    arrays = [g, g_memory, outputs, memories, gates, hidden, memory, weight]
    arrays = [None if each is None else np.ascontiguousarray(each) for each in arrays]
    return native.kernels.lstm_gradient(*arrays, backwards)


def _lstm_slopes(
    g: Sequence[Any],
    projected: Tensor,
    hidden: Tensor,
    memory: Tensor,
    weight: Tensor,
    out: Sequence[Tensor],
    backwards: bool,
) -> Any:
    inputs = (projected, hidden, memory, weight)
    if not any(each is not None and each.requires_grad for each in (*g[:2], *inputs)):
        return _lstm_gradient(g[0], g[1], *out, hidden, memory, weight, backwards=backwards)
    # Differentiated in turn: the gradients of the steps one by one, which are recorded.
    leaves = [each if each.requires_grad else each.detach().requires_grad_() for each in inputs]
    projected, hidden, memory, weight = leaves
    outputs, memories = [], []
    for step in projected.unbind(0)[:: -1 if backwards else 1]:
        hidden, memory = _lstm_step(step, (hidden, memory), weight, None)
        outputs.append(hidden)
        memories.append(memory)
    results = [stack(each[:: -1 if backwards else 1], 0) for each in (outputs, memories)]
    wanted = [(result, slope) for result, slope in zip(results, g, strict=False) if slope is not None]
    return grad(
        [each for each, _ in wanted], leaves, [slope for _, slope in wanted], create_graph=True, allow_unused=True
    )


def _is_usual(cell: Cell, tensors: Sequence[Tensor], each_has: int) -> bool:
    """Return whether `_lstm` takes a layer: float32 in main memory, without projections, and nothing that watches."""
    if not native.available or watch.active or cell is not _lstm_step or each_has not in (2, 4):
        return False
    return all(type(each._array) is np.ndarray and each._array.dtype == np.float32 for each in tensors)


def _lstm_layers(
    input: Tensor,
    state: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, State]:
    """Return what `_layers` does, the outputs as (T, N, …)."""
    directions = 2 if bidirectional else 1
    each_has = len(params) // (num_layers * directions)
    keep = modes.grad_enabled and any(each.requires_grad for each in (input, *state, *params))
    hiddens, memories = [], []
    for layer in range(num_layers):
        results = []
        for direction in range(directions):
            at = layer * directions + direction
            w_ih, w_hh, *biases = params[at * each_has : (at + 1) * each_has]
            bias = biases[0] + biases[1] if has_biases else None
            start = (each[at] for each in state)
            outputs, steps, _ = _lstm(linear(input, w_ih, bias), *start, w_hh, backwards=bool(direction), keep=keep)
            results.append(outputs)
            hiddens.append(outputs[0 if direction else -1])
            memories.append(steps[0 if direction else -1])
        input = results[0] if directions == 1 else cat(results, -1)
        if dropout and train and layer < num_layers - 1:
            input = drop(input, dropout)
    return input, (stack(hiddens, 0), stack(memories, 0))


def _sequence(cell: Cell, arguments: tuple[Any, ...], several_states: bool) -> Any:
    """Run layers on a padded batch (input, hx, params, …, batch_first) or on packed data (data, batch_sizes, hx, …)."""
    packed = not isinstance(arguments[2], (tuple, list)) or isinstance(arguments[3], (tuple, list))
    if packed:
        data, batch_sizes, hx, params, *options = arguments
        steps = list(data.split(batch_sizes.tolist(), 0))
    else:
        input, hx, params, *options = arguments
        batch_first = options.pop()
        state = tuple(hx) if several_states else (hx,)
        if (
            input.numel()
            and state[0].numel()
            and _is_usual(cell, (input, *state, *params), len(params) // len(state[0]))
        ):
            result, last = _lstm_layers(
                (input.transpose(0, 1) if batch_first else input).contiguous(), state, params, *options
            )
            return result.transpose(0, 1) if batch_first else result, *last
        steps = list((input.transpose(0, 1) if batch_first else input).unbind(0))
    state = tuple(hx) if several_states else (hx,)
    outputs, last = _layers(cell, steps, state, params, *options)
    if packed:
        result = cat(outputs, 0)
    else:
        result = stack(outputs, 1 if batch_first else 0)
    return result, *last


def lstm(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the output and last hidden and cell states of LSTM layers.

    Arguments as PyTorch's: ``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``,
    or for packed sequences ``(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)``.
    """
    return _sequence(_lstm_step, arguments, True)


def gru(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor]:
    """Return the output and last hidden state of GRU layers; arguments as `lstm`, with one tensor for ``hx``."""
    return _sequence(_gru_step, arguments, False)


def rnn_tanh(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor]:
    """Return the output and last hidden state of Elman layers with tanh; arguments as `gru`."""
    return _sequence(_tanh_step, arguments, False)


def rnn_relu(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor]:
    """Return the output and last hidden state of Elman layers with relu; arguments as `gru`."""
    return _sequence(_relu_step, arguments, False)
