"""Keeps the Rust tokenizers quiet and free of deadlocks in processes forked after use."""

import os
from functools import cache

_VARIABLE = "TOKENIZERS_PARALLELISM"


@cache
def make_fork_safe() -> None:
    """Arrange that a forked child encodes in its own thread alone, unless the user has set the variable.

    The threads of the parent do not exist in a child, so a child that waited for them would wait for ever; the library
    notices this only when the variable is set, and else warns on stderr.
    """
    if not hasattr(os, "register_at_fork"):
        return
    added = []

    def before() -> None:
        if _VARIABLE not in os.environ:
            os.environ[_VARIABLE] = "false"
            added.append(True)

    def after_in_parent() -> None:
        if added:
            added.clear()
            os.environ.pop(_VARIABLE, None)

    os.register_at_fork(before=before, after_in_parent=after_in_parent)
