"""Learner and fit: data, losses, metrics and optimizers as they may be given, and what comes back."""

from __future__ import annotations

import doctest
import importlib
from typing import Any

import facula
import facula_lightning
import numpy as np
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset
from facula_lightning import History, Learner, LightningDataModule, LightningModule, fit
from facula_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint
from facula_lightning.learner.losses import resolve_loss
from facula_lightning.learner.metrics import accuracy, resolve_metrics
from facula_lightning.learner.optimizers import make_optimizer
from facula_lightning.metrics import BinaryAUROC, MulticlassAccuracy
from facula_lightning.utilities.exceptions import MisconfigurationException

MODULES = ["learner.learner", "learner.losses", "learner.optimizers", "learner.history", "learner.task"]
MODULES += ["utilities.layers", "utilities.samplers", "callbacks.one_cycle", "callbacks.mixing", "callbacks.neftune"]
MODULES += ["callbacks.reduce_lr_on_plateau", "callbacks.backup_and_restore", "callbacks.exact_accumulation"]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_run(name: str) -> None:
    module = importlib.import_module(f"facula_lightning.{name}")
    assert doctest.testmod(module, extraglobs={"facula": facula}).failed == 0


def linear(inputs: int = 3, outputs: int = 1) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    with facula.no_grad():
        layer.weight.copy_(facula.arange(float(inputs * outputs)).reshape(outputs, inputs) / 10)
        layer.bias.zero_()
    return layer


def rows(count: int = 20, inputs: int = 3) -> Tensor:
    return facula.randn(count, inputs, generator=facula.Generator().manual_seed(1))


class Recorder(Callback):
    """Keeps the batches that were trained on."""

    def __init__(self) -> None:
        self.batches: list[Any] = []
        self.validated: list[Any] = []

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        self.batches.append(batch)

    def on_validation_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self.validated.append(batch)


# Data


def test_the_last_part_is_for_validation_before_anything_is_shuffled() -> None:
    x = facula.arange(20.0).unsqueeze(1)
    for data in ((x, x), (TensorDataset(x, x), None)):
        seen = Recorder()
        learner = Learner(linear(1))
        learner.compile("sgd", "mse", lr=0.0)
        learner.fit(*data, batch_size=4, validation_split=0.31, callbacks=seen, verbose=0)
        trained = facula.cat([batch[0] for batch in seen.batches]).flatten().tolist()
        assert sorted(trained) == list(range(13)) and trained != sorted(trained)
        assert facula.cat([batch[0] for batch in seen.validated]).flatten().tolist() == list(range(13, 20))


def test_numpy_arrays_become_what_layers_take() -> None:
    seen = Recorder()
    learner = Learner(linear(2, 3))
    learner.compile("sgd", "cross_entropy", ["accuracy"])
    x, y = np.arange(8.0).reshape(4, 2), np.array([0, 1, 2, 1], np.int32)
    learner.fit(x, y, shuffle=False, callbacks=seen, verbose=0)
    batch = seen.batches[0]
    assert (batch[0].dtype, batch[1].dtype) == (facula.float32, facula.int64)
    assert batch[0].tolist() == x.tolist() and batch[1].tolist() == y.tolist()
    # A read-only array, a list and rows of another order are arrays, too.
    x.flags.writeable = False
    assert learner.predict(x, verbose=0).shape == (4, 3)
    learner.fit([[1.0, 2.0], [3.0, 4.0]], [0, 2], verbose=0, callbacks=seen)
    assert seen.batches[-1][1].tolist() in ([0, 2], [2, 0])
    assert learner.predict(np.asfortranarray(x), verbose=0).shape == (4, 3)


def test_several_inputs_are_the_networks_arguments() -> None:
    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(facula.ones(1))

        def forward(self, left: Tensor, right: Tensor) -> Tensor:
            return (left - right) * self.scale

    learner = Learner(Sum())
    learner.compile("sgd", "mse")
    left, right = rows(6), rows(6) / 2
    for x in ((left, right), {"right": right, "left": left}, [left, right]):
        learner.fit(x, left - right, verbose=0)
    assert facula.allclose(learner.predict((left, right), batch_size=4, verbose=0), left - right)
    assert facula.allclose(learner.predict({"left": left, "right": right}, verbose=0), left - right)


