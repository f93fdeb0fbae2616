"""Recurrent networks: one step of each cell, and layers of them over sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from facula.ops.joining import cat, stack
from facula.ops.matmul import linear
from facula.ops.random import dropout as drop
from facula.ops.recurrent_cells import (
    Cell,
    State,
    gru_step,
    lstm_step,
    relu_step,
    run,
    run_backwards,
    tanh_step,
)
from facula.ops.recurrent_layers import are_usual_layers, run_layers
from facula.types import Tensor

__all__ = ["gru", "gru_cell", "lstm", "lstm_cell", "rnn_relu", "rnn_relu_cell", "rnn_tanh", "rnn_tanh_cell"]


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
    return cell(linear(input, w_ih, b_ih), state, w_hh, b_hh)


def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """Return the next hidden and cell state (N, H) of an LSTM. Hochreiter and Schmidhuber 1997; gates i, f, g, o."""
    hidden, memory = _one_step(lstm_step, input, tuple(hx), w_ih, w_hh, b_ih, b_hh, 4)
    return hidden, memory


def gru_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return the next hidden state (N, H) of a GRU. Cho et al. 2014, arXiv 1406.1078; gates r, z, n."""
    return _one_step(gru_step, input, (hx,), w_ih, w_hh, b_ih, b_hh, 3)[0]


def rnn_tanh_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return ``tanh(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)``."""
    return _one_step(tanh_step, input, (hx,), w_ih, w_hh, b_ih, b_hh, 1)[0]


def rnn_relu_cell(
    input: Tensor, hx: Tensor, w_ih: Tensor, w_hh: Tensor, b_ih: Tensor | None = None, b_hh: Tensor | None = None
) -> Tensor:
    """Return ``relu(input @ w_ih.T + b_ih + hx @ w_hh.T + b_hh)``."""
    return _one_step(relu_step, input, (hx,), w_ih, w_hh, b_ih, b_hh, 1)[0]


# Whole sequences.


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
            projected = linear(cat(steps, 0), w_ih, b_ih).split(lengths, 0)
            stepper = cell if projection is None else _projected(cell, projection)
            runs = run_backwards if direction else run
            outputs, state = runs(stepper, projected, tuple(each[at] for each in hx), w_hh, b_hh)
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


def _sequence(cell: Cell, arguments: tuple[Any, ...], several_states: bool) -> Any:
    """Run layers on a padded batch (input, hx, params, …, batch_first) or on packed data (data, batch_sizes, hx, …)."""
    packed = not isinstance(arguments[2], (tuple, list)) or isinstance(arguments[3], (tuple, list))
    if packed:
        input, batch_sizes, hx, params, *options = arguments
        batch_first = False
    else:
        input, hx, params, *options = arguments
        batch_first, batch_sizes = options.pop(), None
        input = input.transpose(0, 1) if batch_first else input
    state = tuple(hx) if several_states else (hx,)
    if are_usual_layers(cell, input, state, params, len(state[0])):
        result, last = run_layers(cell, input.contiguous(), batch_sizes, state, params, *options)
    else:
        steps = list(input.unbind(0) if batch_sizes is None else input.split(batch_sizes.tolist(), 0))
        outputs, last = _layers(cell, steps, state, params, *options)
        result = stack(outputs, 0) if batch_sizes is None else cat(outputs, 0)
    return result.transpose(0, 1) if batch_first else result, *last


def lstm(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor, Tensor]:
    """Return the output and last hidden and cell states of LSTM layers.

    Arguments as PyTorch's: ``(input, hx, params, has_biases, num_layers, dropout, train, bidirectional, batch_first)``,
    or for packed sequences ``(data, batch_sizes, hx, params, has_biases, num_layers, dropout, train, bidirectional)``.
    """
    return _sequence(lstm_step, arguments, True)


def gru(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor]:
    """Return the output and last hidden state of GRU layers; arguments as `lstm`, with one tensor for ``hx``."""
    return _sequence(gru_step, arguments, False)


def rnn_tanh(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor]:
    """Return the output and last hidden state of Elman layers with tanh; arguments as `gru`."""
    return _sequence(tanh_step, arguments, False)


def rnn_relu(*arguments: Tensor | Sequence[Tensor] | bool | int | float) -> tuple[Tensor, Tensor]:
    """Return the output and last hidden state of Elman layers with relu; arguments as `gru`."""
    return _sequence(relu_step, arguments, False)
