"""Layers of recurrent cells over whole sequences: each is one operation forward and one backward."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from facula import native
from facula.graph.modes import state as modes
from facula.ops.joining import cat, stack
from facula.ops.matmul import linear
from facula.ops.random import dropout as drop
from facula.ops.recurrent_cells import (
    Cell,
    State,
    any_recorded,
    are_usual,
    as_leaves,
    dense,
    gru_step,
    lstm_step,
    relu_step,
    run,
    run_backwards,
    slopes_of,
    tanh_step,
)
from facula.primitive import primitive
from facula.tensor_base import wrap
from facula.types import Tensor

# Inputs that were projected, and states, of all steps: (T, N, …), or of packed sequences (rows, …) with the number of
# sequences of each step in ``sizes``, which is None otherwise.


@primitive(
    vjp={
        (
            "projected",
            "hidden",
            "memory",
            "weight",
        ): lambda g, projected, hidden, memory, weight, sizes, out, backwards: _lstm_slopes(
            g, projected, hidden, memory, weight, sizes, out, backwards
        ),
    },
)
def _lstm(xp, projected, hidden, memory, weight, sizes, *, backwards, keep):
    """Return the hidden and cell states of all steps, and the gates, if these are to be kept."""
    outputs = xp.empty((*projected.shape[:-1], hidden.shape[1]), projected.dtype)
    memories, gates = xp.empty_like(outputs), xp.empty_like(projected)
    hidden, memory = hidden.copy(), memory.copy()
    for span in _spans(projected, sizes, backwards):
        count = len(_rows(projected)[span])
        admit, forget, candidate, emit = xp.split(_rows(projected)[span] + hidden[:count] @ weight.T, 4, -1)
        admit, forget, emit = (1 / (1 + xp.exp(-each)) for each in (admit, forget, emit))
        candidate = xp.tanh(candidate)
        memory[:count] = forget * memory[:count] + admit * candidate
        hidden[:count] = emit * xp.tanh(memory[:count])
        _rows(outputs)[span], _rows(memories)[span] = hidden[:count], memory[:count]
        _rows(gates)[span] = xp.concatenate([admit, forget, candidate, emit], -1)
    return outputs, memories, gates if keep else gates[:0]


@_lstm.kernel("native")
def _lstm_native(projected, hidden, memory, weight, sizes, *, backwards, keep):
    return native.kernels.lstm(*dense(projected, hidden, memory, weight, sizes), backwards, keep)


@primitive()
def _lstm_gradient(xp, g, g_memory, outputs, memories, gates, hidden, memory, weight, sizes, *, backwards):
    """Return the gradients for the first four inputs of `_lstm`; ``g`` or ``g_memory`` may be None."""
    spans = _spans(outputs, sizes, backwards)
    hiddens, starts = _before(outputs, hidden, spans), _before(memories, memory, spans)
    slopes, for_weight = xp.empty_like(gates), xp.zeros_like(weight)
    slope, carried = xp.zeros_like(hidden), xp.zeros_like(memory)
    for span, hidden, start in zip(reversed(spans), reversed(hiddens), reversed(starts), strict=True):
        count = len(hidden)
        admit, forget, candidate, emit = xp.split(_rows(gates)[span], 4, -1)
        here = slope[:count] if g is None else slope[:count] + _rows(g)[span]
        shown = xp.tanh(_rows(memories)[span])
        kept = carried[:count] + here * emit * (1 - shown * shown)
        kept = kept if g_memory is None else kept + _rows(g_memory)[span]
        each = [
            kept * candidate * admit * (1 - admit),
            kept * start * forget * (1 - forget),
            kept * admit * (1 - candidate * candidate),
            here * shown * emit * (1 - emit),
        ]
        _rows(slopes)[span] = xp.concatenate(each, -1)
        carried[:count] = kept * forget
        slope[:count] = _rows(slopes)[span] @ weight
        for_weight += _rows(slopes)[span].T @ hidden
    return slopes, slope, carried, for_weight


@_lstm_gradient.kernel("native")
def _lstm_gradient_native(g, g_memory, outputs, memories, gates, hidden, memory, weight, sizes, *, backwards):
    arrays = dense(g, g_memory, outputs, memories, gates, hidden, memory, weight, sizes)
    return native.kernels.lstm_gradient(*arrays, backwards)


def _lstm_slopes(
    g: Sequence[Any],
    projected: Tensor,
    hidden: Tensor,
    memory: Tensor,
    weight: Tensor,
    sizes: Tensor | None,
    out: Sequence[Tensor],
    backwards: bool,
) -> Any:
    if not any_recorded(*g[:2], projected, hidden, memory, weight):
        return _lstm_gradient(g[0], g[1], *out, hidden, memory, weight, sizes, backwards=backwards)
    return _slopes_step_by_step(lstm_step, g[:2], projected, (hidden, memory), weight, None, sizes, backwards)


@primitive(
    vjp={
        ("projected", "hidden", "weight", "bias"): lambda g, projected, hidden, weight, bias, sizes, out, backwards: (
            _gru_slopes(g[0], projected, hidden, weight, bias, sizes, out, backwards)
        ),
    },
)
def _gru(xp, projected, hidden, weight, bias, sizes, *, backwards, keep):
    """Return the states of all steps, and the gates with what the last was offered, (…, 4 H), if these are to be kept."""
    outputs = xp.empty((*projected.shape[:-1], hidden.shape[1]), projected.dtype)
    gates = xp.empty((*projected.shape[:-1], 4 * hidden.shape[1]), projected.dtype)
    hidden = hidden.copy()
    for span in _spans(projected, sizes, backwards):
        count = len(_rows(projected)[span])
        product = hidden[:count] @ weight.T + (0 if bias is None else bias)
        reset_x, update_x, new_x = xp.split(_rows(projected)[span], 3, -1)
        reset_h, update_h, offered = xp.split(product.astype(projected.dtype), 3, -1)
        reset, update = (1 / (1 + xp.exp(-each)) for each in (reset_x + reset_h, update_x + update_h))
        new = xp.tanh(new_x + reset * offered)
        hidden[:count] = new + update * (hidden[:count] - new)
        _rows(outputs)[span] = hidden[:count]
        _rows(gates)[span] = xp.concatenate([reset, update, new, offered], -1)
    return outputs, gates if keep else gates[:0]


@_gru.kernel("native")
def _gru_native(projected, hidden, weight, bias, sizes, *, backwards, keep):
    return native.kernels.gru(*dense(projected, hidden, weight, bias, sizes), backwards, keep)


@primitive()
def _gru_gradient(xp, g, outputs, gates, hidden, weight, sizes, *, backwards):
    """Return the gradients for the projection, the products with the weights, the first state and the weights."""
    spans = _spans(outputs, sizes, backwards)
    hiddens = _before(outputs, hidden, spans)
    projected = xp.empty((*outputs.shape[:-1], len(weight)), outputs.dtype)
    products, slope, for_weight = xp.empty_like(projected), xp.zeros_like(hidden), xp.zeros_like(weight)
    for span, hidden in zip(reversed(spans), reversed(hiddens), strict=True):
        count = len(hidden)
        reset, update, new, offered = xp.split(_rows(gates)[span], 4, -1)
        here = slope[:count] + _rows(g)[span]
        for_new = here * (1 - update) * (1 - new * new)
        for_reset = for_new * offered * reset * (1 - reset)
        for_update = here * (hidden - new) * update * (1 - update)
        _rows(projected)[span] = xp.concatenate([for_reset, for_update, for_new], -1)
        _rows(products)[span] = xp.concatenate([for_reset, for_update, for_new * reset], -1)
        slope[:count] = here * update + _rows(products)[span] @ weight
        for_weight += _rows(products)[span].T @ hidden
    return projected, products, slope, for_weight


@_gru_gradient.kernel("native")
def _gru_gradient_native(g, outputs, gates, hidden, weight, sizes, *, backwards):
    return native.kernels.gru_gradient(*dense(g, outputs, gates, hidden, weight, sizes), backwards)


def _gru_slopes(
    g: Tensor,
    projected: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    sizes: Tensor | None,
    out: Sequence[Tensor],
    backwards: bool,
) -> Any:
    if not any_recorded(g, projected, hidden, weight, bias):
        slopes, products, start, for_weight = _gru_gradient(g, *out, hidden, weight, sizes, backwards=backwards)
        return slopes, start, for_weight, None if bias is None else products.flatten(0, -2).sum(0)
    return _slopes_step_by_step(gru_step, [g], projected, (hidden,), weight, bias, sizes, backwards)


@primitive(
    vjp={
        ("projected", "hidden", "weight"): lambda g, projected, hidden, weight, sizes, out, backwards, relu: (
            _elman_slopes(g, projected, hidden, weight, sizes, out, backwards, relu)
        ),
    },
)
def _elman(xp, projected, hidden, weight, sizes, *, backwards, relu):
    """Return the states of all steps."""
    outputs, hidden = xp.empty_like(projected), hidden.copy()
    for span in _spans(projected, sizes, backwards):
        count = len(_rows(projected)[span])
        sums = _rows(projected)[span] + hidden[:count] @ weight.T
        _rows(outputs)[span] = hidden[:count] = xp.maximum(sums, 0) if relu else xp.tanh(sums)
    return outputs


@_elman.kernel("native")
def _elman_native(projected, hidden, weight, sizes, *, backwards, relu):
    return native.kernels.elman(*dense(projected, hidden, weight, sizes), backwards, relu)


@primitive()
def _elman_gradient(xp, g, outputs, hidden, weight, sizes, *, backwards, relu):
    """Return the gradients for the first three inputs of `_elman`."""
    spans = _spans(outputs, sizes, backwards)
    hiddens = _before(outputs, hidden, spans)
    slopes, slope, for_weight = xp.empty_like(outputs), xp.zeros_like(hidden), xp.zeros_like(weight)
    for span, hidden in zip(reversed(spans), reversed(hiddens), strict=True):
        count = len(hidden)
        here, shown = slope[:count] + _rows(g)[span], _rows(outputs)[span]
        here = xp.where(shown <= 0, here.dtype.type(0), here) if relu else here * (1 - shown * shown)
        _rows(slopes)[span] = here
        slope[:count] = here @ weight
        for_weight += here.T @ hidden
    return slopes, slope, for_weight


@_elman_gradient.kernel("native")
def _elman_gradient_native(g, outputs, hidden, weight, sizes, *, backwards, relu):
    return native.kernels.elman_gradient(*dense(g, outputs, hidden, weight, sizes), backwards, relu)


def _elman_slopes(
    g: Tensor,
    projected: Tensor,
    hidden: Tensor,
    weight: Tensor,
    sizes: Tensor | None,
    out: Tensor,
    backwards: bool,
    relu: bool,
) -> Any:
    if not any_recorded(g, projected, hidden, weight):
        return _elman_gradient(g, out, hidden, weight, sizes, backwards=backwards, relu=relu)
    step = relu_step if relu else tanh_step
    return _slopes_step_by_step(step, [g], projected, (hidden,), weight, None, sizes, backwards)[:3]


def _rows(x: Any) -> Any:
    """Return all steps one below the other."""
    return x.reshape(-1, x.shape[-1])


def _spans(x: Any, sizes: Any, backwards: bool) -> list[slice]:
    """Return which rows each step has, in the order in which the steps are computed."""
    lengths = [x.shape[1]] * x.shape[0] if sizes is None else sizes.tolist()
    ends = np.cumsum(lengths).tolist()
    spans = [slice(end - length, end) for end, length in zip(ends, lengths, strict=True)]
    return spans[::-1] if backwards else spans


def _before(states: Any, start: Any, spans: list[slice]) -> list[Any]:
    """Return the states that each step started from."""
    now, found = start.copy(), []
    for span in spans:
        rows = _rows(states)[span]
        found.append(now[: len(rows)].copy())
        now[: len(rows)] = rows
    return found


def _slopes_step_by_step(
    cell: Cell,
    g: Sequence[Tensor | None],
    projected: Tensor,
    state: State,
    weight: Tensor,
    bias: Tensor | None,
    sizes: Tensor | None,
    backwards: bool,
) -> Any:
    """Return the gradients for the inputs, states, weight and bias of a layer, where these are differentiated in turn."""
    leaves = as_leaves([projected, *state, weight, *([] if bias is None else [bias])])
    steps = leaves[0].unbind(0) if sizes is None else leaves[0].split(sizes.tolist(), 0)
    states: list[State] = []

    def watched(projected: Tensor, state: State, weight: Tensor, bias: Tensor | None) -> State:
        states.append(cell(projected, state, weight, bias))
        return states[-1]

    count = len(state)
    start, last = tuple(leaves[1 : 1 + count]), leaves[2 + count] if bias is not None else None
    (run_backwards if backwards else run)(watched, steps, start, leaves[1 + count], last)
    join = stack if sizes is None else cat
    results = [join([state[at] for state in states[:: -1 if backwards else 1]], 0) for at in range(count)]
    found = slopes_of(results, g, leaves)
    return (*found, None) if bias is None and count == 1 else found


_WHOLE_LAYERS = {lstm_step, gru_step, tanh_step, relu_step}


def are_usual_layers(cell: Cell, input: Tensor, state: State, params: Sequence[Tensor], layers: int) -> bool:
    """Return whether `run_layers` takes layers: float32 in main memory, without projections, and nothing that watches."""
    if cell not in _WHOLE_LAYERS or len(params) // layers not in (2, 4) or not are_usual(input, *state, *params):
        return False
    return input.numel() > 0 and state[0].numel() > 0


def run_layers(
    cell: Cell,
    input: Tensor,
    sizes: Tensor | None,
    state: State,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, State]:
    """Return the outputs of the last layer, in the form of the input, and the last states (layers * directions, N, H)."""
    directions = 2 if bidirectional else 1
    each_has = len(params) // (num_layers * directions)
    keep = modes.grad_enabled and any(each.requires_grad for each in (input, *state, *params))
    ends = None if sizes is None else _ends(sizes)
    last: list[list[Tensor]] = [[] for _ in state]
    for layer in range(num_layers):
        results = []
        for direction in range(directions):
            at = layer * directions + direction
            w_ih, w_hh, *biases = params[at * each_has : (at + 1) * each_has]
            start = tuple(each[at] for each in state)
            found = _run_layer(cell, input, sizes, start, w_ih, w_hh, biases, bool(direction), keep)
            results.append(found[0])
            for kept, each in zip(last, found, strict=True):
                kept.append(_last(each, ends, len(start[0]), bool(direction)))
        input = results[0] if directions == 1 else cat(results, -1)
        if dropout and train and layer < num_layers - 1:
            input = drop(input, dropout)
    return input, tuple(stack(each, 0) for each in last)


def _run_layer(
    cell: Cell,
    input: Tensor,
    sizes: Tensor | None,
    start: State,
    w_ih: Tensor,
    w_hh: Tensor,
    biases: Sequence[Tensor],
    backwards: bool,
    keep: bool,
) -> State:
    """Return the states of all steps of one direction of a layer."""
    if cell is gru_step:
        first, second = biases or (None, None)
        projected = linear(input, w_ih, first)
        outputs, _ = _gru(projected, *start, w_hh, second, sizes, backwards=backwards, keep=keep)
        return (outputs,)
    projected = linear(input, w_ih, biases[0] + biases[1] if biases else None)
    if cell is lstm_step:
        outputs, memories, _ = _lstm(projected, *start, w_hh, sizes, backwards=backwards, keep=keep)
        return outputs, memories
    return (_elman(projected, *start, w_hh, sizes, backwards=backwards, relu=cell is relu_step),)


def _last(states: Tensor, ends: Tensor | None, batch: int, backwards: bool) -> Tensor:
    """Return the states (N, H) of the step at which each sequence ends."""
    if ends is None:
        return states[0 if backwards else -1]
    return states[:batch] if backwards else states.index_select(0, ends)


def _ends(sizes: Tensor) -> Tensor:
    """Return the row of the last step of each of packed sequences."""
    counts = sizes._array
    number = np.arange(counts[0])
    lengths = (counts[:, None] > number).sum(0)
    return wrap((np.cumsum(counts) - counts)[lengths - 1] + number)
