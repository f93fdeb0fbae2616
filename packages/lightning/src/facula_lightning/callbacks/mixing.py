"""MixUp and LabelSmoothing: training batches with targets between classes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor
from facula.nn import functional as F

from facula_lightning.callbacks.callback import Callback

if TYPE_CHECKING:
    from facula_lightning.module import LightningModule
    from facula_lightning.trainer import Trainer


class LabelSmoothing(Callback):
    """Replaces the classes in training batches by probabilities: ``1 - smoothing`` for the class, the rest for all alike.

    With a cross entropy that is its ``label_smoothing``; validation has the classes as they are. ``target`` is where the
    targets (N), or rows (N, C) of probabilities, are in a batch. Szegedy et al. 2015, arXiv 1512.00567.

    >>> LabelSmoothing(0.1, num_classes=2).smoothed(facula.tensor([1]))
    tensor([[0.0500, 0.9500]])
    """

    def __init__(self, smoothing: float = 0.1, num_classes: int | None = None, target: int | str = 1) -> None:
        if not 0 <= smoothing <= 1:
            raise ValueError(f"expected a share from 0 to 1 for `smoothing`, got {smoothing}")
        self.smoothing = smoothing
        self.num_classes = num_classes
        self.target = target

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Replace the batch's targets."""
        _check_batch(batch, type(self).__name__)
        batch[self.target] = self.smoothed(batch[self.target])

    def smoothed(self, target: Tensor) -> Tensor:
        """Return probabilities (N, C) for classes (N) or for probabilities (N, C)."""
        rows = target if target.is_floating_point() else one_hot(target, self.num_classes, type(self).__name__)
        return rows * (1 - self.smoothing) + self.smoothing / rows.shape[-1]


class MixUp(Callback):
    """Mixes each sample of a training batch with another one of it, and their targets alike.

    The share of the first is drawn for each sample from a beta distribution, and is at least a half, as in fastai. Classes
    (N) become probabilities (N, ``num_classes``), which `cross_entropy` takes; floating-point targets are mixed as they are.
    Zhang et al. 2017, arXiv 1710.09412.

    >>> MixUp(0.4, num_classes=10).alpha
    0.4
    """

    def __init__(
        self, alpha: float = 0.4, num_classes: int | None = None, input: int | str = 0, target: int | str = 1
    ) -> None:
        if alpha <= 0:
            raise ValueError(f"expected a positive `alpha`, got {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes
        self.input = input
        self.target = target

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        """Mix the batch."""
        _check_batch(batch, type(self).__name__)
        x, y = batch[self.input], batch[self.target]
        if not y.is_floating_point():
            y = one_hot(y, self.num_classes, type(self).__name__)
        concentration = facula.tensor(float(self.alpha), device=x.device)
        share = facula.distributions.Beta(concentration, concentration).sample((len(x),))
        share = facula.maximum(share, 1 - share)
        other = facula.randperm(len(x)).to(x.device)
        batch[self.input], batch[self.target] = mixed(x, x[other], share), mixed(y, y[other], share)


def mixed(first: Tensor, second: Tensor, share: Tensor) -> Tensor:
    """Return ``share`` (N) of the first (N, …), and for the rest the second."""
    share = share.to(first.dtype).reshape((-1,) + (1,) * (first.ndim - 1))
    return first * share + second * (1 - share)


def one_hot(target: Tensor, num_classes: int | None, owner: str) -> Tensor:
    """Return rows (N, C) of probabilities for classes (N)."""
    if num_classes is None:
        raise ValueError(f"{owner} needs `num_classes` where targets are numbers of classes")
    return F.one_hot(target.long(), num_classes).to(facula.get_default_dtype())


def _check_batch(batch: object, owner: str) -> None:
    if not isinstance(batch, (list, dict)):
        raise TypeError(
            f"{owner} replaces parts of batches, which should be lists or dictionaries, got {type(batch).__name__}"
        )
