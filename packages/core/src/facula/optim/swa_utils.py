"""Averages of a model's weights over training: stochastic weight averaging, and exponential moving averages."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any

from facula.creation import tensor
from facula.devices import device as Device
from facula.dtypes import int64
from facula.graph.modes import no_grad
from facula.nn.module import Module
from facula.nn.modules.normalization import _BatchNorm
from facula.optim.lr_scheduler.schedule import LRScheduler, Rates, for_each, number_of
from facula.optim.optimizer import Optimizer
from facula.tensor import Tensor

__all__ = [
    "AveragedModel",
    "SWALR",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

#: Of an average, a new value and the number of values before it: the new average.
Average = Callable[[Tensor, Tensor, Tensor | int], Tensor]
#: The same for lists of tensors, in place.
MultiAverage = Callable[[Sequence[Tensor], Sequence[Tensor], Tensor | int], None]


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def get_ema_avg_fn(decay: float = 0.999) -> Average:
    """Return the function for an exponential moving average, for `AveragedModel`."""
    _check_decay(decay)

    @no_grad()
    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        return decay * averaged + (1 - decay) * current

    return average


def get_swa_avg_fn() -> Average:
    """Return the function for an equally weighted average, for `AveragedModel`."""

    @no_grad()
    def average(averaged: Tensor, current: Tensor, count: Tensor | int) -> Tensor:
        return averaged + (current - averaged) / (count + 1)

    return average


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAverage:
    """Return the function for exponential moving averages of several tensors, for `AveragedModel`."""
    _check_decay(decay)

    @no_grad()
    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point() or mean.is_complex():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(mean * decay + value * (1 - decay))

    return average


def get_swa_multi_avg_fn() -> MultiAverage:
    """Return the function for equally weighted averages of several tensors, for `AveragedModel`."""

    @no_grad()
    def average(averaged: Sequence[Tensor], current: Sequence[Tensor], count: Tensor | int) -> None:
        share = 1 / (float(count) + 1)
        for mean, value in zip(averaged, current, strict=True):
            if mean.is_floating_point() or mean.is_complex():
                mean.lerp_(value, share)
            else:
                mean.copy_(mean + (value - mean) / (count + 1))

    return average


class AveragedModel(Module):
    """A copy of a model whose parameters are averages. Izmailov et al. 2018, arXiv 1803.05407.

    ``update_parameters(model)`` takes the parameters of a model into the average, equally weighted unless ``avg_fn`` or
    ``multi_avg_fn`` say otherwise. Buffers are averaged with ``use_buffers``, else copied.

    >>> averaged = facula.optim.swa_utils.AveragedModel(facula.nn.Linear(2, 1))
    >>> averaged.update_parameters(facula.nn.Linear(2, 1))
    >>> averaged.n_averaged
    tensor(1)
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: Module,
        device: Device | str | int | None = None,
        avg_fn: Average | None = None,
        multi_avg_fn: MultiAverage | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = copy.deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the averaged model gives."""
        return self.module(*args, **kwargs)

    def _tensors(self, model: Module) -> list[Tensor]:
        found: Iterable[Tensor] = model.parameters()
        if self.use_buffers:
            found = chain(found, model.buffers())
        return [each.detach() for each in found]

    @no_grad()
    def update_parameters(self, model: Module) -> None:
        """Take the parameters of a model into the average."""
        averaged = self._tensors(self.module)
        current = [value.to(mean.device) for mean, value in zip(averaged, self._tensors(model), strict=False)]
        if self.n_averaged == 0:
            for mean, value in zip(averaged, current, strict=False):
                mean.copy_(value)
        elif self.avg_fn is not None:
            for mean, value in zip(averaged, current, strict=True):
                mean.copy_(self.avg_fn(mean, value, self.n_averaged.to(mean.device)))
        else:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averaged, current, self.n_averaged)
        if not self.use_buffers:
            for mine, theirs in zip(self.module.buffers(), model.buffers(), strict=True):
                mine.detach().copy_(theirs.detach().to(mine.device))
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Device | str | int | None = None) -> None:
    """Set the statistics of a model's batch norms to those of one pass over ``loader``.

    A batch is the model's input, or a list or tuple that begins with it.
    """
    norms = [each for each in model.modules() if isinstance(each, _BatchNorm)]
    if not norms:
        return
    momenta = [each.momentum for each in norms]
    for each in norms:
        each.reset_running_stats()
        each.momentum = None  # the mean over all batches
    was_training = model.training
    model.train()
    for batch in loader:
        input = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(input if device is None else input.to(device))
    for each, momentum in zip(norms, momenta, strict=True):
        each.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """Goes from the present learning rate to ``swa_lr`` in ``anneal_epochs`` steps, and stays there."""

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: float | Sequence[float],
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for rate, group in zip(for_each(swa_lr, len(optimizer.param_groups), "swa_lr"), optimizer.param_groups):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """Return the share of ``swa_lr`` at a part ``t`` of the way."""
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def _share(self, step: int) -> float:
        return self.anneal_func(max(0.0, min(1.0, step / max(1, self.anneal_epochs))))

    def get_lr(self) -> Rates:
        """Return the rates between the first ones, worked out from the present ones, and ``swa_lr``."""
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        before, now = self._share(step - 1), self._share(step)
        rates = []
        for group in self.optimizer.param_groups:
            rate, goal = number_of(group["lr"]), number_of(group["swa_lr"])
            first = goal if before == 1 else (rate - before * goal) / (1 - before)
            rates.append(goal * now + first * (1 - now))
        return rates
