"""The search for a learning rate: what it finds, and that nothing else of it stays."""

from __future__ import annotations

import itertools
import logging
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import facula
import pytest
from facula import Tensor, nn
from facula_lightning import LightningDataModule, LightningModule, Trainer
from facula_lightning.callbacks import Callback, LearningRateFinder, ModelCheckpoint
from facula_lightning.tuner import LRFinder, Tuner
from facula_lightning.tuner.lr_finder import find_lr
from facula_lightning.utilities.exceptions import MisconfigurationException
from tuned_model import Model, files, seeded, state_of, trainer_in

pytestmark = pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty")


def test_a_search_leaves_everything_as_it_was(tmp_path: Path) -> None:
    model = seeded()
    trainer = trainer_in(tmp_path)
    before = state_of(model, model.lr, vars(trainer).copy())
    found = Tuner(trainer).lr_find(model, num_training=25, early_stop_threshold=None, update_attr=False)
    assert found is not None and len(found.results["lr"]) == len(found.results["loss"]) == 25
    assert state_of(model, model.lr, vars(trainer)) == before
    assert files(tmp_path) == {} and model._trainer is None
    assert all(math.isfinite(each) for each in found.results["loss"])


@pytest.mark.parametrize("loader", ["hook", "given", "workers"])
def test_a_fit_afterwards_is_the_fit_without_it(loader: str, tmp_path: Path) -> None:
    ends = []
    for searched in (False, True):
        folder = tmp_path / str(searched)
        model = seeded()
        trainer = trainer_in(folder, callbacks=[ModelCheckpoint(save_last=True)], enable_checkpointing=True)
        data: Any = None
        if loader != "hook":
            workers = {"num_workers": 2, "persistent_workers": True} if loader == "workers" else {}
            data = facula.utils.data.DataLoader(model.data, batch_size=4, shuffle=True, **workers)
        if searched:
            Tuner(trainer).lr_find(model, data, num_training=13, early_stop_threshold=None, update_attr=False)
        trainer.fit(model, data)
        ends.append((state_of(model, trainer.global_step, trainer.callback_metrics), files(folder)))
        assert any(name.endswith("last.ckpt") for name in ends[-1][1])
    assert ends[0] == ends[1]


def test_the_callback_gives_what_a_fit_with_the_rate_found_gives(tmp_path: Path) -> None:
    ends = []
    for use in ("callback", "tuner", "rate"):
        model = seeded(ends[0][1] if use == "rate" else 0.02)
        finder = LearningRateFinder(num_training_steps=20, early_stop_threshold=None)
        trainer = trainer_in(tmp_path / use, callbacks=[finder] if use == "callback" else [])
        if use == "tuner":
            found = Tuner(trainer).lr_find(model, num_training=20, early_stop_threshold=None)
            assert found is not None and model.lr == found.suggestion()
        trainer.fit(model)
        if use == "callback":
            assert finder.optimal_lr is not None and model.lr == finder.optimal_lr.suggestion()
        bases = trainer.lr_scheduler_configs[0].scheduler.base_lrs
        ends.append((state_of(model, bases, trainer.global_step), model.lr, files(tmp_path / use)))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0][1] != 0.02


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError])
def test_an_interrupted_search_leaves_everything_as_it_was(error: type[BaseException], tmp_path: Path) -> None:
    class Interrupted(Model):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            if len(self.losses) == 7:
                self.layers[0].weight.grad.mul_(2)
                raise error

    facula.manual_seed(0)
    model = Interrupted()
    trainer = trainer_in(tmp_path)
    before = state_of(model, vars(trainer).copy())
    with pytest.raises(SystemExit if error is KeyboardInterrupt else error):
        Tuner(trainer).lr_find(model, early_stop_threshold=None)
    assert state_of(model, vars(trainer)) == before and files(tmp_path) == {}
    trainer = trainer_in(tmp_path, callbacks=[LearningRateFinder(early_stop_threshold=None)], logger=False)
    with pytest.raises(SystemExit if error is KeyboardInterrupt else error):
        trainer.fit(model)
    found = state_of(model)
    assert {name: found[name] for name in ("tensors", "lists", "rng")} == {
        name: before[name] for name in ("tensors", "lists", "rng")
    }


