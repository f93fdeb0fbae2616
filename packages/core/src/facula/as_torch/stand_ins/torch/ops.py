"""``torch.ops``: PyTorch's operators by their inner names, as far as they are functions of facula too."""

from collections.abc import Callable
from typing import Any, NoReturn

import facula


class Operator:
    """An operator with its overloads, which are all the same function here."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self.__name__ = name
        self.default = self.Tensor = self.Scalar = self.out = function

    def __call__(self, *args: object, **kwargs: object) -> object:
        """Return what the function returns."""
        return self.default(*args, **kwargs)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)
        return self.default  # an overload by its name

    def overloads(self) -> list[str]:
        """Return the names of the overloads."""
        return ["default"]


def _missing(path: str) -> Callable[..., Any]:
    """Return what stands for an operator that is no function of facula: programs may name it, not call it."""

    def call(*args: object, **kwargs: object) -> NoReturn:
        raise NotImplementedError(f"{path} is not implemented by facula")

    return call


class Namespace:
    """The operators of one library."""

    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __getattr__(self, name: str) -> Operator:
        for source in (facula, facula.nn.functional, facula.special, facula.linalg) if self.__name__ == "aten" else ():
            function = getattr(source, name, None)
            if callable(function):
                operator = Operator(name, function)
                setattr(self, name, operator)
                return operator
        if name.startswith("__"):
            raise AttributeError(name)
        return Operator(name, _missing(f"torch.ops.{self.__name__}.{name}"))


def __getattr__(name: str) -> Namespace:
    if name.startswith("__"):
        raise AttributeError(name)
    return Namespace(name)
