"""``torch.library``: operators defined in Python are called as they are."""

from collections.abc import Callable
from typing import Any

from facula.autograd import Function

_operators: dict[str, "CustomOp"] = {}


class CustomOp:
    """A function with the registrations a compiler would use, and a derivative of its own where one is registered."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__
        self._differentiable: type[Function] | None = None

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Return what the function returns."""
        if self._differentiable is None or kwargs:
            return self.function(*args, **kwargs)
        return self._differentiable.apply(*args)

    def register_fake(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function: shapes are never computed without values."""
        return function

    register_kernel = register_vmap = register_fake

    def register_autograd(
        self, backward: Callable[..., Any], *, setup_context: Callable[..., Any] | None = None
    ) -> None:
        """Make ``backward(ctx, *grads)`` the derivative; ``setup_context(ctx, inputs, output)`` saves what it needs."""
        function = self.function

        class Differentiable(Function):
            @staticmethod
            def forward(ctx: Any, *inputs: object) -> object:  # type: ignore[override]  # as everybody writes it
                output = function(*inputs)
                if setup_context is not None:
                    setup_context(ctx, inputs, output)
                return output

        Differentiable.backward = staticmethod(backward)  # type: ignore[method-assign]
        Differentiable.__name__ = self.__name__
        self._differentiable = Differentiable


def custom_op(name: str, fn: Callable[..., Any] | None = None, **options: object) -> object:
    """Return the function as an operator, or what makes one."""

    def make(function: Callable[..., Any]) -> CustomOp:
        operator = _operators[name] = CustomOp(function)
        return operator

    return make if fn is None else make(fn)


def register_fake(op: object, func: Callable[..., Any] | None = None, **options: object) -> Callable[..., Any]:
    """Return the function: shapes are never computed without values."""
    return (lambda function: function) if func is None else func


def register_autograd(
    op: "CustomOp | str",
    backward: Callable[..., Any],
    /,
    *,
    setup_context: Callable[..., Any] | None = None,
    **options: object,
) -> None:
    """Register the derivative of an operator. NotImplementedError for one that was not defined in Python."""
    operator = _operators.get(op) if isinstance(op, str) else op
    if operator is None:
        raise NotImplementedError(f"facula has no operator {op!r} to register a derivative for")
    operator.register_autograd(backward, setup_context=setup_context)


impl_abstract = register_fake
