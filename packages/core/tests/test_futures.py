"""Futures: set once, waited for, followed."""

import threading

import pytest
from facula.futures import Future, collect_all, wait_all


def test_a_value_set_by_another_thread_is_waited_for() -> None:
    future: Future[int] = Future()
    threading.Timer(0.01, future.set_result, [3]).start()
    assert future.wait() == future.value() == 3
    assert future.done()
    with pytest.raises(RuntimeError, match="once"):
        future.set_result(4)


def test_a_value_that_is_not_there_is_refused() -> None:
    with pytest.raises(RuntimeError, match="not completed"):
        Future().value()


def test_what_follows_is_called_and_its_error_is_kept() -> None:
    future: Future[int] = Future()
    doubled, failing = future.then(lambda done: done.value() * 2), future.then(lambda done: 1 / 0)
    future.set_result(4)
    assert doubled.wait() == 8
    with pytest.raises(ZeroDivisionError):
        failing.wait()


def test_several_together() -> None:
    futures: list[Future[int]] = [Future(), Future()]
    together = collect_all(futures)
    for index, future in enumerate(futures):
        assert not together.done()
        future.set_result(index)
    assert [each.value() for each in together.wait()] == wait_all(futures) == [0, 1]
    assert collect_all([]).wait() == []
