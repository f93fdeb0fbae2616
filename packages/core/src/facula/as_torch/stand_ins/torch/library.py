"""``torch.library``: operators defined in Python are called as they are."""

from collections.abc import Callable


class CustomOp:
    """A function with the registrations a compiler would use; calling it calls the function."""

    def __init__(self, function: Callable) -> None:
        self.function = function
        self.__name__ = function.__name__
        self.__doc__ = function.__doc__

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Return what the function returns."""
        return self.function(*args, **kwargs)

    def register_fake(self, function: Callable) -> Callable:
        """Return the function: shapes are never computed without values."""
        return function

    register_kernel = register_vmap = register_fake


def custom_op(name: str, fn: Callable | None = None, **options: object) -> object:
    """Return the function as an operator, or what makes one."""
    return CustomOp if fn is None else CustomOp(fn)


def register_fake(op: object, func: Callable | None = None, **options: object) -> Callable:
    """Return the function: shapes are never computed without values."""
    return (lambda function: function) if func is None else func


impl_abstract = register_fake
