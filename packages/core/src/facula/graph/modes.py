"""What governs recording in a thread: grad mode, inference mode, anomaly mode, and interceptors of every call."""

import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, TypeVar, overload

import numpy as np

from facula import native

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")


class Interceptor(Protocol):
    """Sees every primitive call of a thread instead of the plain door: tracing, batching, profiling, autocast."""

    def intercept(self, primitive: Any, inputs: tuple[Any, ...], options: dict[str, Any]) -> object:
        """Return what the call returns; usually by calling ``primitive.compute(*inputs, **options)``."""


class _NoFields:
    """Nothing: without the compiled call, a thread's state has all its fields of its own."""


class ThreadState(_NoFields if native.base is None else native.base.Modes, threading.local):  # type: ignore[misc]
    """What is switched on in this thread."""

    def __init__(self) -> None:
        self.grad_enabled = True
        self.inference = False
        self.anomaly = False
        self.interceptors: list[Interceptor] = []
        self.saved_tensor_hooks: list[tuple[Callable[..., Any], Callable[..., Any]]] = []
        #: The modes that see every call of a public function, innermost last; see `facula.overrides`.
        self.function_modes: list[Any] = []
        #: Whether ``__torch_function__`` of classes is not asked.
        self.overrides_disabled = False
        # 1 / 0 is inf and log(-1) is nan in tensor code, without a word; NumPy keeps this setting for each thread.
        np.seterr(all="ignore")


state = ThreadState()


class Watch:
    """How many threads need more than the plain path: the door looks at this one number before anything else."""

    active = 0


watch: Watch = Watch() if native.base is None else native.base.Watch()


def set_anomaly(mode: bool) -> None:
    """Switch anomaly mode on or off in this thread."""
    watch.active += bool(mode) - state.anomaly
    state.anomaly = bool(mode)


class intercepting:
    """Context in which ``interceptor`` sees every primitive call of this thread."""

    def __init__(self, interceptor: Interceptor) -> None:
        self.interceptor = interceptor

    def __enter__(self) -> Interceptor:
        state.interceptors.append(self.interceptor)
        watch.active += 1
        return self.interceptor

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        watch.active -= 1
        state.interceptors.remove(self.interceptor)


def recording(enabled: bool, function: Callable[[], Result]) -> Result:
    """Return what a function returns with recording on or off: what `enable_grad` and `no_grad` do, in half their time."""
    before = state.grad_enabled
    state.grad_enabled = enabled
    try:
        return function()
    finally:
        state.grad_enabled = before


def types_may_differ() -> bool:
    """Return whether an interceptor, such as autocast, may convert the inputs of an operation to one type."""
    return bool(watch.active and state.interceptors)


class _SwitchesRecording:
    """A context manager and decorator that sets grad mode (and inference mode) and puts both back."""

    grad_enabled: bool
    inference = False
    _previous: list[tuple[bool, bool]]

    def __enter__(self) -> None:
        # A stack, since one object may be entered again inside itself.
        self.__dict__.setdefault("_previous", []).append((state.grad_enabled, state.inference))
        state.grad_enabled = self.grad_enabled
        state.inference = self.inference or state.inference

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        state.grad_enabled, state.inference = self._previous.pop()

    def clone(self) -> "_SwitchesRecording":
        """Return a fresh context of the same kind."""
        return self.__class__()

    def __call__(self, function: Function) -> Function:
        made: Any = function
        if inspect.isclass(function):
            made.__init__ = self(made.__init__)
            return function
        if inspect.isgeneratorfunction(function):
            return self._wrap_generator(function)  # type: ignore[return-value]  # of the same parameters

        @functools.wraps(function)
        def inside(*args: object, **kwargs: object) -> object:
            with self.clone():
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]

    def _wrap_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def inside(*args: object, **kwargs: object) -> object:
            generator = function(*args, **kwargs)
            sent = None
            while True:
                # The mode holds while the generator runs, not while its caller does.
                with self.clone():
                    try:
                        value = generator.send(sent)
                    except StopIteration as stop:
                        return stop.value
                sent = yield value

        return inside


class no_grad(_SwitchesRecording):
    """Context manager and decorator within which results do not require grad.

    >>> x = facula.ones(2, requires_grad=True)
    >>> with facula.no_grad():
    ...     print((x * 2).requires_grad)
    False
    """

    grad_enabled = False

    @overload
    def __new__(cls) -> "no_grad": ...
    @overload
    def __new__(cls, function: Function) -> Function: ...  # type: ignore[misc]
    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """Return a context, or, used as a bare decorator, the wrapped function."""
        made = super().__new__(cls)
        return made if function is None else made(function)


class enable_grad(_SwitchesRecording):
    """Context manager and decorator within which results are recorded again, inside ``no_grad``."""

    grad_enabled = True

    @overload
    def __new__(cls) -> "enable_grad": ...
    @overload
    def __new__(cls, function: Function) -> Function: ...  # type: ignore[misc]
    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        """Return a context, or, used as a bare decorator, the wrapped function."""
        made = super().__new__(cls)
        return made if function is None else made(function)


class set_grad_enabled(_SwitchesRecording):
    """Switch recording on or off: as a function at once, as a context manager until its end."""

    def __init__(self, mode: bool) -> None:
        self.grad_enabled = bool(mode)
        self._previous = [(state.grad_enabled, state.inference)]
        state.grad_enabled = self.grad_enabled

    def __enter__(self) -> None:
        state.grad_enabled = self.grad_enabled

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        state.grad_enabled, state.inference = self._previous[-1]

    def clone(self) -> "set_grad_enabled":
        """Return a fresh context with the same mode."""
        return self.__class__(self.grad_enabled)

    def __call__(self, function: Function) -> Function:
        """Return the wrapped function; the mode set at once is put back."""
        state.grad_enabled, state.inference = self._previous[-1]
        return super().__call__(function)


class inference_mode(_SwitchesRecording):
    """Context manager and decorator like ``no_grad``; tensors made inside say so by ``is_inference()``."""

    def __init__(self, mode: bool = True) -> None:
        self.inference = mode
        self.grad_enabled = not mode

    def __new__(cls, mode: "bool | Callable[..., Any]" = True) -> "inference_mode":
        """Return a context, or, used as a bare decorator, the wrapped function."""
        made = super().__new__(cls)
        if callable(mode):
            made.__init__(True)  # type: ignore[misc]
            return made(mode)  # type: ignore[return-value]
        return made

    def clone(self) -> "inference_mode":
        """Return a fresh context with the same mode."""
        return self.__class__(self.inference)


def is_grad_enabled() -> bool:
    """Return whether operations are recorded in this thread."""
    return state.grad_enabled


def is_inference_mode_enabled() -> bool:
    """Return whether inference mode is on in this thread."""
    return state.inference
