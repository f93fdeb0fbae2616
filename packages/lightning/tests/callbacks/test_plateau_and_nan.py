"""ReduceLROnPlateau by Keras's rules, beside Keras where it is installed; TerminateOnNaN."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import facula
import pytest
from facula import Tensor, nn
from facula_lightning import LightningModule, Trainer, fit
from facula_lightning.callbacks import ReduceLROnPlateau, TerminateOnNaN

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


class Given(LightningModule):
    """Logs the values it is given, one an epoch, and keeps the rates that the epochs began with."""

    def __init__(self, values: list[float], name: str = "val_loss", rate: float = 1.0) -> None:
        super().__init__()
        self.values, self.name, self.rate = values, name, rate
        self.weights = nn.ParameterList([nn.Parameter(facula.ones(1)), nn.Parameter(facula.ones(1))])
        self.rates: list[list[float]] = []
        self.logged: list[float] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return sum(each.sum() for each in self.weights) * batch.sum() * 0

    def on_train_epoch_end(self) -> None:
        groups = self.optimizers().param_groups
        self.rates.append([group["lr"] for group in groups])
        self.log(self.name, self.values[self.current_epoch])
        self.logged.append(self.trainer.callback_metrics["learning_rate"].item())

    def configure_optimizers(self) -> Any:
        first, second = self.weights
        return facula.optim.SGD([{"params": [first]}, {"params": [second], "lr": self.rate / 2}], lr=self.rate)


def rates(values: list[float], callback: ReduceLROnPlateau, name: str = "val_loss") -> list[float]:
    """Return the rate of the first group after each epoch."""
    module = Given(values, name)
    trainer = Trainer(max_epochs=len(values), callbacks=callback, accelerator="cpu", **QUIET)
    trainer.fit(module, [facula.ones(1)])
    assert module.logged == pytest.approx([first for first, _ in module.rates])
    last = module.optimizers().param_groups[0]["lr"]
    return [first for first, _ in module.rates[1:]] + [last]


#: Values by epoch, arguments, and the rate after each epoch.
RULES: dict[str, tuple[list[float], dict[str, Any], list[float]]] = {
    # Reduced in the second epoch without an improvement, and in the second after that.
    "patience": ([5, 4, 4, 4, 4, 4], {"factor": 0.5, "patience": 2}, [1, 1, 1, 0.5, 0.5, 0.25]),
    "improving": ([5, 4, 3, 2], {"patience": 1}, [1, 1, 1, 1]),
    "min_delta": ([5, 4.9995, 4.9990, 4], {"factor": 0.5, "patience": 1, "min_delta": 0.1}, [1, 0.5, 0.25, 0.25]),
    "cooldown": ([5, 5, 5, 5, 5, 5], {"factor": 0.5, "patience": 1, "cooldown": 2}, [1, 0.5, 0.5, 0.25, 0.25, 0.125]),
    "min_lr": ([5, 5, 5, 5], {"patience": 1, "min_lr": 0.03}, [1, 0.1, 0.03, 0.03]),
    "rising": ([0.1, 0.5, 0.4, 0.6], {"factor": 0.5, "patience": 1, "mode": "max"}, [1, 1, 0.5, 0.5]),
}


@pytest.mark.parametrize("case", list(RULES))
def test_rates_fall_by_the_rules(case: str) -> None:
    values, arguments, wanted = RULES[case]
    assert rates(values, ReduceLROnPlateau(**arguments)) == pytest.approx(wanted)


@pytest.mark.skipif(
    importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None,
    reason="keras and torch are installed for comparison only",
)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_rates_fall_as_in_keras() -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    noisy = [3, 2.5, 2.6, 2.4999, 2.5, 2.7, 2.2, 2.3, 2.3, 2.3, 2.3, 2.1, 2.2, 2.2, 2.2, 2.2, 2.2, 2.2, 2.2, 2.2]
    more = [
        {"patience": patience, "cooldown": cooldown, "factor": 0.5} for patience, cooldown in ((1, 0), (2, 1), (1, 3))
    ]
    for values, arguments in [(case[0], case[1]) for case in RULES.values()] + [(noisy, each) for each in more]:
        model.optimizer.learning_rate = 1.0
        theirs = keras.callbacks.ReduceLROnPlateau(**arguments)
        theirs.set_model(model)
        theirs.on_train_begin()
        wanted = []
        for epoch, value in enumerate(values):
            theirs.on_epoch_end(epoch, {"val_loss": value})
            wanted.append(float(model.optimizer.learning_rate))
        assert rates(values, ReduceLROnPlateau(**arguments)) == pytest.approx(wanted, rel=1e-6), arguments


def test_every_group_is_reduced_to_no_less_than_the_smallest(capsys: pytest.CaptureFixture[str]) -> None:
    module = Given([1.0] * 4)
    callback = ReduceLROnPlateau(factor=0.1, patience=1, min_lr=0.2, verbose=1)
    Trainer(max_epochs=4, callbacks=callback, accelerator="cpu", **QUIET).fit(module, [facula.ones(1)])
    assert [group["lr"] for group in module.optimizers().param_groups] == [0.2, 0.2]
    assert capsys.readouterr().out.splitlines() == ["Epoch 1: ReduceLROnPlateau reducing learning rate to 0.2, 0.2."]


def test_modes_and_refusals() -> None:
    assert ReduceLROnPlateau("val_accuracy").mode == "max" and ReduceLROnPlateau("train_mse").mode == "min"
    for arguments, message in (
        ({"factor": 1.0}, "factor >= 1.0"),
        ({"mode": "up"}, "expected 'auto', 'min' or 'max'"),
        ({"monitor": "score"}, "not clear from its name"),
    ):
        with pytest.raises(ValueError, match=message):
            ReduceLROnPlateau(**arguments)
    module = Given([1.0])
    with pytest.warns(UserWarning, match="conditioned on metric `val_acc` which is not available"):
        Trainer(max_epochs=1, callbacks=ReduceLROnPlateau("val_acc"), accelerator="cpu", **QUIET).fit(
            module, [facula.ones(1)]
        )


def test_the_counters_survive(tmp_path: Any) -> None:
    values = [5.0, 4.0, 4.0, 4.0, 4.0, 4.0]
    whole = rates(values, ReduceLROnPlateau(factor=0.5, patience=2))
    first = Trainer(
        max_epochs=3, callbacks=ReduceLROnPlateau(factor=0.5, patience=2), accelerator="cpu", **QUIET
    )  # fmt: skip
    first.fit(Given(values), [facula.ones(1)])
    first.save_checkpoint(tmp_path / "half.ckpt")
    module = Given(values)
    second = Trainer(max_epochs=6, callbacks=ReduceLROnPlateau(factor=0.5, patience=2), accelerator="cpu", **QUIET)
    second.fit(module, [facula.ones(1)], ckpt_path=tmp_path / "half.ckpt")
    assert [first for first, _ in module.rates] == whole[2:5]
    assert module.optimizers().param_groups[0]["lr"] == whole[-1]


def test_the_history_has_the_rates() -> None:
    x = facula.ones(8, 1)
    callback = ReduceLROnPlateau("loss", factor=0.5, patience=1, min_delta=100.0)
    history = fit(nn.Linear(1, 1), (x, x), "mse", "sgd", lr=0.5, epochs=4, callbacks=callback, verbose=0)
    assert history.history["learning_rate"] == [0.5, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_training_ends_with_a_loss_that_is_no_number(bad: float, capsys: pytest.CaptureFixture[str]) -> None:
    x = facula.ones(12, 1)
    y = x.clone()
    y[8] = bad
    for callbacks, steps in (([TerminateOnNaN()], 3), ([], 12)):
        history = fit(
            model := nn.Linear(1, 1), (x, y), "mse", "sgd", epochs=3, batch_size=3, shuffle=False, callbacks=callbacks,
            verbose=0,
        )  # fmt: skip
        assert len(history.epoch) == (1 if callbacks else 3)
        assert not facula.isfinite(model.weight).all()
        assert (capsys.readouterr().out == "Batch 2: Invalid loss, terminating training\n") == bool(callbacks)
        assert history.params["steps"] * len(history.epoch) >= steps