def test_loaders_datasets_and_data_modules() -> None:
    class Stream(IterableDataset[Any]):
        def __iter__(self) -> Any:
            yield from zip(rows(), rows().sum(1, keepdim=True))

    class Data(LightningDataModule):
        def train_dataloader(self) -> Any:
            return DataLoader(TensorDataset(rows(), rows().sum(1, keepdim=True)), 5)

        val_dataloader = test_dataloader = predict_dataloader = train_dataloader

    class Plain(Dataset[Any]):
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> Any:
            return rows()[index], rows()[index].sum(keepdim=True)

    expected = None
    for data in (
        (rows(), rows().sum(1, keepdim=True)), (Data(),), (Plain(),), (DataLoader(Stream(), 7),), (Stream(),),
        ([(rows()[:6], rows()[:6].sum(1, keepdim=True)), (rows()[6:], rows()[6:].sum(1, keepdim=True))],),
    ):  # fmt: skip
        learner = Learner(linear())
        learner.compile("sgd", "mse", ["mae"], lr=0.0)
        history = learner.fit(*data, verbose=0)
        found = learner.evaluate(*data, verbose=0)
        predicted = learner.predict(data[0], verbose=0)
        expected = expected or (found, predicted)
        assert found == pytest.approx(expected[0], rel=1e-5)
        assert facula.allclose(predicted, expected[1])
        assert history.history["loss"] == pytest.approx([found[0]], rel=1e-5)
    assert set(Learner(linear()).model.state_dict()) == {"weight", "bias"}


