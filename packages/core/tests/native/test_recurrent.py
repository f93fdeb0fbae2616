"""Layers of recurrent cells and their gradients."""

import facula
import numpy as np
import pytest
from facula import native
from facula.ops import recurrent


def numbers(*shape: int, scale: float = 1.0) -> np.ndarray:
    return (np.random.default_rng(sum(shape)).standard_normal(shape) * scale).astype(np.float32)


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize(("steps", "batch", "hidden"), [(1, 1, 1), (3, 1, 32), (5, 7, 20), (4, 100, 65), (6, 13, 300)])
def test_lstm(held, steps, batch, hidden, backwards) -> None:
    projected, weight = numbers(steps, batch, 4 * hidden), numbers(4 * hidden, hidden, scale=hidden**-0.5)
    start = numbers(batch, hidden), numbers(batch, hidden + 1)[:, 1:]
    options = {"backwards": backwards}
    found = held(recurrent._lstm, projected, *start, weight, keep=True, absolute=5e-6, **options)
    held(recurrent._lstm, projected, *start, weight, keep=False, absolute=5e-6, **options)
    slopes = numbers(steps, batch, hidden), numbers(batch, steps, hidden).swapaxes(0, 1)
    for g in (slopes, (slopes[0], None), (None, slopes[1])):
        held(recurrent._lstm_gradient, *g, *found, *start, weight, tolerance=5e-6, **options)


def test_large_numbers_and_those_that_are_none(held) -> None:
    projected = numbers(3, 4, 80, scale=1000)
    projected[1, 2, 5] = np.nan
    state = np.zeros((4, 20), np.float32)
    outputs, *_ = held(recurrent._lstm, projected, state, state, numbers(80, 20), backwards=False, keep=False)
    assert np.isfinite(outputs[:, [0, 1, 3]]).all() and np.isnan(outputs[2, 2]).all()


def test_other_types_are_declined(held) -> None:
    arrays = np.ones((2, 3, 16)), np.ones((3, 4)), np.ones((3, 4)), np.ones((16, 4))
    held(recurrent._lstm, *arrays, backwards=False, keep=True, accepts=False)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_layers_are_the_steps_one_by_one(bidirectional, monkeypatch) -> None:
    if not native.available:
        pytest.skip("the compiled kernels were not built, or are switched off")
    facula.manual_seed(0)
    layers = facula.nn.LSTM(5, 20, num_layers=2, dropout=0.5, bidirectional=bidirectional, batch_first=True)
    x = facula.randn(3, 7, 5, requires_grad=True)
    found = []
    for usual in (True, False):
        if not usual:
            monkeypatch.setattr(recurrent, "_is_usual", lambda *_: False)
        facula.manual_seed(1)
        outputs, (hidden, memory) = layers(x)
        inputs = [x, *layers.parameters()]
        first = facula.autograd.grad((outputs**2).sum() + hidden.sum() + (memory**2).sum(), inputs, create_graph=True)
        second = facula.autograd.grad(sum((each**2).sum() for each in first), inputs)
        found.append([outputs, hidden, memory, *first, *second])
    for one, other in zip(*found, strict=True):
        assert one.shape == other.shape
        assert (one - other).abs().max().item() <= 2e-5 * max(1.0, other.abs().max().item())
