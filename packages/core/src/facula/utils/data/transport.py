"""Batches from a worker to the main process: large arrays in shared memory, the rest through the line.

The memory has no name in the file system, only a descriptor that goes with the message; when the last one who knows it
is gone, so is the memory, whatever happened to whom.
"""

from __future__ import annotations

import mmap
import os
import pickle
from multiprocessing.connection import Connection
from multiprocessing.reduction import recv_handle, send_handle
from typing import Any

#: Fewer bytes than this go through the line.
SHARED_FROM = 1 << 16
#: Where arrays begin in shared memory: a multiple of this, so that vector instructions find them aligned.
ALIGNMENT = 64


def send(line: Connection, value: object) -> None:
    """Send any value that can be pickled."""
    buffers: list[pickle.PickleBuffer] = []
    text = pickle.dumps(value, protocol=5, buffer_callback=buffers.append)
    views = [each.raw() for each in buffers]
    places, end = [], 0
    for view in views:
        start = -(-end // ALIGNMENT) * ALIGNMENT
        end = start + view.nbytes
        places.append((start, end))
    shared = end >= SHARED_FROM and hasattr(os, "memfd_create")
    if not shared:
        line.send((text, None, [bytes(view) for view in views]))
        return
    descriptor = os.memfd_create("facula-batch")
    try:
        os.ftruncate(descriptor, end)
        with mmap.mmap(descriptor, end) as memory:
            for view, (start, stop) in zip(views, places, strict=True):
                memory[start:stop] = view
        line.send((text, end, places))
        send_handle(line, descriptor, None)
    finally:
        os.close(descriptor)


def receive(line: Connection) -> Any:
    """Return what `send` sent; its large arrays lie in the shared memory, and may be written to."""
    text, size, parts = line.recv()
    if size is None:
        return pickle.loads(text, buffers=[bytearray(each) for each in parts])
    descriptor = recv_handle(line)
    try:
        memory = memoryview(mmap.mmap(descriptor, size))
    finally:
        os.close(descriptor)
    return pickle.loads(text, buffers=[memory[start:stop] for start, stop in parts])
