"""Keeps the Rust tokenizers free of deadlocks, and quiet, in processes forked after use."""

import os
from functools import cache

_VARIABLE = "TOKENIZERS_PARALLELISM"


@cache
def make_fork_safe() -> None:
    """Arrange that a forked child encodes in its own thread alone.

    The threads of the parent do not exist in a child: one that waited for them, as it does where the variable says
    "true", would wait for ever. Older releases of the library also warn on stderr where it says nothing.
    """
    if not hasattr(os, "register_at_fork"):
        return
    values: list[str | None] = []

    def before() -> None:
        values.append(os.environ.get(_VARIABLE))
        os.environ[_VARIABLE] = "false"

    def after_in_parent() -> None:
        value = values.pop()
        if value is None:
            del os.environ[_VARIABLE]
        else:
            os.environ[_VARIABLE] = value

    os.register_at_fork(before=before, after_in_parent=after_in_parent)
