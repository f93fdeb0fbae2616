"""The tuner live beside Lightning's, where that is installed."""

from __future__ import annotations

import gc
import importlib.util
import inspect
from typing import Any

import facula
import facula_lightning
import numpy as np
import pytest
from facula_lightning import callbacks
from facula_lightning.tuner import LRFinder, Tuner

pytestmark = [
    pytest.mark.skipif(
        importlib.util.find_spec("pytorch_lightning") is None or importlib.util.find_spec("torch") is None,
        reason="pytorch_lightning and torch are installed for comparison only",
    ),
    pytest.mark.filterwarnings("ignore"),
]


def make(framework: Any, lightning: Any, samples: int = 60, limit: int | None = None) -> Any:
    """Return a model with dropout and a shuffled loader, in either framework; batches over ``limit`` have not enough memory."""

    class Model(lightning.LightningModule):
        def __init__(self, learning_rate: float = 0.01) -> None:
            super().__init__()
            self.save_hyperparameters()
            self.batch_size = 8
            self.layers = framework.nn.Sequential(
                *(
                    framework.nn.Linear(4, 16),
                    framework.nn.Dropout(0.2),
                    framework.nn.Tanh(),
                    framework.nn.Linear(16, 1),
                )
            )

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            if limit is not None and len(batch) > limit:
                raise RuntimeError("CUDA out of memory.")
            return ((self.layers(batch) - batch.sum(1, keepdim=True)) ** 2).mean()

        test_step = predict_step = training_step

        def configure_optimizers(self) -> Any:
            optimizer = framework.optim.Adam(self.parameters(), lr=self.hparams.learning_rate)
            return [optimizer], [framework.optim.lr_scheduler.StepLR(optimizer, 1)]

        def loader(self, shuffle: bool = False) -> Any:
            data = framework.tensor(np.random.default_rng(0).standard_normal((samples, 4)).astype(np.float32))
            return framework.utils.data.DataLoader(data, batch_size=self.batch_size, shuffle=shuffle)

        def train_dataloader(self) -> Any:
            return self.loader(shuffle=True)

        test_dataloader = predict_dataloader = loader

    lightning.seed_everything(4, verbose=False)
    return Model()


def trainer_of(lightning: Any, folder: Any, **options: Any) -> Any:
    return lightning.Trainer(
        default_root_dir=folder, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu", **{"max_epochs": 20, **options},
    )  # fmt: skip


def both(tmp_path: Any, samples: int = 60, limit: int | None = None, **options: Any) -> list[tuple[Any, Any]]:
    """Return Lightning's tuner and model, and ours."""
    import pytorch_lightning
    import torch
    from pytorch_lightning.tuner import Tuner as TheirTuner

    pairs = []
    for framework, lightning, tuner in ((torch, pytorch_lightning, TheirTuner), (facula, facula_lightning, Tuner)):
        pairs.append((tuner(trainer_of(lightning, tmp_path, **options)), make(framework, lightning, samples, limit)))
    return pairs


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"mode": "linear", "max_lr": 0.1},
        {"min_lr": 1e-3, "max_lr": 30.0, "num_training": 60},
        {"max_lr": 100.0, "early_stop_threshold": None, "num_training": 40},
    ],
)
def test_the_same_rates_losses_and_suggestion(given: dict[str, Any], tmp_path: Any) -> None:
    found = []
    # In double precision: where the loss diverges, rounding grows.
    for tuner, model in both(tmp_path, precision="64-true"):
        result = tuner.lr_find(model, **given)
        found.append((result, model.hparams.learning_rate, result.suggestion(skip_begin=2, skip_end=5)))
    (theirs, their_rate, their_other), (ours, our_rate, our_other) = found
    np.testing.assert_allclose(ours.results["lr"], theirs.results["lr"], rtol=1e-12)
    np.testing.assert_allclose(ours.results["loss"], theirs.results["loss"], rtol=1e-6)
    assert given.get("max_lr") != 30.0 or len(ours.results["lr"]) < 60
    assert our_rate == ours.suggestion() == pytest.approx(their_rate, rel=1e-12)
    assert our_other == pytest.approx(their_other, rel=1e-12)
    assert ours._total_batch_idx == theirs._total_batch_idx


