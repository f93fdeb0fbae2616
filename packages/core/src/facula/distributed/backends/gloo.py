"""Collectives over TCP alone, where there is no MPI: what PyTorch's programs call gloo."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.backend import Array, to_numpy
from facula.distributed.backends.backend import Backend, Started
from facula.distributed.backends.mesh import Mesh
from facula.distributed.errors import DistBackendError
from facula.distributed.reduce_op import PremultipliedSum, ReduceOp, Reduction

_OPS: dict[ReduceOp, np.ufunc] = {
    ReduceOp.SUM: np.add,
    ReduceOp.AVG: np.add,
    ReduceOp.PRODUCT: np.multiply,
    ReduceOp.MIN: np.minimum,
    ReduceOp.MAX: np.maximum,
    ReduceOp.BAND: np.bitwise_and,
    ReduceOp.BOR: np.bitwise_or,
    ReduceOp.BXOR: np.bitwise_xor,
}
#: Up to so many bytes a tree, which takes fewer turns, is quicker than a ring, which sends less.
_SMALL = 1 << 15


class _Task:
    """A collective that the group's thread does."""

    def __init__(self) -> None:
        self._ended = threading.Event()
        self._error: BaseException | None = None

    def run(self, do: Callable[[], None]) -> None:
        try:
            do()
        except BaseException as error:
            self._error = error
        finally:
            self._ended.set()

    def test(self) -> bool:
        return self.wait_for(0.0)

    def wait(self) -> None:
        self.wait_for(None)

    def wait_for(self, seconds: float | None) -> bool:
        ended = self._ended.wait(seconds) if seconds != 0.0 else self._ended.is_set()
        if ended and self._error is not None:
            raise self._error
        return ended


