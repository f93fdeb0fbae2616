"""Checks of arguments that many operations share."""

from facula.tensor_base import TensorBase
from facula.types import Tensor

__all__ = ["need_slices", "need_tensor"]


def need_tensor(function: str, value: object, argument: str = "input") -> None:
    """Refuse with a TypeError what is no tensor."""
    if not isinstance(value, TensorBase):
        raise TypeError(f"{function}(): argument '{argument}' must be Tensor, not {type(value).__name__}")


def need_slices(function: str, input: Tensor, axis: int, index: Tensor, source: Tensor) -> None:
    """Refuse a source that does not have a slice, of the input's shape otherwise, for each index of a vector."""
    if index.dim() > 1:
        raise IndexError(f"{function}(): Index is supposed to be a vector")
    if index.dtype.name not in ("int32", "int64"):
        raise RuntimeError(f"{function}(): Expected dtype int32/int64 for index but got: {index.dtype.name.title()}")
    if source.dtype != input.dtype:
        raise RuntimeError(
            f"{function}(): self ({input.dtype.name.title()}) and source ({source.dtype.name.title()}) must have the same "
            "scalar type"
        )
    count = source.shape[axis] if axis < source.dim() else 1
    if count != index.numel():
        raise RuntimeError(
            f"{function}(): Number of indices ({index.numel()}) should be equal to source.size(dim): ({count}), for dim: {axis}"
        )
    have, wanted = list(source.shape), list(input.shape)
    if (have[:axis], have[axis + 1 :]) != (wanted[:axis], wanted[axis + 1 :]) or len(have) != len(wanted):
        raise RuntimeError(
            "source tensor shape must match self tensor shape, excluding the specified dimension. Got self.shape = "
            f"{wanted} source.shape = {have}"
        )