def test_steps_are_counted_where_gradients_accumulate(tmp_path: Any) -> None:
    (theirs, their_model), (ours, our_model) = both(tmp_path, samples=64, accumulate_grad_batches=2)
    expected = theirs.lr_find(their_model, early_stop_threshold=None, num_training=30)
    found = ours.lr_find(our_model, early_stop_threshold=None, num_training=30)
    np.testing.assert_allclose(found.results["lr"], expected.results["lr"], rtol=1e-12)
    assert found._total_batch_idx == expected._total_batch_idx == 59


SEARCHES: list[dict[str, Any]] = [
    {"limit": 100},
    {"limit": 100, "mode": "binsearch"},
    {"limit": 100, "mode": "binsearch", "margin": 0.0},
    {"limit": 100, "mode": "binsearch", "margin": 0.0, "init_val": 37},
    {"limit": 100, "init_val": 37},
    {"limit": 3000, "max_trials": 3},
    {"limit": 3000, "max_trials": 3, "mode": "binsearch"},
    {"limit": 3000, "samples": 50},
    {"limit": 3000, "samples": 50, "mode": "binsearch"},
    {"limit": 3000, "samples": 8, "init_val": 4},
    {"limit": 3000, "max_val": 64},
    {"limit": 3000, "max_val": 64, "mode": "binsearch"},
]


@pytest.fixture
def without_collecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both collect garbage before each trial, which with all of torch in memory takes most of the time."""
    monkeypatch.setattr(gc, "collect", lambda *args: 0)


@pytest.mark.parametrize("given", SEARCHES)
@pytest.mark.usefixtures("without_collecting")
def test_the_same_batch_size(given: dict[str, Any], tmp_path: Any) -> None:
    given = dict(given)
    pairs = both(tmp_path, given.pop("samples", 300), given.pop("limit"))
    (theirs, their_size), (ours, our_size) = (
        (tuner.scale_batch_size(model, steps_per_trial=1, **given), model.batch_size) for tuner, model in pairs
    )
    assert ours == our_size == theirs == their_size


@pytest.mark.parametrize("method", ["test", "predict"])
@pytest.mark.usefixtures("without_collecting")
def test_the_same_batch_size_without_training(method: str, tmp_path: Any) -> None:
    found = [
        (tuner.scale_batch_size(model, method=method, mode="binsearch"), model.batch_size)
        for tuner, model in both(tmp_path, 300, 100)
    ]
    assert found[0] == found[1] == (95, 95)


def test_signatures() -> None:
    import pytorch_lightning
    from pytorch_lightning.tuner import Tuner as TheirTuner
    from pytorch_lightning.tuner.lr_finder import _LRFinder

    for ours, theirs in (
        *((Tuner.lr_find, TheirTuner.lr_find), (Tuner.scale_batch_size, TheirTuner.scale_batch_size)),
        (callbacks.LearningRateFinder.__init__, pytorch_lightning.callbacks.LearningRateFinder.__init__),
        (callbacks.BatchSizeFinder.__init__, pytorch_lightning.callbacks.BatchSizeFinder.__init__),
        *((LRFinder.__init__, _LRFinder.__init__), (LRFinder.plot, _LRFinder.plot)),
        (LRFinder.suggestion, _LRFinder.suggestion),
    ):
        found = [(each.name, each.default) for each in inspect.signature(ours).parameters.values()]
        expected = [(each.name, each.default) for each in inspect.signature(theirs).parameters.values()]
        assert found[: len(expected)] == expected
        assert len(found) == len(expected) or found[len(expected) :] == [("method", "steepest")]
