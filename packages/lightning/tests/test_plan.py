"""A plan is the trace that the run leaves, over the programs of the recorder and a matrix of flags."""

import json
import random
from pathlib import Path
from types import SimpleNamespace

import facula
import facula_lightning
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import Callback, EarlyStopping, GradientAccumulationScheduler, ModelCheckpoint
from hook_recorder import CALLBACK_HOOKS, DATA_HOOKS, MODULE_HOOKS, PROGRAMS, classes, recording

RECORDED = json.loads((Path(__file__).parent / "recorded_hooks.json").read_text())
L = SimpleNamespace(
    LightningModule=LightningModule,
    LightningDataModule=facula_lightning.LightningDataModule,
    Trainer=Trainer,
    Callback=Callback,
)
# What a plan cannot know: that a step gives no loss, that a hook skips an epoch, that it fails, what a checkpoint says.
UNKNOWN = {"fit, no loss", "fit, rest of the epoch skipped", "fit, failing"}
UNKNOWN |= {name for name, settings in PROGRAMS.items() if "resume" in settings}
MANUAL = {"on_before_zero_grad", "on_before_backward", "backward", "on_after_backward", "on_before_optimizer_step"}

pytestmark = pytest.mark.filterwarnings("ignore:.*")


def planned(program: str, folder: Path) -> list[str]:
    own = classes(L, facula)
    settings = dict(PROGRAMS[program])
    model = recording(own.Model, MODULE_HOOKS, [])(**settings.pop("model", {}))
    watch = recording(own.Watch, CALLBACK_HOOKS, [], "cb.")()
    stage = settings.pop("stage", "fit")
    data = recording(own.Data, DATA_HOOKS, [], "data.")() if settings.pop("data", False) else None
    usual = {
        **{"max_epochs": 1, "logger": False, "enable_progress_bar": False, "enable_model_summary": False},
        **{f"limit_{name}_batches": 1 for name in ("train", "val", "test", "predict")},
        **{"default_root_dir": folder, "accelerator": "cpu", "devices": 1},
    }
    trainer = Trainer(**{**usual, **settings}, callbacks=[watch])
    plan = trainer.plan(model, data, stage=stage)
    prefix = {"Model": "", "Watch": "cb.", "Data": "data."}
    return [prefix[call.owner] + call.hook for call in plan.calls if call.owner in prefix]


@pytest.mark.parametrize("program", sorted(set(PROGRAMS) - UNKNOWN))
def test_the_plan_is_what_lightning_was_recorded_to_do(program: str, tmp_path: Path) -> None:
    expected = RECORDED[program].split()
    if "manual" in program:
        # What a step of manual optimization calls is its own affair.
        expected = [each for each in expected if each.removeprefix("cb.") not in MANUAL]
    assert planned(program, tmp_path) == expected
    assert not list(tmp_path.iterdir())


class Model(LightningModule):
    def __init__(self, interval: str = "epoch") -> None:
        super().__init__()
        self.interval = interval
        self.layer = nn.Linear(2, 1)

    def training_step(self, batch, batch_idx):
        loss = self.layer(batch[0]).pow(2).mean()
        self.log("loss", loss, on_epoch=True)
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val_loss", -float(self.global_step))

    def on_train_epoch_end(self):
        pass

    def configure_optimizers(self):
        optimizer = facula.optim.SGD(self.parameters(), lr=0.1)
        scheduler = facula.optim.lr_scheduler.StepLR(optimizer, 1)
        return [optimizer], [{"scheduler": scheduler, "interval": self.interval, "frequency": 2}]


def data(batches: int) -> DataLoader:
    return DataLoader(TensorDataset(facula.ones(2 * batches, 2)), 2)


def matrix(count: int) -> list[dict]:
    """Return settings drawn at random, the same ones every time."""
    draw = random.Random(20)
    found = []
    for number in range(count):
        epochs_between = draw.choice([1, 1, 2, None])
        found.append(
            {
                "max_epochs": draw.choice([1, 2, 3]),
                "max_steps": draw.choice([-1, -1, 4]),
                "accumulate_grad_batches": draw.choice([1, 2, 3]),
                "check_val_every_n_epoch": epochs_between,
                "val_check_interval": draw.choice([2, 3]) if epochs_between is None else draw.choice([1.0, 2, 0.5]),
                "num_sanity_val_steps": draw.choice([0, 2]),
                "limit_train_batches": draw.choice([1.0, 3, 0.5]),
                "limit_val_batches": draw.choice([1.0, 1, 0]),
                "log_every_n_steps": draw.choice([1, 2, 3]),
                "gradient_clip_val": draw.choice([None, 1.0]),
                "callbacks": number,
            }
        )
    return found


