"""Averages of weights, finetuning and prediction writers, live beside Lightning where it is installed."""

from __future__ import annotations

import importlib.util
from typing import Any

import facula
import facula_lightning
import numpy as np
import pytest
from facula_lightning import callbacks

HAS_LIGHTNING = (
    importlib.util.find_spec("pytorch_lightning") is not None and importlib.util.find_spec("torch") is not None
)


def program(framework: Any, lightning: Any, callback: Any, epochs: int = 5, scheduled: bool = False) -> dict[str, Any]:
    """Train a small model with a callback; return its last weights and learning rates, in either framework."""
    rates: list[list[float]] = []

    class Model(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = framework.nn.Linear(3, 3)
            self.head = framework.nn.Linear(3, 1)
            with framework.no_grad():
                for at, parameter in enumerate(self.parameters()):
                    count = parameter.numel()
                    parameter.copy_((framework.arange(float(count)) / count - 0.3 + at / 10).reshape(parameter.shape))

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return ((self.head(self.backbone(batch)) - batch.sum(1, keepdim=True)) ** 2).mean()

        def on_train_epoch_end(self) -> None:
            rates.append([group["lr"] for group in self.optimizers().param_groups])

        def configure_optimizers(self) -> Any:
            trained = [each for each in self.parameters() if each.requires_grad]
            optimizer = framework.optim.SGD(trained, lr=0.1)
            if not scheduled:
                return optimizer
            return [optimizer], [framework.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.9)]

    data = framework.tensor(np.random.default_rng(0).standard_normal((12, 3)).astype(np.float32))
    loader = framework.utils.data.DataLoader(data, batch_size=4)
    model = Model()
    trainer = lightning.Trainer(
        max_epochs=epochs, callbacks=[callback], logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, accelerator="cpu",
    )  # fmt: skip
    trainer.fit(model, loader)
    weights = np.concatenate([each.detach().numpy().reshape(-1) for each in model.parameters()])
    return {"weights": weights, "rates": rates}


CASES = {
    "ema": lambda module: module.EMAWeightAveraging(decay=0.8),
    "ema_every_second": lambda module: module.EMAWeightAveraging(
        decay=0.5, update_every_n_steps=2, update_starting_at_step=3
    ),
    "ema_by_epoch": lambda module: module.EMAWeightAveraging(
        decay=0.5, update_starting_at_step=99, update_starting_at_epoch=1
    ),
    "mean": lambda module: module.WeightAveraging(),
    "swa": lambda module: module.StochasticWeightAveraging(swa_lrs=0.05, swa_epoch_start=0.5, annealing_epochs=2),
    "swa_linear": lambda module: module.StochasticWeightAveraging(
        0.02, 2, annealing_epochs=2, annealing_strategy="linear"
    ),
    "finetuning": lambda module: module.BackboneFinetuning(2),
    "finetuning_slow": lambda module: module.BackboneFinetuning(
        1, lambda_func=lambda epoch: 1.1, backbone_initial_lr=0.01, should_align=False
    ),
}


