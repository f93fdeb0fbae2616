"""Values that are computed elsewhere or later."""

import concurrent.futures
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Future", "collect_all", "wait_all"]

Value = TypeVar("Value")
Other = TypeVar("Other")


class Future(Generic[Value]):
    """A value that somebody will set, once.

    >>> future = facula.futures.Future()
    >>> doubled = future.then(lambda done: done.value() * 2)
    >>> future.set_result(4)
    >>> doubled.wait()
    8
    """

    def __init__(self, *, devices: Sequence[object] | None = None) -> None:
        self._inner: concurrent.futures.Future[Value] = concurrent.futures.Future()

    def done(self) -> bool:
        """Return whether there is a value, or an error in its place."""
        return self._inner.done()

    def wait(self) -> Value:
        """Return the value as soon as it is there; raise the error that was set in its place."""
        return self._inner.result()

    def value(self) -> Value:
        """Return the value; RuntimeError when it is not there yet."""
        if not self._inner.done():
            raise RuntimeError("the Future is not completed yet; call wait() to wait for its value")
        return self._inner.result()

    def set_result(self, result: Value) -> None:
        """Set the value; RuntimeError when it was set before."""
        if self._inner.done():
            raise RuntimeError("Future can only be marked completed once")
        self._inner.set_result(result)

    def set_exception(self, result: BaseException) -> None:
        """Set an error in place of the value."""
        if not isinstance(result, BaseException):
            raise TypeError(f"{result!r} is of type {type(result).__name__}, not an Exception")
        self._inner.set_exception(result)

    def then(self, callback: "Callable[[Future[Value]], Other]") -> "Future[Other]":
        """Return a future of what ``callback`` returns; it is called with this one when that is done."""
        following: Future[Other] = Future()

        def run(_: object) -> None:
            try:
                following.set_result(callback(self))
            except Exception as error:
                following.set_exception(error)

        self._inner.add_done_callback(run)
        return following

    def add_done_callback(self, callback: "Callable[[Future[Value]], object]") -> None:
        """Call ``callback`` with this future when it is done."""
        self._inner.add_done_callback(lambda _: callback(self))


def collect_all(futures: Sequence[Future[Value]]) -> Future[list[Future[Value]]]:
    """Return a future of the list of futures, done when all of them are."""
    collected: Future[list[Future[Value]]] = Future()
    left = len(futures)

    def one_is_done(_: object) -> None:
        nonlocal left
        left -= 1
        if not left:
            collected.set_result(list(futures))

    for future in futures:
        future.add_done_callback(one_is_done)
    if not futures:
        collected.set_result([])
    return collected


def wait_all(futures: Sequence[Future[Value]]) -> list[Value]:
    """Return the values of all futures, waiting for each."""
    return [future.wait() for future in futures]
