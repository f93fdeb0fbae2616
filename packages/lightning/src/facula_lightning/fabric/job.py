"""FabricJob: a function that several processes call with a Fabric."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from facula_lightning.strategies.launchers.job import Job

if TYPE_CHECKING:
    from facula_lightning.fabric.fabric import Fabric


class FabricJob(Job):
    """A function and what it is called with."""

    def __init__(
        self, fabric: Fabric, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> None:
        self.fabric = fabric
        self.function = function
        self.arguments = arguments
        self.keywords = keywords

    @property
    def what(self) -> str:
        """Fabric."""
        return "Fabric"

    def prepare(self) -> None:
        """Let the loggers choose where they write."""
        for logger in self.fabric.loggers:
            _ = logger.version

    def run(self) -> Any:
        """Join the other processes and call the function."""
        self.fabric.strategy.launcher = None
        return self.fabric._start(self.function, self.arguments, self.keywords)

    @property
    def is_first(self) -> bool:
        """Whether this process is the first."""
        return self.fabric.is_global_zero