def test_a_search_in_the_midst_of_a_run(tmp_path: Path) -> None:
    class Later(LearningRateFinder):
        searches = True

        def on_fit_start(self, *args: Any) -> None:
            pass

        def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
            if trainer.current_epoch == 1 and self.searches:
                self.lr_find(trainer, pl_module)

    ends = []
    for searches in (True, False):
        model = seeded()
        finder = Later(num_training_steps=15, early_stop_threshold=None, update_attr=False)
        finder.searches = searches
        trainer = trainer_in(tmp_path / str(searches), callbacks=[finder], max_epochs=3, accumulate_grad_batches=3)
        trainer.fit(model)
        ends.append((state_of(model, trainer.global_step), files(tmp_path / str(searches))))
        assert (finder.optimal_lr is not None) is searches
    assert ends[0] == ends[1]
    assert len(finder.state_dict()) == 0

    finder, model = Later(num_training_steps=15, early_stop_threshold=None), seeded()
    trainer = trainer_in(tmp_path, callbacks=[finder], max_epochs=2, logger=False)
    rates: list[list[float]] = []
    model.on_train_batch_start = lambda *args: rates.append(
        [group["lr"] for group in trainer.optimizers[0].param_groups]
    )  # type: ignore[method-assign]
    trainer.fit(model)
    searched = [each for each in rates if each[0] == each[1]]
    assert finder.optimal_lr is not None
    rate = finder.optimal_lr.suggestion()
    assert [each[0] for each in searched[:15]] == finder.optimal_lr.results["lr"] and searched[15] == [rate, rate]


def test_a_resumed_run_does_not_search_again(tmp_path: Path) -> None:
    def run(path: Any = None) -> tuple[Model, LearningRateFinder]:
        model, finder = seeded(), LearningRateFinder(num_training_steps=14, early_stop_threshold=None)
        model.data.scale = 0.0  # a checkpoint does not hold generators of the data set's own
        callbacks: list[Callback] = [finder, ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)]
        trainer = trainer_in(tmp_path, callbacks=callbacks, enable_checkpointing=True, max_epochs=3, logger=False)
        trainer.fit(model, ckpt_path=path)
        assert trainer.current_epoch == 3
        return model, finder

    whole, first = run()
    resumed, second = run(tmp_path / "epoch=0.ckpt")
    assert first.optimal_lr is not None and second.optimal_lr is not None
    assert second.optimal_lr.results == first.optimal_lr.results
    assert resumed.lr == whole.lr == first.optimal_lr.suggestion()
    assert resumed.calls["sizes"] == [4] * 20 and whole.calls["sizes"] == [4] * 30
    assert all((a == b).all() for a, b in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True))


def test_attributes_by_any_name_and_place(tmp_path: Path) -> None:
    class Named(Model):
        def __init__(self, learning_rate: float = 0.01, speed: float = 0.01) -> None:
            super().__init__()
            del self.lr
            self.save_hyperparameters("learning_rate", "speed")

        def configure_optimizers(self) -> Any:
            return facula.optim.SGD(self.parameters(), self.hparams.learning_rate)

    class Data(LightningDataModule):
        speed = 0.1

        def train_dataloader(self) -> Any:
            return facula.utils.data.DataLoader(Model().data, batch_size=4)

    model, data = Named(), Data()
    found = Tuner(trainer_in(tmp_path)).lr_find(model, num_training=15, early_stop_threshold=None)
    assert (
        found is not None and model.hparams.learning_rate == found.suggestion() != 0.01 and model.hparams.speed == 0.01
    )
    found = Tuner(trainer_in(tmp_path)).lr_find(
        model, datamodule=data, attr_name="speed", num_training=15, early_stop_threshold=None
    )
    assert found is not None and model.hparams.speed == data.speed == found.suggestion()
    assert data.trainer is None
    with pytest.raises(AttributeError, match="was set to pace, but could not find"):
        Tuner(trainer_in(tmp_path)).lr_find(model, attr_name="pace")
    model = Named()
    model.configure_optimizers = lambda: facula.optim.SGD(model.parameters(), 0.1)  # type: ignore[method-assign]
    del model.hparams["learning_rate"]
    with pytest.raises(AttributeError, match="should have one of these fields"):
        Tuner(trainer_in(tmp_path)).lr_find(model, datamodule=data)
    assert files(tmp_path) == {}


