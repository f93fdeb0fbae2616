"""Mesh: a TCP connection of every process with every other, and the messages that come by them.

A thread for each connection reads whatever comes, so that a process that computes, sleeps or hangs stops nobody who sends to
it, and can be asked where it is.
"""

from __future__ import annotations

import atexit
import hmac
import os
import socket
import struct
import sys
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from facula.distributed.errors import DistBackendError, DistNetworkError
from facula.distributed.store import TCPStore

#: Kinds of message: a part of a collective; one between two processes; the question where a process is, and its answer;
#: that a process ends its program; that all are to end theirs.
_PART, _MESSAGE, _ASK, _ANSWER, _BYE, _ABORT = range(6)
_HEAD = struct.Struct("<BqqQ")  # kind, group, number, bytes that follow
_HELLO = struct.Struct("<16sI")  # the secret of the mesh, rank
_NUMBER = struct.Struct("<q")
#: Up to so many bytes, the copy that joins a head with its message costs less than a second packet.
_SMALL = 1 << 16

_meshes: weakref.WeakSet[Mesh] = weakref.WeakSet()


class Receipt:
    """A message that is waited for."""

    def __init__(self, mesh: Mesh, source: int | None) -> None:
        self._mesh = mesh
        self._wanted = source
        self.found: np.ndarray | None = None
        self.origin = -1

    def accepts(self, source: int) -> bool:
        """Return whether it waits for what comes from a process."""
        return self._wanted is None or self._wanted == source

    def test(self) -> bool:
        """Return whether it has come; DistBackendError when it never will."""
        return self.wait_for(0.0)

    def wait(self) -> None:
        """Return when it has come."""
        self.wait_for(None)

    def wait_for(self, seconds: float | None) -> bool:
        """Return whether it has come within so many seconds."""
        with self._mesh.arrived:
            return self._mesh.arrived.wait_for(self._is_settled, seconds)

    def _is_settled(self) -> bool:
        if self.found is not None:
            return True
        mesh = self._mesh
        others = (
            [self._wanted] if self._wanted is not None else [each for each in range(mesh.size) if each != mesh.rank]
        )
        if all(each in mesh.gone for each in others):
            raise DistBackendError("; ".join(f"rank {each} {mesh.gone[each]}" for each in others))
        return False

    def source(self) -> int:
        """Return from whom it came."""
        return self.origin


class Mesh:
    """Connections with all other processes, which meet by a store under a name that is used once."""

    def __init__(self, rank: int, size: int, store: TCPStore, name: str, seconds: float) -> None:
        self.rank, self.size = rank, size
        #: What another process can no longer be heard for.
        self.gone: dict[int, str] = {}
        self.arrived = threading.Condition()
        self._parts: dict[tuple[int, int, int], deque[np.ndarray]] = {}
        self._messages: dict[tuple[int, int], list[tuple[int, np.ndarray]]] = {}
        self._receipts: dict[tuple[int, int], list[Receipt]] = {}
        self._answers: dict[int, bytes] = {}
        #: What this process says of itself when it is asked.
        self.status: Callable[[], bytes] = bytes
        #: The number of the last collective, said when the program ends.
        self.number: Callable[[], int] = int
        self._closed = False
        self._connections = _meet(rank, size, store, name, seconds)
        self._sending = {other: threading.Lock() for other in self._connections}
        for other in self._connections:
            threading.Thread(target=self._read, args=(other,), daemon=True, name=f"facula-from-{other}").start()
        _meshes.add(self)
        atexit.register(self.close)

    # Sending

    def _send(self, to: int, kind: int, group: int = 0, number: int = 0, body: Any = b"") -> None:
        view = memoryview(body).cast("B") if len(body) else memoryview(b"")
        head = _HEAD.pack(kind, group, number, view.nbytes)
        connection = self._connections[to]
        try:
            with self._sending[to]:
                if view.nbytes <= _SMALL:
                    connection.sendall(head + view)
                else:
                    connection.sendall(head)
                    connection.sendall(view)
        except OSError as error:
            why = self.gone.get(to, f"cannot be reached any more: {error}")
            raise DistBackendError(f"rank {to} {why}") from error

    def send_part(self, to: int, group: int, number: int, array: np.ndarray) -> None:
        """Send what collective ``number`` of a group has for a process."""
        self._send(to, _PART, group, number, _bytes_of(array))

    def send_message(self, to: int, group: int, tag: int, array: np.ndarray) -> None:
        """Send what `receive` of another process gets."""
        self._send(to, _MESSAGE, group, tag, _bytes_of(array))

    # Receiving

    def part(self, source: int, group: int, number: int) -> np.ndarray:
        """Return the next bytes that a process sent for a collective; DistBackendError when it never will."""
        key = (source, group, number)

        def settled() -> bool:
            if key not in self._parts and source in self.gone:
                raise DistBackendError(f"rank {source} {self.gone[source]}")
            return key in self._parts

        with self.arrived:
            self.arrived.wait_for(settled)
            box = self._parts[key]
            found = box.popleft()
            if not box:
                del self._parts[key]
            return found

    def receive(self, source: int | None, group: int, tag: int) -> Receipt:
        """Return the receipt for the next message with a tag from a process, from any for None."""
        receipt = Receipt(self, source)
        key = (group, tag)
        with self.arrived:
            waiting = self._messages.get(key, [])
            for at, (origin, body) in enumerate(waiting):
                if receipt.accepts(origin):
                    receipt.found, receipt.origin = body, origin
                    del waiting[at]
                    return receipt
            self._receipts.setdefault(key, []).append(receipt)
        return receipt

    def ask(self, other: int, seconds: float) -> bytes | None:
        """Return what another process says of itself; None when it says nothing in time."""
        try:
            with self.arrived:
                self._answers.pop(other, None)
            self._send(other, _ASK)
        except DistBackendError:
            return None
        with self.arrived:
            self.arrived.wait_for(lambda: other in self._answers or other in self.gone, seconds)
            return self._answers.get(other)

    def _read(self, other: int) -> None:
        """Take in all that comes from one process, until it ends."""
        connection = self._connections[other]
        why = "has ended, or cannot be reached any more"
        try:
            while True:
                kind, group, number, length = _HEAD.unpack(_read_into(connection, bytearray(_HEAD.size)))
                body = _read_into(connection, np.empty(length, np.uint8)) if length else np.empty(0, np.uint8)
                if kind == _BYE:
                    why = f"has ended its program after number {number}"
                else:
                    self._take(other, kind, group, number, body)
        except OSError as error:
            if not isinstance(error, ConnectionError):
                why = f"cannot be reached any more: {error}"
        finally:
            with self.arrived:
                self.gone[other] = why
                self.arrived.notify_all()
            connection.close()

    def _take(self, other: int, kind: int, group: int, number: int, body: np.ndarray) -> None:
        if kind == _ASK:
            _quietly(lambda: self._send(other, _ANSWER, body=self.status()))
            return
        if kind == _ABORT:
            _end(number)
        with self.arrived:
            if kind == _PART:
                self._parts.setdefault((other, group, number), deque()).append(body)
            elif kind == _ANSWER:
                self._answers[other] = body.tobytes()
            else:
                self._deliver(other, (group, number), body)
            self.arrived.notify_all()

    def _deliver(self, other: int, key: tuple[int, int], body: np.ndarray) -> None:
        """Give a message to the first who waits for it, else keep it."""
        waiting = self._receipts.get(key, [])
        for at, receipt in enumerate(waiting):
            if receipt.accepts(other):
                receipt.found, receipt.origin = body, other
                del waiting[at]
                return
        self._messages.setdefault(key, []).append((other, body))

    # Ending

    def abort(self, code: int) -> None:
        """Let all other processes end with an exit status."""
        for other in self._connections:
            if other not in self.gone:
                _quietly(lambda other=other: self._send(other, _ABORT, number=code))  # type: ignore[misc]

    def close(self) -> None:
        """Say to all that this process goes; what they have sent is still read."""
        if self._closed:
            return
        self._closed = True
        atexit.unregister(self.close)
        for other, connection in self._connections.items():
            if other not in self.gone:
                _quietly(lambda other=other: self._send(other, _BYE, number=self.number()))  # type: ignore[misc]
                _quietly(lambda connection=connection: connection.shutdown(socket.SHUT_WR))  # type: ignore[misc]

    def leave_to_parent(self) -> None:
        """Let go of the connections in a process that was forked: they are its parent's."""
        self._closed = True
        for connection in self._connections.values():
            connection.close()


