"""How a run is spread over processes and devices."""

from typing import TYPE_CHECKING

from facula_lightning.strategies.single_device import SingleDeviceStrategy
from facula_lightning.strategies.strategy import Strategy

if TYPE_CHECKING:
    from facula_lightning.strategies.ddp import DDPStrategy
    from facula_lightning.strategies.parallel import ParallelStrategy

__all__ = ["DDPStrategy", "ParallelStrategy", "SingleDeviceStrategy", "Strategy"]

if not TYPE_CHECKING:  # type checkers read the imports above

    def __getattr__(name: str) -> object:
        # One process has no use for what several need.
        if name == "DDPStrategy":
            from facula_lightning.strategies.ddp import DDPStrategy

            return DDPStrategy
        if name == "ParallelStrategy":
            from facula_lightning.strategies.parallel import ParallelStrategy

            return ParallelStrategy
        raise AttributeError(f"module 'facula_lightning.strategies' has no attribute {name!r}")