class GlooBackend(Backend):
    """Collectives of some of the processes of a mesh.

    The group's collectives are done one after the other by a thread of its own, while the program goes on. All processes
    get the same bits.
    """

    name = "gloo"

    def __init__(self, mesh: Mesh | None, ranks: Sequence[int], rank: int, label: str = "world") -> None:
        #: None in a group of one process.
        self.mesh = mesh
        self.ranks = list(ranks)
        self.rank, self.size = rank, len(self.ranks)
        self._label = label
        self._group = int.from_bytes(hashlib.blake2b(label.encode(), digest_size=8).digest(), "little", signed=True)
        self._begun = self._subgroups = 0
        self._tasks: queue.SimpleQueue[tuple[_Task, Callable[[], None]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    # The thread

    def _start(self, do: Callable[[_Turn], None], finish: Callable[[], None] | None = None) -> Started:
        """Let the group's thread do a collective."""
        self._begun += 1
        turn, task = _Turn(self, self._begun), _Task()
        if self.mesh is None:
            task.run(lambda: do(turn))
            return task, finish
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name=f"facula-gloo-{self._label}")
            self._thread.start()
        self._tasks.put((task, lambda: do(turn)))
        return task, finish

    def _work(self) -> None:
        while (found := self._tasks.get()) is not None:
            task, do = found
            task.run(do)

    # From arrays to numbers in main memory

    def _numbers(self, array: Array, op: Reduction) -> tuple[np.ndarray, Callable[[], None] | None]:
        """Return numbers that can be combined in place, and what brings the combination to the array."""
        wire = to_numpy(array).reshape(-1)
        shared = isinstance(array, np.ndarray)
        if array.dtype.kind == "b":
            wire = wire.view(np.uint8)
        elif array.dtype.itemsize == 2 and array.dtype.kind not in "iu":
            # Sums of half-precision numbers are made in single precision, as MPI's are.
            wire, shared = wire.astype(np.float32), False
        if isinstance(op, PremultipliedSum):
            wire *= wire.dtype.type(op.factor)
        if shared and op is not ReduceOp.AVG:
            return wire, None

        def finish() -> None:
            nonlocal wire
            if op is ReduceOp.AVG:
                wire /= wire.dtype.type(self.size)
            if not shared:
                _put(array, wire.astype(array.dtype, copy=False).reshape(array.shape))

        return wire, finish

    # Collectives

    def all_reduce(self, array: Array, op: Reduction) -> Started:
        wire, finish = self._numbers(array, op)
        combine = _ufunc(op, array.dtype)
        return self._start(lambda turn: turn.all_reduce(wire, combine), finish)

    def broadcast(self, array: Array, root: int) -> Started:
        wire, finish = _incoming(array)
        return self._start(lambda turn: turn.broadcast(wire, root), finish if self.rank != root else None)

    def reduce(self, array: Array, root: int, op: Reduction) -> Started:
        wire, finish = self._numbers(array, op)
        combine = _ufunc(op, array.dtype)
        if self.rank != root:
            return self._start(lambda turn: turn.reduce(wire.copy(), root, combine))
        return self._start(lambda turn: turn.reduce(wire, root, combine), finish)

    def all_gather(self, outputs: Sequence[Array], array: Array) -> Started:
        return self.all_to_all(outputs, [array] * self.size)

    def gather(self, outputs: Sequence[Array] | None, array: Array, root: int) -> Started:
        own = _bytes(array)
        if outputs is None:
            return self._start(lambda turn: turn.send(root, own))
        room, finish = _all_incoming(outputs)

        def do(turn: _Turn) -> None:
            for source in range(self.size):
                turn.receive(source, room[source], own)

        return self._start(do, finish)

    def scatter(self, output: Array, arrays: Sequence[Array] | None, root: int) -> Started:
        wire, finish = _incoming(output)
        sent = None if arrays is None else [_bytes(each) for each in arrays]

        def do(turn: _Turn) -> None:
            for to, part in enumerate(sent or ()):
                turn.send(to, part)
            turn.receive(root, wire, None if sent is None else sent[root])

        return self._start(do, finish)

    def reduce_scatter(self, output: Array, arrays: Sequence[Array], op: Reduction) -> Started:
        numbers = [self._numbers(to_numpy(each).copy(), op)[0] for each in arrays]
        wire, combine = numbers[self.rank], _ufunc(op, output.dtype)

        def do(turn: _Turn) -> None:
            for to in turn.others():
                turn.send(to, numbers[to])
            total = None
            for source in range(self.size):
                part = wire if source == self.rank else turn.part(source, wire.dtype)
                total = part.copy() if total is None else combine(total, part, out=total)
            wire[...] = total

        def finish() -> None:
            result = wire / wire.dtype.type(self.size) if op is ReduceOp.AVG else wire
            _put(output, result.astype(output.dtype).reshape(output.shape))

        return self._start(do, finish)

    def all_to_all(self, outputs: Sequence[Array], arrays: Sequence[Array]) -> Started:
        sent = [_bytes(each) for each in arrays]
        room, finish = _all_incoming(outputs)

        def do(turn: _Turn) -> None:
            for to in turn.others():
                turn.send(to, sent[to])
            for source in range(self.size):
                turn.receive(source, room[source], sent[self.rank])

        return self._start(do, finish)

    def barrier(self) -> Started:
        return self.all_reduce(np.zeros(1, np.uint8), ReduceOp.SUM)

    def send(self, array: Array, to: int, tag: int) -> Started:
        # Who receives reads at once, whatever it is in: there is nothing to wait for.
        self._mesh().send_message(self.ranks[to], self._group, tag, _bytes(array))
        return None, None

    def receive(self, array: Array, source: int | None, tag: int) -> Started:
        receipt = self._mesh().receive(None if source is None else self.ranks[source], self._group, tag)

        def finish() -> None:
            body = receipt.found
            assert body is not None
            if body.nbytes != array.nbytes:
                raise DistBackendError(
                    f"rank {receipt.origin} sent {body.nbytes} bytes, but the tensor that receives has {array.nbytes}"
                )
            _put(array, body.view(array.dtype).reshape(array.shape))
            receipt.origin = self.ranks.index(receipt.origin)

        return receipt, finish

    def _mesh(self) -> Mesh:
        if self.mesh is None:
            raise ValueError("there is no other process in the group to send to or receive from")
        return self.mesh

    def subgroup(self, ranks: Sequence[int]) -> GlooBackend | None:
        self._subgroups += 1
        if self.rank not in ranks:
            return None
        label = f"{self._label}/{self._subgroups}:{','.join(map(str, ranks))}"
        chosen = [self.ranks[each] for each in ranks]
        return GlooBackend(self.mesh if len(chosen) > 1 else None, chosen, list(ranks).index(self.rank), label)

    def close(self) -> None:
        if self._thread is not None:
            self._tasks.put(None)
            self._thread.join(1)
        if self._label == "world" and self.mesh is not None:
            self.mesh.close()

    def abort(self, code: int) -> None:
        if self.mesh is not None:
            self.mesh.abort(code)


class _Turn:
    """One collective of a group, which others of the group know by the same number."""

    def __init__(self, backend: GlooBackend, number: int) -> None:
        self.backend = backend
        self.number = number
        self.rank, self.size = backend.rank, backend.size

    def others(self) -> list[int]:
        """Return the other ranks, beginning with the next: not all begin with the same."""
        return [(self.rank + step) % self.size for step in range(1, self.size)]

    def send(self, to: int, array: np.ndarray) -> None:
        """Send numbers; to oneself nothing."""
        if to != self.rank and array.size:
            mesh = self.backend._mesh()
            mesh.send_part(self.backend.ranks[to], self.backend._group, self.number, array)

    def part(self, source: int, dtype: np.dtype) -> np.ndarray:
        """Return the numbers that a process sent."""
        return self.backend._mesh().part(self.backend.ranks[source], self.backend._group, self.number).view(dtype)

    def receive(self, source: int, into: np.ndarray, own: np.ndarray | None = None) -> None:
        """Put the numbers that a process sent, or one's own, into an array."""
        if not into.size:
            return
        found = own if source == self.rank else self.part(source, into.dtype)
        assert found is not None
        if found.nbytes != into.nbytes:
            raise DistBackendError(
                f"rank {self.backend.ranks[source]} sent {found.nbytes} bytes where {into.nbytes} were expected: the processes"
                " do not call the same collective, or with tensors of different size"
            )
        into[...] = found.reshape(into.shape)

    # Binomial trees: in each round a process that has something gives it to one that has not.

    def broadcast(self, array: np.ndarray, root: int) -> None:
        """Give all the numbers of ``root``."""
        place = (self.rank - root) % self.size
        step = 1
        while step < self.size:
            if place < step and place + step < self.size:
                self.send((place + step + root) % self.size, array)
            elif step <= place < 2 * step:
                self.receive((place - step + root) % self.size, array)
            step *= 2

    def reduce(self, array: np.ndarray, root: int, combine: np.ufunc) -> None:
        """Combine the numbers of all in those of ``root``; what the others' hold then is not said."""
        place = (self.rank - root) % self.size
        step = 1
        while step < self.size:
            if place % (2 * step) == step:
                self.send((place - step + root) % self.size, array)
                return
            if place % (2 * step) == 0 and place + step < self.size and array.size:
                self._combine(array, (place + step + root) % self.size, combine)
            step *= 2

    def _combine(self, array: np.ndarray, source: int, combine: np.ufunc) -> None:
        found = self.part(source, array.dtype) if array.size else array
        if found.size != array.size:
            raise DistBackendError(
                f"rank {self.backend.ranks[source]} sent {found.nbytes} bytes where {array.nbytes} were expected: the processes"
                " do not call the same collective, or with tensors of different size"
            )
        combine(array, found, out=array)

    def all_reduce(self, array: np.ndarray, combine: np.ufunc) -> None:
        """Combine the numbers of all in those of each."""
        if array.nbytes <= _SMALL or array.size < self.size:
            self.reduce(array, 0, combine)
            self.broadcast(array, 0)
            return
        # A ring: each part goes round once to be combined, and once to be known to all.
        ends = [array.size * at // self.size for at in range(self.size + 1)]
        parts = [array[start:end] for start, end in zip(ends, ends[1:])]
        right, left = (self.rank + 1) % self.size, (self.rank - 1) % self.size
        for step in range(self.size - 1):
            self.send(right, parts[(self.rank - step) % self.size])
            self._combine(parts[(self.rank - step - 1) % self.size], left, combine)
        for step in range(self.size - 1):
            self.send(right, parts[(self.rank + 1 - step) % self.size])
            self.receive(left, parts[(self.rank - step) % self.size])


def _ufunc(op: Reduction, dtype: np.dtype) -> np.ufunc:
    if isinstance(op, PremultipliedSum):
        return np.add
    if dtype.kind == "b":
        # True is 1: of several, the sum is whether any is, the product whether all are.
        if op is ReduceOp.BXOR:
            return np.bitwise_xor
        return np.maximum if op in (ReduceOp.SUM, ReduceOp.MAX, ReduceOp.BOR) else np.minimum
    return _OPS[op]


def _bytes(array: Array) -> np.ndarray:
    return to_numpy(array).reshape(-1).view(np.uint8)


def _incoming(array: Array) -> tuple[np.ndarray, Callable[[], None] | None]:
    """Return where bytes may be put, and what brings them to the array."""
    if isinstance(array, np.ndarray):
        return array.reshape(-1).view(np.uint8), None
    host = to_numpy(array)
    return host.reshape(-1).view(np.uint8), lambda: _put(array, host)


def _all_incoming(arrays: Sequence[Array]) -> tuple[list[np.ndarray], Callable[[], None] | None]:
    pairs = [_incoming(each) for each in arrays]
    rest = [finish for _, finish in pairs if finish is not None]

    def finish() -> None:
        for each in rest:
            each()

    return [room for room, _ in pairs], finish if rest else None


def _put(array: Any, values: np.ndarray) -> None:
    if isinstance(array, np.ndarray):
        array[...] = values
    else:
        array.set(np.ascontiguousarray(values))
