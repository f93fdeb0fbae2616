"""Logged numbers: how each is accumulated and under which names it appears."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import facula
from facula import Tensor

REDUCTIONS = ("mean", "sum", "min", "max")
#: What a number may be drawn over instead of the step.
OTHER_AXES = ("epoch", "samples", "tokens")


@dataclass
class LoggedNumber:
    """A number logged in one hook under one name: the last value and the running reduction."""

    name: str
    prog_bar: bool
    logger: bool
    on_step: bool
    on_epoch: bool
    reduce_fx: str
    dataloader_idx: int | None = None
    #: The axis that the loggers are to draw it over; None for the step.
    x: str | None = None
    value: Tensor | None = None
    total: Tensor | None = None
    weight: float = 0
    fresh: bool = False
    #: What `self.log` was called with last.
    asked: tuple[Any, ...] | None = None

    def settings(self) -> tuple[bool, bool, bool, bool, str, str | None]:
        """Return what has to stay the same from call to call."""
        return (self.prog_bar, self.logger, self.on_step, self.on_epoch, self.reduce_fx, self.x)

    def update(self, value: Tensor, batch_size: int) -> None:
        """Take in the value of a batch."""
        self.value = value
        self.fresh = True
        if not self.on_epoch:
            return
        if not value.is_floating_point():
            value = value.to(facula.get_default_dtype())
        if self.reduce_fx == "mean":
            part = value * batch_size
            self.total = part if self.total is None else self.total + part
            self.weight += batch_size
        elif self.total is None:
            self.total = value.clone()
        elif self.reduce_fx == "sum":
            self.total = self.total + value
        elif self.reduce_fx == "min":
            self.total = facula.minimum(self.total, value)
        else:
            self.total = facula.maximum(self.total, value)

    def reduced(self) -> Tensor:
        """Return the reduction over all batches so far."""
        assert self.total is not None
        return self.total / self.weight if self.reduce_fx == "mean" else self.total


@dataclass
class LoggedMetric:
    """A metric object logged in one hook under one name; it accumulates by itself, over all processes."""

    name: str
    prog_bar: bool
    logger: bool
    on_step: bool
    on_epoch: bool
    #: The attribute of the module that it is, by which it is found again after a resume.
    attribute: str
    dataloader_idx: int | None = None
    x: str | None = None
    metric: Any = None
    fresh: bool = False

    def settings(self) -> tuple[bool, bool, bool, bool, str, str | None]:
        """Return what has to stay the same from call to call."""
        return (self.prog_bar, self.logger, self.on_step, self.on_epoch, self.attribute, self.x)

    @property
    def batch_value(self) -> Any:
        """The result of the batch, where the metric keeps it."""
        return getattr(self.metric, "_forward_cache", None)

    def of_step(self) -> Tensor:
        """Return the result of the batch, where the metric keeps it, else that of all so far."""
        batch_value = self.batch_value
        return _as_number(self.metric.compute() if batch_value is None else batch_value)


def _as_number(value: Any) -> Tensor:
    if isinstance(value, Tensor):
        return value.detach()
    return facula.tensor(float(value), dtype=facula.get_default_dtype())


class Results:
    """All that was logged in one epoch of one kind (training, validation, test)."""

    def __init__(self) -> None:
        self.items: dict[tuple[str | int, ...], LoggedNumber] = {}
        self.objects: dict[tuple[str | int, ...], LoggedMetric] = {}
        #: Gives the objects of all processes for one's own, where there are several.
        self.gather: Callable[[Any], list[Any]] | None = None

    def __bool__(self) -> bool:
        """Return whether anything was logged."""
        return bool(self.items or self.objects)

    def reset(self) -> None:
        """Forget everything; metric objects begin anew."""
        self.items.clear()
        for each in self.objects.values():
            if each.metric is not None:
                each.metric.reset()
        self.objects.clear()

    def begin_batch(self) -> None:
        """Mark all step values as belonging to an earlier batch."""
        for item in self.items.values():
            item.fresh = False
        for each in self.objects.values():
            each.fresh = False

    def metrics(self, on_step: bool, alone: bool = False) -> dict[str, dict[str, Tensor]]:
        """Return what goes to the callbacks, to the loggers and to the progress bar: of this step, or of the epoch.

        A process that asks ``alone`` is not told of a step what the others would have to be asked for. What the loggers are
        to draw over another axis than the step is under the name of that axis.
        """
        found: dict[str, dict[str, Tensor]] = {"callback": {}, "log": {}, "pbar": {}}
        items = self.items if on_step or self.gather is None else merged(self.gather(self.state_dict()))
        for item in items.values():
            if on_step:
                if not item.on_step or not item.fresh or item.value is None:
                    continue
                value = item.value
            else:
                if not item.on_epoch or item.total is None:
                    continue
                value = item.reduced()
            _put(found, item, value, on_step)
        for each in self.objects.values():
            if on_step and each.on_step and each.fresh:
                if alone and self.gather is not None and each.batch_value is None:
                    continue
                _put(found, each, each.of_step(), on_step)
            elif not on_step and each.on_epoch and each.metric is not None:
                _put(found, each, _as_number(each.metric.compute()), on_step)
        return found

    def state_dict(self) -> list[dict[str, Any]]:
        """Return everything as plain data and tensors."""
        numbers = [{"key": list(key), **vars(item), "asked": None} for key, item in self.items.items()]
        # What a metric has accumulated is saved as part of the module.
        objects = [{"key": list(key), **vars(each), "metric": None} for key, each in self.objects.items()]
        return numbers + objects

    def load_state_dict(self, state: list[dict[str, Any]]) -> None:
        """Take back what `state_dict` returned."""
        self.items, self.objects = {}, {}
        for each in state:
            key, values = tuple(each["key"]), {name: value for name, value in each.items() if name != "key"}
            if "attribute" in values:
                self.objects[key] = LoggedMetric(**values)
            else:
                self.items[key] = LoggedNumber(**values)

    def find_metrics(self, module: object) -> None:
        """Find the metrics that were logged before a resume in the module."""
        for each in self.objects.values():
            if each.metric is None:
                found: Any = module
                for name in each.attribute.split("."):
                    found = getattr(found, name, None)
                each.metric = found


def _put(found: dict[str, dict[str, Tensor]], item: LoggedNumber | LoggedMetric, value: Tensor, on_step: bool) -> None:
    """Put a value under its names into what goes to the callbacks, to the loggers and to the progress bar."""
    # With the loader's number, when there are several.
    name = forked = item.name if item.dataloader_idx is None else f"{item.name}/dataloader_idx_{item.dataloader_idx}"
    if item.on_step and item.on_epoch:
        # The loader's number comes after the suffix: "loss_epoch/dataloader_idx_0".
        suffix = "_step" if on_step else "_epoch"
        forked = item.name + suffix + name[len(item.name) :]
    if item.logger:
        found.setdefault(item.x or "log", {})[forked] = value
    found["callback"][name] = value
    found["callback"][forked] = value
    if item.prog_bar:
        found["pbar"][forked] = value


def merged(states: Sequence[list[dict[str, Any]]]) -> dict[tuple[str | int, ...], LoggedNumber]:
    """Return what one process would have accumulated that had seen the batches of all.

    A number that not all have logged is that of those who have.
    """
    whole: dict[tuple[str | int, ...], LoggedNumber] = {}
    for state in states:
        own = Results()
        own.load_state_dict(state)
        for key, item in own.items.items():
            if item.total is None:
                whole.setdefault(key, item)
                continue
            found = whole.get(key)
            if found is None or found.total is None:
                whole[key] = item
            elif item.reduce_fx in ("mean", "sum"):
                found.total = found.total + item.total.to(found.total.device)
                found.weight += item.weight
            else:
                combine = facula.minimum if item.reduce_fx == "min" else facula.maximum
                found.total = combine(found.total, item.total.to(found.total.device))
    return whole
