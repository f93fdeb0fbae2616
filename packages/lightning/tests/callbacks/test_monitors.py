"""DeviceStatsMonitor, ThroughputMonitor and SpikeDetection, beside Lightning's."""

import json
import random
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import facula
import pytest
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import (
    DeviceStatsMonitor,
    SpikeDetection,
    ThroughputMonitor,
    TrainingSpikeException,
)
from facula_lightning.loggers import Logger
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.throughput import Throughput, get_available_flops


class Notes(Logger):
    """Keeps what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[tuple[int | None, dict[str, float]]] = []

    name = version = "notes"

    def log_metrics(self, metrics, step=None) -> None:
        self.rows.append((step, dict(metrics)))

    def log_hyperparams(self, *arguments, **settings) -> None:
        pass


class Model(LightningModule):
    flops_per_batch = 100

    def __init__(self, losses: list[float] | None = None) -> None:
        super().__init__()
        self.weight = facula.nn.Parameter(facula.ones(1))
        self.losses = losses

    def training_step(self, batch, batch_idx):
        return self.weight.sum() * (1.0 if self.losses is None else self.losses[batch_idx])

    def validation_step(self, batch, batch_idx):
        pass

    def predict_step(self, batch, batch_idx):
        pass

    test_step = validation_step

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), lr=0.0)


def trainer(*callbacks, logger: Any = None, **settings) -> Trainer:
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
    return Trainer(
        accelerator="cpu", callbacks=list(callbacks), logger=Notes() if logger is None else logger,
        **{**quiet, "max_epochs": 1, "log_every_n_steps": 2, "num_sanity_val_steps": 0, **settings},
    )  # fmt: skip


@pytest.fixture
def psutil(monkeypatch) -> None:
    """What stands in for the package."""
    percent = SimpleNamespace(percent=25.0)
    fake = SimpleNamespace(virtual_memory=lambda: percent, swap_memory=lambda: percent, cpu_percent=lambda: 50.0)
    monkeypatch.setitem(sys.modules, "psutil", fake)


DATA = [facula.ones(3, 1)] * 5


def test_devices_are_logged_before_and_after_batches(psutil) -> None:
    run = trainer(DeviceStatsMonitor())
    run.fit(Model(), DATA, DATA[:4])
    rows = run.logger.rows
    names = ("cpu_vm_percent", "cpu_percent", "cpu_swap_percent")
    hooks = [list(row)[0].partition("/")[0].partition(".")[2] for _, row in rows]
    pair = ["on_train_batch_start", "on_train_batch_end"]
    assert hooks == pair * 2 + ["on_validation_batch_start", "on_validation_batch_end"] * 2
    assert [step for step, _ in rows[:4]] == [1, 1, 3, 3]
    assert list(rows[0][1]) == [f"DeviceStatsMonitor.on_train_batch_start/{name}" for name in names]
    assert rows[0][1]["DeviceStatsMonitor.on_train_batch_start/cpu_percent"] == 50.0
    run.logger.rows.clear()
    run.test(Model(), DATA, verbose=False)
    assert [list(row)[0].partition("/")[0] for _, row in run.logger.rows] == [
        f"DeviceStatsMonitor.{hook}" for hook in ("on_test_batch_start", "on_test_batch_end") * 2
    ]
    without = trainer(DeviceStatsMonitor(cpu_stats=False))
    without.fit(Model(), DATA)
    assert without.logger.rows == []


pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")


def test_what_devices_need_is_told(monkeypatch) -> None:
    with pytest.raises(
        MisconfigurationException, match=r"Cannot use `DeviceStatsMonitor` callback with `Trainer\(logger"
    ):
        trainer(DeviceStatsMonitor(), logger=False).fit(Model(), DATA)
    monkeypatch.setitem(sys.modules, "psutil", None)
    with pytest.raises(ModuleNotFoundError, match="DeviceStatsMonitor needs the package psutil"):
        trainer(DeviceStatsMonitor()).fit(Model(), DATA)


def test_the_names_of_devices_are_lightnings() -> None:
    pytest.importorskip("psutil")
    theirs = pytest.importorskip("pytorch_lightning.accelerators.cpu")
    from facula_lightning.accelerators.cpu import get_cpu_stats

    assert get_cpu_stats().keys() == theirs.get_cpu_stats().keys()


def test_throughput_is_lightnings() -> None:
    theirs = pytest.importorskip("lightning_fabric.utilities.throughput").Throughput
    for world, lengths, flops in ((1, False, None), (1, True, 50), (3, True, 50), (2, False, 10)):
        settings = {"available_flops": 1e3 if flops else None, "world_size": world, "window_size": 4}
        ours, other = Throughput(**settings), theirs(**settings)
        draw = random.Random(world)
        time = samples = items = 0.0
        for batches in range(1, 9):
            time, samples, items = time + draw.random(), samples + 3, items + 3 * draw.randint(1, 9)
            given = {"time": time, "batches": batches, "samples": int(samples), "flops": flops}
            given["lengths"] = int(items) if lengths else None
            ours.update(**given)
            other.update(**given)
            expected = other.compute()
            if "batches_per_sec" in expected:
                # Lightning has the batches of all devices there; so have we.
                assert expected["batches_per_sec"] == pytest.approx(expected["device/batches_per_sec"] * world)
            assert ours.compute() == pytest.approx(expected)
    for made in (ours, other):
        with pytest.raises(ValueError, match="Expected the value to increase"):
            made.update(time=0.0, batches=99, samples=999)
        made.reset()
        with pytest.raises(ValueError, match=r"Expected samples \(1\) to be greater or equal than batches \(2\)"):
            made.update(time=1.0, batches=2, samples=1)
    for wrong in ({"world_size": 0}, {"window_size": 1}):
        with pytest.raises(ValueError, match="should be at least"):
            Throughput(**wrong)
    assert get_available_flops(facula.device("cpu"), facula.float32) is None


def test_throughput_is_logged() -> None:
    run = trainer(ThroughputMonitor(len, lambda batch: 7 * len(batch), window_size=2))
    run.fit(Model(), DATA, DATA[:4])
    rows = run.logger.rows
    train = [(step, row) for step, row in rows if "train/time" in row]
    per_second = ["batches_per_sec", "samples_per_sec", "items_per_sec", "flops_per_sec"]
    assert [step for step, _ in train] == [1, 3]
    assert list(train[0][1]) == [
        *(f"train/{name}" for name in ("time", "batches", "samples", "lengths")),
        *(f"train/device/{name}" for name in per_second), "epoch",
    ]  # fmt: skip
    row = train[1][1]
    assert (row["train/batches"], row["train/samples"], row["train/lengths"]) == (4, 12, 84)
    assert row["train/device/samples_per_sec"] == pytest.approx(3 * row["train/device/batches_per_sec"])
    assert row["train/device/flops_per_sec"] == pytest.approx(100 * row["train/device/batches_per_sec"])
    assert [(step, row["validate/batches"]) for step, row in rows if "validate/time" in row] == [(2, 2), (4, 4)]
    for stage in ("test", "predict"):
        run.logger.rows.clear()
        getattr(run, stage)(Model(), DATA)
        assert [(step, row[f"{stage}/batches"]) for step, row in run.logger.rows] == [(2, 2), (4, 4)]


def test_validation_is_no_time_of_training() -> None:
    import time

    class Slow(Model):
        def validation_step(self, batch, batch_idx):
            time.sleep(0.1)

    run = trainer(ThroughputMonitor(len, window_size=2), log_every_n_steps=1, val_check_interval=1)
    run.fit(Slow(), DATA, DATA[:2])
    times = [row["train/time"] for _, row in run.logger.rows if "train/time" in row]
    assert len(times) == 5 and times == sorted(times) and times[-1] < 0.4


def test_a_module_that_does_not_know_its_operations_is_told_of() -> None:
    class Unknown(Model):
        flops_per_batch = property(lambda self: (_ for _ in ()).throw(AttributeError("no such number")))

    run = trainer(ThroughputMonitor(len, window_size=2))
    with pytest.warns(UserWarning, match="you need to define a `flops_per_batch` attribute"):
        run.fit(Unknown(), DATA)


def spikes(losses: list[float], folder: Path, **settings) -> tuple[int | None, Any]:
    path = folder / "out"
    run = trainer(SpikeDetection(exclude_batches_path=path, **settings))
    try:
        run.fit(Model(losses), [facula.ones(1)] * len(losses))
    except TrainingSpikeException as error:
        return error.batch_idx, json.loads((path / "skip_batches.json").read_text())
    return None, None


def test_a_loss_that_jumps_ends_the_run(tmp_path: Path) -> None:
    assert spikes([1.0, 1.1, 0.9, 9.0, 1.0], tmp_path) == (3, [2, 3])
    assert spikes([1.0, 1.1, 0.9, 2.5, 1.0], tmp_path) == (None, None)
    assert spikes([1.0, 9.0, 0.9, 1.0], tmp_path, warmup=2) == (None, None)
    assert spikes([1.0, 1.1, float("nan")], tmp_path) == (2, [1, 2])
    assert spikes([1.0, 1.1, float("inf"), 1.0], tmp_path, finite_only=False) == (None, None)
    assert spikes([1.0, 1.1, 1.7], tmp_path, rtol=None, atol=0.5) == (2, [1, 2])
    assert spikes([9.0, 9.5, 0.5], tmp_path, mode="max", rtol=0.5) == (2, [1, 2])
    run = trainer(SpikeDetection(), default_root_dir=tmp_path)
    with pytest.raises(TrainingSpikeException, match="Training spike detected in batch 1"):
        run.fit(Model([1.0, 50.0]), DATA[:2])
    assert json.loads((tmp_path / "skip_batches.json").read_text()) == [0, 1]
    with pytest.raises(ValueError, match="Has to be min or max, found best"):
        SpikeDetection(mode="best")
    kept = SpikeDetection()
    kept.load_state_dict({"last_val": 2.0, "values": [1.0, 2.0], "bad_batches": [3]})
    assert kept.state_dict() == {"last_val": 2.0, "values": [1.0, 2.0], "bad_batches": [3]}


def test_spikes_are_lightnings(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    module = pytest.importorskip("lightning_fabric.utilities.spike")
    draw = random.Random(5)
    strategy = SimpleNamespace(
        root_device=torch.device("cpu"), barrier=lambda: None, reduce_boolean_decision=lambda value, all: value
    )
    fabric = SimpleNamespace(strategy=strategy, global_rank=0)
    found = 0
    for _ in range(20):
        settings = {
            "mode": draw.choice(["min", "max"]), "window": draw.randint(1, 4), "warmup": draw.randint(1, 3),
            "atol": draw.choice([None, 0.5]), "rtol": draw.choice([0.5, 1.0]),
        }  # fmt: skip
        losses = [draw.choice([1.0, 1.25, 0.75, 1.5]) for _ in range(12)]
        losses[draw.randint(3, 11)] = draw.choice([5.0, -3.0, 2.0, float("nan")])
        theirs = module.SpikeDetection(exclude_batches_path=str(tmp_path / "theirs.json"), **settings)
        expected = None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for index, loss in enumerate(losses):
                try:
                    theirs.on_train_batch_end(fabric, torch.tensor(loss), None, index)
                except module.TrainingSpikeException:
                    expected = index
                    break
        assert spikes(losses, tmp_path, **settings)[0] == expected, (losses, settings)
        found += expected is not None
    assert 3 < found < 20
