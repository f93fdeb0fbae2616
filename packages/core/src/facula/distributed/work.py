"""Work: a collective that is under way."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Protocol

from facula.distributed.errors import DistBackendError

if TYPE_CHECKING:
    from facula.distributed.watchdog import Watchdog
    from facula.futures import Future

#: How often a request is asked before the processor is left to others, and before it is left for longer.
_BUSY, _YIELDING = 200, 2000


class Request(Protocol):
    """What an engine gives for an operation that it has started."""

    def test(self) -> bool:
        """Return whether it has ended, and let it go on."""

    def wait(self) -> None:
        """Return when it has ended."""


class Work:
    """A collective that was started; ``wait()`` returns when its result is there."""

    def __init__(
        self,
        name: str,
        request: Request | None,
        finish: Callable[[], None] | None = None,
        result: Any = None,
        watchdog: Watchdog | None = None,
        sequence: int = 0,
    ) -> None:
        self.name = name
        self.sequence = sequence
        self._request = request
        self._finish = finish
        self._result = result
        self._watchdog = watchdog
        self._done = False
        self._error: BaseException | None = None

    def is_completed(self) -> bool:
        """Return whether the result is there; asking also lets it come nearer."""
        if not self._done and (self._request is None or self._asked(self._request.test)):
            self._complete()
        return self._done

    def _asked(self, question: Callable[[], bool]) -> bool:
        try:
            return question()
        except DistBackendError as error:
            self._error = self._named(error)
            raise self._error from error

    def _named(self, error: DistBackendError) -> DistBackendError:
        """Return the engine's error with the collective's name."""
        who = "" if self._watchdog is None else f"rank {self._watchdog.rank}: "
        return DistBackendError(f"{who}{self.name} (number {self.sequence}) failed: {error}")

    def is_success(self) -> bool:
        """Return whether it ended without an error."""
        return self.is_completed() and self._error is None

    def exception(self) -> BaseException | None:
        """Return the error it ended with, if it did."""
        return self._error

    def wait(self, timeout: timedelta | None = None) -> bool:
        """Return True when the result is there; DistBackendError when it is not after ``timeout`` (the group's for None).

        ``timedelta.max`` waits for ever. The error says which collective of which process is late, and in which the others are.
        """
        if self._done:
            return True
        seconds = self._watchdog.seconds if self._watchdog is not None else None
        if timeout is not None and timeout.total_seconds() > 0:
            seconds = None if timeout == timedelta.max else timeout.total_seconds()
        if self._request is not None:
            if seconds is None:
                self._asked(lambda: self._request.wait() is None)  # type: ignore[union-attr]  # it is there
            else:
                self._wait_until(time.monotonic() + seconds, seconds)
        self._complete()
        return True

    def _wait_until(self, deadline: float, seconds: float) -> None:
        assert self._request is not None
        asked = 0
        wait_for = getattr(self._request, "wait_for", None)
        if wait_for is not None:
            # Somebody else works on it, and says when it has ended.
            if self._asked(lambda: bool(wait_for(seconds))):
                return
            self._error = self._late(seconds)
            raise self._error
        while not self._asked(self._request.test):
            asked += 1
            if asked < _BUSY:
                continue
            # Other processes may need this processor to get here.
            if asked < _YIELDING and hasattr(os, "sched_yield"):
                os.sched_yield()
            else:
                time.sleep(1e-4)
            if time.monotonic() > deadline:
                self._error = self._late(seconds)
                raise self._error

    def _late(self, seconds: float) -> DistBackendError:
        if self._watchdog is None:
            return DistBackendError(f"{self.name} (number {self.sequence}) did not end within {seconds:g} s")
        return DistBackendError(self._watchdog.report(self.name, self.sequence, seconds))

    def _complete(self) -> None:
        self._done = True
        if self._watchdog is not None:
            self._watchdog.ended(self.sequence)
        if self._finish is not None:
            finish, self._finish = self._finish, None
            finish()

    def synchronize(self) -> None:
        """Return when the result is there."""
        self.wait()

    def result(self) -> Any:
        """Return the tensors that hold the result, when it is there."""
        self.wait()
        return self._result

    def get_future(self) -> Future[Any]:
        """Return a future of `result`; it is waited for here and now, for nothing works in the background."""
        from facula.futures import Future

        future: Future[Any] = Future()
        try:
            future.set_result(self.result())
        except Exception as error:
            future.set_exception(error)
        return future

    def source_rank(self) -> int:
        """Return which process a message came from; RuntimeError for what is no message."""
        source = getattr(self._request, "source", None)
        if source is None:
            raise RuntimeError("sourceRank() may only be called on work objects that correspond to a recv")
        self.wait()
        return int(source())
