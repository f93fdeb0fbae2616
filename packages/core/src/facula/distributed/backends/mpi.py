"""Collectives over MPI, through mpi4py: arrays in main memory, and those of a GPU where MPI can read them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.backend import Array, cupy, to_numpy
from facula.distributed.backends.backend import Backend, Started
from facula.distributed.reduce_op import PremultipliedSum, ReduceOp, Reduction

_OPS = {
    ReduceOp.SUM: "SUM",
    ReduceOp.AVG: "SUM",
    ReduceOp.PRODUCT: "PROD",
    ReduceOp.MIN: "MIN",
    ReduceOp.MAX: "MAX",
    ReduceOp.BAND: "BAND",
    ReduceOp.BOR: "BOR",
    ReduceOp.BXOR: "BXOR",
}
#: The types that MPI computes with; others are computed in float32.
_KNOWN = frozenset(map(np.dtype, ("int8 uint8 int16 uint16 int32 uint32 int64 uint64 f4 f8 c8 c16".split())))


def load() -> Any:
    """Return the module ``mpi4py.MPI``, which starts MPI when it is first loaded; ModuleNotFoundError without mpi4py."""
    try:
        from mpi4py import MPI
    except ImportError as error:
        raise ModuleNotFoundError(
            f"the engine over MPI needs mpi4py and an MPI library: pip install 'facula[mpi]' brings both ({error})"
        ) from error
    return MPI


class _MPIRequest:
    """A request of MPI's."""

    def __init__(self, request: Any, status: Any = None) -> None:
        self._request = request
        self._status = status

    def test(self) -> bool:
        return bool(self._request.Test(self._status))

    def wait(self) -> None:
        self._request.Wait(self._status)

    def source(self) -> int:
        return -1 if self._status is None else int(self._status.Get_source())


