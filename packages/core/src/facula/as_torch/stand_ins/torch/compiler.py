"""``torch.compiler``: nothing is compiled."""

from collections.abc import Callable
from typing import Any

from facula.as_torch.stand_ins.torch import compile as compile


def _as_it_is(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


def disable(fn: Callable[..., Any] | None = None, recursive: bool = True, **kwargs: object) -> Callable[..., Any]:
    """Return the function as it is, or, called without one, what does so."""
    return _as_it_is if fn is None else fn


def allow_in_graph(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as it is."""
    return fn


def assume_constant_result(fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function as it is."""
    return fn


def is_compiling() -> bool:
    """Return False."""
    return False


def is_dynamo_compiling() -> bool:
    """Return False."""
    return False


def is_exporting() -> bool:
    """Return False."""
    return False


def cudagraph_mark_step_begin() -> None:
    """Do nothing."""


def reset() -> None:
    """Do nothing."""


def set_stance(stance: str = "default", **options: object) -> object:
    """Return a context that changes nothing."""
    from contextlib import nullcontext

    return nullcontext()
