"""The search for a batch size, and what tells a lack of memory from other errors."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import facula
import numpy as np
import pytest
from facula import Tensor
from facula_lightning import LightningDataModule, LightningModule
from facula_lightning.callbacks import BatchSizeFinder, Callback, ModelCheckpoint
from facula_lightning.tuner import Tuner, find_executable_batch_size, is_oom_error
from facula_lightning.tuner.batch_size import search
from facula_lightning.utilities.exceptions import MisconfigurationException
from tuned_model import Model, Noisy, files, seeded, state_of, trainer_in


@pytest.fixture(autouse=True)
def without_collecting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Garbage is collected before each trial, which takes long where much is imported."""
    monkeypatch.setattr(gc, "collect", lambda *args: 0)


def large(limit: int | None = None, samples: int = 400) -> Model:
    model = seeded(limit=limit)
    model.data = Noisy(samples)
    return model


@pytest.mark.parametrize("limit", range(1, 40))
@pytest.mark.parametrize("first", [1, 2, 7, 64])
def test_what_is_found_is_the_largest_that_fits(limit: int, first: int) -> None:
    tried: list[int] = []

    def fits(size: int) -> bool:
        tried.append(size)
        return size <= limit

    assert search(fits, "binsearch", first, 25, 8192, None) == limit
    assert len(tried) == len(set(tried)), "no size is tried twice"
    found = search(fits, "power", first, 25, 8192, None)
    assert found <= limit < 2 * found and fits(found)


def test_the_limits_of_a_search() -> None:
    for mode in ("power", "binsearch"):
        assert search(lambda size: True, mode, 2, 25, 100, None) == 100
        assert search(lambda size: size < 90, mode, 2, 25, 100, None) == (64 if mode == "power" else 89)
        assert search(lambda size: True, mode, 500, 25, 100, None) == 100
        assert search(lambda size: True, mode, 2, 3, 8192, None) == 8
        assert search(lambda size: True, mode, 2, 25, 8192, 50) == 64
        assert search(lambda size: True, mode, 2, 25, 65536, None) == 65536
        with pytest.raises(MemoryError, match="a batch of 1 sample"):
            search(lambda size: False, mode, 32, 25, 8192, None)
    # The trials end before anything fitted: what would have come next.
    assert search(lambda size: False, "power", 64, 1, 8192, None) == 32


@pytest.mark.parametrize(("mode", "size"), [("power", 64), ("binsearch", 95)])
def test_a_search_leaves_everything_as_it_was_but_the_size(mode: str, size: int, tmp_path: Path) -> None:
    model = large(limit=100)
    trainer = trainer_in(tmp_path)
    before = state_of(model, vars(trainer).copy())
    assert Tuner(trainer).scale_batch_size(model, mode=mode) == model.batch_size == size
    assert state_of(model, vars(trainer)) == before and files(tmp_path) == {} and model._trainer is None


@pytest.mark.parametrize("use", ["tuner", "callback"])
def test_a_fit_afterwards_is_the_fit_with_that_size(use: str, tmp_path: Path) -> None:
    ends = []
    for searched in (True, False):
        folder = tmp_path / str(searched)
        model = large(limit=50)
        finder = BatchSizeFinder("binsearch", steps_per_trial=2, margin=0.0)
        trainer = trainer_in(folder, callbacks=[finder] if searched and use == "callback" else [])
        if searched and use == "tuner":
            assert Tuner(trainer).scale_batch_size(model, mode="binsearch", steps_per_trial=2, margin=0.0) == 50
        if not searched:
            model.batch_size = 50
        trainer.fit(model)
        ends.append((state_of(model, trainer.global_step), model.batch_size, files(folder)))
        assert model.calls["sizes"] == [50] * 16
    assert ends[0] == ends[1]


def test_evaluation_goes_on_with_the_size_found(tmp_path: Path) -> None:
    model, finder = large(limit=30), BatchSizeFinder()
    trainer_in(tmp_path, callbacks=[finder], logger=False).test(model, verbose=False)
    assert finder.optimal_batch_size == model.batch_size == 16 and model.calls["sizes"] == [16] * 25
    model = large(limit=30)
    before = state_of(model)
    assert Tuner(trainer_in(tmp_path)).scale_batch_size(model, method="test") == 16
    assert state_of(model) == before