def _in_child() -> None:
    for mesh in list(_meshes):
        mesh.leave_to_parent()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)


def _quietly(do: Callable[[], None]) -> None:
    """Do what may fail because the other side has gone already."""
    try:
        do()
    except (OSError, DistBackendError):
        pass


def _end(code: int) -> None:
    """End this process at once, whatever it is in: another has failed."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _bytes_of(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def _read_into(connection: socket.socket, room: Any) -> Any:
    view = memoryview(room)
    while len(view):
        count = connection.recv_into(view)
        if not count:
            raise ConnectionError("the connection was closed")
        view = view[count:]
    return room


def _meet(rank: int, size: int, store: TCPStore, name: str, seconds: float) -> dict[int, socket.socket]:
    """Return a connection with each other process: those before this one are called, those after it call."""
    host = store.reachable_address
    family = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][0]
    deadline = time.monotonic() + seconds
    with socket.create_server((host, 0), family=family, backlog=max(size, 1)) as server:
        if rank == 0:
            store.set(f"{name}/secret", os.urandom(16))
        store.set(f"{name}/{rank}", f"{host} {server.getsockname()[1]}")
        secret = store.get(f"{name}/secret")
        found = {}
        for other in range(rank):
            there, _, port = store.get(f"{name}/{other}").decode().rpartition(" ")
            try:
                connection = socket.create_connection((there, int(port)), timeout=max(deadline - time.monotonic(), 1))
            except OSError as error:
                raise DistNetworkError(f"rank {rank} cannot reach rank {other} at {there}:{port}: {error}") from error
            connection.sendall(_HELLO.pack(secret, rank))
            found[other] = connection
        while len(found) < size - 1:
            server.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                connection, _ = server.accept()
            except TimeoutError:
                missing = [other for other in range(size) if other != rank and other not in found]
                raise DistNetworkError(f"rank {rank} waited {seconds:g} s in vain for ranks {missing}") from None
            caller = _who(connection, secret)
            if caller is None:
                connection.close()
            else:
                found[caller] = connection
    for connection in found.values():
        connection.settimeout(None)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    return found


def _who(connection: socket.socket, secret: bytes) -> int | None:
    """Return the rank of who calls; None for a stranger, who does not know the secret."""
    connection.settimeout(10)
    try:
        theirs, rank = _HELLO.unpack(_read_into(connection, bytearray(_HELLO.size)))
    except OSError:
        return None
    return int(rank) if hmac.compare_digest(theirs, secret) else None
