"""class Optimizer: parameter groups, state, closures, hooks and the step over all parameters."""

from __future__ import annotations

import copy
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, TypeGuard

from facula.backend import Array
from facula.creation import tensor
from facula.dtypes import float32
from facula.graph.modes import recording
from facula.graph.node import RemovableHandle
from facula.tensor import Tensor
from facula.tensor_base import storage_of, wrap

Params = Iterable[Tensor] | Iterable[dict[Any, Any]] | Iterable[tuple[str, Tensor]]
Closure = Callable[[], Tensor | float]


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


required = _Required()


class Optimizer:
    """Base class of optimizers.

    A subclass passes its options' defaults to ``__init__`` and defines two small methods: ``init_state(param, group)``
    returns the state a parameter starts with, and ``update(param, grad, state, group)`` changes the parameter's array
    in place. Groups, closures, hooks, ``state_dict`` and the loop are here.
    """

    def __init__(self, params: Params, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._optimizer_step_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._optimizer_step_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._optimizer_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._optimizer_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: OrderedDict[int, Callable[..., Any]] = OrderedDict()
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or dicts, but got "
                f"{params.type()}"
            )
        self.state: defaultdict[Tensor, dict[Any, Any]] = defaultdict(dict)
        self.param_groups: list[dict[str, Any]] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # What a subclass defines.

    def init_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the state of a parameter before its first update."""
        return {}

    def update(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change ``param`` in place by its gradient."""
        raise NotImplementedError(f"{type(self).__name__} defines no update")

    def update_sparse(self, param: Tensor, grad: Tensor, state: dict[str, Any], group: dict[str, Any]) -> None:
        """Change ``param`` in place by a sparse gradient; refused, unless a subclass knows how."""
        advice = ", please consider SparseAdam instead" if "Adam" in type(self).__name__ else ""
        raise RuntimeError(f"{type(self).__name__} does not support sparse gradients{advice}")

    # The step.

    def step(self, closure: Closure | None = None) -> Tensor | float | None:
        """Update all parameters that have a gradient; return what ``closure``, run with recording first, returns."""
        if self._optimizer_step_pre_hooks:
            for hook in tuple(self._optimizer_step_pre_hooks.values()):
                hook(self, (closure,) if closure is not None else (), {})
        loss = None if closure is None else recording(True, closure)
        recording(False, self._step_groups)
        if self._optimizer_step_post_hooks:
            for hook in tuple(self._optimizer_step_post_hooks.values()):
                hook(self, (closure,) if closure is not None else (), {})
        return loss

    def _step_groups(self) -> None:
        for group in self.param_groups:
            self._step_group(group)

    def _step_group(self, group: dict[str, Any]) -> None:
        maximize = group.get("maximize", False)
        for param in group["params"]:
            grad = param.grad
            if grad is None:
                continue
            grad = -grad if maximize else grad
            if param.is_complex():
                self._update_complex(param, grad, group)
            else:
                state = self.state.get(param) or self.init_state(param, group)
                update = self.update_sparse if grad._overrides and grad.is_sparse else self.update
                update(param, grad, state, group)
                if state:
                    self.state[param] = state
            storage_of(param).version += 1

    def _update_complex(self, param: Tensor, grad: Tensor, group: dict[str, Any]) -> None:
        """Update a complex parameter as the real numbers that its parts are."""
        parts = _parts(param)
        state = self.state.get(param) or self.new_state(param, group)
        real = {name: _parts(value) if _is_complex(value) else value for name, value in state.items()}
        self.update(parts, _parts(grad), real, group)
        if real:
            self.state[param] = {name: _whole(value, parts) for name, value in real.items()}

    def new_state(self, param: Tensor, group: dict[str, Any]) -> dict[str, object]:
        """Return the state of a parameter before its first update, in the type of the parameter."""
        if not param.is_complex():
            return self.init_state(param, group)
        parts = _parts(param)
        return {name: _whole(value, parts) for name, value in self.init_state(parts, group).items()}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or set them to zero."""
        for group in self.param_groups:
            for param in group["params"]:
                if param.grad is None:
                    continue
                if set_to_none:
                    param.grad = None
                else:
                    param.grad = param.grad.detach().zero_()

    # Groups.

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        """Add parameters with options of their own."""
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        params = param_group["params"]
        if isinstance(params, Tensor):
            params = [params]
        elif isinstance(params, set):
            raise TypeError(
                "optimizer parameters need to be organized in ordered collections, but the ordering of tensors in sets "
                "will change between runs. Please use a list instead."
            )
        params = list(params)
        named = [each for each in params if isinstance(each, tuple)]
        if named:
            if len(named) != len(params):
                raise ValueError("all optimizer params should be with/without names. Some param names are missing")
            param_group["param_names"] = [name for name, _ in params]
            params = [param for _, param in params]
        param_group["params"] = params
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"optimizer can only optimize Tensors, but one of the params is {type(param).__name__}")
            if not self.defaults.get("differentiable") and not (param.is_leaf or param.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(f"parameter group didn't specify a value of required optimization parameter {name}")
            param_group.setdefault(name, default)
        if len(set(map(id, params))) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, this will cause an error",
                stacklevel=3,
            )
        if any(("param_names" in param_group) != ("param_names" in group) for group in self.param_groups):
            with_names, without = ("with names", "without names")
            new, others = (with_names, without) if "param_names" in param_group else (without, with_names)
            raise ValueError(
                "all optimizer param groups should be with/without names. "
                f"cannot add param group {new} to the optimizer {others}"
            )
        present = {id(param) for group in self.param_groups for param in group["params"]}
        if any(id(param) in present for param in params):
            raise ValueError("some parameters appear in more than one parameter group")
        self.param_groups.append(param_group)

    # Saving.

    def state_dict(self) -> dict[str, Any]:
        """Return the state and the groups' options, parameters being named by their position."""
        for hook in tuple(self._optimizer_state_dict_pre_hooks.values()):
            hook(self)
        numbers: dict[int, int] = {}
        packed_groups = []
        for group in self.param_groups:
            packed = {name: value for name, value in group.items() if name != "params"}
            for param in group["params"]:
                numbers.setdefault(id(param), len(numbers))
            packed["params"] = [numbers[id(param)] for param in group["params"]]
            packed_groups.append(packed)
        state = {numbers[id(param)]: value for param, value in self.state.items()}
        found: dict[str, Any] = {"state": state, "param_groups": packed_groups}
        for hook in tuple(self._optimizer_state_dict_post_hooks.values()):
            replaced = hook(self, found)
            found = found if replaced is None else replaced
        return found

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over what `state_dict` returned, here or in PyTorch, in the type and on the device of each parameter."""
        state_dict = dict(state_dict)
        for hook in tuple(self._optimizer_load_state_dict_pre_hooks.values()):
            replaced = hook(self, state_dict)
            state_dict = state_dict if replaced is None else replaced
        groups, saved = self.param_groups, copy.deepcopy(state_dict["param_groups"])
        if len(groups) != len(saved):
            raise ValueError("loaded state dict has a different number of parameter groups")
        if any(len(mine["params"]) != len(theirs["params"]) for mine, theirs in zip(groups, saved)):
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of optimizer's group"
            )
        by_number = dict(
            zip(
                chain.from_iterable(group["params"] for group in saved),
                chain.from_iterable(group["params"] for group in groups),
            )
        )
        state: defaultdict[Tensor, dict[Any, Any]] = defaultdict(dict)
        for number, value in state_dict["state"].items():
            if number in by_number:
                state[by_number[number]] = _adapted(value, by_number[number])
            else:
                state[number] = value
        for mine, theirs in zip(groups, saved):
            theirs["params"] = mine["params"]
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in tuple(self._optimizer_load_state_dict_post_hooks.values()):
            hook(self)

    def _patch_step_function(self) -> None:
        """Make the tables of hooks: for optimizers around others, which do not call ``__init__``."""
        self.__setstate__({"defaults": self.__dict__.get("defaults", {}), "param_groups": self.param_groups})

    def __getstate__(self) -> dict[Any, Any]:
        return {"defaults": self.defaults, "state": self.state, "param_groups": self.param_groups}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for name in (
            "step_pre",
            "step_post",
            "state_dict_pre",
            "state_dict_post",
            "load_state_dict_pre",
            "load_state_dict_post",
        ):
            self.__dict__.setdefault(f"_optimizer_{name}_hooks", OrderedDict())
        for group in self.param_groups:
            for name, value in self.defaults.items():
                group.setdefault(name, value)

    # Hooks.

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step."""
        return RemovableHandle(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return RemovableHandle(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict`."""
        return RemovableHandle(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after `state_dict`; what it returns replaces the result."""
        return RemovableHandle(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before `load_state_dict`; what it returns replaces the state."""
        return RemovableHandle(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(self, hook: Callable[..., Any], prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` after `load_state_dict`."""
        return RemovableHandle(self._optimizer_load_state_dict_post_hooks, hook, prepend)

    def __repr__(self) -> str:
        text = type(self).__name__ + " ("
        for number, group in enumerate(self.param_groups):
            text += f"\nParameter Group {number}\n"
            text += "".join(f"    {name}: {group[name]}\n" for name in sorted(group) if name != "params")
        return text + ")"


def _adapted(value: Any, param: Tensor, name: str | None = None) -> Any:
    """Return a copy of loaded state, tensors being of the type and on the device of the parameter but for ``step``."""
    if isinstance(value, Tensor):
        if name == "step":
            return value.clone()
        kind = param.dtype if param.is_floating_point() else value.dtype
        return value.to(device=param.device, dtype=kind, copy=True)
    if isinstance(value, dict):
        return {key: _adapted(each, param, key) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_adapted(each, param) for each in value)
    return value


def _is_complex(value: object) -> TypeGuard[Tensor]:
    return isinstance(value, Tensor) and value.is_complex()


def _parts(value: Tensor) -> Tensor:
    """Return the real and imaginary parts of a complex tensor along a new last dimension, on its memory."""
    array = value._array
    return wrap(array[..., None].view(array.real.dtype))


def _whole(value: Any, parts: Tensor) -> Any:
    """Return a tensor of the shape of ``parts`` as complex numbers, on its memory; anything else as it is."""
    if not isinstance(value, Tensor) or value.shape != parts.shape:
        return value
    kind = "complex64" if value._array.dtype.itemsize == 4 else "complex128"
    return wrap(value._array.view(kind)[..., 0])


def step_counter() -> Tensor:
    """Return the count of updates at its start, as PyTorch keeps it: a float32 zero."""
    return tensor(0.0, dtype=float32)


def advance(state: dict[str, Any]) -> float:
    """Add one to the count of updates in ``state`` and return it as a number."""
    count = state["step"]
    count._array[...] += 1
    return float(count._array)


def check_not_negative(**values: float | Tensor) -> None:
    """Raise ValueError for a negative option, named as PyTorch names it."""
    labels = {
        "lr": "learning rate",
        "weight_decay": "weight_decay value",
        "eps": "epsilon value",
        "momentum": "momentum value",
    }
    for name, value in values.items():
        if isinstance(value, Tensor):
            if value.numel() != 1:
                raise ValueError(f"Tensor {name} must be 1-element")
            value = value.item()
        if not 0.0 <= value:
            raise ValueError(f"Invalid {labels.get(name, name + ' value')}: {value}")


def stored_elements(grad: Tensor) -> tuple[tuple[Array, ...], Array]:
    """Return the indices of a sparse gradient, each element once, and its values there, as arrays."""
    grad = grad.coalesce()
    return tuple(grad._indices()._array), grad._values()._array


def rate_of(group: dict[str, Any]) -> float:
    """Return the learning rate of a group as a number."""
    rate = group["lr"]
    return float(rate.item()) if isinstance(rate, Tensor) else rate