def callbacks(number: int, folder: Path) -> list[Callback]:
    first = ModelCheckpoint(folder / "a", monitor="val_loss", save_top_k=2) if number % 4 == 0 else None
    second = ModelCheckpoint(folder / "b", every_n_train_steps=2, save_top_k=-1, save_last=True) if number % 3 else None
    return [each for each in (first, second) if each is not None]


@pytest.mark.parametrize("settings", matrix(40), ids=str)
def test_the_plan_is_the_trace(settings: dict, tmp_path: Path) -> None:
    number = settings.pop("callbacks")
    if settings["limit_val_batches"] == 0:
        number = 1 if number % 4 == 0 else number
    trace: list[str] = []
    events: list[tuple] = []

    class Watch(Callback):
        def state_dict(self):
            return {"some": "state"}

    class Recorded(Model):
        def optimizer_step(self, epoch, batch_idx, optimizer, optimizer_closure=None):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
            events.append(("step", epoch, batch_idx + 1, self.global_step))

        def on_validation_model_eval(self):
            super().on_validation_model_eval()
            if not self.trainer.sanity_checking:
                ready = self.trainer.fit_loop.batch_progress.current.ready
                events.append(("validation", self.current_epoch, ready, self.global_step))

    class Saving(Trainer):
        def save_checkpoint(self, filepath, weights_only=None, storage_options=None):
            ready = self.fit_loop.batch_progress.current.ready
            events.append(("checkpoint", self.current_epoch, ready, self.global_step, Path(filepath).name))
            super().save_checkpoint(filepath, weights_only)

    class Rows(facula_lightning.loggers.CSVLogger):
        def log_metrics(self, metrics, step=None):
            loop = self.trainer.fit_loop
            events.append(("log", loop.trainer.current_epoch, loop.batch_progress.current.ready, step))

    kind = recording(Watch, CALLBACK_HOOKS, trace, "cb.")
    model = recording(Recorded, MODULE_HOOKS, trace)("step" if number % 2 else "epoch")
    logger = Rows(tmp_path)
    made = callbacks(number, tmp_path)
    trainer = Saving(
        **settings, callbacks=[kind(), *made], enable_checkpointing=bool(made), enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", logger=logger,
    )  # fmt: skip
    logger.trainer = trainer
    plan = trainer.plan(model, data(5), data(3))
    assert trace == [] or set(trace) <= {"configure_callbacks", "configure_optimizers"}
    assert trainer.global_step == 0
    trace.clear()
    trainer.fit(model, data(5), data(3))
    owners = {"Recorded": "", "Watch": "cb."}
    assert [owners[call.owner] + call.hook for call in plan.calls if call.owner in owners] == trace
    assert plan.global_step == trainer.global_step and plan.epochs == trainer.current_epoch
    for what in ("step", "validation"):
        expected = [each[1:] for each in events if each[0] == what]
        assert [(each.epoch, each.batch, each.step) for each in plan.due(what)] == expected, what
    expected = [each[1:] for each in events if each[0] == "checkpoint"]
    assert [(each.epoch, each.batch, each.step, each.what) for each in plan.due("checkpoint")] == expected
    expected = [(*each[1:3], f"at step {each[3]}") for each in events if each[0] == "log"]
    assert [(each.epoch, each.batch, each.what) for each in plan.due("log")] == expected


def test_a_plan_is_printed(tmp_path: Path) -> None:
    trainer = Trainer(
        max_epochs=2, accelerator="cpu", logger=False, default_root_dir=tmp_path, limit_train_batches=3,
        callbacks=[EarlyStopping("val_loss"), GradientAccumulationScheduler({1: 2})],
    )  # fmt: skip
    plan = trainer.plan(Model(), data(5), data(1))
    text = str(plan)
    assert text.startswith("Plan of `fit`: 2 epochs, 5 optimizer steps")
    assert "Model.on_train_epoch_end*\n" in text and "Model.on_train_epoch_start\n" in text
    assert "EarlyStopping.on_validation_end*" in text
    assert "3 times:" in text
    assert "checkpoint epoch=0-step=3.ckpt" in text
    assert "'val_loss' is taken to become better every time" in text
    assert [event.step for event in plan.due("step")] == [1, 2, 3, 4, 5]


def test_long_runs_are_shown_in_part(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, default_root_dir=tmp_path)
    plan = trainer.plan(Model(), data(30), data(1))
    assert plan.epochs == 2 and "only the first 2 of 1000 epochs" in str(plan)
    assert trainer.max_epochs == 1000


def test_what_cannot_be_planned(tmp_path: Path) -> None:
    trainer = Trainer(accelerator="cpu", logger=False, enable_checkpointing=False, default_root_dir=tmp_path)
    with pytest.raises(ValueError, match="fit, validate, test, predict"):
        trainer.plan(Model(), data(3), stage="train")
    with pytest.raises(facula_lightning.utilities.MisconfigurationException, match="unknown length"):
        trainer.plan(Model(), iter([1, 2]))
