"""What an engine offers: each operation on arrays whose elements lie in C order."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from facula.backend import Array
from facula.distributed.reduce_op import Reduction
from facula.distributed.work import Request

#: What was started, and what is left to do when it has ended.
Started = tuple[Request | None, Callable[[], None] | None]


class Backend(ABC):
    """Collectives of one group over one engine; ranks are counted within the group.

    Each method starts an operation. Arrays that take results must not be read, nor those sent be written, before the request
    has ended and what was left to do is done.
    """

    name: str
    rank: int
    size: int

    @abstractmethod
    def all_reduce(self, array: Array, op: Reduction) -> Started:
        """Combine the arrays of all, in place."""

    @abstractmethod
    def broadcast(self, array: Array, root: int) -> Started:
        """Give all the array of ``root``."""

    @abstractmethod
    def reduce(self, array: Array, root: int, op: Reduction) -> Started:
        """Combine the arrays of all in that of ``root``."""

    @abstractmethod
    def all_gather(self, outputs: Sequence[Array], array: Array) -> Started:
        """Give all the arrays of all, which may differ in size."""

    @abstractmethod
    def gather(self, outputs: Sequence[Array] | None, array: Array, root: int) -> Started:
        """Give ``root`` the arrays of all."""

    @abstractmethod
    def scatter(self, output: Array, arrays: Sequence[Array] | None, root: int) -> Started:
        """Give each its array of those that ``root`` has."""

    @abstractmethod
    def reduce_scatter(self, output: Array, arrays: Sequence[Array], op: Reduction) -> Started:
        """Combine the arrays of all, one for each process, and give each its own."""

    @abstractmethod
    def all_to_all(self, outputs: Sequence[Array], arrays: Sequence[Array]) -> Started:
        """Give each process the array that each has for it."""

    @abstractmethod
    def barrier(self) -> Started:
        """End when all have begun."""

    @abstractmethod
    def send(self, array: Array, to: int, tag: int) -> Started:
        """Send an array."""

    @abstractmethod
    def receive(self, array: Array, source: int | None, tag: int) -> Started:
        """Receive an array, from anyone for None."""

    @abstractmethod
    def subgroup(self, ranks: Sequence[int]) -> Backend | None:
        """Return the engine for some of the processes, None for those that are not among them; all call it together."""

    def close(self) -> None:
        """Let go of what the engine holds."""

    def abort(self, code: int) -> Any:
        """End all processes, where the engine can."""
