"""Worker processes and the lines to them."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import BaseContext
from typing import Any

from facula.utils.data import transport
from facula.utils.data import worker as workers


class Pool:
    """Worker processes, and the requests that are under way."""

    def __init__(
        self,
        fetcher: workers.Fetcher,
        count: int,
        base_seed: int,
        init: Callable[[int], None] | None,
        context: BaseContext | str | None,
    ) -> None:
        if not isinstance(context, BaseContext):
            # Forked workers see the dataset as it is, without a copy of it being sent.
            known = multiprocessing.get_all_start_methods()
            context = multiprocessing.get_context(context or ("fork" if "fork" in known else None))
        self._owner = os.getpid()
        self.lines: list[Connection] = []
        self.processes: list[Any] = []
        self.epoch = 0
        #: Where the generators of workers are that drew from them, after the batches that were given.
        self.random: dict[int, tuple[Any, ...]] = {}
        for number in range(count):
            here, there = context.Pipe()
            process = context.Process(  # type: ignore[attr-defined]  # each context has one
                target=_work,
                args=([*self.lines, here], fetcher, there, number, count, base_seed, init),
                daemon=True,
                name=f"facula data loader {number}",
            )
            process.start()
            there.close()
            self.lines.append(here)
            self.processes.append(process)

    def batches(
        self,
        requests: Iterator[Any],
        order: list[int],
        states: dict[int, object],
        random: dict[int, tuple[Any, ...]],
        ahead: int,
        timeout: float,
        in_order: bool,
    ) -> Iterator[tuple[object, int, object, tuple[Any, ...] | None, list[int]]]:
        """Yield the batches of requests: each with its worker, the state of its stream, of its generators, and who is next.

        Worker after worker gets a request, in turns that begin as ``order`` says; without ``in_order`` batches come as
        they are ready. ``random`` says where the generators of workers begin that have drawn from them before.
        """
        self.epoch += 1
        epoch = self.epoch
        for chosen in range(len(self.lines)):
            self._send(chosen, (epoch, -1, workers.Start(states.get(chosen), random.get(chosen))))
        turns = deque(order)
        asked: deque[tuple[int, int]] = deque()
        arrived: dict[int, tuple[object, object, tuple[Any, ...] | None]] = {}
        ended: set[int] = set()
        number = 0
        exhausted = False
        while True:
            while not exhausted and turns and len(asked) < ahead * len(self.lines):
                try:
                    request = next(requests)
                except StopIteration:
                    exhausted = True
                    break
                chosen = turns[0]
                turns.rotate(-1)
                self._send(chosen, (epoch, number, request))
                asked.append((number, chosen))
                number += 1
            if not asked:
                return
            wanted, chosen = asked[0]
            while not (wanted in arrived if in_order else arrived):
                waited_for = [chosen] if in_order else sorted({each for _, each in asked})
                key, *answered = self._receive(waited_for, epoch, timeout)
                arrived[key] = (answered[0], answered[1], answered[2])
            if not in_order:
                wanted = next(iter(arrived))
                chosen = next(each for key, each in asked if key == wanted)
            asked.remove((wanted, chosen))
            answer, state, drawn = arrived.pop(wanted)
            if isinstance(answer, workers.Failure):
                answer.raise_again()
            if isinstance(answer, workers.End):
                if chosen not in ended:
                    ended.add(chosen)
                    turns.remove(chosen)
                continue
            following = dict.fromkeys([*(each for _, each in asked), *turns])
            yield answer, chosen, state, drawn, list(following)
            if epoch != self.epoch:
                raise RuntimeError("a newer iteration over this DataLoader has taken over its persistent workers")

    def _send(self, chosen: int, message: object) -> None:
        try:
            self.lines[chosen].send(message)
        except OSError:
            self._died(chosen)

    def _receive(self, chosen: list[int], epoch: int, timeout: float) -> tuple[int, Any, Any, Any]:
        """Return the next answer of one of some workers; RuntimeError when one has died or all take too long."""
        deadline = time.monotonic() + timeout if timeout else None
        while True:
            watched = {self.lines[each]: each for each in chosen}
            dead = {self.processes[each].sentinel: each for each in chosen}
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            ready = wait([*watched, *dead], left)
            if not ready:
                raise RuntimeError(f"DataLoader timed out after {timeout} seconds")
            for line in ready:
                if line in watched:
                    try:
                        found, *answered = transport.receive(line)
                    except (EOFError, OSError):
                        self._died(watched[line])
                    if found == epoch:
                        return answered[0], answered[1], answered[2], answered[3]
                    break
            else:
                self._died(dead[ready[0]])

    def _died(self, chosen: int) -> None:
        process = self.processes[chosen]
        process.join(5)
        code = process.exitcode
        how = f"was killed by signal {-code}" if code is not None and code < 0 else f"exited with code {code}"
        raise RuntimeError(f"DataLoader worker (pid(s) {process.pid}) exited unexpectedly: worker {chosen} {how}.")

    def __del__(self) -> None:
        # A forked process has this object too, but not its children.
        if self.__dict__.get("_owner") == os.getpid():
            self.close()

    def close(self) -> None:
        """End all workers: those that do not leave at once are stopped."""
        for line in self.lines:
            try:
                line.send(None)
            except OSError:
                pass  # this one has gone already
            line.close()
        deadline = time.monotonic() + 1.0
        for process in self.processes:
            process.join(max(0.0, deadline - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
            process.close()
        self.lines, self.processes = [], []


def _work(others: list[Connection], fetcher: workers.Fetcher, line: Connection, *rest: Any) -> None:
    """Close the ends of lines that belong to the main process, so that its end is noticed, then work."""
    for each in others:
        each.close()
    workers.run(fetcher, line, *rest)
