"""Doing something in the first process only: printing, warnings, files."""

from __future__ import annotations

import functools
import logging
import os
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger("facula_lightning")


def _rank() -> int:
    for name in ("RANK", "LOCAL_RANK", "SLURM_PROCID"):
        value = os.environ.get(name)
        if value is not None and value.isdigit():
            return int(value)
    return 0


def rank_zero_only(fn: Callable[P, R]) -> Callable[P, R | None]:
    """Return ``fn`` changed to do nothing, and give None, in every process but the first."""

    @functools.wraps(fn)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R | None:
        rank = getattr(rank_zero_only, "rank", None)
        if (rank if rank is not None else _rank()) == 0:
            return fn(*args, **kwargs)
        return None

    return wrapped


@rank_zero_only
def rank_zero_info(message: str, stacklevel: int = 2) -> None:
    """Print a message about the run's progress to standard error through the package's logger."""
    log.info(message, stacklevel=stacklevel + 1)


@rank_zero_only
def rank_zero_debug(message: str) -> None:
    """Record a message for those who debug the trainer."""
    log.debug(message)


@rank_zero_only
def rank_zero_warn(message: str, stacklevel: int = 4, category: type[Warning] = UserWarning) -> None:
    """Issue a warning."""
    warnings.warn(message, category=category, stacklevel=stacklevel)


def rank_zero_deprecation(message: str, stacklevel: int = 5) -> None:
    """Issue a deprecation warning."""
    rank_zero_warn(message, stacklevel=stacklevel, category=DeprecationWarning)
