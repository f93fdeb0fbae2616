"""How a function hangs on Tensor: as an in-place method, an operator, or a reflected operator."""

import functools
from collections.abc import Callable, Iterable
from typing import Any, Concatenate, ParamSpec

import numpy as np

from facula import dtypes, native
from facula.graph.modes import state, watch
from facula.graph.views import check_writable, refresh, rewrite_history
from facula.overlap import refuse_partial_overlap
from facula.primitive import Primitive
from facula.promotion import can_cast
from facula.tensor_base import TensorBase, storage_of, wrap
from facula.types import Tensor, TensorLike

Arguments = ParamSpec("Arguments")
#: What an operator takes beside a tensor.
Operand = TensorLike | np.ndarray

_NUMBERS = (int, float, complex, np.number, np.bool_)


def inplace(
    function: Callable[Concatenate[Any, Arguments], Tensor], *, saves_input: bool = True, kernel: str | None = None
) -> Callable[Concatenate[Tensor, Arguments], Tensor]:
    """Return the in-place method of a function: ``x.f_(…)`` writes ``f(x, …)`` into the memory of ``x``.

    ``saves_input=False`` says that no gradient formula of the function needs its first input's old value, so that
    none is kept. ``kernel`` names the compiled kernel of two operands that can write its result where the first one is.
    """
    write_directly = None if kernel is None or native.kernels is None else getattr(native.kernels, kernel)

    @functools.wraps(function)
    def method(self: Tensor, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Tensor:
        recorded = state.grad_enabled and _any_requires_grad(self, args, kwargs)
        if recorded:
            check_writable(self)
        if self._storage is not None:
            _refuse_overlap(self, args)
        if write_directly is not None and not recorded and len(args) == 1 and not kwargs and not watch.active:
            other = args[0]._array if isinstance(args[0], TensorBase) else args[0]
            if write_directly(self._array, other, self._array) is not NotImplemented:
                storage_of(self).version += 1
                return self
        return assign(self, function(_before_write(self) if recorded and saves_input else self, *args, **kwargs))

    method.__name__ = method.__qualname__ = function.__name__ + "_"
    method.__doc__ = f"Write the result of ``facula.{function.__name__}`` into this tensor and return it."
    return method  # type: ignore[return-value]  # the same, but for the name of its first parameter


def _any_requires_grad(self: Tensor, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    if self._base is not None:
        refresh(self)
    candidates: Iterable[Any] = (self, *args, *kwargs.values())
    return any(isinstance(each, Tensor) and each.requires_grad for each in candidates)


def _refuse_overlap(self: Tensor, args: tuple[Any, ...]) -> None:
    """Refuse to write where another part of an argument, which must then have the same storage, lies."""
    storage = self._storage
    for each in args:
        if isinstance(each, TensorBase) and each is not self and each._storage is storage:
            refuse_partial_overlap(self, each)


def _before_write(tensor: Tensor) -> Tensor:
    """Return a copy of a tensor, with its history, that an in-place write leaves as it was."""
    copy = wrap(tensor._array.copy())
    copy._node = tensor._node
    return copy


def assign(target: Tensor, value: Tensor) -> Tensor:
    """Write ``value``, of the same shape, into the memory of ``target``, recorded where either has a history."""
    array = value._array
    if array.shape != target._array.shape:
        raise RuntimeError(
            f"output with shape {list(target._array.shape)} doesn't match the broadcast shape {list(array.shape)}"
        )
    if array.dtype != target._array.dtype:
        have, want = dtypes.of_array(array), dtypes.of_array(target._array)
        if not can_cast(have, want):
            raise RuntimeError(f"result type {have.name} can't be cast to the desired output type {want.name}")
        value = value.to(want)
        array = value._array
    return write(target, value)


def write(target: Tensor, value: Tensor) -> Tensor:
    """Write ``value``, of the same shape and type, into the memory of ``target``: the one place that does."""
    if target._is_shared_with_itself():
        raise RuntimeError(
            "unsupported operation: more than one element of the written-to tensor refers to a single memory location. "
            "Please clone() the tensor before performing the operation."
        )
    recorded = state.grad_enabled and (value.requires_grad or target.requires_grad)
    if recorded:
        check_writable(target)
    target._array[...] = value._array
    storage_of(target).version += 1
    if recorded:
        rewrite_history(target, value)
    return target


def operator(
    function: Callable[[Tensor, Any], Tensor], primitive: Primitive | None = None, matrices_only: bool = False
) -> Callable[[Tensor, Operand], Tensor]:
    """Return the method behind an operator: NotImplemented for what is neither tensor nor number.

    ``primitive`` is what the function comes to for two tensors (``matrices_only``: of two dimensions); the compiled call
    then goes there at once.
    """

    def method(self: Tensor, other: Operand) -> Tensor:
        if isinstance(other, TensorBase) or isinstance(other, _NUMBERS):
            return function(self, other)
        return function(self, wrap(other)) if isinstance(other, np.ndarray) else NotImplemented

    method.__name__ = function.__name__
    if primitive is not None and native.base is not None:
        return native.base.Operator(primitive, method, matrices_only)
    return method


def reflected(function: Callable[[Any, Tensor], Tensor]) -> Callable[[Tensor, Operand], Tensor]:
    """Return the method behind a reflected operator: ``other op self``."""

    def method(self: Tensor, other: Operand) -> Tensor:
        if not isinstance(self, TensorBase):
            raise TypeError(
                f"descriptor '{function.__name__}' for Tensor doesn't apply to a {type(self).__name__} object"
            )
        if isinstance(other, TensorBase) or isinstance(other, _NUMBERS):
            return function(other, self)
        return function(wrap(other), self) if isinstance(other, np.ndarray) else NotImplemented

    method.__name__ = function.__name__
    return method
