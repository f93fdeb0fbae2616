"""ExactGradientAccumulation: the steps are those of one large batch, whatever the sizes of its parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import facula
import pytest
from facula import Tensor, nn
from facula.nn import functional as F
from facula_lightning import LightningModule, Trainer
from facula_lightning.callbacks import (
    BackupAndRestore,
    Callback,
    Checkpoint,
    ExactGradientAccumulation,
    OnExceptionCheckpoint,
)
from facula_lightning.utilities.exceptions import MisconfigurationException

QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False}
X = facula.randn(30, 3, generator=facula.Generator().manual_seed(1), dtype=facula.float64)


class Module(LightningModule):
    def __init__(self) -> None:
        super().__init__()
        facula.manual_seed(0)
        self.layer = nn.Linear(3, 1).double()
        self.gradients: list[list[float]] = []

    def training_step(self, batch: Tensor, batch_idx: int) -> Tensor:
        return F.mse_loss(self.layer(batch), batch.prod(1, keepdim=True))

    def configure_gradient_clipping(self, optimizer: Any, gradient_clip_val: Any, gradient_clip_algorithm: Any) -> None:
        self.gradients.append([number for each in self.parameters() for number in each.grad.flatten().tolist()])
        super().configure_gradient_clipping(optimizer, gradient_clip_val, gradient_clip_algorithm)

    def configure_optimizers(self) -> Any:
        return facula.optim.SGD(self.parameters(), lr=0.1, momentum=0.9)


def parts(*sizes: int) -> list[Tensor]:
    return list(X.split([*sizes, 30 - sum(sizes)]))[: len(sizes)]


def gradients(
    batches: list[Any], window: int, *callbacks: Callback, module: Any = None, ckpt_path: Any = None
) -> list[Any]:
    module = Module() if module is None else module
    saves = any(isinstance(each, Checkpoint) for each in callbacks)
    trainer = Trainer(
        max_epochs=2, accumulate_grad_batches=window, callbacks=list(callbacks), gradient_clip_val=0.5,
        accelerator="cpu", enable_checkpointing=saves, **QUIET,
    )  # fmt: skip
    trainer.fit(module, batches, ckpt_path=ckpt_path)
    return module.gradients


@pytest.mark.parametrize(
    ("sizes", "window", "wholes"),
    [((8, 8, 7), 3, (23,)), ((8, 8, 7), 2, (16, 7)), ((1, 9, 4, 2, 6), 3, (14, 8)), ((5, 5, 5, 5), 2, (10, 10))],
)
def test_gradients_are_those_of_the_whole_window(sizes: Any, window: int, wholes: Any) -> None:
    wanted = gradients(parts(*wholes), 1)
    found = gradients(parts(*sizes), window, ExactGradientAccumulation())
    assert len(found) == len(wanted) == 2 * len(wholes)
    for one, other in zip(found, wanted):
        assert one == pytest.approx(other, rel=1e-12)
    # By itself the trainer does as Lightning: that is the same only where all parts are alike.
    alike = len(set(sizes)) == 1
    plain = gradients(parts(*sizes), window)
    assert (plain[0] == pytest.approx(wanted[0], rel=1e-12)) == (alike or sizes[:window] == (8, 8))
    if alike:
        assert found == plain
    if sizes == (8, 8, 7) and window == 2:
        # The last window has one batch of two, and half the gradient.
        assert [2 * each for each in plain[1]] == pytest.approx(wanted[1], rel=1e-12)


def test_the_size_may_be_the_number_of_tokens() -> None:
    class Tokens(Module):
        def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Tensor:
            chosen = batch["mask"]
            return F.mse_loss(self.layer(batch["x"])[chosen], batch["x"].prod(1, keepdim=True)[chosen])

    mask = facula.arange(30) % 7 < 3
    mask[:9] = True
    halves = [{"x": X[:10], "mask": mask[:10]}, {"x": X[10:], "mask": mask[10:]}]
    wanted = gradients([{"x": X, "mask": mask}], 1, module=Tokens())
    exact = ExactGradientAccumulation(size=lambda batch: batch["mask"].sum())
    assert gradients(halves, 2, exact, module=Tokens())[0] == pytest.approx(wanted[0], rel=1e-12)
    by_samples = gradients(halves, 2, ExactGradientAccumulation(), module=Tokens())
    assert by_samples[0] != pytest.approx(wanted[0], rel=1e-3)


class Stopping(Callback):
    def __init__(self, hook: str, at: int) -> None:
        self.calls = 0

        def call(*arguments: Any) -> None:
            self.calls += 1
            if self.calls == at:
                raise RuntimeError("stopped")

        setattr(self, hook, call)


@pytest.mark.parametrize("at", [2, 3, 5, 6])
def test_a_run_goes_on_within_a_window(at: int, tmp_path: Path) -> None:
    batches = parts(8, 5, 7, 4)
    wanted = gradients(batches, 3, ExactGradientAccumulation())
    with pytest.raises(RuntimeError, match="stopped"):
        gradients(
            batches, 3, ExactGradientAccumulation(), BackupAndRestore(tmp_path, 1), Stopping("on_train_batch_start", at)
        )
    found = gradients(batches, 3, ExactGradientAccumulation(), BackupAndRestore(tmp_path, 1))
    assert found == wanted[-len(found) :]
    # A batch that an error interrupted after its gradients were added is done again.
    keep = OnExceptionCheckpoint(tmp_path)
    with pytest.raises(RuntimeError, match="stopped"):
        gradients(batches, 3, ExactGradientAccumulation(), keep, Stopping("on_after_backward", at))
    found = gradients(batches, 3, ExactGradientAccumulation(), ckpt_path=keep.ckpt_path)
    assert found == wanted[-len(found) :]


def test_refusals() -> None:
    class Manual(Module):
        automatic_optimization = False

    with pytest.raises(MisconfigurationException, match="needs automatic optimization"):
        Trainer(
            max_epochs=1, callbacks=ExactGradientAccumulation(), accelerator="cpu", enable_checkpointing=False, **QUIET
        ).fit(Manual(), parts(3))  # fmt: skip
    with pytest.raises(ValueError, match="expected a positive size of each batch, got 0"):
        gradients(parts(3), 1, ExactGradientAccumulation(size=lambda batch: 0))
