"""Layers of recurrent cells, single steps of them, and their gradients."""

import facula
import numpy as np
import pytest
from facula import native
from facula.nn.utils import rnn
from facula.ops import recurrent, recurrent_cells, recurrent_layers

SIZES = [(1, 1, 1), (3, 1, 32), (5, 7, 20), (4, 100, 65), (6, 13, 300)]
#: Numbers of sequences in each step of packed ones.
PACKED = [[5], [4, 4, 1], [30, 17, 17, 2, 1, 1], [1, 1, 1]]


def numbers(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * scale).astype(np.float32)


def weights(gates: int, hidden: int) -> np.ndarray:
    return numbers(gates * hidden, hidden, scale=hidden**-0.5)


def strided(batch: int, hidden: int) -> np.ndarray:
    return numbers(batch, hidden + 1)[:, 1:]


def layer(held, kind: str, rows: tuple[int, ...], batch: int, hidden: int, sizes, backwards: bool) -> None:
    """Hold a layer and its gradient against the array code; ``rows`` are the dimensions before the last."""
    options = {"backwards": backwards}
    slopes = numbers(*rows, hidden), numbers(*rows, hidden + 1)[..., 1:]
    if kind == "lstm":
        inputs = numbers(*rows, 4 * hidden), numbers(batch, hidden), strided(batch, hidden), weights(4, hidden), sizes
        found = held(recurrent_layers._lstm, *inputs, keep=True, absolute=5e-6, **options)
        held(recurrent_layers._lstm, *inputs, keep=False, absolute=5e-6, **options)
        for g in (slopes, (slopes[0], None), (None, slopes[1])):
            held(recurrent_layers._lstm_gradient, *g, *found, *inputs[1:], tolerance=5e-6, **options)
    elif kind == "gru":
        projected, start, weight = numbers(*rows, 3 * hidden), strided(batch, hidden), weights(3, hidden)
        for bias in (None, numbers(3 * hidden)):
            inputs = projected, start, weight, bias, sizes
            found = held(recurrent_layers._gru, *inputs, keep=True, absolute=5e-6, **options)
            held(recurrent_layers._gru, *inputs, keep=False, absolute=5e-6, **options)
        for g in slopes:
            held(recurrent_layers._gru_gradient, g, *found, start, weight, sizes, tolerance=5e-6, **options)
    else:
        options["relu"] = kind == "relu"
        inputs = numbers(*rows, hidden), strided(batch, hidden), weights(1, hidden), sizes
        found = held(recurrent_layers._elman, *inputs, tolerance=2e-6, **options)
        for g in slopes:
            held(recurrent_layers._elman_gradient, g, found, *inputs[1:], tolerance=5e-6, **options)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh", "relu"])
@pytest.mark.parametrize(("steps", "batch", "hidden"), SIZES)
def test_layers(held, kind, steps, batch, hidden, backwards) -> None:
    layer(held, kind, (steps, batch), batch, hidden, None, backwards)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("kind", ["lstm", "gru", "tanh", "relu"])
@pytest.mark.parametrize("sizes", PACKED)
@pytest.mark.parametrize("hidden", [1, 40])
def test_packed_sequences(held, kind, sizes, hidden, backwards) -> None:
    layer(held, kind, (sum(sizes),), sizes[0], hidden, np.array(sizes), backwards)


@pytest.mark.parametrize(("rows", "hidden"), [(1, 1), (3, 17), (40, 64), (200, 100)])
def test_gates_of_one_step(held, rows, hidden) -> None:
    state = numbers(rows, hidden + 1)[:, 1:]
    projected, product = numbers(rows, 4 * hidden), numbers(rows, 4 * hidden, scale=3)
    slopes = numbers(rows, hidden), numbers(rows, hidden, scale=2)
    held(recurrent_cells._lstm_gates, projected, product, state, absolute=5e-6)
    for g in (slopes, (slopes[0], None), (None, slopes[1])):
        held(recurrent_cells._lstm_gates_gradient, *g, projected, product, state, tolerance=5e-6)
    projected, product = numbers(rows, 3 * hidden), numbers(rows, 3 * hidden, scale=3)
    held(recurrent_cells._gru_gates, projected, product, state, absolute=5e-6)
    held(recurrent_cells._gru_gates_gradient, slopes[0], projected, product, state, tolerance=5e-6)


