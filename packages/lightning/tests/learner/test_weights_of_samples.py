"""Weights of samples and of classes: as a loop written out, and as Keras where it is installed."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import facula
import numpy as np
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import Learner
from facula_lightning.learner.losses import each_loss, weighted_loss

X = np.random.default_rng(0).standard_normal((23, 3)).astype(np.float32)
Y = np.random.default_rng(1).integers(0, 4, 23)
WEIGHTS = np.random.default_rng(2).uniform(0, 2, 23).astype(np.float32)
CLASSES = {0: 2.0, 2: 0.5, 3: 3.0}
OF_CLASSES = np.array([CLASSES.get(int(each), 1.0) for each in Y], np.float32)
#: How samples may be weighed, with the weight of each that it comes to.
CASES: dict[str, tuple[dict[str, Any], Any]] = {
    "alike": ({}, np.ones(23, np.float32)),
    "sample_weight": ({"sample_weight": WEIGHTS}, WEIGHTS),
    "class_weight": ({"class_weight": CLASSES}, OF_CLASSES),
}


def network() -> nn.Linear:
    layer = nn.Linear(3, 4)
    with facula.no_grad():
        layer.weight.copy_(facula.arange(12.0).reshape(4, 3) / 12 - 0.4)
        layer.bias.copy_(facula.tensor([0.1, -0.1, 0.2, 0.0]))
    return layer


def by_hand(weights: Any, epochs: int) -> tuple[nn.Linear, list[float]]:
    """Train on batches of 8 in order; return the layer and the losses, means over all samples."""
    model = network()
    optimizer = facula.optim.SGD(model.parameters(), lr=0.5)
    x, y, weight = facula.tensor(X), facula.tensor(Y), facula.tensor(weights)
    losses = []
    for _ in range(epochs):
        total = 0.0
        for start in range(0, 23, 8):
            part = slice(start, min(start + 8, 23))
            likely = model(x[part]).log_softmax(1)
            loss = sum(-weight[at] * likely[at - start, y[at]] for at in range(23)[part]) / len(range(23)[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item() * len(range(23)[part])
        losses.append(total / 23)
    return model, losses


def fitted(settings: dict[str, Any], **more: Any) -> tuple[nn.Linear, dict[str, list[float]]]:
    model = network()
    learner = Learner(model)
    learner.compile("sgd", "cross_entropy", ["accuracy"], lr=0.5)
    history = learner.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0, **settings, **more)
    return model, history.history


@pytest.mark.parametrize("case", list(CASES))
def test_weights_are_those_of_a_loop_written_out(case: str) -> None:
    settings, weights = CASES[case]
    wanted, losses = by_hand(weights, 3)
    model, history = fitted(settings)
    for own, other in zip(model.parameters(), wanted.parameters()):
        assert facula.allclose(own, other, atol=1e-6)
    assert history["loss"] == pytest.approx(losses, rel=1e-5)


def test_weights_come_as_the_third_part_of_a_batch() -> None:
    first, losses = fitted({"sample_weight": WEIGHTS})
    model = network()
    learner = Learner(model)
    learner.compile("sgd", nn.CrossEntropyLoss(), lr=0.5)
    dataset = TensorDataset(facula.tensor(X), facula.tensor(Y), facula.tensor(WEIGHTS))
    history = learner.fit(DataLoader(dataset, 8), epochs=3, verbose=0)
    assert history.history["loss"] == losses["loss"]
    assert all(facula.equal(own, other) for own, other in zip(model.parameters(), first.parameters()))
    with pytest.raises(ValueError, match="at the same time"):
        learner.fit(DataLoader(dataset, 8), class_weight=CLASSES, verbose=0)


def test_validation_counts_sample_weights_but_no_class_weights() -> None:
    plain, weighted = (
        fitted({"class_weight": CLASSES}, validation_data=data)[1]["val_loss"][-1]
        for data in ((X, Y), (X, Y, np.full(23, 3.0)))
    )
    model, history = fitted({"class_weight": CLASSES})
    assert plain == pytest.approx(F.cross_entropy(model(facula.tensor(X)), facula.tensor(Y)).item(), rel=1e-5)
    assert weighted == pytest.approx(3 * plain, rel=1e-5)


def test_classes_of_one_hot_rows_and_of_columns() -> None:
    rows = np.eye(4, dtype=np.float32)[Y]
    wanted, _ = fitted({"class_weight": CLASSES})
    model = network()
    learner = Learner(model)
    learner.compile("sgd", "cross_entropy", lr=0.5)
    learner.fit(X, rows, batch_size=8, epochs=3, shuffle=False, verbose=0, class_weight=CLASSES)
    for own, other in zip(model.parameters(), wanted.parameters()):
        assert facula.allclose(own, other, atol=1e-6)


def test_every_kind_of_loss_gives_the_losses_of_samples() -> None:
    prediction, target = facula.tensor(X), facula.tensor(X[::-1].copy())
    weight = facula.tensor(WEIGHTS)
    wanted = ((prediction - target) ** 2).mean(1)

    def squared(input: Tensor, target: Tensor) -> Tensor:
        return ((input - target) ** 2).mean(1)

    for loss in (F.mse_loss, nn.MSELoss(), squared):
        assert each_loss(loss, prediction, target).reshape(23, -1).mean(1).tolist() == pytest.approx(wanted.tolist())
        found = weighted_loss(loss, prediction, target, weight).item()
        assert found == pytest.approx((wanted * weight).mean().item(), rel=1e-5)
    # A weight for each step of a sequence.
    steps = facula.rand(23, 3, generator=facula.Generator().manual_seed(1))
    found = weighted_loss(F.mse_loss, prediction, target, steps)
    assert found.item() == pytest.approx(((prediction - target) ** 2 * steps).mean().item(), rel=1e-5)
    with pytest.raises(TypeError, match="the losses of single samples are needed"):
        each_loss(lambda input, target: ((input - target) ** 2).mean(), prediction, target)


@pytest.fixture(scope="module")
def keras() -> Any:
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("keras and torch are installed for comparison only")
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    return keras


def with_keras(keras: Any, settings: dict[str, Any], **more: Any) -> Any:
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(4)])
    own = network()
    model.set_weights([own.weight.detach().numpy().T, own.bias.detach().numpy()])
    model.compile(
        keras.optimizers.SGD(0.5), keras.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    history = model.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0, **settings, **more)
    return model, history


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("case", list(CASES))
def test_the_same_as_keras(keras: Any, case: str) -> None:
    settings, _ = CASES[case]
    for more in ({"validation_split": 0.3}, {"validation_data": (X, Y, WEIGHTS), "validation_freq": 2}):
        theirs, wanted = with_keras(keras, settings, **more)
        model, history = fitted(settings, **more)
        assert set(history) == set(wanted.history)
        for name, values in wanted.history.items():
            assert history[name] == pytest.approx(values, rel=2e-5, abs=1e-6), name
        assert np.allclose(model.weight.detach().numpy().T, theirs.get_weights()[0], atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_evaluating_and_predicting_as_keras(keras: Any) -> None:
    theirs, wanted = with_keras(keras, {})
    learner = Learner(network())
    learner.compile("sgd", "cross_entropy", ["accuracy"], lr=0.5)
    history = learner.fit(X, Y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    assert history.params == wanted.params and history.epoch == wanted.epoch
    for settings in ({}, {"sample_weight": WEIGHTS, "batch_size": 5}, {"steps": 1, "batch_size": 10}):
        expected = theirs.evaluate(X, Y, verbose=0, **settings)
        assert learner.evaluate(X, Y, verbose=0, **settings) == pytest.approx(expected, rel=1e-5)
    assert set(learner.evaluate(X, Y, verbose=0, return_dict=True)) == {"loss", "accuracy"}
    assert np.allclose(learner.predict(X, verbose=0).numpy(), theirs.predict(X, verbose=0), atol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_losses_with_keras_names_are_keras_s(keras: Any) -> None:
    from facula_lightning.learner.losses import resolve_loss

    likely = np.abs(X) / np.abs(X).sum(1, keepdims=True)
    wanted = {
        "sparse_categorical_crossentropy": (Y % 3, likely * 2),
        "categorical_crossentropy": (np.eye(3, dtype=np.float32)[Y % 3], likely * 2),
        "binary_crossentropy": ((X > 0).astype(np.float32), likely),
        "mean_squared_error": (X[::-1].copy(), X),
        "mean_absolute_error": (X[::-1].copy(), X),
        "huber": (X[::-1].copy() * 3, X),
    }
    for name, (target, prediction) in wanted.items():
        theirs = float(np.mean(keras.ops.convert_to_numpy(keras.losses.get(name)(target, prediction))))
        ours = resolve_loss(name)(facula.tensor(prediction), facula.tensor(target)).item()
        assert ours == pytest.approx(theirs, rel=1e-5), name
