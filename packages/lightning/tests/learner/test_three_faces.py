"""One engine: the Trainer, a loop on Fabric and `fit` give the same weights, bit for bit."""

from __future__ import annotations

import facula
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula.utils.data import DataLoader, TensorDataset
from facula_lightning import Fabric, LightningModule, Trainer, fit, seed_everything

QUIET = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False, "enable_model_summary": False}


def network() -> nn.Module:
    seed_everything(5, verbose=False)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 3))


def samples() -> tuple[Tensor, Tensor]:
    x = facula.randn(50, 4, generator=facula.Generator().manual_seed(2))
    return x, x[:, :3].argmax(1)


def by_trainer(precision: str) -> nn.Module:
    class Module(LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network()

        def training_step(self, batch: list[Tensor], batch_idx: int) -> Tensor:
            return F.cross_entropy(self.network(batch[0]), batch[1])

        def configure_optimizers(self) -> facula.optim.Optimizer:
            return facula.optim.AdamW(self.parameters(), lr=0.01)

    module = Module()
    trainer = Trainer(max_epochs=3, gradient_clip_val=0.5, precision=precision, accelerator="cpu", **QUIET)
    trainer.fit(module, DataLoader(TensorDataset(*samples()), 8, shuffle=True))
    return module.network


class WithLoss(nn.Module):
    """The loss is computed in the same precision as the network's answer: Fabric gives answers in the usual type."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.cross_entropy(self.network(x), y)


def by_fabric(precision: str) -> nn.Module:
    fabric = Fabric(accelerator="cpu", precision=precision)
    own = network()
    model, optimizer = fabric.setup(WithLoss(own), facula.optim.AdamW(own.parameters(), lr=0.01))
    loader = fabric.setup_dataloaders(DataLoader(TensorDataset(*samples()), 8, shuffle=True))
    for _ in range(3):
        for x, y in loader:
            loss = model(x, y)
            optimizer.zero_grad()
            fabric.backward(loss)
            fabric.clip_gradients(model, optimizer, max_norm=0.5, error_if_nonfinite=False)
            optimizer.step()
    return own


def by_fit(precision: str) -> nn.Module:
    model = network()
    fit(
        model, samples(), "cross_entropy", "adamw", ["accuracy"], lr=0.01, epochs=3, batch_size=8, verbose=0,
        gradient_clip_val=0.5, precision=precision, accelerator="cpu",
    )  # fmt: skip
    return model


@pytest.mark.parametrize("precision", ["32-true", "64-true", "bf16-mixed"])
def test_the_same_weights_through_all_three(precision: str) -> None:
    start = [each.detach().clone() for each in network().parameters()]
    found = [list(face(precision).state_dict().values()) for face in (by_trainer, by_fabric, by_fit)]
    assert not any(facula.equal(first, last.to(first.dtype)) for first, last in zip(start, found[0]))
    for others in found[1:]:
        assert all(facula.equal(first.to(second.dtype), second) for first, second in zip(found[0], others, strict=True))


def test_an_array_and_a_loader_of_single_samples_are_one() -> None:
    found = []
    for data in (samples(), TensorDataset(*samples()), DataLoader(TensorDataset(*samples()), 32, shuffle=True)):
        model = network()
        history = fit(model, data, nn.CrossEntropyLoss, facula.optim.SGD, lr=0.1, epochs=2, verbose=0)
        found.append((history.history, [each.tolist() for each in model.parameters()]))
    assert found[0] == found[1] == found[2]
