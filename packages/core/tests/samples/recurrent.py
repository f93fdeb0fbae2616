"""Rows of recurrent cells, and of layers of them over sequences."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit

from samples.sample import Sample, case, numbers

State = tuple[np.ndarray, ...]


def lstm_cell(x, state, w_ih, w_hh, b_ih=0, b_hh=0) -> State:
    hidden, memory = state
    admit, forget, candidate, emit = np.split(x @ w_ih.T + b_ih + hidden @ w_hh.T + b_hh, 4, -1)
    memory = expit(forget) * memory + expit(admit) * np.tanh(candidate)
    return expit(emit) * np.tanh(memory), memory


def gru_cell(x, hidden, w_ih, w_hh, b_ih=0, b_hh=0) -> np.ndarray:
    reset_x, update_x, new_x = np.split(x @ w_ih.T + b_ih, 3, -1)
    reset_h, update_h, new_h = np.split(hidden @ w_hh.T + b_hh, 3, -1)
    update = expit(update_x + update_h)
    new = np.tanh(new_x + expit(reset_x + reset_h) * new_h)
    return (1 - update) * new + update * hidden


def rnn_cell(activation: Callable) -> Callable:
    return lambda x, hidden, w_ih, w_hh, b_ih=0, b_hh=0: activation(x @ w_ih.T + b_ih + hidden @ w_hh.T + b_hh)


tanh_cell, relu_cell = rnn_cell(np.tanh), rnn_cell(lambda x: np.maximum(x, 0))


def layers(cell: Callable, x, state, weights, has_biases, count, dropout, train, bidirectional, batch_first) -> list:
    """Return the outputs of the last layer, and the last states of all: step by step, layer by layer."""
    several = isinstance(state, list)
    outputs = x.swapaxes(0, 1) if batch_first else x
    per_layer = 4 if has_biases else 2
    finals = []
    for layer in range(count):
        directions = []
        for direction in range(2 if bidirectional else 1):
            number = layer * (2 if bidirectional else 1) + direction
            parameters = weights[number * per_layer : (number + 1) * per_layer]
            now = tuple(each[number] for each in state) if several else state[number]
            seen = []
            for step in outputs[::-1] if direction else outputs:
                now = cell(step, now, *parameters)
                seen.append(now[0] if several else now)
            directions.append(np.stack(seen[::-1] if direction else seen))
            finals.append(now)
        outputs = np.concatenate(directions, -1)
    outputs = outputs.swapaxes(0, 1) if batch_first else outputs
    if several:
        return [outputs, *(np.stack(each) for each in zip(*finals))]
    return [outputs, np.stack(finals)]


def parameters(gates: int, layers: int = 1, directions: int = 1, biases: bool = True) -> list[np.ndarray]:
    """Return small weights and biases for 2 inputs and a state of 2."""
    made = []
    for layer in range(layers):
        width = 2 if layer == 0 else 2 * directions
        for direction in range(directions):
            seed = 10 * layer + direction
            made += [numbers(2 * gates, width, seed=seed), numbers(2 * gates, 2, seed=seed + 1)]
            made += [numbers(2 * gates, seed=seed + 2), numbers(2 * gates, seed=seed + 3)] if biases else []
    return made


def cell_cases(gates: int, several: bool = False) -> list:
    state = [numbers(3, 2, seed=1), numbers(3, 2, seed=2)] if several else numbers(3, 2, seed=1)
    one = [numbers(2), numbers(2, seed=1)] if several else numbers(2)
    return [
        case(numbers(3, 2), state, *parameters(gates)),
        case(numbers(3, 2), state, *parameters(gates, biases=False)),
        case(numbers(2, seed=3), one, *parameters(gates)),
    ]


def state(count: int, several: bool) -> np.ndarray | list:
    return [numbers(count, 2, 2), numbers(count, 2, 2, seed=1)] if several else numbers(count, 2, 2)


def one_layer(gates: int, several: bool = False) -> list:
    return [
        case(numbers(2, 2, 2), state(1, several), parameters(gates), True, 1, 0.0, False, False, False),
        case(numbers(2, 2, 2), state(1, several), parameters(gates, biases=False), False, 1, 0.0, False, False, True),
    ]


def two_layers_both_ways(gates: int, several: bool = False) -> list:
    weights = parameters(gates, 2, 2)
    return [case(numbers(2, 3, 2), state(4, several), weights, True, 2, 0.0, True, True, True)]


def over_sequences(cell: Callable) -> Callable:
    return lambda *arguments: layers(cell, *arguments)


ROWS = [
    Sample("lstm_cell", cell_cases(4, several=True), lstm_cell, slack=4),
    Sample("gru_cell", cell_cases(3), gru_cell, slack=4),
    Sample("rnn_tanh_cell", cell_cases(1), tanh_cell, slack=4),
    Sample("rnn_relu_cell", cell_cases(1), relu_cell, slack=4),
    Sample("lstm", one_layer(4, several=True), over_sequences(lstm_cell), slack=10),
    Sample("gru", one_layer(3), over_sequences(gru_cell), slack=10),
    Sample("rnn_tanh", one_layer(1), over_sequences(tanh_cell), slack=10),
    Sample("rnn_relu", one_layer(1), over_sequences(relu_cell), slack=10),
    # Second derivatives of so many parameters take too long for what they would add.
    Sample("lstm", two_layers_both_ways(4, several=True), over_sequences(lstm_cell), slack=10, derivatives=1),
    Sample("gru", two_layers_both_ways(3), over_sequences(gru_cell), slack=10, derivatives=1),
    Sample("rnn_tanh", two_layers_both_ways(1), over_sequences(tanh_cell), slack=10, derivatives=1),
]
