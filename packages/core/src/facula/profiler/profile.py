"""profile: records each call of an operation; record_function: records a part of a program under a name."""

from __future__ import annotations

import enum
import functools
import os
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

from facula.graph.modes import intercepting, state
from facula.primitive import Primitive
from facula.profiler.events import EventList, FunctionEvent
from facula.tensor import Tensor

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "kineto_available",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerActivity(enum.Enum):
    """What can be recorded: the calls are the same for both."""

    CPU = 0
    CUDA = 1


class ProfilerAction(enum.Enum):
    """What happens in a step of a schedule."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    """Return what can be recorded."""
    return set(ProfilerActivity)


def kineto_available() -> bool:
    """Return False: recording needs no other library."""
    return False


def schedule(
    *, wait: int, warmup: int, active: int, repeat: int = 0, skip_first: int = 0, skip_first_wait: int = 0
) -> Callable[[int], ProfilerAction]:
    """Return what to do in each step: ``wait`` steps nothing, then warm up, then record; again, ``repeat`` times."""

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        length = wait + warmup + active
        if repeat and step // length >= repeat:
            return ProfilerAction.NONE
        place = step % length
        if place < wait:
            return ProfilerAction.NONE
        if place < wait + warmup:
            return ProfilerAction.WARMUP
        return ProfilerAction.RECORD if place < length - 1 else ProfilerAction.RECORD_AND_SAVE

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """Return a handler that writes each recording to a file of its own in a folder."""

    def handler(found: profile) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        found.export_chrome_trace(os.path.join(dir_name, f"{worker}.{time.time_ns()}.pt.trace.json"))

    return handler


#: The profiles that are recording, innermost last.
_recording: list[profile] = []


class profile:
    """Context in which each call of an operation is recorded.

    >>> with facula.profiler.profile() as found:
    ...     y = facula.ones(2, 2) @ facula.ones(2, 2)
    >>> [event.name for event in found.events()]
    ['mm']
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[profile], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: object = None,
        execution_trace_observer: object = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
    ) -> None:
        self.record_shapes = record_shapes
        self.on_trace_ready = on_trace_ready
        self.schedule = schedule
        self.step_num = 0
        self._events = EventList()
        self._open: list[FunctionEvent] = []
        self._interceptor: intercepting | None = None

    # An interceptor of every call.

    def intercept(self, primitive: Primitive, inputs: tuple[Any, ...], options: dict[str, Any]) -> object:
        """Return the result of a call, and record it."""
        shapes = []
        if self.record_shapes:
            shapes = [list(each.shape) if isinstance(each, Tensor) else [] for each in inputs]
        event = self.begin(primitive.name.strip("_"), shapes)
        # What watched outside of this profile watches on; the calls of gradients are recorded too.
        try:
            return primitive(*inputs, **options)
        finally:
            self.end(event)

    def begin(self, name: str, shapes: list[list[int]]) -> FunctionEvent:
        """Begin an event."""
        event = FunctionEvent(name, 0.0, 0.0, threading.get_ident(), shapes)
        self._open.append(event)
        event.start = time.perf_counter_ns() / 1e3
        return event

    def end(self, event: FunctionEvent) -> None:
        """End the event that began last."""
        event.end = time.perf_counter_ns() / 1e3
        self._open.remove(event)
        if self._open:
            self._open[-1].inside += event.cpu_time_total
        self._events.append(event)

    # Starting and stopping.

    def _action(self) -> ProfilerAction:
        return ProfilerAction.RECORD if self.schedule is None else self.schedule(self.step_num)

    def _records(self) -> bool:
        return self._action() in (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)

    def start(self) -> None:
        """Begin."""
        if self._records():
            self._begin_recording()

    def stop(self) -> None:
        """End, and call ``on_trace_ready`` when something was being recorded."""
        if self._interceptor is not None:
            self._end_recording()
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)

    def step(self) -> None:
        """Say that a step of the program is over: the schedule's next action begins."""
        saved = self._action() is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        if self._interceptor is not None and (saved or not self._records()):
            self._end_recording()
            if self.on_trace_ready is not None:
                self.on_trace_ready(self)
        if self._interceptor is None and self._records():
            self._events = EventList()
            self._begin_recording()

    def _begin_recording(self) -> None:
        self._interceptor = intercepting(self)
        self._interceptor.__enter__()
        _recording.append(self)

    def _end_recording(self) -> None:
        assert self._interceptor is not None
        self._interceptor.__exit__(None, None, None)
        self._interceptor = None
        _recording.remove(self)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # What was found.

    def events(self) -> EventList:
        """Return the calls."""
        return self._events

    def key_averages(self, group_by_input_shape: bool = False, group_by_stack_n: int = 0) -> EventList:
        """Return the calls, summed by name."""
        return self._events.key_averages(group_by_input_shape)

    def export_chrome_trace(self, path: str) -> None:
        """Write the calls to a file that chrome://tracing and Perfetto show."""
        self._events.export_chrome_trace(path)

    def add_metadata(self, key: str, value: str) -> None:
        """Do nothing: a trace has no place for it."""

    add_metadata_json = add_metadata


class record_function:
    """Context and decorator that shows a part of a program under a name in every profile."""

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self._events: list[tuple[profile, FunctionEvent]] = []

    def __enter__(self) -> record_function:
        self._events = [(each, each.begin(self.name, [])) for each in _recording] if state.interceptors else []
        return self

    def __exit__(self, *exception: object) -> None:
        for each, event in self._events:
            each.end(event)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function, each call of it shown under the name."""

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name):
                return function(*args, **kwargs)

        return inside
