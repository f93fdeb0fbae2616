"""Overriding operations from outside: ``__torch_function__`` of tensor subclasses and foreign classes, and modes.

A subclass of Tensor gets results of its own class from every operation. A class with a ``__torch_function__`` of its own
is asked instead: ``__torch_function__(function, types, args, kwargs)``. A mode is asked about every call made inside it.

Plain tensors pay nothing for this. A tensor of an overriding class carries an `OverridingArray`, which leads it off the
usual path of the door. Its class has wrapped methods. Public functions are wrapped in their namespaces from the moment
that a class overrides `__torch_function__`, and while a mode is active, methods of Tensor are, too.
"""

import functools
import importlib
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from facula import native
from facula.graph.modes import state
from facula.tensor_base import OverridingArray, TensorBase, storage_of, wrap

Subclass = TypeVar("Subclass", bound=TensorBase)

__all__ = [
    "BaseTorchFunctionMode",
    "DisableTorchFunction",
    "DisableTorchFunctionSubclass",
    "TorchFunctionMode",
    "get_default_nowrap_functions",
    "get_ignored_functions",
    "handle_torch_function",
    "has_torch_function",
    "has_torch_function_unary",
    "has_torch_function_variadic",
    "is_tensor_like",
    "is_tensor_method_or_property",
    "resolve_name",
    "wrap_torch_function",
]

#: The namespaces whose functions can be overridden; ``facula.as_torch`` adds its own.
namespaces = ["facula", "facula.nn.functional", "facula.linalg", "facula.fft", "facula.special", "facula.nn.init"]
#: Functions about the library itself.
_IGNORED = frozenset(
    "can_cast compile default_generator get_default_device get_default_dtype get_num_threads get_rng_state "
    "initial_seed is_grad_enabled is_inference_mode_enabled is_storage is_tensor load manual_seed promote_types save "
    "seed set_default_device set_default_dtype set_default_tensor_type set_num_threads set_printoptions set_rng_state "
    "typename use_deterministic_algorithms vmap".split()
)
#: Methods that say what a tensor is, or that Python itself calls.
_NOT_METHODS = frozenset(
    "as_subclass __class__ __deepcopy__ __delattr__ __dir__ __format__ __getattribute__ __hash__ __init__ "
    "__init_subclass__ __new__ __reduce__ __reduce_ex__ __repr__ __setattr__ __setstate__ __sizeof__ __str__ "
    "__subclasshook__ __torch_function__ __dlpack__ __dlpack_device__ __array__ data_ptr".split()
)


# Who is asked.


def _overriding(values: Sequence[Any]) -> Iterator[Any]:
    """Yield the arguments whose class overrides; those in lists and tuples too."""
    for value in values:
        if isinstance(value, TensorBase):
            if value._overrides:
                yield value
        elif type(value) is list or type(value) is tuple:
            yield from _overriding(value)
        elif hasattr(type(value), "__torch_function__") and not isinstance(value, type):
            yield value


def _in_order(arguments: Sequence[Any]) -> list[Any]:
    """Return one argument of each class, subclasses before their parents, else from left to right."""
    chosen: list[Any] = []
    for each in arguments:
        if any(type(each) is type(other) for other in chosen):
            continue
        at = next((i for i, other in enumerate(chosen) if issubclass(type(each), type(other))), len(chosen))
        chosen.insert(at, each)
    return chosen


def handle_torch_function(
    public_api: Callable[..., Any], relevant_args: Sequence[object], *args: object, **kwargs: object
) -> object:
    """Return what the first of the modes and overriding arguments makes of a call.

    TypeError when all of them return NotImplemented.
    """
    overriding = _in_order(list(_overriding(relevant_args)))
    kinds = tuple(type(each) for each in overriding)
    if state.function_modes:
        mode = state.function_modes.pop()  # a mode does not see what it does itself
        try:
            result = mode.__torch_function__(public_api, kinds, args, kwargs)
        finally:
            state.function_modes.append(mode)
        if result is not NotImplemented:
            return result
    for each in overriding:
        result = each.__torch_function__(public_api, kinds, args, kwargs)
        if result is not NotImplemented:
            return result
    name = getattr(public_api, "__name__", public_api)
    raise TypeError(
        f"no implementation found for {name!r} on types that implement __torch_function__: "
        f"{[kind.__name__ for kind in kinds]}"
    )


def has_torch_function(relevant_args: Sequence[object]) -> bool:
    """Return whether a call with these arguments is to be handed to `handle_torch_function`."""
    if state.function_modes:
        return True
    return not state.overrides_disabled and next(_overriding(relevant_args), None) is not None