def test_predictions_and_validation_with_the_size_found(tmp_path: Path) -> None:
    class Evaluated(LightningModule):
        batch_size = 1

        def predict_step(self, batch: Tensor, batch_idx: int) -> int:
            if len(batch) > 6:
                raise facula.cuda.OutOfMemoryError("out of memory")
            return len(batch)

        def validation_step(self, batch: Tensor, batch_idx: int) -> None:
            self.log("size", float(self.predict_step(batch, batch_idx)))

        def loader(self) -> Any:
            return facula.utils.data.DataLoader(facula.ones(12, 1), batch_size=self.batch_size)

        predict_dataloader = val_dataloader = loader

    model, finder = Evaluated(), BatchSizeFinder("binsearch", margin=0.0)
    assert trainer_in(tmp_path, callbacks=[finder], logger=False).predict(model) == [6, 6]
    model = Evaluated()
    found = trainer_in(tmp_path, callbacks=[finder], logger=False).validate(model, verbose=False)
    assert found == [{"size": 6.0}] and model.batch_size == 6


def test_the_data_module_has_the_size(tmp_path: Path) -> None:
    class Data(LightningDataModule):
        def __init__(self, batch_size: int = 3) -> None:
            super().__init__()
            self.save_hyperparameters()

        def train_dataloader(self) -> Any:
            return facula.utils.data.DataLoader(Noisy(400), batch_size=self.hparams.batch_size)

    model, data = large(limit=50), Data()
    del model.batch_size
    assert Tuner(trainer_in(tmp_path)).scale_batch_size(model, datamodule=data) == data.hparams.batch_size == 32
    assert Tuner(trainer_in(tmp_path)).scale_batch_size(model, data, init_val=8) == data.hparams.batch_size == 32
    assert not hasattr(model, "batch_size")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_search_leaves_everything_as_it_was(error: type[BaseException], tmp_path: Path) -> None:
    class Interrupted(Model):
        def on_before_optimizer_step(self, optimizer: Any) -> None:
            if self.batch_size == 16:
                raise error

    facula.manual_seed(0)
    model = Interrupted()
    trainer = trainer_in(tmp_path)
    before = state_of(model, vars(trainer).copy())
    with pytest.raises(SystemExit if error is KeyboardInterrupt else error):
        Tuner(trainer).scale_batch_size(model)
    assert state_of(model, vars(trainer)) == before and files(tmp_path) == {} and model.batch_size == 4


def test_a_search_at_the_beginning_of_an_epoch(tmp_path: Path) -> None:
    class Later(BatchSizeFinder):
        def on_fit_start(self, *args: Any) -> None:
            pass

        def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
            if trainer.current_epoch == 1:
                self.scale_batch_size(trainer, pl_module)

    model = large(limit=30, samples=32)
    model.configure_optimizers = lambda: facula.optim.SGD(model.parameters(), 0.01)  # type: ignore[method-assign]
    trainer_in(tmp_path, callbacks=[Later()], logger=False).fit(model)
    assert model.calls["sizes"] == [4] * 8 + [16, 16]


def test_a_resumed_run_does_not_search_again(tmp_path: Path) -> None:
    def run(path: Any = None) -> Model:
        model = large(limit=50)
        model.data.scale = 0.0  # a checkpoint does not hold generators of the data set's own
        callbacks: list[Callback] = [
            BatchSizeFinder(steps_per_trial=1), ModelCheckpoint(tmp_path, filename="{epoch}", save_top_k=-1)
        ]  # fmt: skip
        trainer_in(tmp_path, callbacks=callbacks, enable_checkpointing=True, logger=False).fit(model, ckpt_path=path)
        return model

    with pytest.warns(UserWarning, match="exists and is not empty"):
        whole, resumed = run(), run(tmp_path / "epoch=0.ckpt")
    assert resumed.batch_size == 32 and resumed.calls["sizes"] == whole.calls["sizes"][13:] == [32] * 12 + [16]
    assert all((a == b).all() for a, b in zip(resumed.state_dict().values(), whole.state_dict().values(), strict=True))


