"""TCPStore: keys and values that one process keeps for all, for finding each other before there is an engine."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Sequence
from datetime import timedelta

from facula.distributed.errors import DistNetworkError, DistStoreError

_SET, _GET, _ADD, _CHECK, _DELETE, _COUNT = range(6)
_HEAD = struct.Struct("!BII")
_DEFAULT = timedelta(seconds=300)


class TCPStore:
    """A table of texts and bytes, kept by the process with ``is_master`` and reached over TCP by all.

    ``port`` 0 takes a free one, and ``port`` of the object says which.

    >>> store = TCPStore("localhost", 0, is_master=True)
    >>> store.set("answer", "42")
    >>> store.get("answer")
    b'42'
    """

    def __init__(
        self,
        host_name: str,
        port: int,
        world_size: int | None = None,
        is_master: bool = False,
        timeout: timedelta = _DEFAULT,
        wait_for_workers: bool = True,
    ) -> None:
        self.host = host_name
        self.port = port
        self.timeout = timeout
        self._server = _Server(host_name, port) if is_master else None
        if self._server is not None:
            self.port = self._server.port
        self._lock = threading.Lock()
        self._connection = _connect(host_name, self.port, timeout)
        if world_size is not None and wait_for_workers:
            self.add("init/", 1)
            deadline = time.monotonic() + timeout.total_seconds()
            while self.add("init/", 0) < world_size:
                if time.monotonic() > deadline:
                    found = self.add("init/", 0)
                    raise DistStoreError(f"Timed out waiting for clients: {found} of {world_size} have joined")
                time.sleep(0.01)

    @property
    def reachable_address(self) -> str:
        """The address of this machine by which the others, who reach the store, reach it too."""
        return self.host if self._server is not None else str(self._connection.getsockname()[0])

    def set(self, key: str, value: str | bytes) -> None:
        """Set the value of a key."""
        self._ask(_SET, key, value.encode() if isinstance(value, str) else value)

    def get(self, key: str) -> bytes:
        """Return the value of a key as soon as it is set; DistStoreError when it is not in time."""
        self.wait([key])
        return self._ask(_GET, key)

    def add(self, key: str, amount: int) -> int:
        """Add to the number that a key stands for, from 0, and return the sum."""
        return int(self._ask(_ADD, key, str(amount).encode()))

    def check(self, keys: Sequence[str]) -> bool:
        """Return whether all keys are set."""
        return all(self._ask(_CHECK, key) == b"1" for key in keys)

    def wait(self, keys: Sequence[str], timeout: timedelta | None = None) -> None:
        """Return when all keys are set; DistStoreError when they are not in time."""
        seconds = (timeout or self.timeout).total_seconds()
        deadline = time.monotonic() + seconds
        while not self.check(keys):
            if time.monotonic() > deadline:
                missing = [key for key in keys if not self.check([key])]
                raise DistStoreError(f"wait timeout after {seconds:g} s, keys: {', '.join(missing)}")
            time.sleep(0.005)

    def delete_key(self, key: str) -> bool:
        """Forget a key; return whether it was set."""
        return self._ask(_DELETE, key) == b"1"

    def num_keys(self) -> int:
        """Return how many keys are set."""
        return int(self._ask(_COUNT, ""))

    def close(self) -> None:
        """End the connection, and with the master's the store."""
        self._connection.close()
        if self._server is not None:
            self._server.close()

    def _ask(self, kind: int, key: str, value: bytes = b"") -> bytes:
        name = key.encode()
        with self._lock:
            try:
                self._connection.sendall(_HEAD.pack(kind, len(name), len(value)) + name + value)
                (length,) = struct.unpack("!I", _read(self._connection, 4))
                return _read(self._connection, length)
            except OSError as error:
                raise DistNetworkError(f"the store at {self.host}:{self.port} does not answer: {error}") from error


class _Server:
    """Answers requests, each connection in a thread of its own."""

    def __init__(self, host: str, port: int) -> None:
        self._values: dict[bytes, bytes] = {}
        self._lock = threading.Lock()
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        self._socket = socket.create_server((host, port), family=family, backlog=1024)
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True, name="facula-store").start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True, name="facula-store").start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            try:
                while True:
                    kind, key_length, value_length = _HEAD.unpack(_read(connection, _HEAD.size))
                    key, value = _read(connection, key_length), _read(connection, value_length)
                    answer = self._answer(kind, key, value)
                    connection.sendall(struct.pack("!I", len(answer)) + answer)
            except OSError:  # the other side has ended
                return

    def _answer(self, kind: int, key: bytes, value: bytes) -> bytes:
        with self._lock:
            if kind == _SET:
                self._values[key] = value
            elif kind == _GET:
                return self._values.get(key, b"")
            elif kind == _ADD:
                self._values[key] = str(int(self._values.get(key, b"0")) + int(value)).encode()
                return self._values[key]
            elif kind == _CHECK:
                return b"1" if key in self._values else b"0"
            elif kind == _DELETE:
                return b"1" if self._values.pop(key, None) is not None else b"0"
            elif kind == _COUNT:
                return str(len(self._values)).encode()
        return b""

    def close(self) -> None:
        """Listen no more."""
        self._socket.close()


def _connect(host: str, port: int, timeout: timedelta) -> socket.socket:
    """Return a connection, tried again until the master listens."""
    deadline = time.monotonic() + timeout.total_seconds()
    while True:
        try:
            connection = socket.create_connection((host, port), timeout=10)
        except OSError as error:
            if time.monotonic() > deadline:
                raise DistNetworkError(
                    f"no store answers at {host}:{port} after {timeout.total_seconds():g} s: {error}"
                ) from error
            time.sleep(0.05)
        else:
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection


def _read(connection: socket.socket, count: int) -> bytes:
    parts = []
    while count:
        part = connection.recv(min(count, 1 << 20))
        if not part:
            raise ConnectionError("the connection was closed")
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