def test_what_data_is_refused() -> None:
    learner = Learner(linear())
    learner.compile("sgd", "mse")
    x, y = rows(), rows().sum(1, keepdim=True)
    loader = DataLoader(TensorDataset(x, y), 5)
    for message, call in {
        "ambiguous": lambda: learner.fit(x, y[:3]),
        "`y` is for arrays": lambda: learner.fit(loader, y),
        "`sample_weight` is for arrays": lambda: learner.fit(loader, sample_weight=y),
        "`batch_size` is for arrays": lambda: learner.fit(loader, batch_size=3),
        "not sufficient to split": lambda: learner.fit(x, y, validation_split=0.99),
        "needs arrays or a Dataset": lambda: learner.fit(loader, validation_split=0.5),
        "at the same time": lambda: learner.fit(x, y, class_weight={0: 1.0}, sample_weight=y),
        "expected a dictionary from": lambda: learner.fit(x, y, class_weight={"a": 1.0}),
        "got `x` alone": lambda: learner.fit(x, verbose=0),
        "'auto', 0, 1 or 2": lambda: learner.fit(x, y, verbose=3),
        "sample weights need targets": lambda: learner.fit(x, sample_weight=x[:, 0]),
        "got 4 parts": lambda: learner.fit(TensorDataset(x, x, x, x), verbose=0),
        "of shape": lambda: learner.fit(x, y, sample_weight=x, verbose=0),
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    for wrong in (3, np.array(["a"])):
        with pytest.raises(TypeError, match="expected"):
            learner.fit(wrong, None)


# Losses, metrics, optimizers


def test_losses_may_be_given_in_any_way() -> None:
    prediction, target = rows(6, 4), facula.tensor([0, 1, 2, 3, 0, 1])
    expected = F.cross_entropy(prediction, target)
    for loss in ("cross_entropy", F.cross_entropy, nn.CrossEntropyLoss, nn.CrossEntropyLoss()):
        assert facula.equal(resolve_loss(loss)(prediction, target), expected)
    likely = prediction.softmax(1)
    assert resolve_loss("sparse_categorical_crossentropy")(likely, target).item() == pytest.approx(expected.item())
    rows_of_one = F.one_hot(target, 4)
    assert resolve_loss("categorical_crossentropy")(likely, rows_of_one).item() == pytest.approx(expected.item())
    # A target (N) beside predictions (N, 1) would be broadcast, with a warning, by the function itself.
    column, numbers = prediction[:, :1], facula.arange(6)
    assert resolve_loss("mse")(column, numbers).item() == pytest.approx(((column[:, 0] - numbers) ** 2).mean().item())
    binary = facula.tensor([0, 1, 1, 0, 1, 0])
    logits = F.binary_cross_entropy_with_logits(column[:, 0], binary.float()).item()
    assert resolve_loss("bce_with_logits")(column, binary).item() == pytest.approx(logits)
    assert resolve_loss("binary_crossentropy")(column.sigmoid(), binary).item() == pytest.approx(logits)
    with pytest.raises(ValueError, match="there is no loss 'msee'; there are cross_entropy"):
        resolve_loss("msee")
    with pytest.raises(TypeError, match="for the loss, got int"):
        resolve_loss(3)


@pytest.mark.parametrize(
    ("prediction", "target", "hits"),
    [
        ([[0.1, 0.9], [0.8, 0.2]], [1, 1], [1, 0]),
        ([[0.1, 0.9], [0.8, 0.2]], [[1], [1]], [1, 0]),
        ([[0.1, 0.9], [0.8, 0.2]], [[0, 1], [0, 1]], [1, 0]),
        ([[0.6], [0.3]], [1, 1], [1, 0]),
        ([0.6, 0.3], [[0], [0]], [0, 1]),
        ([[[0.1, 0.9], [0.9, 0.1], [0.5, 0.4]]], [[1, 1, 1]], [1, 0, 0]),
        ([[[0.1, 0.9, 0.2], [0.9, 0.1, 0.3]]], [[1, 1, 1]], [1, 0, 1]),
    ],
)
def test_accuracy_goes_by_the_shapes(prediction: Any, target: Any, hits: Any) -> None:
    found = accuracy(facula.tensor(prediction), facula.tensor(target)).int()
    assert found.flatten().tolist() == hits


def test_metrics_may_be_given_in_any_way() -> None:
    def worst(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().max()

    names = list(resolve_metrics(["acc", worst, BinaryAUROC, MulticlassAccuracy(3), "r2_score"], False))
    assert names == ["acc", "worst", "binary_auroc", "multiclass_accuracy", "r2_score"]
    assert list(resolve_metrics({"mine": "mae"}, False)) == ["mine"] and resolve_metrics(None, False) == {}
    for wrong, kind, message in (
        ("acccuracy", ValueError, "there is no metric"),
        ("multiclass_auroc", ValueError, "give the class MulticlassAUROC"),
        (3, TypeError, "got int"),
        (["mae", "mae"], ValueError, "two metrics of the name 'mae'"),
    ):
        with pytest.raises(kind, match=message):
            resolve_metrics(wrong, False)
    with pytest.raises(ValueError, match="expected targets that go with"):
        accuracy(facula.ones(3), facula.ones(2))


def test_metrics_are_of_the_whole_epoch_whatever_the_batches() -> None:
    def worst(prediction: Tensor, target: Tensor) -> Tensor:
        return (prediction - target).abs().mean()

    x, y = rows(22), rows(22).sum(1, keepdim=True) > 0
    model = linear()
    learner = Learner(model)
    learner.compile("sgd", "bce_with_logits", ["accuracy", "binary_auroc", worst], lr=0.0)
    history = learner.fit(x, y.int(), batch_size=8, epochs=2, verbose=0, validation_data=(x, y.int()))
    with facula.no_grad():
        scores = model(x)
        wanted = {
            "loss": F.binary_cross_entropy_with_logits(scores, y.float()).item(),
            "accuracy": ((scores > 0) == y).float().mean().item(),
            "binary_auroc": BinaryAUROC()(scores, y.int()).item(),
            "worst": (scores - y.float()).abs().mean().item(),
        }
    assert set(history.history) == {*wanted, *(f"val_{name}" for name in wanted)}
    for name, values in history.history.items():
        assert values == pytest.approx([wanted[name.removeprefix("val_")]] * 2, rel=1e-5), name
    assert learner.evaluate(x, y.int(), verbose=0, return_dict=True) == pytest.approx(wanted, rel=1e-5)
    assert learner.evaluate(x, y.int(), verbose=0, batch_size=7) == pytest.approx(list(wanted.values()), rel=1e-5)
    learner.compile("sgd", "bce_with_logits")
    assert learner.evaluate(x, y.int(), verbose=0) == pytest.approx(wanted["loss"], rel=1e-5)


def test_optimizers_may_be_given_in_any_way() -> None:
    model = linear()
    for given in ("AdamW", facula.optim.AdamW, lambda parameters, lr: facula.optim.AdamW(parameters, lr=lr)):
        made = make_optimizer(given, model, 0.5)
        assert type(made) is facula.optim.AdamW and made.param_groups[0]["lr"] == 0.5
    assert make_optimizer(made, model) is made
    for wrong, kind, message in (
        (("adamm", None), ValueError, "there is no optimizer 'adamm'"),
        ((3, None), TypeError, "got int"),
        ((made, 0.1), ValueError, "already has its learning rate"),
        ((lambda parameters: made, 0.1), ValueError, "has no such argument"),
        ((lambda parameters: 3, None), TypeError, "expected an Optimizer"),
    ):
        with pytest.raises(kind, match=message):
            make_optimizer(wrong[0], model, wrong[1])


# What comes back


def test_history_and_going_on() -> None:
    x, y = rows(), rows().sum(1, keepdim=True)
    learner = Learner(linear())
    learner.compile(facula.optim.Adam(learner.model.parameters(), lr=0.01), "mse")
    first = learner.fit(x, y, batch_size=8, epochs=5, validation_data=(x, y), validation_freq=2, verbose=0)
    assert first.epoch == [0, 1, 2, 3, 4] and first.params == {"verbose": 0, "epochs": 5, "steps": 3}
    assert [len(values) for values in first.history.values()] == [5, 2]
    optimizer = learner.optimizer
    second = learner.fit(x, y, epochs=7, initial_epoch=5, verbose=0)
    assert second.epoch == [5, 6] and learner.history is second and learner.optimizer is optimizer
    assert second.history["loss"][0] < first.history["loss"][0]
    state = next(iter(optimizer.state.values()))
    assert int(state["step"]) == 5 * 3 + 2
    assert learner.fit(x, y, epochs=1, steps_per_epoch=1, batch_size=2, verbose=0).params["steps"] == 1


def test_pictures_of_a_history() -> None:
    pytest.importorskip("matplotlib").use("agg")
    history = History()
    history.epoch = [0, 1, 2, 3]
    history.history = {"loss": [4.0, 3.0, 2.0, 1.0], "val_loss": [5.0, 4.0], "accuracy": [0.1, 0.2, 0.3, 0.4]}
    figure = history.plot()
    loss, accurate = figure.axes
    assert [line.get_label() for line in loss.lines] == ["loss", "val_loss"]
    assert [list(line.get_xdata()) for line in loss.lines] == [[0, 1, 2, 3], [1, 3]]
    assert list(accurate.lines[0].get_ydata()) == [0.1, 0.2, 0.3, 0.4]
    assert len(history.plot("accuracy").axes) == 1
    with pytest.raises(ValueError, match="expected some of"):
        history.plot("acc")


def test_pictures_of_results() -> None:
    pytest.importorskip("matplotlib").use("agg")
    images = facula.rand(12, 1, 4, 4, generator=facula.Generator().manual_seed(1))
    learner = Learner(nn.Sequential(nn.Flatten(), linear(16, 3)))
    learner.compile("sgd", "cross_entropy")
    guesses = learner.predict(images, verbose=0).argmax(1)
    classes = guesses.clone()
    classes[4] = (guesses[4] + 1) % 3
    coloured = TensorDataset(images[:2].expand(2, 3, 4, 4), classes[:2])
    for data, count in (
        ((images, classes), 9),
        ((TensorDataset(images, classes),), 9),
        ((images, F.one_hot(classes, 3)), 9),
    ):
        figure = learner.show_results(*data)
        titles = [(axis.get_title(), axis.title.get_color()) for axis in figure.axes]
        assert len(titles) == count and titles[0] == (f"{int(classes[0])}, taken for {int(guesses[0])}", "black")
        assert titles[4] == (f"{int(classes[4])}, taken for {int(guesses[4])}", "red")
    wide = Learner(nn.Sequential(nn.Flatten(), linear(48, 3)))
    wide.compile("sgd", "cross_entropy")
    assert wide.show_results(coloured).axes[1].images[0].get_array().shape == (4, 4, 3)
    with pytest.raises(ValueError, match="expected pairs of an image"):
        learner.show_results(facula.rand(3, 16), classes[:3])
    with pytest.raises(ValueError, match="arrays or a Dataset of images"):
        learner.show_results(DataLoader(coloured))


def test_what_has_numbered_samples_is_a_dataset() -> None:
    class Numbered:
        def __len__(self) -> int:
            return 20

        def __getitem__(self, index: int) -> Any:
            if index >= 20:
                raise IndexError(index)
            return rows()[index], rows()[index].sum(keepdim=True)

    learner = Learner(linear())
    learner.compile("sgd", "mse", lr=0.0)
    history = learner.fit(Numbered(), batch_size=8, validation_split=0.25, verbose=0)
    assert history.params["steps"] == 2
    wanted = F.mse_loss(learner.model(rows()[15:]), rows()[15:].sum(1, keepdim=True)).item()
    assert history.history["val_loss"] == [pytest.approx(wanted, rel=1e-5)]


def test_verbosity(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = rows(), rows().sum(1, keepdim=True)
    printed = []
    for verbose in (0, 2, "auto"):
        fit(linear(), (x, y), "mse", epochs=2, verbose=verbose)
        printed.append(capsys.readouterr().out)
    assert printed[0] == "" and "Epoch 1: 100%" in printed[1] and "loss=" in printed[2]


def test_callbacks_of_the_trainer(tmp_path: Any) -> None:
    x, y = rows(), rows().sum(1, keepdim=True)
    stop = EarlyStopping("loss", patience=1, min_delta=100.0)
    keep = ModelCheckpoint(tmp_path, monitor="val_loss")
    learner = Learner(linear(), log_every_n_steps=1)
    learner.compile("sgd", "mse")
    history = learner.fit(x, y, epochs=9, validation_data=(x, y), callbacks=[stop, keep], verbose=0)
    assert len(history.epoch) == 2 and keep.best_model_score == pytest.approx(min(history.history["val_loss"]))
    with pytest.raises(TypeError, match="unexpected keyword argument 'precission'"):
        fit(linear(), (x, y), "mse", precission="bf16-mixed")


def test_a_lightning_module_needs_no_loss() -> None:
    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = linear()

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            loss = F.mse_loss(self.layer(batch[0]), batch[1])
            self.log("train_loss", loss, on_step=True, on_epoch=True)
            return loss

        def test_step(self, batch: Any, batch_idx: int) -> None:
            self.log("test_loss", F.mse_loss(self.layer(batch[0]), batch[1]))

        def predict_step(self, batch: Any, batch_idx: int) -> Tensor:
            return self.layer(batch[0] if isinstance(batch, list) else batch)

        def configure_optimizers(self) -> Any:
            return facula.optim.SGD(self.parameters(), lr=0.1)

    x, y = rows(), rows().sum(1, keepdim=True)
    module = Module()
    history = fit(module, (x, y), epochs=4, verbose=0)
    assert list(history.history) == ["train_loss", "train_loss_epoch"]
    assert history.history["train_loss"][-1] < history.history["train_loss"][0]
    learner = Learner(module)
    assert learner.evaluate(x, y, verbose=0) == pytest.approx(F.mse_loss(learner.predict(x, verbose=0), y).item())
    for call in (
        lambda: learner.compile("sgd", "mse"),
        lambda: fit(module, (x, y), "mse"),
        lambda: learner.top_losses(x, y),
    ):
        with pytest.raises(MisconfigurationException, match="a LightningModule"):
            call()
    with pytest.raises(ValueError, match="expected a loss"):
        fit(linear(), (x, y))
    with pytest.raises(MisconfigurationException, match="has to be called"):
        Learner(linear()).fit(x, y)
    with pytest.raises(TypeError, match="expected an nn.Module"):
        Learner(3)


def test_the_samples_with_the_largest_losses() -> None:
    x, y = rows(9), rows(9).sum(1, keepdim=True)
    learner = Learner(linear())
    learner.compile("sgd", "mse")
    losses = ((learner.predict(x, verbose=0) - y) ** 2).flatten()
    values, places = learner.top_losses(x, y, k=3, batch_size=4)
    assert places.tolist() == losses.argsort(descending=True)[:3].tolist()
    assert facula.allclose(values, losses[places])
    assert learner.top_losses(x, y, largest=False)[1].tolist() == losses.argsort().tolist()


def test_the_public_names_are_found_when_they_are_asked_for() -> None:
    assert facula_lightning.fit is fit and facula_lightning.Learner is Learner
