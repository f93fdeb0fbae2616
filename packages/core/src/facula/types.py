"""Names for annotations. ``types.pyi`` tells type checkers what they mean, without an import upward."""

from facula.tensor_base import TensorBase as Tensor

#: A Python number.
Number = bool | int | float | complex
#: What a function of numbers takes in place of a tensor.
TensorLike = Tensor | Number
#: A shape as an argument.
Shape = tuple[int, ...] | list[int]

__all__ = ["Number", "Shape", "Tensor", "TensorLike"]
