"""``torch.jit``: code runs eagerly, so marks for a compiler are kept and have no effect."""

from collections.abc import Callable
from typing import Final as Final
from typing import Any, TypeVar

from facula.nn import Module

Marked = TypeVar("Marked")


class ScriptModule(Module):
    """What nothing is an instance of: there are no compiled modules."""


class ScriptFunction:
    """What nothing is an instance of: there are no compiled functions."""


class Attribute:
    """A value with its type for the compiler; the value alone here."""

    def __new__(cls, value: Any, type: object) -> Any:
        """Return the value."""
        return value


def _as_it_is(function: Marked) -> Marked:
    return function


def script(obj: Marked, *args: object, **kwargs: object) -> Marked:
    """Return the function, class or module as it is."""
    return obj


def ignore(drop: object = False, **kwargs: object) -> object:
    """Mark a function; with or without parentheses."""
    return drop if callable(drop) else _as_it_is


unused = export = interface = script_if_tracing = _script_if_tracing = script_method = _as_it_is
_overload = _overload_method = _copy_to_script_wrapper = _as_it_is


def is_scripting() -> bool:
    """Return False."""
    return False


def is_tracing() -> bool:
    """Return False."""
    return False


def annotate(the_type: object, the_value: Marked) -> Marked:
    """Return the value."""
    return the_value


def trace(func: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Raise NotImplementedError."""
    raise NotImplementedError("torch.jit.trace is not implemented by facula: it runs programs eagerly")


def set_fusion_strategy(strategy: object) -> list[object]:
    """Return the strategy before: none."""
    return []


def optimized_execution(should_optimize: bool) -> object:
    """Return a context that changes nothing."""
    from contextlib import nullcontext

    return nullcontext()
