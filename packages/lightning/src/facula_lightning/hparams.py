"""Hyper-parameters: remembering the arguments an object was made with."""

from __future__ import annotations

import copy
import inspect
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from facula_lightning.utilities.attribute_dict import AttributeDict

#: The class that is being made of a configuration, and the configuration.
_given: ContextVar[tuple[type, dict[str, Any]] | None] = ContextVar("_given", default=None)


@contextmanager
def given_hyperparameters(kind: type, hparams: dict[str, Any]) -> Iterator[None]:
    """Let an object of ``kind`` that is made inside the context keep ``hparams`` in place of its ``__init__``'s arguments."""
    before = _given.set((kind, hparams))
    try:
        yield
    finally:
        _given.reset(before)


class HyperparametersMixin:
    """Gives `save_hyperparameters`, `hparams` and `hparams_initial`."""

    # The names under which a checkpoint keeps them.
    CHECKPOINT_HYPER_PARAMS_KEY: str
    CHECKPOINT_HYPER_PARAMS_NAME: str

    def __init__(self) -> None:
        super().__init__()
        self._log_hyperparams = False

    def save_hyperparameters(
        self,
        *args: object,
        ignore: Sequence[str] | str | None = None,
        frame: types.FrameType | None = None,
        logger: bool = True,
    ) -> None:
        """Keep the arguments of ``__init__`` in `hparams`, and in every checkpoint.

        Without ``args`` all are kept; with names, those; with one mapping or namespace, what is in it.

        >>> from facula_lightning import LightningModule
        >>> class Model(LightningModule):
        ...     def __init__(self, width=4, depth=2):
        ...         super().__init__()
        ...         self.save_hyperparameters()
        >>> Model(width=8).hparams.width
        8
        """
        if len(args) == 1 and not isinstance(args[0], str) and not args[0]:
            return
        self._log_hyperparams = logger
        ignored = {ignore} if isinstance(ignore, str) else set(ignore or ())
        if frame is None:
            here = inspect.currentframe()
            frame = None if here is None else here.f_back
        configured = _configured_for(self)
        given = _init_arguments(self, frame) if configured is None else configured
        name = None
        if not args:
            chosen = {key: value for key, value in given.items() if key not in ignored}
        elif all(isinstance(arg, str) for arg in args):
            chosen = {key: given[key] for key in args if key in given and key not in ignored}
        else:
            chosen = _as_mapping(args[0])
            chosen = {key: value for key, value in chosen.items() if key not in ignored}
            # What was configured is a copy of what was passed.
            same = (lambda value: value is args[0]) if configured is None else (lambda value: value == args[0])
            name = next((key for key, value in given.items() if same(value)), None)
        self._hparams_name = name or "kwargs"
        self._set_hparams(chosen)
        for key in ignored:
            # A subclass may leave out what the class it is made from has kept.
            self.hparams.pop(key, None)
        self._hparams_initial = AttributeDict(_deep_copy_what_can_be(self.hparams))

    def _set_hparams(self, given: object) -> None:
        self.hparams.update(_as_mapping(given))

    @property
    def hparams(self) -> AttributeDict:
        """The hyper-parameters kept with `save_hyperparameters`; changing them changes the next checkpoint."""
        kept = self.__dict__.get("_hparams")
        if kept is None:
            kept = self.__dict__["_hparams"] = AttributeDict()
        return kept

    @property
    def hparams_initial(self) -> AttributeDict:
        """The hyper-parameters as they were first kept."""
        return AttributeDict(_deep_copy_what_can_be(self.__dict__.get("_hparams_initial", {})))


def _configured_for(owner: object) -> dict[str, Any] | None:
    """Return the configuration that ``owner`` is being made of, not one of a module that has it for a part."""
    found = _given.get()
    if found is None:
        return None
    kind, hparams = found
    # A function in place of a class counts as a subclass of what it returns.
    returned = kind.__mro__[1] if hasattr(kind, "wrapped_function") else kind
    return dict(hparams) if isinstance(owner, returned) else None


def _as_mapping(given: object) -> dict[str, Any]:
    from argparse import Namespace

    if isinstance(given, Namespace):
        return dict(vars(given))
    if isinstance(given, Mapping):
        return dict(given)
    if isinstance(given, (bool, int, float, str)):
        raise ValueError(f"Primitives {(bool, int, float, str)} are not allowed.")
    raise ValueError(f"Unsupported config type of {type(given)}.")


def _deep_copy_what_can_be(values: Mapping[str, Any]) -> dict[str, Any]:
    copied = {}
    for key, value in values.items():
        try:
            copied[key] = copy.deepcopy(value)
        except Exception:
            copied[key] = value
    return copied


def _init_arguments(owner: object, frame: types.FrameType | None) -> dict[str, Any]:
    """Return the arguments of the ``__init__`` calls of ``owner`` that are running, the outermost class's first."""
    found: dict[str, Any] = {}
    while frame is not None and frame.f_code.co_name == "__init__":
        local = frame.f_locals
        names = inspect.getargs(frame.f_code)
        first = names.args[0] if names.args else None
        if first is None or local.get(first) is not owner:
            break
        own = {name: local[name] for name in names.args[1:] if name in local}
        if names.varkw:
            own.update(local.get(names.varkw, {}))
        # What a subclass was called with describes the object better than what it hands on.
        found = {**found, **own}
        frame = frame.f_back
    return found