def test_errors_are_lightnings(tmp_path: Path) -> None:
    class Two(Model):
        def configure_optimizers(self) -> Any:
            self.automatic_optimization = False
            return [facula.optim.SGD(self.layers[at].parameters(), 0.1) for at in (0, 1)]

    trainer, model = trainer_in(tmp_path), Model()
    with pytest.raises(MisconfigurationException, match="returned 2, but learning rate finder only works with single"):
        Tuner(trainer).lr_find(Two())
    with pytest.warns(UserWarning, match="Skipping learning rate finder since `fast_dev_run` is enabled"):
        assert Tuner(trainer_in(tmp_path, fast_dev_run=True)).lr_find(model) is None
    with pytest.raises(MisconfigurationException, match="method='fit' is the only valid configuration"):
        Tuner(trainer).lr_find(model, method="test")
    with pytest.raises(MisconfigurationException, match="`dataloaders` argument should be None"):
        Tuner(trainer).lr_find(model, dataloaders=model.train_dataloader())
    with pytest.raises(ValueError, match="already configured with a `LearningRateFinder` callback"):
        Tuner(trainer_in(tmp_path, callbacks=[LearningRateFinder()])).lr_find(model)
    for wrong in ({"mode": "cubic"}, {"min_lr": 0.0}, {"num_training": 0}):
        with pytest.raises(ValueError):
            Tuner(trainer).lr_find(model, **wrong)
    with pytest.raises(ValueError, match="`mode` should be either of"):
        LearningRateFinder(mode="cubic")
    with pytest.raises(TypeError, match="must be a `LightningModule`"):
        Tuner(trainer).lr_find("model")  # type: ignore[arg-type]


def test_a_batch_without_a_loss_and_a_loss_by_another_name(tmp_path: Path) -> None:
    class Skipping(Model):
        def training_step(self, batch: Tensor, batch_idx: int) -> Any:
            loss = super().training_step(batch, batch_idx)
            return None if batch_idx == 3 else {"loss": loss, "other": 1}

    class Named(Model):
        def training_step(self, batch: Tensor, batch_idx: int) -> Any:
            return {"only": super().training_step(batch, batch_idx)}

        def configure_optimizers(self) -> Any:
            return {"only": facula.optim.SGD(self.parameters(), self.lr)}

    class Manual(Model):
        def training_step(self, batch: Tensor, batch_idx: int) -> Any:
            self.automatic_optimization = False
            optimizer = self.optimizers()
            loss = super().training_step(batch, batch_idx)
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
            self.lr_schedulers().step()
            return {"value": loss} if self.trainer.current_epoch else loss

    found = Tuner(trainer_in(tmp_path)).lr_find(Skipping(), num_training=6, early_stop_threshold=None)
    assert found is not None and [math.isnan(each) for each in found.results["loss"]] == [
        False,
        False,
        False,
        True,
        False,
        False,
    ]
    found = Tuner(trainer_in(tmp_path)).lr_find(Named(), num_training=8, early_stop_threshold=None)
    assert found is not None and len(found.results["lr"]) == 8 and all(map(math.isfinite, found.results["loss"]))
    model = Manual()
    model.automatic_optimization = False
    with pytest.raises(MisconfigurationException, match="needs the loss, 'loss'"):
        Tuner(trainer_in(tmp_path)).lr_find(model, early_stop_threshold=None)
    found = Tuner(trainer_in(tmp_path)).lr_find(model, num_training=10, early_stop_threshold=None)
    assert found is not None and found.results["lr"][-1] == 1.0 and all(map(math.isfinite, found.results["loss"]))


