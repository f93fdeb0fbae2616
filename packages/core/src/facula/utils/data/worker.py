"""What runs in a worker process of the loader."""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import numpy as np

from facula.ops.random import manual_seed
from facula.utils.data.dataset import Dataset


@dataclass
class WorkerInfo:
    """Which worker this is, of how many, with its seed and its copy of the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Dataset


_info: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """Return what a worker process knows of itself; None in the main process."""
    return _info


@dataclass
class Failure:
    """An exception on its way from a worker to the main process."""

    kind: type[BaseException]
    text: str
    worker: int

    def raise_again(self) -> None:
        """Raise the exception, with the worker's traceback in its text."""
        message = f"Caught {self.kind.__name__} in DataLoader worker process {self.worker}.\nOriginal {self.text}"
        if self.kind is KeyError:
            # A KeyError shows the repr of its text, in which line ends would not break lines.
            raise KeyError(_Text(message))
        try:
            error = self.kind(message)
        except Exception:  # an exception whose constructor wants something else
            raise RuntimeError(message) from None
        raise error


class _Text(str):
    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


#: What a worker sends when its stream has ended.
END = "end of stream"


def run(
    dataset: Dataset,
    fetch_with: Callable[[Dataset], Callable[[object], object]],
    connection: Connection,
    worker: int,
    count: int,
    base_seed: int,
    init: Callable[[int], None] | None,
) -> None:
    """Answer each request (number, what to fetch) from ``connection`` with (number, batch or failure), until None."""
    global _info
    seed = base_seed + worker
    random.seed(seed)
    manual_seed(seed)
    # NumPy takes several 32-bit words, so that workers of neighbouring seeds differ in all of them.
    np.random.seed([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF, worker])
    _info = WorkerInfo(worker, count, seed, dataset)
    fetch: Callable[[object], object] | None = None
    try:
        start_failure = None
        try:
            if init is not None:
                init(worker)
            fetch = fetch_with(dataset)
        except Exception as error:
            start_failure = Failure(type(error), traceback.format_exc(), worker)
        while (request := connection.recv()) is not None:
            number, wanted = request
            try:
                answer = start_failure if start_failure is not None else fetch(wanted)
            except StopIteration:
                answer = END
            except Exception as error:
                answer = Failure(type(error), traceback.format_exc(), worker)
            connection.send((number, answer))
    except (EOFError, BrokenPipeError, KeyboardInterrupt):
        pass  # the main process has gone, or goes
    finally:
        connection.close()
