"""Keeper: remembers objects and all that is in them, and puts it back in place."""

from __future__ import annotations

import copy
import io
import random
import types
import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import facula
import numpy as np
from facula import Generator, Tensor, nn
from facula.utils.data import DataLoader, Dataset

from facula_lightning.callbacks.callback import Callback
from facula_lightning.loggers.logger import Logger
from facula_lightning.strategies.strategy import Strategy
from facula_lightning.trainer.facts import RunFacts

#: What has nothing in it that could change, or is not ours to change.
_LEFT_ALONE = (
    *(
        bool,
        int,
        float,
        complex,
        str,
        bytes,
        type(None),
        type(...),
        type(NotImplemented),
        np.generic,
        np.dtype,
        np.memmap,
    ),
    *(type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, weakref.ref),
    *(facula.dtype, facula.device, RunFacts, Logger, Callback, Strategy, Dataset, DataLoader),
)
_RANDOM = (Generator, np.random.Generator, np.random.RandomState, random.Random)
#: How far, and in how long lists, generators of random numbers are looked for in data.
_DEPTH, _LENGTH = 8, 100


class _Connection(Exception):
    """An object that is connected to the outside, such as a file, a lock or a thread: its state is not its own."""


class Keeper:
    """Remembers what is in objects, and puts it back: tensors, arrays, containers, attributes and generators.

    All is put back in place: whoever holds one of the objects sees it as it was. Copies of tensors are kept in the memory of
    the CPU. An attribute with a file, a lock or a thread in it, as `copy.deepcopy` would refuse it, keeps its identity only.

    >>> layer, keeper = facula.nn.Linear(1, 1), Keeper()
    >>> keeper.keep(layer)
    >>> with facula.no_grad():
    ...     before = layer.weight.item()
    ...     _ = layer.weight.fill_(3.0)
    >>> layer.extra = [1]
    >>> keeper.restore()
    >>> layer.weight.item() == before, hasattr(layer, "extra")
    (True, False)
    """

    def __init__(self) -> None:
        self._seen: dict[int, object] = {}
        self._stated: dict[int, object] = {}
        self._put_back: list[Callable[[], None]] = []
        self._copies = True

    def keep(self, *owners: object, copies: bool = True) -> None:
        """Remember what is in objects; without ``copies`` only which tensors and arrays there are, not their content."""
        before, self._copies = self._copies, copies
        for owner in owners:
            if id(owner) not in self._seen:
                self._seen[id(owner)] = owner
                self._attributes(owner)
        self._copies = before

    def keep_data(self, loader: object) -> None:
        """Remember where a loader is: its samplers, and the generators and the state of its data set."""
        dataset = getattr(loader, "dataset", loader)
        self._seen[id(dataset)] = dataset
        for part in ("generator", "sampler", "batch_sampler"):
            self._try(getattr(loader, part, None))
        seen: set[int] = set()
        for owner in (dataset, loader):
            for generator in _generators_in(owner, seen):
                self._visit(generator)
            if owner is not loader or not isinstance(loader, DataLoader):
                self._keep_state(owner)

    def restore(self) -> None:
        """Put everything back; it stays remembered."""
        with facula.no_grad():
            for put_back in self._put_back:
                put_back()

    def _keep_state(self, owner: Any) -> None:
        if id(owner) in self._stated or not hasattr(owner, "state_dict") or not hasattr(owner, "load_state_dict"):
            return
        self._stated[id(owner)] = owner
        state = copy.deepcopy(owner.state_dict())
        self._put_back.append(lambda: owner.load_state_dict(copy.deepcopy(state)))

    # The walk

    def _try(self, value: object) -> None:
        """Visit what an attribute has; where that is connected to the outside, take back what was remembered of it."""
        seen, put_back = len(self._seen), len(self._put_back)
        try:
            self._visit(value)
        except (_Connection, RecursionError):
            del self._put_back[put_back:]
            while len(self._seen) > seen:
                self._seen.popitem()

    def _visit(self, value: Any) -> None:
        if isinstance(value, _LEFT_ALONE) or id(value) in self._seen:
            return
        self._seen[id(value)] = value
        if isinstance(value, Tensor):
            self._tensor(value)
        elif isinstance(value, np.ndarray):
            self._array(value)
        elif isinstance(value, _RANDOM):
            self._generator(value)
        elif isinstance(value, (list, deque, set, dict)):
            self._container(value)
        elif isinstance(value, (tuple, frozenset)):
            for each in value:
                self._visit(each)
        elif isinstance(value, nn.Module):
            self._attributes(value)
        else:
            self._object(value)

    def _attributes(self, owner: Any) -> None:
        kind, attributes = type(owner), dict(vars(owner))

        def put_back() -> None:
            # Lazy modules change their class.
            if type(owner) is not kind:
                owner.__class__ = kind
            vars(owner).clear()
            vars(owner).update(attributes)

        self._put_back.append(put_back)
        for each in attributes.values():
            self._try(each)

    def _object(self, value: Any) -> None:
        if isinstance(value, (io.IOBase, types.GeneratorType)):
            raise _Connection
        attributes = dict(_attributes_of(value))
        if not attributes and not hasattr(value, "__dict__"):
            try:
                value.__reduce_ex__(4)
            except Exception as error:
                raise _Connection from error
            return
        own = getattr(value, "__dict__", None)
        fields = {name: each for name, each in attributes.items() if own is None or name not in own}

        def put_back() -> None:
            if own is not None:
                own.clear()
                own.update({name: each for name, each in attributes.items() if name not in fields})
            for name, each in fields.items():
                object.__setattr__(value, name, each)

        self._put_back.append(put_back)
        for each in attributes.values():
            self._visit(each)

    def _container(self, value: Any) -> None:
        items: Any = dict(value) if isinstance(value, dict) else list(value)

        def put_back() -> None:
            value.clear()
            if isinstance(value, (list, deque)):
                value.extend(items)
            else:
                value.update(items)

        self._put_back.append(put_back)
        for each in items.values() if isinstance(value, dict) else items:
            self._visit(each)

    def _tensor(self, value: Tensor) -> None:
        if not self._copies or value.layout is not facula.strided:
            return
        kind, memory, gradient, wanted = type(value), value.data, value.grad, value.requires_grad
        repeated = any(step == 0 and size > 1 for step, size in zip(value.stride(), value.shape))
        content = None if repeated else memory.cpu().clone() if memory.is_cpu else memory.cpu()

        def put_back() -> None:
            if type(value) is not kind:
                value.__class__ = kind  # a lazy parameter that got its shape
            value.data = memory
            if content is not None:
                memory.copy_(content)
            value.grad = gradient
            if value.is_leaf and value.requires_grad is not wanted:
                value.requires_grad_(wanted)

        self._put_back.append(put_back)
        if gradient is not None:
            self._visit(gradient)

    def _array(self, value: np.ndarray) -> None:
        if self._copies and value.dtype != object and value.flags.writeable:
            content = value.copy()
            self._put_back.append(lambda: np.copyto(value, content))

    def _generator(self, value: Any) -> None:
        if isinstance(value, np.random.Generator):
            engine: Any = value.bit_generator
            state = copy.deepcopy(engine.state)
            self._put_back.append(lambda: setattr(engine, "state", state))
            return
        names = ("getstate", "setstate") if isinstance(value, random.Random) else ("get_state", "set_state")
        state = getattr(value, names[0])()
        self._put_back.append(lambda: getattr(value, names[1])(state))


def _attributes_of(value: object) -> Iterator[tuple[str, Any]]:
    """Yield the attributes of an object, in its dictionary and in slots."""
    yield from getattr(value, "__dict__", {}).items()
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name.startswith("__") and not name.endswith("__"):
                name = f"_{kind.__name__.lstrip('_')}{name}"
            if name not in ("__dict__", "__weakref__") and hasattr(value, name):
                yield name, getattr(value, name)


def _generators_in(value: Any, seen: set[int], depth: int = 0) -> Iterator[Any]:
    """Yield the generators of random numbers among the attributes of an object, and of those in turn."""
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, _RANDOM):
        yield value
    elif depth < _DEPTH:
        inside: list[Any] = []
        if isinstance(value, dict) and len(value) <= _LENGTH:
            inside = list(value.values())
        elif isinstance(value, (list, tuple)) and len(value) <= _LENGTH:
            inside = list(value)
        elif not isinstance(value, (Tensor, type, types.ModuleType)):
            inside = list(getattr(value, "__dict__", {}).values())
        for each in inside:
            yield from _generators_in(each, seen, depth + 1)