def test_it_stops_where_the_loss_diverges_and_shows_progress(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer = Trainer(
        default_root_dir=tmp_path, logger=False, enable_checkpointing=False, enable_model_summary=False, max_epochs=1
    )
    facula.manual_seed(0)
    model = Model()
    model.batch_size = 40
    model.configure_optimizers = lambda: facula.optim.SGD(model.parameters(), 0.1)  # type: ignore[method-assign]
    found = Tuner(trainer).lr_find(model, min_lr=1e-3, max_lr=1e6, num_training=40)
    assert found is not None
    losses = found.results["loss"]
    assert 10 < len(losses) < 40 and losses[-1] > 4 * min(losses) and max(losses[:-1]) <= 4 * min(losses)
    assert f"Finding best initial lr:{len(losses) / 40:5.0%} {len(losses)}/40" in capsys.readouterr().out


def brute_force_descent(losses: list[float]) -> int:
    """Return the length of the longest descent, by trying all."""
    for length in range(len(losses), 0, -1):
        for chosen in itertools.combinations(losses, length):
            if all(a > b for a, b in itertools.pairwise(chosen)):
                return length
    return 0


def test_suggestions(caplog: pytest.LogCaptureFixture) -> None:
    finder = LRFinder("exponential", 1e-4, 1.0, 20)
    rates = [finder.rate(number) for number in range(20)]
    # What fastai 2.8's function `valley` gives for these losses, all of them.
    losses = [2.0, 2.1, 2.05, 1.95, 1.9, 1.92, 1.8, 1.6, 1.65, 1.4, 1.1, 0.9, 0.95, 0.7, 0.66, 0.8, 1.3, 2.5, 4.0, 9.0]
    finder.results = {"lr": rates, "loss": losses}
    assert finder.suggestion(0, 0, method="valley") == rates[7]
    assert brute_force_descent(losses) == 11
    for skip in (0, 3, 10):
        found = finder.suggestion(skip_begin=skip, skip_end=1)
        chosen = losses[skip:-1]
        slopes = facula.gradient(facula.tensor(chosen), spacing=[facula.tensor(rates[skip:-1])])[0].tolist()
        assert found == rates[skip + slopes.index(min(slopes))]
    finder.results["loss"] = [math.nan] * 5 + losses[5:]
    assert finder.suggestion(skip_begin=0) in rates[5:]
    finder.results = {"lr": rates[:3], "loss": losses[:3]}
    with caplog.at_level(logging.ERROR, "facula_lightning"):
        assert finder.suggestion() is None
    assert "not enough points" in caplog.text
    finder.results = {"lr": rates[:4], "loss": [1.0, 2.0, 3.0, 4.0]}
    assert finder.suggestion(0, 0, method="valley") == rates[0]
    with pytest.raises(ValueError, match="'steepest' or 'valley', got 'slide'"):
        finder.suggestion(method="slide")


def test_plot() -> None:
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    finder = LRFinder("exponential", 1e-4, 1.0, 30)
    finder.results = {"lr": [finder.rate(at) for at in range(30)], "loss": [3.0 / (1 + at) for at in range(30)]}
    figure: Any = finder.plot(suggest=True)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_xlabel(), axes.get_ylabel()) == ("log", "Learning rate", "Loss")
    assert list(axes.lines[0].get_ydata()) == finder.results["loss"]
    assert list(axes.lines[1].get_xdata()) == [finder.suggestion()]
    _, own = plt.subplots()
    assert finder.plot(ax=own) is own.figure and len(own.lines) == 1
    plt.close("all")


def test_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MisconfigurationException, match="must have Matplotlib"):
        LRFinder("linear", 0.1, 1.0, 3).plot()


def test_nothing_of_it_is_imported_before_it_is_used() -> None:
    program = "import facula_lightning, sys; print([n for n in sys.modules if 'matplotlib' in n or 'tuner' in n])"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_plan_has_the_finder_and_runs_no_search(tmp_path: Path) -> None:
    trainer = trainer_in(tmp_path, callbacks=[LearningRateFinder()], max_epochs=1)
    model = seeded()
    model.configure_optimizers = lambda: facula.optim.SGD(model.parameters(), 0.1)  # type: ignore[method-assign]
    before = state_of(model)
    plan = trainer.plan(model, model.train_dataloader())
    assert plan.hooks("LearningRateFinder").count("on_fit_start") == 1 and len(plan.due("step")) == 10
    assert state_of(model) == before


def test_find_lr_keeps_the_gradients_and_lazy_layers_of_a_model(tmp_path: Path) -> None:
    class Lazy(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.lr = 0.1
            self.layer = nn.LazyLinear(1)

        def training_step(self, batch: Tensor) -> Tensor:
            return self.layer(batch).mean()

        def configure_optimizers(self) -> Any:
            return facula.optim.SGD(self.parameters(), self.lr)

        def train_dataloader(self) -> Any:
            return facula.utils.data.DataLoader(facula.ones(6, 3), batch_size=2)

    model = Lazy()
    found = Tuner(trainer_in(tmp_path, logger=False)).lr_find(model, num_training=14)
    assert found is not None and type(model.layer) is nn.LazyLinear and model.layer.has_uninitialized_params()
    trainer_in(tmp_path, logger=False).fit(model)
    assert type(model.layer) is nn.Linear
    with pytest.warns(UserWarning, match="fast_dev_run"):
        assert find_lr(trainer_in(tmp_path, fast_dev_run=1), model) is None
