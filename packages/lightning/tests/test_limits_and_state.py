"""When a run ends, validates and steps, and what it says of itself; the expectations are Lightning 2.6.6's behaviour."""

import time
from datetime import timedelta
from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, IterableDataset, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import Callback, ModelCheckpoint
from facula_lightning.trainer.states import RunningStage, TrainerFn, TrainerStatus
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.model_summary import ModelSummary, summarize

pytestmark = pytest.mark.filterwarnings(
    "ignore:You defined a `validation_step` but have no",
    "ignore:The number of training batches",
    "ignore:.*this fit will run with no optimizer",
)

QUIET = {
    **{"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False},
    **{"accelerator": "cpu", "num_sanity_val_steps": 0},
}


def loader(batches: int) -> DataLoader:
    x = facula.arange(float(batches)).reshape(batches, 1)
    return DataLoader(TensorDataset(x, 2 * x), 1)


class Noting(LightningModule):
    """Notes when it is trained and validated."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(1, 1)
        self.trained: list[tuple[int, int]] = []
        self.validated: list[int] = []

    def training_step(self, batch, batch_idx):
        self.trained.append((self.current_epoch, self.global_step))
        return nn.functional.mse_loss(self.layer(batch[0]), batch[1])

    def validation_step(self, batch, batch_idx):
        self.validated.append(self.global_step)

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), lr=0.01)


def fit(model: LightningModule, *data, **settings) -> Trainer:
    trainer = Trainer(**{**QUIET, **settings})
    trainer.fit(model, *data)
    return trainer


def test_a_second_fit_goes_on_to_a_limit_that_was_moved() -> None:
    model = Noting()
    trainer = fit(model, loader(3), max_epochs=1)
    trainer.fit(model, loader(3))
    assert trainer.global_step == 3
    trainer.fit_loop.max_epochs += 1
    trainer.fit(model, loader(3))
    assert model.trained == [(0, 0), (0, 1), (0, 2), (1, 3), (1, 4), (1, 5)]
    trainer.fit_loop.max_epochs, trainer.fit_loop.max_steps = -1, 8
    trainer.fit(model, loader(3))
    assert trainer.global_step == 8 and trainer.max_steps == 8
    with pytest.raises(MisconfigurationException, match="max_epochs"):
        trainer.fit_loop.max_epochs = -2
    assert (trainer.fit_loop.min_epochs, trainer.fit_loop.min_steps) == (None, None)


def test_the_frequency_of_a_scheduler_by_step_is_one_of_batches_in_the_epoch() -> None:
    rates: list[float] = []

    class Scheduled(Noting):
        def configure_optimizers(self):
            optimizer = super().configure_optimizers()
            scheduler = facula.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
            return {
                "optimizer": optimizer,
                "lr_scheduler": {"scheduler": scheduler, "interval": "step", "frequency": 3},
            }

        def on_train_batch_end(self, outputs, batch, batch_idx):
            rates.append(self.optimizers().param_groups[0]["lr"])

    fit(Scheduled(), loader(5), max_epochs=2)
    assert rates == [0.01, 0.01, *[0.005] * 5, *[0.0025] * 3]


@pytest.mark.parametrize("steps", ["none", "some"])
def test_every_time_for_a_step_counts(steps: str) -> None:
    class Sometimes(Noting):
        def configure_optimizers(self):
            return None if steps == "none" else super().configure_optimizers()

        def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
            if batch_idx % 2:
                optimizer.step(closure=optimizer_closure)
            else:
                optimizer_closure()

    model = Sometimes()
    assert fit(model, loader(5), max_steps=7).global_step == 7
    assert model.trained[-1] == (1, 6)


def test_validation_in_a_fit_keeps_what_can_be_trained_with() -> None:
    modes = []

    class Keeping(Noting):
        def validation_step(self, batch, batch_idx):
            modes.append((facula.is_inference_mode_enabled(), facula.is_grad_enabled()))

    trainer = fit(Keeping(), loader(2), loader(1), max_epochs=1)
    trainer.validate(Keeping(), loader(1), verbose=False)
    assert modes == [(False, False), (True, False)]


def test_the_last_checkpoint_is_saved_where_no_other_is(tmp_path: Path) -> None:
    saves = ModelCheckpoint(tmp_path, save_top_k=0, save_last=True)
    fit(Noting(), loader(2), max_epochs=2, callbacks=[saves], enable_checkpointing=True)
    assert [path.name for path in tmp_path.iterdir()] == ["last.ckpt"]
    assert Trainer(**QUIET, max_epochs=2).checkpoint_io.load_checkpoint(saves.last_model_path)["global_step"] == 4


class Numbers(IterableDataset):
    def __iter__(self):
        return iter((facula.ones(1), facula.ones(1)) for _ in range(6))


def test_a_stream_is_validated_after_every_so_many_batches_only() -> None:
    model = Noting()
    fit(model, DataLoader(Numbers(), 1), loader(1), max_epochs=2, val_check_interval=4)
    assert model.validated == [4, 10]


class Waiting(Callback):
    """Lets time pass, on the clock that the loop looks at, with each batch."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
        self.now, self.seconds = 1000.0, seconds
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
        self.now += self.seconds

    def on_validation_end(self, trainer, pl_module) -> None:
        self.now += 100 * self.seconds  # validation itself does not count


INTERVALS = ["00:00:01:30", timedelta(seconds=90), {"minutes": 1, "seconds": 30}]


@pytest.mark.parametrize("interval", INTERVALS)
# Where only the second of two epochs is validated, the time that passed in the first counts.
@pytest.mark.parametrize(("every", "expected"), [(1, [3, 6, 9, 12, 15]), (None, [3, 6, 9, 12, 15]), (2, [6, 9])])
def test_validation_when_a_time_has_passed(interval, every, expected, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Noting()
    settings = {"val_check_interval": interval, "check_val_every_n_epoch": every, "max_epochs": 3}
    fit(model, loader(5), loader(1), callbacks=[Waiting(monkeypatch, 30.0)], **settings)
    assert model.validated == expected


def test_a_resumed_run_counts_the_time_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Save(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx) -> None:
            trainer.save_checkpoint(tmp_path / f"{trainer.global_step}.ckpt")

        def on_validation_end(self, trainer, pl_module) -> None:
            trainer.save_checkpoint(tmp_path / f"validated-{trainer.global_step}.ckpt")

    def run(ckpt_path=None) -> list[int]:
        model = Noting()
        settings = {"val_check_interval": "00:00:01:30", "max_epochs": 2}
        trainer = Trainer(**QUIET, **settings, callbacks=[Waiting(monkeypatch, 30.0), Save()])
        trainer.fit(model, loader(5), loader(1), ckpt_path=ckpt_path)
        return model.validated

    whole = run()
    assert whole == [3, 6, 9]
    for path in [*(f"{step}.ckpt" for step in range(1, 10)), "validated-3.ckpt", "validated-6.ckpt"]:
        step = int(path.removesuffix(".ckpt").rpartition("-")[2])
        expected = [at for at in whole if at > step or (at == step and "validated" not in path)]
        assert run(tmp_path / path) == expected, path


def test_a_time_has_to_be_one() -> None:
    for value in ("1:30", "a:b:c:d", "00:00:00:00", timedelta(seconds=-1)):
        with pytest.raises(MisconfigurationException, match="`val_check_interval`"):
            Trainer(val_check_interval=value)
    with pytest.raises(TypeError):
        Trainer(val_check_interval={"fortnights": 1})
    with pytest.raises(MisconfigurationException, match="reload_dataloaders_every_n_epochs"):
        Trainer(reload_dataloaders_every_n_epochs=-1)


def test_the_state_says_what_is_done() -> None:
    seen = []

    class Telling(Noting):
        def tell(self, *arguments):
            state = self.trainer.state
            seen.append((state.status, state.fn, state.stage, self.trainer.evaluating))

        on_train_start = on_validation_start = on_predict_start = tell

        def predict_step(self, batch, batch_idx):
            return None

    trainer = Trainer(**{**QUIET, "num_sanity_val_steps": 1}, max_epochs=1)
    assert trainer.state.status is TrainerStatus.INITIALIZING and trainer.state.fn is None
    model = Telling()
    trainer.fit(model, loader(1), loader(1))
    assert trainer.state.finished and trainer.state.stopped and trainer.state.stage is None
    trainer.predict(model, loader(1))
    running, fitting = TrainerStatus.RUNNING, TrainerFn.FITTING
    assert seen == [
        (running, fitting, RunningStage.SANITY_CHECKING, True),
        (running, fitting, RunningStage.TRAINING, False),
        (running, fitting, RunningStage.VALIDATING, True),
        (running, TrainerFn.PREDICTING, RunningStage.PREDICTING, False),
    ]
    assert trainer.state.fn == "predict" and RunningStage.TESTING.evaluating


def test_a_summary_is_an_object_too() -> None:
    summary = summarize(Noting(), max_depth=-1)
    assert (summary.layer_names, summary.layer_types, summary.param_nums) == (["layer"], ["Linear"], [2])
    assert (summary.total_parameters, summary.trainable_parameters, summary.model_size) == (2, 2, 8e-6)
    assert "layer" in str(summary) and summary.max_depth == -1
    with pytest.raises(ValueError, match="max_depth"):
        ModelSummary(Noting(), max_depth=-2)
    with pytest.raises(MisconfigurationException, match="max_depth"):
        summarize(Noting(), max_depth=-2)


def test_a_plan_says_that_it_cannot_foresee_a_time() -> None:
    trainer = Trainer(**QUIET, max_epochs=1, val_check_interval="00:01:00:00")
    plan = trainer.plan(Noting(), loader(3), loader(1))
    assert plan.due("validation") == [] and "after 1:00:00 each" in " ".join(plan.notes)
