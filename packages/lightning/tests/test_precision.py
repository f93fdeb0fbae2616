"""Precisions: types of weights and steps, scaled losses, and the same numbers as Lightning's."""

from pathlib import Path

import facula
import pytest
from facula import nn
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import Callback
from facula_lightning.plugins import (
    DoublePrecision,
    HalfPrecision,
    MixedPrecision,
    Precision,
    TorchCheckpointIO,
)
from facula_lightning.utilities import MisconfigurationException

pytestmark = pytest.mark.filterwarnings("ignore:You defined a `validation_step` but have no `val_dataloader`")


class Model(LightningModule):
    def __init__(self, manual: bool = False) -> None:
        super().__init__()
        self.automatic_optimization = not manual
        self.layer = nn.Linear(3, 1)
        self.seen: list[tuple] = []
        self.poisoned = -1

    def step(self, batch):
        x, y = batch
        out = self.layer(x)
        self.seen.append((self.layer.weight.dtype, x.dtype, out.dtype, facula.zeros(1).dtype))
        return (out - y).pow(2).mean()

    def training_step(self, batch, batch_idx):
        loss = self.step(batch)
        if batch_idx == self.poisoned:
            loss = loss * float("inf")
        if not self.automatic_optimization:
            optimizer = self.optimizers()
            optimizer.zero_grad()
            self.manual_backward(loss)
            optimizer.step()
        return loss

    def validation_step(self, batch, batch_idx):
        self.log("val", self.step(batch))

    test_step = validation_step

    def predict_step(self, batch, batch_idx):
        return self.layer(batch[0])

    def configure_optimizers(self):
        return facula.optim.SGD(self.parameters(), lr=0.1)


def data() -> DataLoader:
    x = facula.randn(16, 3, generator=facula.Generator().manual_seed(0))
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), 4)


def trainer(folder: Path, **settings) -> Trainer:
    usual = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder}
    return Trainer(**{"max_epochs": 1, "accelerator": "cpu", "enable_checkpointing": False, **usual, **settings})


def scaled() -> MixedPrecision:
    """Return a precision whose scale is too small for any gradient here to overflow."""
    return MixedPrecision("16-mixed", "cpu", facula.amp.GradScaler("cpu", init_scale=2.0**8))


f16, bf16, f32, f64 = facula.float16, facula.bfloat16, facula.float32, facula.float64
TYPES = {
    "32-true": (f32, f32, f32, f32),
    "64-true": (f64, f64, f64, f64),
    "16-true": (f16, f16, f16, f16),
    "bf16-true": (bf16, bf16, bf16, bf16),
    "16-mixed": (f32, f32, f16, f32),
    "bf16-mixed": (f32, f32, bf16, f32),
}


@pytest.mark.parametrize("precision", TYPES)
def test_types_of_weights_batches_results_and_new_tensors(precision: str, tmp_path: Path) -> None:
    model = Model()
    run = trainer(tmp_path, precision=precision)
    run.fit(model, data(), data())
    run.test(model, data(), verbose=False)
    predictions = run.predict(model, data())
    assert set(model.seen) == {TYPES[precision]}
    assert predictions[0].dtype == TYPES[precision][2]
    assert run.precision == precision
    assert facula.get_default_dtype() == f32
    with run.init_module():
        assert nn.Linear(1, 1).weight.dtype == TYPES[precision][0]


@pytest.mark.parametrize(
    ("given", "name", "plugin"),
    [
        (None, "32-true", Precision),
        (32, "32-true", Precision),
        ("64", "64-true", DoublePrecision),
        (16, "16-mixed", MixedPrecision),
        ("bf16", "bf16-mixed", MixedPrecision),
        ("bf16-true", "bf16-true", HalfPrecision),
    ],
)
def test_names_and_aliases(given, name: str, plugin: type, tmp_path: Path) -> None:
    run = trainer(tmp_path, precision=given)
    assert (run.precision, type(run.precision_plugin)) == (name, plugin)
    assert (run.scaler is not None) == (name == "16-mixed")


@pytest.mark.parametrize("manual", [False, True])
def test_a_scaled_run_is_an_unscaled_one(manual: bool, tmp_path: Path) -> None:
    """In powers of two scaling loses nothing: bfloat16 with a scaler gives the very weights that it gives without."""
    results = []
    for scaled in (False, True):
        facula.manual_seed(1)
        model = Model(manual)
        plugin = MixedPrecision("bf16-mixed", "cpu")
        if scaled:
            plugin.scaler = facula.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
        clipping = {} if manual else {"gradient_clip_val": 0.5, "accumulate_grad_batches": 2}
        trainer(tmp_path, plugins=[plugin], **clipping).fit(model, data())
        results.append(model.layer.weight.tolist())
    assert results[0] == results[1]
    assert plugin.scaler.get_scale() == 2.0 ** (12 if manual else 11)


