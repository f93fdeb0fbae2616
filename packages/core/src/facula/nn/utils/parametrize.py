"""Parameters computed from others by modules: parametrizations."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from facula.graph.modes import no_grad
from facula.nn.module import Module
from facula.nn.modules.container import ModuleDict, ModuleList
from facula.nn.parameter import Parameter
from facula.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]


class _Cache:
    """Parametrized tensors by the module and their name, while `cached` is active."""

    def __init__(self) -> None:
        self.depth = 0
        self.tensors: dict[tuple[int, str], Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once, when it is first used, as long as the context lasts."""
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.tensors.clear()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


@no_grad()
def _replace(target: Tensor, value: Tensor) -> None:
    """Make a tensor, which optimizers may hold, one with another's values and shape."""
    target.set_(value.detach())


def _check_same(made: Tensor, given: Tensor, what: str) -> None:
    for name, found, expected in (("dtype", made.dtype, given.dtype), ("shape", made.shape, given.shape)):
        if found != expected:
            raise ValueError(
                f"Registering a parametrization may not change the {name} of the tensor, unless the `unsafe` flag is "
                f"enabled.\nunparametrized {name}: {expected}\n{what} {name}: {found}"
            )


def _check_tensor(value: object) -> None:
    if not isinstance(value, Tensor):
        raise ValueError(f"A parametrization must return a tensor. Got {type(value).__name__}.")


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, first to last, and the tensor or tensors they start from.

    These are called ``original``, or ``original0``, ``original1``, … where the first parametrization's ``right_inverse``
    returns several.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if not modules:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        start = self._start(original)
        like = original.detach()
        self.is_tensor = isinstance(start, Tensor)
        self.ntensors = 1 if isinstance(start, Tensor) else len(start)
        if isinstance(start, Tensor):
            if start.dtype != original.dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {original.dtype}\nright_inverse(original).dtype: {start.dtype}"
                )
            if start.device != original.device:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the device.\n"
                    f"original.device: {original.device}\nright_inverse(original).device: {start.device}"
                )
            _replace(original, start)
            _register(self, "original", original)
        else:
            for number, each in enumerate(start):
                if not isinstance(each, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {number} of the sequence with type {type(each).__name__}."
                    )
                if isinstance(original, Parameter):
                    each = Parameter(each, original.requires_grad)
                _register(self, f"original{number}", each.requires_grad_(original.requires_grad))
        if not unsafe:
            made = self()
            _check_tensor(made)
            _check_same(made, like, "parametrized")

    @no_grad()
    def _start(self, original: Tensor) -> Tensor | Sequence[Tensor]:
        start: Tensor | Sequence[Tensor] = original
        module: Any
        for module in reversed(list(self)):
            if hasattr(module, "right_inverse"):
                try:
                    start = module.right_inverse(start)
                except NotImplementedError:
                    pass  # it then starts from the values as they are
        if not isinstance(start, (Tensor, Sequence)):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(start).__name__}"
            )
        return start

    @no_grad()
    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that `forward` returns ``value``, by the parametrizations' own right inverses."""
        found: object = value
        module: Any
        for module in reversed(list(self)):
            if not hasattr(module, "right_inverse"):
                raise RuntimeError(f"parametrization {type(module).__name__} does not implement right_inverse.")
            found = module.right_inverse(found)
        if self.is_tensor:
            if not isinstance(found, Tensor):
                raise ValueError(f"`right_inverse` should return a tensor. Got {type(found).__name__}")
            self._set("original", found)
            return
        if not isinstance(found, Sequence):
            raise ValueError(f"'right_inverse' must return a sequence of tensors. Got {type(found).__name__}.")
        if len(found) != self.ntensors:
            raise ValueError(
                f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. Got a sequence of length "
                f"{len(found)}."
            )
        for number, each in enumerate(found):
            if not isinstance(each, Tensor):
                raise ValueError(
                    f"'right_inverse' must return a sequence of tensors. Got element {number} of type "
                    f"{type(each).__name__}"
                )
            self._set(f"original{number}", each)

    def _set(self, name: str, value: Tensor) -> None:
        original = getattr(self, name)
        if value.dtype != original.dtype:
            raise ValueError(
                f"The tensor returned by `right_inverse` has dtype {value.dtype} while `{name}` has dtype "
                f"{original.dtype}"
            )
        _replace(original, value)

    def forward(self) -> Tensor:
        """Return the tensor that the parametrizations make of the originals."""
        first, *others = self
        if self.is_tensor:
            made = first(self.original)
        else:
            made = first(*(getattr(self, f"original{number}") for number in range(self.ntensors)))
        for module in others:
            made = module(made)
        return made


