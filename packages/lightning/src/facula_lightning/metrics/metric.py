"""Metric: a number kept up to date batch by batch, over all processes."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import facula
from facula import Tensor, nn

#: How the states of two parts of the data become that of both.
_COMBINED: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "sum": lambda a, b: a + b,
    "max": facula.maximum,
    "min": facula.minimum,
}


class Metric(nn.Module, ABC):
    """Base of metrics, with torchmetrics' protocol: ``update`` takes in a batch, ``compute`` returns the result so far.

    Calling a metric updates it and returns the result of the batch alone. A subclass declares its state with `add_state` and
    writes ``update`` and ``compute``; where several processes run, ``compute`` is of what all of them have taken in.

    >>> class Count(Metric):
    ...     def __init__(self) -> None:
    ...         super().__init__()
    ...         self.add_state("seen", facula.tensor(0), "sum")
    ...     def update(self, batch: Tensor) -> None:
    ...         self.seen += len(batch)
    ...     def compute(self) -> Tensor:
    ...         return self.seen
    >>> count = Count()
    >>> count(facula.zeros(3)), count(facula.zeros(4)), count.compute()
    (tensor(3), tensor(4), tensor(7))
    """

    def __init__(self) -> None:
        super().__init__()
        self._defaults: dict[str, Tensor | list[Tensor]] = {}
        self._reductions: dict[str, str | None] = {}
        self._update_count = 0
        self._computed: Any = None
        self._forward_cache: Any = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "update" in vars(cls):
            setattr(cls, "update", _counting(vars(cls)["update"]))  # noqa: B010
        if "compute" in vars(cls):
            setattr(cls, "compute", _over_processes(vars(cls)["compute"]))  # noqa: B010

    @abstractmethod
    def update(self, *args: Any, **kwargs: Any) -> None:
        """Take in a batch."""

    @abstractmethod
    def compute(self) -> Any:
        """Return the result for all that was taken in since the last `reset`."""

    def add_state(
        self, name: str, default: Tensor | list[Tensor], dist_reduce_fx: str | None = None, persistent: bool = False
    ) -> None:
        """Declare a state: a tensor that parts of the data are combined in by "sum", "min" or "max", or an empty list of
        tensors that are joined ("cat"). ``persistent`` puts it into the ``state_dict``.
        """
        if isinstance(default, list):
            if default or dist_reduce_fx not in ("cat", None):
                raise ValueError(f"state {name!r}: a list begins empty and is joined by 'cat', got {dist_reduce_fx!r}")
            setattr(self, name, [])
            self._defaults[name], self._reductions[name] = [], "cat"
            return
        if dist_reduce_fx not in _COMBINED:
            raise ValueError(f"state {name!r}: expected 'sum', 'min' or 'max' for a tensor, got {dist_reduce_fx!r}")
        self.register_buffer(name, default.clone(), persistent=persistent)
        self._defaults[name], self._reductions[name] = default.clone(), dist_reduce_fx

    @property
    def metric_state(self) -> dict[str, Tensor | list[Tensor]]:
        """The states by name."""
        return {name: getattr(self, name) for name in self._defaults}

    @property
    def update_count(self) -> int:
        """How many batches were taken in since the last `reset`."""
        return self._update_count

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Take in a batch and return the result of this batch alone."""
        before, count = self.metric_state, self._update_count
        self.reset()
        self.update(*args, **kwargs)
        batch_value = self.compute.of_this_process(self)  # type: ignore[attr-defined]
        self._take(_joined([before, self.metric_state], self._reductions) if count else self.metric_state)
        self._update_count = count + 1
        self._computed = None
        self._forward_cache = batch_value
        return batch_value

    def reset(self) -> None:
        """Forget everything taken in."""
        self._update_count = 0
        self._computed = self._forward_cache = None
        for name, default in self._defaults.items():
            kept = getattr(self, name)
            setattr(self, name, default.clone().to(device=kept.device) if isinstance(default, Tensor) else [])

    def clone(self) -> Metric:
        """Return a copy with its own state."""
        return copy.deepcopy(self)

    def _take(self, states: dict[str, Tensor | list[Tensor]]) -> None:
        for name, state in states.items():
            setattr(self, name, state)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Metric:
        result: Metric = super()._apply(fn, recurse)
        for name, default in self._defaults.items():
            if isinstance(default, list):
                setattr(self, name, [fn(each) for each in getattr(self, name)])
        return result

    def extra_repr(self) -> str:
        """Return nothing: a metric shows its class only."""
        return ""


def _joined(
    states: Sequence[dict[str, Tensor | list[Tensor]]], reductions: dict[str, str | None]
) -> dict[str, Tensor | list[Tensor]]:
    """Return the state of all the data that several states are of parts of."""
    whole = dict(states[0])
    for other in states[1:]:
        for name, reduction in reductions.items():
            mine: Any = whole[name]
            theirs: Any = other[name]
            # Lists are joined by +, as lists are.
            whole[name] = mine + theirs if reduction == "cat" else _COMBINED[str(reduction)](mine, theirs)
    return whole


def _counting(update: Callable[..., None]) -> Callable[..., None]:
    def counted(self: Metric, *args: Any, **kwargs: Any) -> None:
        self._computed = None
        self._update_count += 1
        with facula.no_grad():
            update(self, *args, **kwargs)

    counted.__doc__ = update.__doc__
    return counted


def _over_processes(compute: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return ``compute`` of the states of all processes together, done once for each state."""

    def computed(self: Metric) -> Any:
        if self._computed is None:
            own = self.metric_state
            self._take(_joined(_states_of_all(own), self._reductions))
            try:
                with facula.no_grad():
                    self._computed = compute(self)
            finally:
                self._take(own)
        return self._computed

    computed.__doc__ = compute.__doc__
    computed.of_this_process = compute  # type: ignore[attr-defined]
    return computed


def _states_of_all(own: dict[str, Tensor | list[Tensor]]) -> list[dict[str, Tensor | list[Tensor]]]:
    from facula import distributed

    if not (distributed.is_available() and distributed.is_initialized()) or distributed.get_world_size() == 1:
        return [own]
    found: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(found, own)
    return found