def test_gradients_are_unscaled_where_they_are_seen_and_clipped(tmp_path: Path) -> None:
    norms = []

    class Watch(Callback):
        def on_before_optimizer_step(self, trainer, pl_module, optimizer):
            norms.append(pl_module.layer.weight.grad.norm().item())

    class Clipping(Model):
        def configure_gradient_clipping(self, optimizer, gradient_clip_val, gradient_clip_algorithm):
            super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)
            norms.append(nn.utils.clip_grad_norm_(self.parameters(), 1e9).item())

    trainer(tmp_path, plugins=[scaled()], gradient_clip_val=0.25, callbacks=[Watch()]).fit(Clipping(), data())
    assert all(0.25 < before < 100 for before in norms[::2])
    assert all(after == pytest.approx(0.25, rel=1e-3) for after in norms[1::2])


def test_steps_with_infinite_gradients_are_skipped(tmp_path: Path) -> None:
    model = Model()
    model.poisoned = 2
    weights = []

    class Watch(Callback):
        def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
            weights.append(pl_module.layer.weight.tolist())

    run = trainer(tmp_path, plugins=[scaled()], callbacks=[Watch()])
    run.fit(model, data())
    assert weights[2] == weights[1] != weights[0]
    assert weights[3] != weights[2]
    assert run.scaler.get_scale() == 2.0**7


def test_the_scale_goes_through_checkpoints(tmp_path: Path) -> None:
    model = Model()
    model.poisoned = 2
    run = trainer(tmp_path, plugins=scaled())
    run.fit(model, data())
    run.save_checkpoint(tmp_path / "a.ckpt")
    again = trainer(tmp_path, precision="16-mixed", max_epochs=2)
    again.fit(Model(), data(), ckpt_path=tmp_path / "a.ckpt")
    assert again.scaler.get_scale() == 2.0**7
    assert again.scaler.state_dict()["_growth_tracker"] == 1 + 4


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Precision '8' is invalid"):
        trainer(tmp_path, precision="8")
    with pytest.raises(ValueError, match="Received both"):
        trainer(tmp_path, precision="16", plugins=[DoublePrecision()])
    with pytest.raises(MisconfigurationException, match="multiple values for Precision"):
        trainer(tmp_path, plugins=[DoublePrecision(), Precision()])
    with pytest.raises(MisconfigurationException, match="multiple values for CheckpointIO"):
        trainer(tmp_path, plugins=[TorchCheckpointIO(), TorchCheckpointIO()])
    with pytest.raises(MisconfigurationException, match="invalid type for plugin"):
        trainer(tmp_path, plugins=["no plugin"])
    with pytest.raises(MisconfigurationException, match="does not use a scaler"):
        MixedPrecision("bf16-mixed", "cpu", facula.amp.GradScaler("cpu"))
    with pytest.raises(ValueError, match="'16-true' or 'bf16-true'"):
        HalfPrecision("16")

    class Second(Model):
        def configure_optimizers(self):
            return facula.optim.LBFGS(self.parameters())

    with pytest.raises(MisconfigurationException, match="LBFGS"):
        trainer(tmp_path, precision="16-mixed").fit(Second(), data())


@pytest.mark.parametrize("precision", ["64-true", "bf16-true", "bf16-mixed"])
def test_the_weights_are_those_of_lightning(precision: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    lightning = pytest.importorskip("pytorch_lightning")
    import warnings

    class Theirs(lightning.LightningModule):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Linear(3, 1)

        def training_step(self, batch, batch_idx):
            x, y = batch
            return (self.layer(x) - y).pow(2).mean()

        def configure_optimizers(self):
            return torch.optim.SGD(self.parameters(), lr=0.1)

    model, theirs = Model(), Theirs()
    theirs.load_state_dict({name: torch.from_numpy(each.numpy().copy()) for name, each in model.state_dict().items()})
    tensors = [torch.from_numpy(each.numpy().copy()) for each in data().dataset.tensors]
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(*tensors), 4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        lightning.Trainer(
            max_epochs=1, accelerator="cpu", precision=precision, logger=False, enable_checkpointing=False,
            gradient_clip_val=0.5, enable_progress_bar=False, enable_model_summary=False,
        ).fit(theirs, loader)  # fmt: skip
    trainer(tmp_path, precision=precision, gradient_clip_val=0.5).fit(model, data())
    expected = facula.tensor(theirs.layer.weight.double().tolist(), dtype=f64)
    tolerance = 1e-10 if precision == "64-true" else 0.01
    facula.testing.assert_close(model.layer.weight.detach().double(), expected, rtol=0, atol=tolerance)