def test_errors_are_lightnings(tmp_path: Path) -> None:
    model = Model()
    tuner = Tuner(trainer_in(tmp_path))
    with pytest.raises(ValueError, match="method 'train' is invalid"):
        tuner.scale_batch_size(model, method="train")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`margin` should be between 0 and 1"):
        tuner.scale_batch_size(model, margin=1.0)
    with pytest.raises(ValueError, match="`mode` should be either of"):
        tuner.scale_batch_size(model, mode="linear")
    with pytest.raises(ValueError, match="`init_val` should be a positive integer, got 0"):
        tuner.scale_batch_size(model, init_val=0)
    with pytest.raises(ValueError, match="already configured with a `BatchSizeFinder` callback"):
        Tuner(trainer_in(tmp_path, callbacks=[BatchSizeFinder()])).scale_batch_size(model)
    with pytest.raises(MisconfigurationException, match=r"dataloaders passed directly to `\.fit\(\)`"):
        tuner.scale_batch_size(model, model.train_dataloader())
    with pytest.raises(
        MisconfigurationException, match="`train_dataloaders` and `val_dataloaders` arguments should be"
    ):
        tuner.scale_batch_size(model, model.train_dataloader(), method="test")
    with pytest.raises(MisconfigurationException, match="Field count not found in `model`"):
        tuner.scale_batch_size(model, batch_arg_name="count")
    with pytest.warns(UserWarning, match="Skipping batch size scaler since `fast_dev_run` is enabled"):
        assert Tuner(trainer_in(tmp_path, fast_dev_run=True)).scale_batch_size(model) is None
    model.hparams.update(batch_size=2)
    with pytest.warns(UserWarning, match="are mutually exclusive"):
        tuner.scale_batch_size(model, max_trials=1)
    assert model.batch_size == model.hparams.batch_size == 2
    model = Model()
    model.test_dataloader = lambda: [model.train_dataloader()] * 2  # type: ignore[method-assign, return-value, assignment]
    model.test_step = lambda batch, batch_idx, dataloader_idx: None  # type: ignore[method-assign, misc, assignment]
    with (
        pytest.warns(UserWarning, match="shuffling enabled"),
        pytest.raises(MisconfigurationException, match="multiple test dataloaders"),
    ):
        tuner.scale_batch_size(model, method="test")


def test_what_a_lack_of_memory_is() -> None:
    cupys = type("OutOfMemoryError", (Exception,), {"__module__": "cupy.cuda.memory"})
    for error in (
        *(MemoryError(), facula.cuda.OutOfMemoryError("x"), cupys()),
        *(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), RuntimeError("CUBLAS_STATUS_ALLOC_FAILED")),
        RuntimeError("cudaErrorMemoryAllocation: out of memory"),
    ):
        assert is_oom_error(error)
    other = type("OutOfMemoryError", (Exception,), {"__module__": "hotel"})
    for wrong in (RuntimeError("shapes differ"), ValueError("out of memory"), KeyError(), other()):
        assert not is_oom_error(wrong)
    with pytest.raises(MemoryError) as caught:
        np.empty(2**55, np.uint8)
    assert is_oom_error(caught.value)


def test_a_function_is_called_with_smaller_batches_while_memory_runs_out() -> None:
    tried: list[int] = []

    def train(batch_size: int, model: str, *, name: str = "") -> tuple[int, str, str]:
        tried.append(batch_size)
        if batch_size > 80:
            raise MemoryError
        return batch_size, model, name

    found = find_executable_batch_size(train, starting_batch_size=128)
    assert found("m", name="n") == (73, "m", "n") and tried == [128, 115, 103, 92, 82, 73]
    assert found("m") == (73, "m", "") and len(tried) == 7, "the size that was found stays"
    sizes = iter((64, 32))
    halving = find_executable_batch_size(reduce_batch_size_fn=lambda: next(sizes))(train)
    assert halving("m") == (64, "m", "")
    with pytest.raises(TypeError, match=r"Remove this as the decorator already does so: `_alone\(model=m\)`"):
        find_executable_batch_size(_alone)(128, "m")  # type: ignore[call-arg, arg-type]
    with pytest.raises(ValueError, match="other"):
        find_executable_batch_size(_failing)()
    with pytest.raises(RuntimeError, match="reached zero"):
        find_executable_batch_size(_never, starting_batch_size=3)()


def _failing(batch_size: int) -> None:
    raise ValueError("other")


def _never(batch_size: int) -> None:
    raise MemoryError


def _alone(batch_size: int, model: str) -> None: ...
