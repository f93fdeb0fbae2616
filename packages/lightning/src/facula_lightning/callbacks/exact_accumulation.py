"""ExactGradientAccumulation: accumulated batches count by their sizes, as in one large batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor
from facula.optim import Optimizer

from facula_lightning.callbacks.callback import Callback
from facula_lightning.utilities.data import extract_batch_size
from facula_lightning.utilities.exceptions import MisconfigurationException

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class ExactGradientAccumulation(Callback):
    """Makes the gradients of ``Trainer(accumulate_grad_batches=N)`` those of one batch of all samples of a window.

    By itself the trainer, like Lightning, divides each loss by N: a smaller last batch counts as much as the others, and a
    window that the epoch's end cuts short steps less far. ``size`` returns by how much a batch counts, the number of what its
    loss is a mean over: samples by default, tokens that are not masked where the loss is a mean over those.

    >>> ExactGradientAccumulation(size=lambda batch: (batch["labels"] != -100).sum()).state_dict()
    {'newest': 0.0, 'total': 0.0}
    """

    def __init__(self, size: Callable[[Any], float | Tensor] | None = None) -> None:
        self._size = extract_batch_size if size is None else size
        self._batch: Any = None
        #: Sizes of the newest batch of the window, and of all of them.
        self._newest = self._total = 0.0
        self._before = (0.0, 0.0)
        self._trainer: Trainer | None = None

    def state_dict(self) -> dict[str, Any]:
        """Return the sizes of an unfinished window: before the batch under way, where that will be done again."""
        again = self._trainer is not None and self._trainer.fit_loop.interrupted_batch
        newest, total = self._before if again else (self._newest, self._total)
        return {"newest": newest, "total": total}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned."""
        self._newest, self._total = state_dict["newest"], state_dict["total"]

    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Refuse what decides on windows itself."""
        if not pl_module.automatic_optimization or trainer._optimization.named is not None:
            raise MisconfigurationException("ExactGradientAccumulation needs automatic optimization with one optimizer")
        self._trainer = trainer

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Remember the batch."""
        self._batch = batch
        self._before = (self._newest, self._total)

    def on_before_zero_grad(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Begin a window."""
        self._newest = self._total = 0.0

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Tensor) -> None:
        """Scale the gradients so far, so that those of this batch, which are added as they are, count by its size."""
        size = self._size_in_all_processes(trainer)
        if self._newest and self._newest != size:
            _scale(trainer.optimizers[0], self._newest / size)
        self._newest = size
        self._total += size

    def on_before_optimizer_step(self, trainer: Trainer, pl_module: LightningModule, optimizer: Optimizer) -> None:
        """Scale the sum to a mean over the window."""
        if self._total:
            _scale(optimizer, self._newest * trainer.accumulate_grad_batches / self._total)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Forget the batch."""
        self._batch = None

    def _size_in_all_processes(self, trainer: Trainer) -> float:
        size = float(self._size(self._batch))
        if trainer.strategy.is_distributed:
            # What a process repeats where nothing was left for it does not count.
            own = size if trainer._optimization.weight else 0.0
            size = trainer.strategy.reduce(facula.tensor(own, device=trainer.device), reduce_op="sum").item()
        if size <= 0:
            raise ValueError(f"expected a positive size of each batch, got {size}")
        return size


def _scale(optimizer: Optimizer, factor: float) -> None:
    if factor == 1.0:
        return
    with facula.no_grad():
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.grad.mul_(factor)
