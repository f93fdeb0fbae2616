"""What is known about the files that several processes see."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from facula_lightning.strategies import Strategy

_NAME = ".facula_shared_file_system_check"


def is_shared_filesystem(strategy: Strategy, path: str | os.PathLike[str] | None = None, timeout: int = 3) -> bool:
    """Return whether all processes see the same files in ``path`` (the working directory); every process must call it.

    The first writes a file, for which the others look for ``timeout`` seconds. FileNotFoundError where there is no such
    folder.
    """
    if strategy.world_size == 1:
        return True
    folder = Path.cwd() if path is None else Path(path).resolve()
    if not strategy.reduce_boolean_decision(strategy.broadcast(folder) == folder):
        return False
    if not strategy.reduce_boolean_decision(folder.exists()):
        raise FileNotFoundError(
            f"Unable to determine if the path belongs to a shared filesystem. The path does not exist: {folder}"
        )
    mark = (folder.parent if folder.is_file() else folder) / _NAME
    if strategy.is_global_zero:
        mark.unlink(missing_ok=True)
    strategy.barrier()
    if strategy.is_global_zero:
        mark.touch()
    until = time.monotonic() + timeout
    while not mark.exists() and time.monotonic() < until:
        time.sleep(0.01)
    shared = strategy.reduce_boolean_decision(mark.exists())
    if strategy.is_global_zero:
        mark.unlink(missing_ok=True)
    return shared