def _lists_of(module: Module) -> ModuleDict:
    return cast(ModuleDict, module.parametrizations)


def _list_of(module: Module, name: str) -> ParametrizationList:
    return cast(ParametrizationList, _lists_of(module)[name])


def _with_own_class(module: Module) -> None:
    """Give a module a class of its own, on which parametrized tensors can be properties."""
    cls = type(module)

    def deep_copy(self: Module, memo: dict[int, object]) -> Module:
        replica = memo[id(self)] = self.__new__(type(self))
        replica.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return replica

    def get_state(self: Module) -> None:
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(): the class of the module exists "
            "in this process only."
        )

    members: dict[str, object] = {"__getstate__": get_state}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = deep_copy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _add_property(module: Module, name: str) -> None:
    def get(self: Module) -> Tensor:
        parametrization = _list_of(self, name)
        if not _cache.depth:
            return parametrization()
        key = (id(self), name)
        if key not in _cache.tensors:
            _cache.tensors[key] = parametrization()
        return _cache.tensors[key]

    def put(self: Module, value: Tensor) -> None:
        _list_of(self, name).right_inverse(value)

    setattr(type(module), name, property(get, put))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Return ``module``, whose parameter or buffer is from now on what ``parametrization`` makes of it.

    Several are applied in the order in which they are registered. A method ``right_inverse`` of the parametrization
    says what to start from for given values, when it is registered and when the tensor is assigned to. ``unsafe`` lets
    shapes and types change.

    >>> class Symmetric(facula.nn.Module):
    ...     def forward(self, x):
    ...         return x.triu() + x.triu(1).transpose(-1, -2)
    >>> layer = facula.nn.Linear(3, 3)
    >>> _ = facula.nn.utils.parametrize.register_parametrization(layer, "weight", Symmetric())
    >>> layer.weight.equal(layer.weight.t())
    True
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            _check_another(getattr(module, tensor_name), parametrization)
        found = _list_of(module, tensor_name)
        found.append(parametrization)
        found.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _with_own_class(module)
            module.parametrizations = ModuleDict()
        _add_property(module, tensor_name)
        _lists_of(module)[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name '{tensor_name}'"
        )
    return module


def _check_another(tensor: Tensor, parametrization: Any) -> None:
    """Refuse a further parametrization that would change the type or shape of a tensor, or go back to others."""
    made = parametrization(tensor)
    _check_tensor(made)
    _check_same(made, tensor, "parametrized")
    if not hasattr(parametrization, "right_inverse"):
        return
    try:
        back = parametrization.right_inverse(made)
    except NotImplementedError:
        return
    if not isinstance(back, Tensor):
        raise ValueError(f"parametrization.right_inverse must return a tensor. Got: {type(back).__name__}")
    _check_same(back, tensor, "right_inverse's")


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether a module has parametrizations, or one of the tensor of that name."""
    found = getattr(module, "parametrizations", None)
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Return ``module`` with a plain parameter or buffer again: its parametrized values, or the original ones."""
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    found = _list_of(module, tensor_name)
    if found.is_tensor:
        plain: Any = found.original
        if leave_parametrized:
            with no_grad():
                values = getattr(module, tensor_name)
            _replace(plain, values)
    elif leave_parametrized:
        values = getattr(module, tensor_name)
        plain = Parameter(values.detach()) if values.requires_grad else values
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a sequence "
            "of tensors."
        )
    delattr(type(module), tensor_name)
    del _lists_of(module)[tensor_name]
    _register(module, tensor_name, plain)
    if not is_parametrized(module):
        delattr(module, "parametrizations")
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class a module had before tensors of it were parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Return ``to_module`` with the parametrizations of ``from_module``, of one tensor or of all, and their originals."""
    if not is_parametrized(from_module):
        return to_module
    for name in list(_lists_of(from_module)) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        source = _list_of(from_module, name)
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        target = _list_of(to_module, name)
        for original in ["original"] if source.is_tensor else [f"original{at}" for at in range(source.ntensors)]:
            setattr(target, original, getattr(source, original))
    return to_module
