"""class LRScheduler: steps, rates, state, and what schedules share."""

from __future__ import annotations

import warnings
from typing import Any

from facula.optim.optimizer import Optimizer

Rates = list[float]


class LRScheduler:
    """Base class of schedules: ``step()`` sets the learning rate of each group to what ``get_lr()`` returns.

    ``last_epoch`` counts steps; -1 starts anew. A subclass defines ``get_lr``, by the last rates or in closed form.
    """

    _is_initial = False

    def __init__(self, optimizer: Optimizer, last_epoch: int = -1) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        if last_epoch == -1:
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", group["lr"])
        else:
            for number, group in enumerate(optimizer.param_groups):
                if "initial_lr" not in group:
                    raise KeyError(
                        f"param 'initial_lr' is not specified in param_groups[{number}] when resuming scheduler with "
                        "last_epoch >= 0"
                    )
        self.base_lrs = [group["initial_lr"] for group in optimizer.param_groups]
        self.last_epoch = last_epoch
        self._step_count = 0
        self._get_lr_called_within_step = False
        _watch(optimizer)
        self._is_initial = True
        self.step()
        self._is_initial = False

    def state_dict(self) -> dict[str, Any]:
        """Return all settings and counts."""
        return {name: value for name, value in self.__dict__.items() if name != "optimizer"}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned."""
        self.__dict__.update(state_dict)

    def get_last_lr(self) -> Rates:
        """Return the rates set last."""
        return self._last_lr

    def get_lr(self) -> Rates:
        """Return the rates for the present step."""
        raise NotImplementedError(f"{type(self).__name__} defines no get_lr")

    def step(self, epoch: int | None = None) -> None:
        """Go one step on (or to step ``epoch``) and set the rates."""
        if self._step_count == 1 and not self._is_initial and not self.optimizer._was_stepped:  # type: ignore[attr-defined]
            warnings.warn(
                "Detected call of `lr_scheduler.step()` before `optimizer.step()`. You should call them in the "
                "opposite order: `optimizer.step()` before `lr_scheduler.step()`, or the first value of the schedule is "
                "skipped.",
                UserWarning,
                stacklevel=2,
            )
        self._step_count += 1
        self._get_lr_called_within_step = True
        try:
            if epoch is None:
                self.last_epoch += 1
                rates = self.get_lr()
            else:
                self.last_epoch = epoch
                closed = getattr(self, "_get_closed_form_lr", None)
                rates = self.get_lr() if closed is None else closed()
        finally:
            self._get_lr_called_within_step = False
        self._set(rates)

    def _set(self, rates: Rates) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            put(group, "lr", rate)
        self._last_lr = [number_of(group["lr"]) for group in self.optimizer.param_groups]

    def _rates(self) -> Rates:
        return [number_of(group["lr"]) for group in self.optimizer.param_groups]


def number_of(rate: Any) -> float:
    """Return a rate, which may be a tensor, as a number."""
    return rate.item() if hasattr(rate, "item") else rate


def put(group: dict[str, Any], name: str, value: float) -> None:
    """Set an option of a group, in place when it is a tensor."""
    if hasattr(group[name], "fill_"):
        group[name].fill_(value)
    else:
        group[name] = value


def _watch(optimizer: Optimizer) -> None:
    """Let the optimizer remember whether it was stepped, for the warning about order."""
    if not hasattr(optimizer, "_was_stepped"):
        optimizer._was_stepped = False  # type: ignore[attr-defined]

        def mark(stepped: Optimizer, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            stepped._was_stepped = True  # type: ignore[attr-defined]

        optimizer.register_step_post_hook(mark)


def for_each(value: object, count: int, name: str) -> list[Any]:
    """Return one value for each group; ValueError for a list of another length."""
    if isinstance(value, (list, tuple)):
        if len(value) != count:
            raise ValueError(f"Expected {count} {name}, but got {len(value)}")
        return list(value)
    return [value] * count


def set_momentum(group: dict[str, Any], value: float, use_beta1: bool) -> None:
    """Set the momentum of a group, or its first beta."""
    if use_beta1:
        group["betas"] = (value, *group["betas"][1:])
    else:
        group["momentum"] = value
