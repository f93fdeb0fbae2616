from facula.tensor import Tensor as Tensor

Number = bool | int | float | complex
TensorLike = Tensor | Number
Shape = tuple[int, ...] | list[int]
