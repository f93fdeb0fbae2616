"""Questions about tensors and types, asked as functions, and a few constants."""

import math

from facula import dtypes, promotion
from facula.dtypes import dtype as DType
from facula.tensor import Tensor
from facula.tensor_base import TensorBase
from facula.types import Number, TensorLike

__all__ = [
    "e",
    "get_device",
    "inf",
    "is_complex",
    "is_conj",
    "is_floating_point",
    "is_inference",
    "is_neg",
    "is_nonzero",
    "is_same_size",
    "is_signed",
    "is_storage",
    "is_tensor",
    "nan",
    "newaxis",
    "numel",
    "pi",
    "result_type",
    "typename",
]

e = math.e
inf = math.inf
nan = math.nan
pi = math.pi
newaxis = None


def is_tensor(obj: object) -> bool:
    """Return whether something is a tensor."""
    return isinstance(obj, Tensor)


def is_storage(obj: object) -> bool:
    """Return whether something is a storage, as ``Tensor.untyped_storage()`` gives it."""
    return type(obj).__name__ in ("UntypedStorage", "TypedStorage") and type(obj).__module__ == "facula.storage"


def is_complex(input: Tensor) -> bool:
    """Return whether the type of a tensor is complex."""
    return input.is_complex()


def is_floating_point(input: Tensor) -> bool:
    """Return whether the type of a tensor is a floating-point type.

    >>> facula.is_floating_point(facula.tensor([1]))
    False
    """
    return input.is_floating_point()


def is_signed(input: Tensor) -> bool:
    """Return whether the type of a tensor has negative numbers."""
    return input.is_signed()


def is_inference(input: Tensor) -> bool:
    """Return whether a tensor was made in inference mode."""
    return input.is_inference()


def is_conj(input: Tensor) -> bool:
    """Return False: conjugates are computed at once."""
    return input.is_conj()


def is_neg(input: Tensor) -> bool:
    """Return False: negatives are computed at once."""
    return input.is_neg()


def is_nonzero(input: Tensor) -> bool:
    """Return whether a tensor of one element is not zero. RuntimeError for any other number of elements.

    >>> facula.is_nonzero(facula.tensor([0.0]))
    False
    """
    return input.is_nonzero()


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Return whether two tensors have the same shape."""
    return input.shape == other.shape


def numel(input: Tensor) -> int:
    """Return how many elements a tensor has."""
    return input.numel()


def get_device(input: Tensor) -> int:
    """Return the index of the CUDA device a tensor is on, -1 for the CPU."""
    return input.get_device()


def typename(obj: object) -> str:
    """Return the name of an object's type, with its module: "facula.FloatTensor" for a tensor."""
    if isinstance(obj, Tensor):
        return obj.type()
    kind = obj if isinstance(obj, type) else type(obj)
    return kind.__qualname__ if kind.__module__ in ("builtins", None) else f"{kind.__module__}.{kind.__qualname__}"


def _rank(value: TensorLike) -> int:
    if not isinstance(value, TensorBase):
        return 2
    return 0 if value._array.ndim else 1


def result_type(tensor1: Tensor | Number, tensor2: Tensor | Number) -> DType:
    """Return the type an operation on two tensors or numbers computes in.

    >>> facula.result_type(facula.tensor([1, 2], dtype=facula.int32), 1.0)
    facula.float32
    """
    ranks: tuple[list[DType], ...] = ([], [], [])
    for value in (tensor1, tensor2):
        ranks[_rank(value)].append(value.dtype if isinstance(value, TensorBase) else dtypes.of_scalar(value))
    return promotion.combine(*ranks)
