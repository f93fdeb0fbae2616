"""Collectives over NCCL, through CuPy: arrays on GPUs, one GPU for each process."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from facula.backend import cupy
from facula.distributed.backends.backend import Backend, Started
from facula.distributed.reduce_op import PremultipliedSum, ReduceOp, Reduction

_OPS = {
    ReduceOp.SUM: "NCCL_SUM",
    ReduceOp.AVG: "NCCL_SUM",
    ReduceOp.PRODUCT: "NCCL_PROD",
    ReduceOp.MIN: "NCCL_MIN",
    ReduceOp.MAX: "NCCL_MAX",
}
#: NCCL's name for each NumPy type, and how many of its numbers make one.
_TYPES = {
    **{name: (f"NCCL_{name.upper()}", 1) for name in ("int8", "uint8", "int32", "uint32", "int64", "uint64")},
    **{name: (f"NCCL_{name.upper()}", 1) for name in ("float16", "float32", "float64")},
    "complex64": ("NCCL_FLOAT32", 2),
    "complex128": ("NCCL_FLOAT64", 2),
}

#: An array of CuPy's.
Array = Any

#: Gives every process of a group what its first process has: (the first's bytes or None, a name for the exchange).
Exchange = Callable[[bytes | None, str], bytes]


def load() -> Any:
    """Return ``cupy.cuda.nccl``; RuntimeError where CuPy has no NCCL."""
    cuda = cupy().cuda
    from cupy.cuda import nccl

    if not getattr(nccl, "available", False):
        raise RuntimeError(f"this CuPy was built without NCCL; CUDA {cuda.runtime.runtimeGetVersion()}")
    return nccl


def is_nccl_available() -> bool:
    """Return whether CuPy is there with NCCL and a GPU to use it on."""
    try:
        load()
        return int(cupy().cuda.runtime.getDeviceCount()) > 0
    except Exception:  # a missing package, driver or card all mean the same here
        return False


class _StreamRequest:
    """What was put on the stream for communication; waiting lets the current stream wait, not the program.

    With FACULA_NCCL_BLOCKING_WAIT=1 the program waits, so that the watchdog sees a collective that does not end.
    """

    def __init__(self, stream: Any, *kept: object) -> None:
        self._event = stream.record()
        self._kept = kept
        self.blocks = os.environ.get("FACULA_NCCL_BLOCKING_WAIT") == "1"

    def test(self) -> bool:
        if self.blocks and not self._event.done:
            return False
        self.wait()
        return True

    def wait(self) -> None:
        cupy().cuda.get_current_stream().wait_event(self._event)


class NCCLBackend(Backend):
    """Collectives over a communicator of NCCL's, on a stream of their own beside the computation."""

    name = "nccl"

    def __init__(self, rank: int, size: int, exchange: Exchange, label: str = "world") -> None:
        self.nccl = load()
        self.rank, self.size = rank, size
        self._exchange, self._label = exchange, label
        own = _to_bytes(self.nccl.get_unique_id()) if rank == 0 else None
        self.communicator = self.nccl.NcclCommunicator(size, _from_bytes(exchange(own, f"nccl/{label}")), rank)
        self._stream = cupy().cuda.Stream(non_blocking=True)
        self._subgroups = 0

    def _begin(self) -> int:
        """Let communication wait for what has been computed so far; return the stream for it."""
        self._stream.wait_event(cupy().cuda.get_current_stream().record())
        return int(self._stream.ptr)

    def _kind(self, array: Array) -> tuple[int, int]:
        """Return NCCL's type for an array and how many numbers of it there are."""
        known = _TYPES.get("uint8" if array.dtype.kind == "b" else array.dtype.name)
        if known is None:
            raise TypeError(f"NCCL has no type for tensors of {array.dtype}")
        name, each = known
        return getattr(self.nccl, name), array.size * each

    def _op(self, op: Reduction, array: Array) -> int:
        if isinstance(op, PremultipliedSum):
            return int(self.nccl.NCCL_SUM)
        if array.dtype.kind == "b":
            name = {ReduceOp.SUM: "NCCL_MAX", ReduceOp.PRODUCT: "NCCL_MIN"}.get(op, _OPS.get(op))
        else:
            name = _OPS.get(op)
        if name is None:
            raise ValueError(f"Cannot use {op} with NCCL")
        if array.dtype.kind == "c" and op is ReduceOp.PRODUCT:
            raise ValueError("NCCL has no product of complex numbers")
        return int(getattr(self.nccl, name))

    @staticmethod
    def _finish(array: Array, op: Reduction, size: int) -> Callable[[], None] | None:
        if op is not ReduceOp.AVG:
            return None

        def divide() -> None:
            flat = array.reshape(-1)
            flat /= array.dtype.type(size)

        return divide

    def _request(self, *kept: object) -> _StreamRequest:
        return _StreamRequest(self._stream, *kept)

    def all_reduce(self, array: Array, op: Reduction) -> Started:
        _premultiply(array, op)
        kind, count = self._kind(array)
        address, combine = array.data.ptr, self._op(op, array)
        self.communicator.allReduce(address, address, count, kind, combine, self._begin())
        return self._request(array), self._finish(array, op, self.size)

    def broadcast(self, array: Array, root: int) -> Started:
        raw = _as_bytes(array)
        self.communicator.bcast(raw.data.ptr, raw.size, self.nccl.NCCL_UINT8, root, self._begin())
        return self._request(array), None

    def reduce(self, array: Array, root: int, op: Reduction) -> Started:
        _premultiply(array, op)
        kind, count = self._kind(array)
        address, combine = array.data.ptr, self._op(op, array)
        self.communicator.reduce(address, address, count, kind, combine, root, self._begin())
        return self._request(array), self._finish(array, op, self.size) if self.rank == root else None

    def all_gather(self, outputs: Sequence[Array], array: Array) -> Started:
        return self._exchange_parts([array] * self.size, outputs)

    def gather(self, outputs: Sequence[Array] | None, array: Array, root: int) -> Started:
        sent = [array if other == root else None for other in range(self.size)]
        return self._exchange_parts(sent, outputs or [None] * self.size)

    def scatter(self, output: Array, arrays: Sequence[Array] | None, root: int) -> Started:
        received = [output if other == root else None for other in range(self.size)]
        return self._exchange_parts(arrays or [None] * self.size, received)

    def all_to_all(self, outputs: Sequence[Array], arrays: Sequence[Array]) -> Started:
        return self._exchange_parts(arrays, outputs)

    def _exchange_parts(self, sent: Sequence[Array | None], received: Sequence[Array | None]) -> Started:
        """Send to and receive from each other process what there is for it and of it, all at once."""
        stream, kind = self._begin(), self.nccl.NCCL_UINT8
        self.nccl.groupStart()
        for other, (outgoing, incoming) in enumerate(zip(sent, received)):
            if outgoing is not None and outgoing.nbytes:
                raw = _as_bytes(outgoing)
                self.communicator.send(raw.data.ptr, raw.size, kind, other, stream)
            if incoming is not None and incoming.nbytes:
                raw = _as_bytes(incoming)
                self.communicator.recv(raw.data.ptr, raw.size, kind, other, stream)
        self.nccl.groupEnd()
        return self._request(sent, received), None

    def reduce_scatter(self, output: Array, arrays: Sequence[Array], op: Reduction) -> Started:
        copies = [each.copy() for each in arrays]
        for each in copies:
            _premultiply(each, op)
        if len({each.size for each in copies}) == 1:
            whole = cupy().concatenate([each.reshape(-1) for each in copies])
            stream = self._begin()
            kind, count = self._kind(output)
            self.communicator.reduceScatter(whole.data.ptr, output.data.ptr, count, kind, self._op(op, output), stream)
            return self._request(whole, output), self._finish(output, op, self.size)
        stream = self._begin()
        self.nccl.groupStart()
        for root, each in enumerate(copies):
            kind, count = self._kind(each)
            target = output.data.ptr if root == self.rank else each.data.ptr
            self.communicator.reduce(each.data.ptr, target, count, kind, self._op(op, each), root, stream)
        self.nccl.groupEnd()
        return self._request(copies, output), self._finish(output, op, self.size)

    def barrier(self) -> Started:
        token = cupy().zeros(1, np.float32)
        self.communicator.allReduce(
            token.data.ptr, token.data.ptr, 1, self.nccl.NCCL_FLOAT32, self.nccl.NCCL_SUM, self._begin()
        )
        # The program itself waits at a barrier, not only its stream.
        return self._request(token), self._stream.synchronize

    def send(self, array: Array, to: int, tag: int) -> Started:
        raw = _as_bytes(array)
        self.communicator.send(raw.data.ptr, raw.size, self.nccl.NCCL_UINT8, to, self._begin())
        return self._request(array), None

    def receive(self, array: Array, source: int | None, tag: int) -> Started:
        if source is None:
            raise ValueError("NCCL does not receive from anyone: recv needs src")
        raw = _as_bytes(array)
        self.communicator.recv(raw.data.ptr, raw.size, self.nccl.NCCL_UINT8, source, self._begin())
        return self._request(array), None

    def subgroup(self, ranks: Sequence[int]) -> NCCLBackend | None:
        self._subgroups += 1
        if self.rank not in ranks:
            return None
        label = f"{self._label}/{self._subgroups}:{','.join(map(str, ranks))}"
        return NCCLBackend(ranks.index(self.rank), len(ranks), self._exchange, label)

    def close(self) -> None:
        self._stream.synchronize()
        self.communicator.destroy()

    def abort(self, code: int) -> None:
        self.communicator.abort()


def _premultiply(array: Array, op: Reduction) -> None:
    if isinstance(op, PremultipliedSum):
        flat = array.reshape(-1)
        flat *= array.dtype.type(op.factor)


def _as_bytes(array: Array) -> Array:
    return array.reshape(-1).view(np.uint8)


def _to_bytes(identifier: bytes | Sequence[int]) -> bytes:
    """Return NCCL's unique id as bytes, marked with how CuPy gives it: since version 14 as bytes, before as numbers."""
    if isinstance(identifier, bytes):
        return b"b" + identifier
    return b"n" + bytes(each % 256 for each in identifier)


def _from_bytes(text: bytes) -> bytes | tuple[int, ...]:
    if text[:1] == b"b":
        return text[1:]
    return tuple(each - 256 if each > 127 else each for each in text[1:])
