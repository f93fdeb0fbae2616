"""The hang watchdog: what each process is in, for all others on its machine to read."""

from __future__ import annotations

import atexit
import math
import struct
import time
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from facula.distributed.backends.mesh import Mesh

_SLOT = struct.Struct("<qqqd80s")  # started, ended, whether it is still there, when, name
_SIZE = 128
_HERE, _LEFT = 1, 2
#: Seconds that a process is given to say where it is.
_PATIENCE = 2.0


class Board(Protocol):
    """Where a process writes what it is in, and reads what the others are in."""

    size: int

    def write(self, started: int, ended: int, name: str) -> None:
        """Say what this process is in."""

    def ended(self, sequence: int) -> None:
        """Say that a collective has ended."""

    def describe(self, rank: int) -> str:
        """Return in words what a process is in."""

    def close(self) -> None:
        """Let go of it; all processes do it together."""


class SharedBoard:
    """A slot for each process in memory that the processes of a machine share; others are not seen."""

    def __init__(self, communicator: Any, MPI: Any) -> None:
        node = communicator.Split_type(MPI.COMM_TYPE_SHARED)
        self._window = MPI.Win.Allocate_shared(_SIZE, 1, comm=node)
        ranks = node.allgather(communicator.Get_rank())
        self._slots = {rank: memoryview(self._window.Shared_query(at)[0]) for at, rank in enumerate(ranks)}
        self.size = communicator.Get_size()
        self._own = self._slots[communicator.Get_rank()]
        self.write(0, 0, "")
        node.Barrier()
        node.Free()
        atexit.register(self._leave)

    def write(self, started: int, ended: int, name: str) -> None:
        """Say what this process is in."""
        _SLOT.pack_into(self._own, 0, started, ended, _HERE, time.time(), name.encode()[:80])

    def ended(self, sequence: int) -> None:
        """Say that a collective has ended."""
        struct.pack_into("<q", self._own, 8, sequence)

    def _leave(self) -> None:
        struct.pack_into("<q", self._own, 16, _LEFT)

    def describe(self, rank: int) -> str:
        """Return in words what a process is in."""
        slot = self._slots.get(rank)
        if slot is None:
            return "on another machine, not seen from here"
        return _in_words(slot)

    def close(self) -> None:
        """Give the memory back; all processes do it together."""
        atexit.unregister(self._leave)
        self._slots.clear()
        self._own = memoryview(bytearray(_SIZE))
        self._window.Free()


class AskingBoard:
    """Asks the other processes over the connections with them; a thread there answers, whatever the program is in."""

    def __init__(self, mesh: Mesh) -> None:
        self._mesh = mesh
        self.size = mesh.size
        self._state: tuple[int, int, str, float] = (0, 0, "", time.monotonic())
        mesh.status = self._pack
        mesh.number = lambda: self._state[0]

    def _pack(self) -> bytes:
        started, ended, name, when = self._state
        # Clocks of machines differ: the age is sent.
        return _SLOT.pack(started, ended, _HERE, time.monotonic() - when, name.encode()[:80])

    def write(self, started: int, ended: int, name: str) -> None:
        """Say what this process is in."""
        self._state = (started, ended, name, time.monotonic())

    def ended(self, sequence: int) -> None:
        """Say that a collective has ended."""
        started, _, name, when = self._state
        self._state = (started, sequence, name, when)

    def describe(self, rank: int) -> str:
        """Return in words what a process is in."""
        answer = self._mesh.ask(rank, _PATIENCE)
        if answer is None:
            return self._mesh.gone.get(rank, f"does not answer within {_PATIENCE:g} s")
        started, ended, state, age, name = _SLOT.unpack(answer)
        return _in_words(_SLOT.pack(started, ended, state, time.time() - age, name))

    def close(self) -> None:
        """Nothing is held."""


def _in_words(slot: bytes | memoryview) -> str:
    """Return what a slot says."""
    started, ended, state, when, name = _SLOT.unpack_from(slot, 0)
    if state == _LEFT:
        return f"has ended its program after number {started}"
    if started == 0:
        return "has not begun any"
    text = f"{name.rstrip(bytes(1)).decode(errors='replace')} (number {started}), begun {time.time() - when:.1f} s ago"
    return f"has ended {text}" if ended >= started else f"in {text}"


class Watchdog:
    """Counts the collectives of a process, and writes the error when one is late.

    ``seconds`` is None when nothing is watched; then nothing is written either.
    """

    def __init__(self, rank: int, seconds: float | None, board: Board | None) -> None:
        self.rank = rank
        self.seconds = None if seconds is None or math.isinf(seconds) else seconds
        self.board = board
        self.sequence = 0

    def begin(self, name: str) -> int:
        """Return the number of a collective that begins."""
        self.sequence += 1
        if self.board is not None:
            self.board.write(self.sequence, self.sequence - 1, name)
        return self.sequence

    def ended(self, sequence: int) -> None:
        """Take note that one has ended."""
        if self.board is not None:
            self.board.ended(sequence)

    def report(self, name: str, sequence: int, seconds: float) -> str:
        """Return what to say of a collective that is late."""
        lines = [f"rank {self.rank}: {name} (number {sequence}) did not end within {seconds:g} s"]
        if self.board is None:
            lines.append("what the other processes are in is not known")
        else:
            others = [rank for rank in range(self.board.size) if rank != self.rank]
            lines += [f"rank {rank}: {self.board.describe(rank)}" for rank in others]
        return "\n  ".join(lines)
