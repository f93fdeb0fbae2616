"""Modules over several devices."""

from typing import TYPE_CHECKING

from facula.nn.parallel.data_parallel import DataParallel as DataParallel

if TYPE_CHECKING:
    from facula.nn.parallel.distributed import DistributedDataParallel as DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel"]

if not TYPE_CHECKING:  # type checkers read the import above

    def __getattr__(name: str) -> object:
        if name == "DistributedDataParallel":
            # Few programs need it, and what it needs is much.
            from facula.nn.parallel.distributed import DistributedDataParallel

            return DistributedDataParallel
        raise AttributeError(f"module 'facula.nn.parallel' has no attribute {name!r}")