def test_large_numbers_and_those_that_are_none(held) -> None:
    state = np.zeros((4, 20), np.float32)
    projected = numbers(3, 4, 80, scale=1000)
    projected[1, 2, 5] = np.nan
    outputs, *_ = held(
        recurrent_layers._lstm, projected, state, state, weights(4, 20), None, backwards=False, keep=False
    )
    assert np.isfinite(outputs[:, [0, 1, 3]]).all() and np.isnan(outputs[2, 2]).all()
    outputs, _ = held(
        recurrent_layers._gru, projected[..., :60], state, weights(3, 20), None, None, backwards=False, keep=False
    )
    assert np.isfinite(outputs[:, [0, 1, 3]]).all() and np.isnan(outputs[2, 2]).all()
    for relu in (False, True):
        outputs = held(
            recurrent_layers._elman, projected[..., :20], state, weights(1, 20), None, backwards=True, relu=relu
        )
        assert np.isfinite(outputs[:, [0, 1, 3]]).all() and np.isnan(outputs[0, 2]).all()


def test_small_numbers_keep_their_digits() -> None:
    """An Elman layer near zero is linear: its tanh has small relative errors there, too."""
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    projected, state = numbers(1, 3, 20, scale=1e-6), np.zeros((3, 20), np.float32)
    outputs = recurrent_layers._elman.kernels["native"](
        projected, state, weights(1, 20), None, backwards=False, relu=False
    )
    np.testing.assert_allclose(outputs, projected, rtol=1e-6)


def test_other_types_and_sizes_are_declined(held) -> None:
    arrays = np.ones((2, 3, 16)), np.ones((3, 4)), np.ones((3, 4)), np.ones((16, 4))
    held(recurrent_layers._lstm, *arrays, None, backwards=False, keep=True, accepts=False)
    held(recurrent_layers._gru, *(np.ones(each) for each in ((2, 3, 12), (3, 4), (12, 4))), None, None, backwards=False,
         keep=True, accepts=False)  # fmt: skip
    state, weight = numbers(3, 4), numbers(4, 4)
    for sizes in ([3, 2], [3, 3], [2, 3], [3, 0, 2]):
        rows = numbers(4, 4)
        held(recurrent_layers._elman, rows, state, weight, np.array(sizes), backwards=False, relu=True, accepts=False)


def outcome(layers, x, sizes, order: int) -> list:
    """Return the results of layers, and their first and second derivatives."""
    facula.manual_seed(1)
    given = x if sizes is None else rnn.pack_padded_sequence(x, sizes, batch_first=True, enforce_sorted=False)
    outputs, last = layers(given)
    outputs = outputs if sizes is None else outputs.data
    last = last if isinstance(last, tuple) else (last,)
    inputs = [x, *layers.parameters()]
    total = (outputs**2).sum() + sum((each**3).sum() for each in last)
    first = facula.autograd.grad(total, inputs, create_graph=order > 1)
    second = facula.autograd.grad(sum((each**2).sum() for each in first), inputs) if order > 1 else ()
    return [outputs, *last, *first, *second]


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("sizes", [None, [4, 7, 2]])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_layers_are_the_steps_one_by_one(kind, sizes, bidirectional, bias, monkeypatch) -> None:
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    facula.manual_seed(0)
    make = getattr(facula.nn, kind)
    layers = make(5, 20, num_layers=2, dropout=0.5, bidirectional=bidirectional, batch_first=True, bias=bias)
    x = facula.randn(3, 7, 5, requires_grad=True)
    order = 2 if sizes is None or bidirectional else 1
    found = outcome(layers, x, sizes, order)
    monkeypatch.setattr(recurrent, "are_usual_layers", lambda *_: False)
    monkeypatch.setattr(recurrent_cells, "are_usual", lambda *_: False)
    for one, other in zip(found, outcome(layers, x, sizes, order), strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max().item() <= 3e-5 * max(1.0, other.abs().max().item())


@pytest.mark.parametrize("kind", ["LSTMCell", "GRUCell", "RNNCell"])
def test_cells_with_the_gates_as_one_operation(kind, monkeypatch) -> None:
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    facula.manual_seed(0)
    cell = getattr(facula.nn, kind)(5, 20)
    x = facula.randn(3, 5, requires_grad=True)

    def derivatives() -> list:
        state = None
        for _ in range(3):
            state = cell(x, state)
        total = sum((each**2).sum() for each in (state if isinstance(state, tuple) else (state,)))
        first = facula.autograd.grad(total, [x, *cell.parameters()], create_graph=True)
        return [total, *first, *facula.autograd.grad(sum((each**2).sum() for each in first), [x, *cell.parameters()])]

    found = derivatives()
    monkeypatch.setattr(recurrent_cells, "are_usual", lambda *_: False)
    for one, other in zip(found, derivatives(), strict=True):
        assert (one - other).abs().max().item() <= 3e-5 * max(1.0, other.abs().max().item())