def has_torch_function_variadic(*relevant_args: object) -> bool:
    """Return `has_torch_function` of the arguments."""
    return has_torch_function(relevant_args)


def has_torch_function_unary(tensor: object) -> bool:
    """Return `has_torch_function` of one argument."""
    return has_torch_function((tensor,))


def default_torch_function(
    cls: type,
    func: Callable[..., Any],
    types: Sequence[type],
    args: Sequence[object] = (),
    kwargs: dict[str, Any] | None = None,
) -> object:
    """Return what ``func`` returns, with tensors of class ``cls``: the ``__torch_function__`` of Tensor."""
    if not all(issubclass(cls, each) for each in types):
        return NotImplemented
    with DisableTorchFunctionSubclass():
        result = func(*args, **(kwargs or {}))
    return result if func in get_default_nowrap_functions() else _convert(result, cls)


class _DisabledTorchFunction:
    """The ``__torch_function__`` of classes, such as Parameter, that change no operation: results are plain tensors."""

    def __call__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what ``func`` returns."""
        with DisableTorchFunctionSubclass():
            return func(*args, **(kwargs or {}))


disabled_torch_function = _DisabledTorchFunction()


def _convert(result: Any, cls: type[TensorBase]) -> Any:
    if isinstance(result, TensorBase):
        return result if isinstance(result, cls) else as_subclass(result, cls)
    if isinstance(result, tuple) and hasattr(result, "_fields"):
        return type(result)(*(_convert(each, cls) for each in result))
    if type(result) in (tuple, list):
        return type(result)(_convert(each, cls) for each in result)
    return result


def as_subclass(tensor: TensorBase, cls: type[Subclass]) -> Subclass:
    """Return the tensor, with its memory and history, as one of class ``cls``."""
    if not issubclass(cls, TensorBase):
        raise TypeError(f"as_subclass(): expected a subclass of Tensor, got {cls}")
    array = tensor._array
    made = wrap(array.view(OverridingArray) if cls._overrides and hasattr(array, "view") else array)
    made.__class__ = cls  # type: ignore[assignment]  # a class with the same attributes
    made._node, made._base, made._storage = tensor._node, tensor._base, storage_of(tensor)
    return made  # type: ignore[return-value]


# Switching it off, and modes.


class DisableTorchFunctionSubclass:
    """Context in which ``__torch_function__`` of classes is not asked."""

    def __enter__(self) -> None:
        self._before = state.overrides_disabled
        state.overrides_disabled = True

    def __exit__(self, *exception: object) -> None:
        state.overrides_disabled = self._before


class DisableTorchFunction(DisableTorchFunctionSubclass):
    """Context in which neither classes nor modes are asked."""

    def __enter__(self) -> None:
        super().__enter__()
        self._modes, state.function_modes = state.function_modes, []

    def __exit__(self, *exception: object) -> None:
        super().__exit__()
        state.function_modes = self._modes


class TorchFunctionMode:
    """Context whose ``__torch_function__(func, types, args, kwargs)`` is asked about every call made in it."""

    def __enter__(self) -> "TorchFunctionMode":
        wrap_namespaces()
        if not state.function_modes:
            _wrap_methods(_tensor_class())
        state.function_modes.append(self)
        return self

    def __exit__(self, *exception: object) -> None:
        state.function_modes.remove(self)
        if not state.function_modes:
            _unwrap_methods(_tensor_class())

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the call is to return; a subclass says."""
        raise NotImplementedError(f"{type(self).__name__} has no __torch_function__")


class BaseTorchFunctionMode(TorchFunctionMode):
    """The mode that changes nothing."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[object] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> object:
        """Return what the function returns."""
        return func(*args, **(kwargs or {}))


# Wrapping functions and methods.


class Overridable:
    """A public function that asks overriding arguments and modes first; it equals the function it wraps."""

    __wrapped__: Callable[..., Any]

    def __init__(self, function: Callable[..., Any]) -> None:
        functools.update_wrapper(self, function)

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Return what whoever overrides the function returns, else what the function returns."""
        relevant = (*args, *kwargs.values()) if kwargs else args
        if has_torch_function(relevant):
            return handle_torch_function(self, relevant, *args, **kwargs)
        return self.__wrapped__(*args, **kwargs)

    def __hash__(self) -> int:
        return hash(self.__wrapped__)

    def __eq__(self, other: object) -> bool:
        return self.__wrapped__ is getattr(other, "__wrapped__", other)

    def __repr__(self) -> str:
        return repr(self.__wrapped__)