@pytest.mark.skipif(not HAS_LIGHTNING, reason="pytorch_lightning and torch are installed for comparison only")
@pytest.mark.parametrize("scheduled", [False, True])
@pytest.mark.parametrize("name", list(CASES))
@pytest.mark.filterwarnings("ignore")
def test_as_lightning_on_torch(name, scheduled) -> None:
    import pytorch_lightning
    import torch

    expected = program(torch, pytorch_lightning, CASES[name](pytorch_lightning.callbacks), scheduled=scheduled)
    found = program(facula, facula_lightning, CASES[name](callbacks), scheduled=scheduled)
    np.testing.assert_allclose(found["weights"], expected["weights"], rtol=1e-4, atol=1e-6)
    assert [len(each) for each in found["rates"]] == [len(each) for each in expected["rates"]]
    for one, other in zip(found["rates"], expected["rates"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_a_moving_average_by_its_definition() -> None:
    seen: list[np.ndarray] = []

    class Recorded(callbacks.EMAWeightAveraging):
        def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
            seen.append(np.concatenate([each.detach().numpy().reshape(-1).copy() for each in pl_module.parameters()]))
            super().on_train_batch_end(trainer, pl_module, *args)

    found = program(facula, facula_lightning, Recorded(decay=0.7))["weights"]
    average = seen[0]
    for each in seen[1:]:
        average = 0.7 * average + 0.3 * each
    np.testing.assert_allclose(found, average, rtol=1e-5)


def test_statistics_of_batch_norms_are_taken_again_with_the_average() -> None:
    class Model(facula_lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.norm, self.last = facula.nn.Linear(3, 4), facula.nn.BatchNorm1d(4), facula.nn.Linear(4, 1)

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            loss = (self.last(self.norm(self.first(batch))) ** 2).mean()
            self.log("loss", loss)
            return loss

        def configure_optimizers(self) -> Any:
            return facula.optim.SGD(self.parameters(), lr=0.1)

    facula.manual_seed(0)
    data, model = facula.randn(12, 3), Model()
    trainer = facula_lightning.Trainer(
        max_epochs=4, callbacks=[callbacks.StochasticWeightAveraging(0.05, 0.5)], logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(model, facula.utils.data.DataLoader(data, batch_size=4))
    with facula.no_grad():
        found = model.first(data).reshape(3, 4, 4)
    facula.testing.assert_close(model.norm.running_mean, found.mean((0, 1)))
    facula.testing.assert_close(model.norm.running_var, found.var(1).mean(0))
    assert model.norm.momentum == 0.1 and "log" not in vars(model)


def test_a_backbone_is_frozen_until_its_epoch() -> None:
    before = program(facula, facula_lightning, callbacks.Callback(), epochs=0)["weights"]
    frozen = program(facula, facula_lightning, callbacks.BackboneFinetuning(2), epochs=2)
    assert np.array_equal(frozen["weights"][:12], before[:12]) and not np.array_equal(
        frozen["weights"][12:], before[12:]
    )
    free = program(facula, facula_lightning, callbacks.BackboneFinetuning(2), epochs=5)
    assert not np.array_equal(free["weights"][:12], before[:12])
    assert free["rates"] == [[0.1], [0.1], [0.1, 0.1 * 10e-2], [0.1, 2 * 0.1 * 10e-2], [0.1, 4 * 0.1 * 10e-2]]


def test_a_module_without_a_backbone_is_refused() -> None:
    module = facula_lightning.LightningModule()
    module.backbone = None
    with pytest.raises(Exception, match="backbone"):
        callbacks.BackboneFinetuning().on_fit_start(None, module)


def test_predictions_are_written_with_their_places() -> None:
    written: list[Any] = []

    class Writer(callbacks.BasePredictionWriter):
        def write_on_batch_end(
            self, trainer, pl_module, prediction, batch_indices, batch, batch_idx, dataloader_idx
        ) -> None:
            written.append((batch_indices, prediction.tolist(), batch_idx, dataloader_idx))

        def write_on_epoch_end(self, trainer, pl_module, predictions, batch_indices) -> None:
            written.append(([each.tolist() for each in predictions], batch_indices))

    class Model(facula_lightning.LightningModule):
        def predict_step(self, batch: Any, batch_idx: int) -> Any:
            return batch * 2

    quiet = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
    loader = facula.utils.data.DataLoader(facula.arange(5.0), batch_size=2)
    facula_lightning.Trainer(callbacks=[Writer("batch_and_epoch")], **quiet).predict(Model(), loader)
    assert written[:3] == [([0, 1], [0.0, 2.0], 0, 0), ([2, 3], [4.0, 6.0], 1, 0), ([4], [8.0], 2, 0)]
    assert written[3] == ([[0.0, 2.0], [4.0, 6.0], [8.0]], [[[0, 1], [2, 3], [4]]])
    with pytest.raises(Exception, match="write_interval"):
        callbacks.BasePredictionWriter("step")
