"""The calls of Ray's that the launcher makes, with a process for each actor; what was asked for is noted in a file.

Machines are made up: bundle N of a placement group is machine N.
"""

import json
import multiprocessing
import os
import pickle as cloudpickle
import sys
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor
from concurrent.futures import wait as wait_for

from ray import util as util

sys.modules["ray.cloudpickle"] = cloudpickle
_started = False


class RayTaskError(Exception):
    pass


def note(**what) -> None:
    with open(os.environ["FAKE_RAY_NOTES"], "a", encoding="utf-8") as file:
        file.write(json.dumps(what) + "\n")


def is_initialized() -> bool:
    return _started


def init(**settings) -> None:
    global _started
    assert not _started
    _started = True
    note(init=settings)


def put(value: object) -> Future:
    found: Future = Future()
    found.set_result(value)
    return found


def get(reference):
    assert isinstance(reference, Future), reference
    return reference.result()


def wait(references: list, num_returns: int = 1):
    done = wait_for(references, return_when=FIRST_COMPLETED).done
    first = [each for each in references if each in done][:num_returns]
    return first, [each for each in references if each not in first]


def _serve(kind: type, pipe) -> None:
    actor = kind()
    while True:
        name, arguments = pipe.recv()
        try:
            pipe.send((True, getattr(actor, name)(*arguments)))
        except BaseException:
            pipe.send((False, traceback.format_exc()))


class _Method:
    def __init__(self, actor: "_Actor", name: str) -> None:
        self._actor, self._name = actor, name

    def remote(self, *arguments) -> Future:
        return self._actor.executor.submit(self._call, arguments)

    def _call(self, arguments: tuple):
        given = tuple(each.result() if isinstance(each, Future) else each for each in arguments)
        self._actor.pipe.send((self._name, given))
        right, found = self._actor.pipe.recv()
        if not right:
            raise RayTaskError(found)
        return found


class _Actor:
    def __init__(self, kind: type) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(kind, theirs), daemon=True)
        self.process.start()
        theirs.close()
        self.executor = ThreadPoolExecutor(1)

    def __getattr__(self, name: str) -> _Method:
        return _Method(self, name)


class _Class:
    def __init__(self, kind: type) -> None:
        self._kind = kind

    def remote(self) -> _Actor:
        return _Actor(self._kind)


def remote(**options):
    place = options.pop("scheduling_strategy")
    note(actors=options, machine=place.placement_group_bundle_index)
    return _Class


def kill(actor: _Actor) -> None:
    actor.process.kill()
    actor.process.join()
    actor.executor.shutdown(cancel_futures=True)
    note(killed=True)