def _method(function: Callable[..., Any], known_as: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Return a method that asks first; those asked know it as ``known_as``, by default as itself."""

    @functools.wraps(function)
    def method(*args: object, **kwargs: object) -> object:
        relevant = (*args, *kwargs.values()) if kwargs else args
        if has_torch_function(relevant):
            return handle_torch_function(known_as or method, relevant, *args, **kwargs)
        return function(*args, **kwargs)

    method._is_overridable = True  # type: ignore[attr-defined]
    return method


def _tensor_class() -> type[TensorBase]:
    return importlib.import_module("facula.tensor").Tensor


#: What methods are: functions, and the compiled operators that stand for some of them.
_METHODS = (types.FunctionType,) if native.base is None else (types.FunctionType, native.base.Operator)


def _methods_of(cls: type) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in dir(cls):
        function = getattr(cls, name)
        internal = name.startswith("_") and not name.startswith("__")
        if isinstance(function, _METHODS) and not internal and name not in _NOT_METHODS:
            yield name, function


def _wrap_methods(cls: type) -> None:
    for name, function in list(_methods_of(cls)):
        if not hasattr(function, "_is_overridable"):
            setattr(cls, name, _method(function))


def _unwrap_methods(cls: type) -> None:
    for name, function in list(_methods_of(cls)):
        if hasattr(function, "_is_overridable"):
            setattr(cls, name, function.__wrapped__)  # type: ignore[attr-defined]  # see `_method`


def on_subclass(cls: Any) -> None:
    """Prepare a new subclass of Tensor: called when its class statement has run."""
    function = getattr(cls.__torch_function__, "__func__", None)
    cls._overrides = cls.__torch_function__ is not disabled_torch_function
    if not cls._overrides:
        return
    parent = _tensor_class()
    for name, method in list(_methods_of(parent)):
        # What the class, or a mixin of it, defines itself is for it to decide.
        if getattr(cls, name, None) is method:
            setattr(cls, name, _method(method, known_as=method))
    if function is not default_torch_function:
        wrap_namespaces()


def wrap_namespaces() -> None:
    """Wrap the public functions of all namespaces; once is enough, more often does nothing."""
    for name in namespaces:
        face = vars(importlib.import_module(name))
        for key, value in list(face.items()):
            if isinstance(value, types.FunctionType) and not key.startswith("_") and key not in _IGNORED:
                face[key] = Overridable(value)


# What the rest of PyTorch's module asks for.


@functools.cache
def get_default_nowrap_functions() -> frozenset[Callable[..., Any]]:
    """Return the functions whose results stay plain tensors: ``grad`` and what is like it."""
    tensor_class = _tensor_class()
    return frozenset(
        getattr(tensor_class, name).fget
        for name in ("grad", "_base", "_grad")
        if isinstance(getattr(tensor_class, name, None), property)
    )


def get_ignored_functions() -> set[Callable[..., Any]]:
    """Return the public functions that cannot be overridden."""
    face = vars(importlib.import_module("facula"))
    return {face[name] for name in _IGNORED if name in face}


def is_tensor_like(inp: object) -> bool:
    """Return whether something is a tensor or overrides operations as one."""
    return isinstance(inp, TensorBase) or hasattr(type(inp), "__torch_function__")


def is_tensor_method_or_property(func: Callable[..., Any]) -> bool:
    """Return whether a function handed to ``__torch_function__`` is a method of Tensor."""
    name = getattr(func, "__name__", "")
    return getattr(_tensor_class(), name, None) is func or name == "__get__"


def resolve_name(f: Callable[..., Any]) -> str | None:
    """Return the public name of a function, such as ``facula.add`` or ``facula.Tensor.add``."""
    name = getattr(f, "__name__", None)
    for namespace in namespaces:
        if name is not None and f == vars(importlib.import_module(namespace)).get(name):
            return f"{namespace}.{name}"
    return f"facula.Tensor.{name}" if name is not None and hasattr(_tensor_class(), name) else None


def wrap_torch_function(dispatcher: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator for a function of one's own: ``dispatcher`` gives, of its arguments, those that may override."""

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*args: object, **kwargs: object) -> object:
            relevant = dispatcher(*args, **kwargs)
            if has_torch_function(relevant):
                return handle_torch_function(call, relevant, *args, **kwargs)
            return function(*args, **kwargs)

        return call

    return decorate
