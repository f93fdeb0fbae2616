"""OneCycle by fastai's formulas, beside facula's own scheduler of that name, and resumed."""

from __future__ import annotations

import math
from typing import Any

import facula
import pytest
from facula import Tensor, nn
from facula_lightning import Learner, LightningModule, Trainer
from facula_lightning.callbacks import BackupAndRestore, Callback, OneCycle
from facula_lightning.utilities.exceptions import MisconfigurationException
from facula_lightning.utilities.layers import discriminative_lrs

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


class Rates(Callback):
    """Keeps the rate and the momentum of each group that batches are trained with."""

    def __init__(self) -> None:
        self.rates: list[list[float]] = []
        self.momenta: list[float] = []

    def on_before_optimizer_step(self, trainer: Any, pl_module: Any, optimizer: Any) -> None:
        groups = optimizer.param_groups
        self.rates.append([group["lr"] for group in groups])
        self.momenta.append(groups[0]["betas"][0] if "betas" in groups[0] else groups[0]["momentum"])


def data(count: int = 40) -> tuple[Tensor, Tensor]:
    x = facula.randn(count, 2, generator=facula.Generator().manual_seed(1))
    return x, x.sum(1, keepdim=True)


def fastai(done: float, first: float, middle: float, last: float, start: float = 0.25) -> float:
    """Return ``combined_cos(start, first, middle, last)(done)``, written out."""
    low, high, at = (first, middle, done / start) if done < start else (middle, last, (done - start) / (1 - start))
    return low + (1 + math.cos(math.pi * (1 - at))) * (high - low) / 2


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_rates_and_momentum_are_fastai_s(optimizer: str) -> None:
    seen = Rates()
    learner = Learner(nn.Linear(2, 1))
    learner.compile(optimizer, "mse", lr=0.3)
    before = dict(learner.optimizer.param_groups[0])
    learner.fit_one_cycle(*data(), batch_size=8, epochs=4, lr_max=0.1, callbacks=seen, verbose=0)
    wanted = [fastai(at / 20, 0.1 / 25, 0.1, 0.1 / 1e5) for at in range(20)]
    assert [first for (first,) in seen.rates] == pytest.approx(wanted)
    assert seen.momenta == pytest.approx([fastai(at / 20, 0.95, 0.85, 0.95) for at in range(20)])
    # The rate that the optimizer was made with is there again, and is the highest where none is given.
    after = learner.optimizer.param_groups[0]
    assert all(after[name] == before[name] for name in ("lr", "momentum", "betas") if name in before)
    learner.fit_one_cycle(*data(), batch_size=8, epochs=4, callbacks=(again := Rates()), verbose=0)
    assert [first for (first,) in again.rates] == pytest.approx([3 * each for each in wanted])


def test_it_is_the_scheduler_but_for_where_its_phases_end() -> None:
    seen = Rates()
    learner = Learner(nn.Linear(2, 1))
    learner.compile("adam", "mse")
    learner.fit_one_cycle(*data(1000), batch_size=1, epochs=1, lr_max=0.1, callbacks=seen, verbose=0)
    optimizer = facula.optim.Adam([nn.Parameter(facula.ones(1))])
    scheduler = facula.optim.lr_scheduler.OneCycleLR(
        optimizer, 0.1, total_steps=1000, pct_start=0.25, div_factor=25, final_div_factor=1e5 / 25
    )
    for (rate,), momentum in zip(seen.rates, seen.momenta):
        # The scheduler's phases end a step earlier.
        assert optimizer.param_groups[0]["lr"] == pytest.approx(rate, abs=1e-3)
        assert optimizer.param_groups[0]["betas"][0] == pytest.approx(momentum, abs=1e-3)
        optimizer.step()
        scheduler.step()


def test_groups_have_their_own_rates() -> None:
    learner = Learner(nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Linear(2, 1)))
    learner.compile("adam", "mse", lr=slice(1e-3, 1e-1))
    groups = learner.optimizer.param_groups
    assert [group["lr"] for group in groups] == pytest.approx([1e-3, 1e-2, 1e-1])
    assert [len(group["params"]) for group in groups] == [2, 2, 2]
    for given, peaks in ((slice(1e-4, 1e-2), [1e-4, 1e-3, 1e-2]), (None, [1e-3, 1e-2, 1e-1]), (0.5, [0.5] * 3)):
        seen = Rates()
        learner.fit_one_cycle(*data(), lr_max=given, batch_size=10, callbacks=seen, verbose=0, moms=None)
        assert seen.rates[1] == pytest.approx(peaks)
        assert seen.momenta[0] == 0.9


def test_the_trainer_takes_it_too(tmp_path: Any) -> None:
    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(2, 1)

        def training_step(self, batch: Any, batch_idx: int) -> Tensor:
            return nn.functional.mse_loss(self.layer(batch[0]), batch[1])

        def configure_optimizers(self) -> Any:
            return facula.optim.SGD(discriminative_lrs(self, 0.1), lr=0.1, momentum=0.9)

    def run(folder: str, **settings: Any) -> list[float]:
        seen = Rates()
        trainer = Trainer(callbacks=[OneCycle(0.1), seen], accelerator="cpu", **{**QUIET, **settings})
        trainer.fit(Module(), facula.utils.data.DataLoader(facula.utils.data.TensorDataset(*data()), 10))
        return [first for (first,) in seen.rates]

    # Windows of accumulation step with the rate of their last batch; limits by steps are counted in steps.
    assert run("a", max_epochs=2, accumulate_grad_batches=2) == pytest.approx(
        [fastai(at / 8, 0.004, 0.1, 1e-6) for at in (1, 3, 5, 7)]
    )
    assert run("b", max_steps=6) == pytest.approx([fastai(at / 6, 0.004, 0.1, 1e-6) for at in range(6)])
    stream = Trainer(callbacks=OneCycle(0.1), max_epochs=2, accelerator="cpu", **QUIET)
    with pytest.raises(MisconfigurationException, match="how long training is"):
        stream.fit(Module(), (each for each in [data()]))
    for wrong in ({"pct_start": 2.0}, {"moms": (0.9, 0.8)}):
        with pytest.raises(ValueError, match="expected"):
            OneCycle(0.1, **wrong)


def test_a_resumed_run_goes_on_in_the_cycle(tmp_path: Any) -> None:
    class Interrupting(Callback):
        def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
            if trainer.current_epoch == 1 and batch_idx == 2 and not (tmp_path / "once").exists():
                (tmp_path / "once").touch()
                raise RuntimeError("interrupted")

    def run(*callbacks: Callback) -> tuple[list[float], Any]:
        facula.manual_seed(3)
        seen = Rates()
        learner = Learner(nn.Linear(2, 1))
        learner.compile("adam", "mse", lr=0.2)
        history = learner.fit_one_cycle(*data(), batch_size=10, epochs=3, callbacks=[*callbacks, seen], verbose=0)
        return [first for (first,) in seen.rates], (learner.model.weight.tolist(), history.history, learner.optimizer)

    rates, wanted = run()
    backup = BackupAndRestore(tmp_path / "backup", save_freq=1)
    with pytest.raises(RuntimeError, match="interrupted"):
        run(backup, Interrupting())
    rest, found = run(backup, Interrupting())
    assert rest == rates[6:] and found[:2] == wanted[:2]
    assert found[2].param_groups[0]["lr"] == 0.2
