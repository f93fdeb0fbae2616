"""Checks of arguments that many operations share."""

from facula.tensor_base import TensorBase

__all__ = ["need_tensor"]


def need_tensor(function: str, value: object, argument: str = "input") -> None:
    """Refuse with a TypeError what is no tensor."""
    if not isinstance(value, TensorBase):
        raise TypeError(f"{function}(): argument '{argument}' must be Tensor, not {type(value).__name__}")