class MPIBackend(Backend):
    """Collectives over a communicator of MPI's."""

    name = "mpi"

    def __init__(self, communicator: Any) -> None:
        self.MPI = load()
        self.communicator = communicator
        self.rank = communicator.Get_rank()
        self.size = communicator.Get_size()
        self.reads_cuda = _reads_cuda(self.MPI, communicator)

    # From arrays to what MPI takes

    def _outgoing(self, array: Array) -> Array:
        """Return the bytes of an array, where MPI can read them."""
        flat = array.reshape(-1).view(np.uint8)
        if isinstance(flat, np.ndarray):
            return flat
        if self.reads_cuda:
            cupy().cuda.get_current_stream().synchronize()
            return flat
        return to_numpy(flat)

    def _incoming(self, array: Array) -> tuple[Array, Callable[[], None] | None]:
        """Return where MPI may put the bytes of an array, and what brings them to it."""
        flat = array.reshape(-1).view(np.uint8)
        if isinstance(flat, np.ndarray):
            return flat, None
        if self.reads_cuda:
            cupy().cuda.get_current_stream().synchronize()
            return flat, None
        host = to_numpy(flat)
        return host, lambda: flat.set(host)

    def _numbers(self, array: Array, op: Reduction) -> tuple[Array, Callable[[], None] | None]:
        """Return numbers that MPI can combine in place, and what brings the combination to the array."""
        here = array if self.reads_cuda else to_numpy(array)
        wire = here.reshape(-1)
        shared = here is array
        if array.dtype.kind == "b":
            wire = wire.view(np.uint8)
        elif array.dtype not in _KNOWN:
            wire, shared = wire.astype(np.float32), False
        if isinstance(op, PremultipliedSum):
            wire *= wire.dtype.type(op.factor)
        if not isinstance(wire, np.ndarray):
            cupy().cuda.get_current_stream().synchronize()
        if shared and op is not ReduceOp.AVG:
            return wire, None

        def finish() -> None:
            nonlocal wire
            if op is ReduceOp.AVG:
                wire /= wire.dtype.type(self.size)
            if not shared:
                _put(array, wire.astype(array.dtype, copy=False).reshape(array.shape))

        return wire, finish

    def _op(self, op: Reduction, dtype: np.dtype) -> Any:
        if isinstance(op, PremultipliedSum):
            return self.MPI.SUM
        if dtype.kind == "b":
            # True is 1: of several, the sum is whether any is, the product whether all are.
            return self.MPI.MAX if op in (ReduceOp.SUM, ReduceOp.MAX, ReduceOp.BOR) else _boolean(self.MPI, op)
        return getattr(self.MPI, _OPS[op])

    @staticmethod
    def _request(request: Any, status: Any = None) -> _MPIRequest:
        return _MPIRequest(request, status)

    # Collectives

    def all_reduce(self, array: Array, op: Reduction) -> Started:
        wire, finish = self._numbers(array, op)
        request = self.communicator.Iallreduce(self.MPI.IN_PLACE, wire, op=self._op(op, array.dtype))
        return self._request(request), finish

    def broadcast(self, array: Array, root: int) -> Started:
        wire, finish = self._incoming(array)
        request = self.communicator.Ibcast([wire, self.MPI.BYTE], root=root)
        return self._request(request), finish if self.rank != root else None

    def reduce(self, array: Array, root: int, op: Reduction) -> Started:
        wire, finish = self._numbers(array, op)
        combine = self._op(op, array.dtype)
        if self.rank == root:
            return self._request(self.communicator.Ireduce(self.MPI.IN_PLACE, wire, op=combine, root=root)), finish
        return self._request(self.communicator.Ireduce(wire, None, op=combine, root=root)), lambda: _keep(wire)

    def all_gather(self, outputs: Sequence[Array], array: Array) -> Started:
        sent = self._outgoing(array)
        room, counts, starts = _room([each.nbytes for each in outputs])
        request = self.communicator.Iallgatherv([sent, self.MPI.BYTE], [room, counts, starts, self.MPI.BYTE])
        return self._request(request), lambda: _hand_out(room, counts, outputs, sent)

    def gather(self, outputs: Sequence[Array] | None, array: Array, root: int) -> Started:
        sent = self._outgoing(array)
        if outputs is None:
            request = self.communicator.Igatherv([sent, self.MPI.BYTE], None, root=root)
            return self._request(request), lambda: _keep(sent)
        room, counts, starts = _room([each.nbytes for each in outputs])
        request = self.communicator.Igatherv([sent, self.MPI.BYTE], [room, counts, starts, self.MPI.BYTE], root=root)
        return self._request(request), lambda: _hand_out(room, counts, outputs, sent)

    def scatter(self, output: Array, arrays: Sequence[Array] | None, root: int) -> Started:
        wire, finish = self._incoming(output)
        received = [wire, self.MPI.BYTE]
        if arrays is None:
            return self._request(self.communicator.Iscatterv(None, received, root=root)), finish
        sent, counts, starts = self._together(arrays)
        request = self.communicator.Iscatterv([sent, counts, starts, self.MPI.BYTE], received, root=root)
        return self._request(request), lambda: _then(finish, sent)

    def reduce_scatter(self, output: Array, arrays: Sequence[Array], op: Reduction) -> Started:
        whole = np.concatenate([to_numpy(each).reshape(-1) for each in arrays])
        wire, _ = self._numbers(whole, op)
        part = np.empty(output.size, wire.dtype)
        request = self.communicator.Ireduce_scatter(
            wire, part, [each.size for each in arrays], op=self._op(op, output.dtype)
        )

        def finish() -> None:
            _keep(wire)
            result = part / part.dtype.type(self.size) if op is ReduceOp.AVG else part
            _put(output, result.astype(output.dtype).reshape(output.shape))

        return self._request(request), finish

    def all_to_all(self, outputs: Sequence[Array], arrays: Sequence[Array]) -> Started:
        sent, counts, starts = self._together(arrays)
        room, room_counts, room_starts = _room([each.nbytes for each in outputs])
        request = self.communicator.Ialltoallv(
            [sent, counts, starts, self.MPI.BYTE], [room, room_counts, room_starts, self.MPI.BYTE]
        )
        return self._request(request), lambda: _hand_out(room, room_counts, outputs, sent)

    def _together(self, arrays: Sequence[Array]) -> tuple[np.ndarray, list[int], list[int]]:
        sent, counts, starts = _room([each.nbytes for each in arrays])
        for each, count, start in zip(arrays, counts, starts):
            sent[start : start + count] = to_numpy(each).reshape(-1).view(np.uint8)
        return sent, counts, starts

    def barrier(self) -> Started:
        return self._request(self.communicator.Ibarrier()), None

    def send(self, array: Array, to: int, tag: int) -> Started:
        sent = self._outgoing(array)
        request = self.communicator.Isend([sent, self.MPI.BYTE], dest=to, tag=tag)
        return self._request(request), lambda: _keep(sent)

    def receive(self, array: Array, source: int | None, tag: int) -> Started:
        wire, finish = self._incoming(array)
        origin = self.MPI.ANY_SOURCE if source is None else source
        request = self.communicator.Irecv([wire, self.MPI.BYTE], source=origin, tag=tag)
        return self._request(request, self.MPI.Status()), finish

    def subgroup(self, ranks: Sequence[int]) -> MPIBackend | None:
        group = self.communicator.Get_group()
        made = self.communicator.Create(group.Incl(list(ranks)))
        group.Free()
        return None if made == self.MPI.COMM_NULL else MPIBackend(made)

    def close(self) -> None:
        self.communicator.Free()

    def abort(self, code: int) -> None:
        self.MPI.COMM_WORLD.Abort(code)


def _boolean(MPI: Any, op: Reduction) -> Any:
    return MPI.BXOR if op is ReduceOp.BXOR else MPI.MIN


def _room(counts: list[int]) -> tuple[np.ndarray, list[int], list[int]]:
    """Return bytes for arrays of these sizes one behind the other, the sizes, and where each begins."""
    starts = [sum(counts[:at]) for at in range(len(counts))]
    return np.empty(sum(counts), np.uint8), counts, starts


def _hand_out(room: np.ndarray, counts: Sequence[int], outputs: Sequence[Array], *kept: object) -> None:
    start = 0
    for each, count in zip(outputs, counts):
        _put(each, room[start : start + count].view(each.dtype).reshape(each.shape))
        start += count


def _put(array: Array, values: np.ndarray) -> None:
    if isinstance(array, np.ndarray):
        array[...] = values
    else:
        array.set(np.ascontiguousarray(values))


def _keep(*buffers: object) -> None:
    """Hold memory that MPI reads until it has ended."""


def _then(finish: Callable[[], None] | None, *buffers: object) -> None:
    if finish is not None:
        finish()


def _reads_cuda(MPI: Any, communicator: Any) -> bool:
    """Return whether MPI takes arrays of a GPU: it says so by MPI 4.1's kinds of memory, or the user does.

    The environment variable FACULA_MPI_CUDA_AWARE, 0 or 1, has the last word.
    """
    told = os.environ.get("FACULA_MPI_CUDA_AWARE")
    if told is not None:
        return told == "1"
    info = communicator.Get_info()
    kinds = info.Get("mpi_memory_alloc_kinds") or ""
    info.Free()
    return "cuda" in kinds.split(",")
