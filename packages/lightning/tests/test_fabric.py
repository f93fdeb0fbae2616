"""Fabric: the same weights as the trainer's, files, precision and what it refuses."""

from __future__ import annotations

import facula
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import LightningModule, Trainer
from facula_lightning.fabric import Fabric, is_wrapped
from facula_lightning.utilities import MisconfigurationException


class Small(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.2), nn.Tanh(), nn.Linear(8, 1))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
        return F.mse_loss(self.layers(batch[0]), batch[1])

    def configure_optimizers(self) -> facula.optim.Optimizer:
        return facula.optim.Adam(self.parameters(), lr=0.01)


def loader() -> DataLoader:
    generator = facula.Generator().manual_seed(3)
    x = facula.randn(20, 4, generator=generator)
    return DataLoader(TensorDataset(x, x.sum(1, keepdim=True)), batch_size=6, shuffle=True)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed", "64-true"])
def test_same_weights_as_the_trainer(precision: str) -> None:
    Fabric.seed_everything(1, verbose=False)
    trained = Small()
    trainer = Trainer(
        accelerator="cpu", max_epochs=2, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, gradient_clip_val=0.5, precision=precision,
    )  # fmt: skip
    trainer.fit(trained, loader())

    fabric = Fabric(accelerator="cpu", precision=precision)
    fabric.seed_everything(1, verbose=False)
    own = Small()
    before = own.layers[0].weight.detach().clone()
    model = fabric.setup_module(own)
    optimizer = fabric.setup_optimizers(own.configure_optimizers())
    batches = fabric.setup_dataloaders(loader())
    assert is_wrapped(model) and is_wrapped(optimizer) and is_wrapped(batches)
    for _ in range(2):
        for index, batch in enumerate(batches):
            loss = model.training_step(batch, index)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=0.5, error_if_nonfinite=False)
            optimizer.step()
    assert not facula.equal(before, own.layers[0].weight.to(before.dtype))
    for first, second in zip(trained.parameters(), own.parameters()):
        assert facula.equal(first.to(second.dtype), second)


def test_save_and_load(tmp_path) -> None:
    fabric = Fabric(accelerator="cpu")
    layer = nn.Linear(2, 1)
    model, optimizer = fabric.setup(layer, facula.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9))
    fabric.backward(model(facula.ones(3, 2)).sum())
    optimizer.step()
    fabric.save(tmp_path / "state.ckpt", {"model": model, "optimizer": optimizer, "step": 7, "more": 1})
    other = nn.Linear(2, 1)
    again, its = fabric.setup(other, facula.optim.SGD(other.parameters(), lr=0.3, momentum=0.9))
    state = {"model": again, "optimizer": its, "step": 0}
    assert fabric.load(tmp_path / "state.ckpt", state) == {"more": 1}
    assert state["step"] == 7 and its.param_groups[0]["lr"] == 0.1
    assert facula.equal(other.weight, layer.weight)
    with pytest.raises(KeyError, match="has no 'missing'"):
        fabric.load(tmp_path / "state.ckpt", {"missing": 1})


def test_refusals() -> None:
    fabric = Fabric(accelerator="cpu")
    model = fabric.setup(nn.Linear(1, 1))
    with pytest.raises(ValueError, match="only once"):
        fabric.setup(model)
    with pytest.raises(ValueError, match="at least one"):
        fabric.setup_optimizers()
    with pytest.raises(MisconfigurationException, match="one process"):
        Fabric(accelerator="cpu", strategy="ddp_spawn", devices=2)


def test_callbacks_and_launch() -> None:
    class Noting:
        seen: list[int] = []

        def on_step(self, number: int) -> None:
            self.seen.append(number)

    fabric = Fabric(accelerator="cpu", callbacks=Noting())
    assert fabric.launch(lambda given, number: given.call("on_step", number) or number, 4) == 4
    assert Noting.seen == [4]
