"""Operations on lists of tensors, one tensor after the other: what optimizers written for PyTorch call.

``_foreach_add(tensors, other)`` returns a list, ``_foreach_add_`` changes the tensors. ``other`` is a list of as many
tensors or numbers, or one tensor or number for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from facula.dtypes import dtype as DType
from facula.ops.norms import vector_norm
from facula.tensor import Tensor

_UNARY = (
    "abs acos asin atan ceil cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 neg reciprocal round "
    "rsqrt sigmoid sign sin sinh sqrt tan tanh trunc zero".split()
)
_BINARY = "add sub mul div pow clamp_max clamp_min maximum minimum copy".split()
_WITH_PRODUCT = ["addcmul", "addcdiv"]
#: With a number these are the bounds of `clamp`; what has no method that changes the tensor is computed and copied.
_BOUNDS = {"maximum": "clamp_min", "minimum": "clamp_max"}

Tensors = Sequence[Tensor]


def _spread(value: Any, count: int) -> Sequence[Any]:
    """Return a value for each of ``count`` tensors."""
    if not isinstance(value, (list, tuple)):
        return [value] * count
    if len(value) != count:
        raise RuntimeError(f"Tensor lists must have the same number of tensors, got {count} and {len(value)}")
    return value


def _method(name: str, inplace: bool) -> Callable[..., Tensor]:
    if not inplace:
        return (
            getattr(Tensor, name) if hasattr(Tensor, name) else lambda x, *args: getattr(x.clone(), name + "_")(*args)
        )
    if name in _BOUNDS:
        return lambda x, *args: x.copy_(getattr(x, name)(*args))
    return getattr(Tensor, name + "_")


def _unary(name: str, inplace: bool) -> Callable[[Tensors], list[Tensor] | None]:
    method = _method(name, inplace)

    def function(self: Tensors) -> list[Tensor] | None:
        results = [method(each) for each in self]
        return None if inplace else results

    return function


def _binary(name: str, inplace: bool) -> Callable[..., list[Tensor] | None]:
    method = _method(name, inplace)

    def function(self: Tensors, other: object, *, alpha: float = 1) -> list[Tensor] | None:
        others = _spread(other, len(self))
        if name in _BOUNDS and not isinstance(others[0] if others else None, Tensor):
            return globals()[f"_foreach_{_BOUNDS[name]}" + "_" * inplace](self, other)
        options = {} if alpha == 1 else {"alpha": alpha}
        results = [method(each, value, **options) for each, value in zip(self, others, strict=True)]
        return None if inplace else results

    return function


def _with_product(name: str, inplace: bool) -> Callable[..., list[Tensor] | None]:
    method = _method(name, inplace)

    def function(self: Tensors, tensors1: Tensors, tensors2: Tensors, value: object = 1) -> list[Tensor] | None:
        groups = zip(self, tensors1, tensors2, _spread(value, len(self)), strict=True)
        results = [method(x, first, second, value=factor) for x, first, second, factor in groups]
        return None if inplace else results

    return function


def _foreach_lerp(self: Tensors, tensors1: Tensors, weight: object) -> list[Tensor]:
    """Return, for each tensor, what lies on the way to another."""
    return [x.lerp(end, part) for x, end, part in zip(self, tensors1, _spread(weight, len(self)), strict=True)]


def _foreach_lerp_(self: Tensors, tensors1: Tensors, weight: object) -> None:
    """Move each tensor on the way to another."""
    for x, end, part in zip(self, tensors1, _spread(weight, len(self)), strict=True):
        x.lerp_(end, part)


def _foreach_norm(self: Tensors, ord: float = 2, dtype: DType | None = None) -> list[Tensor]:
    """Return the norm of each tensor."""
    return [vector_norm(each, ord, dtype=dtype) for each in self]


def _foreach_max(self: Tensors) -> list[Tensor]:
    """Return the largest element of each tensor."""
    return [each.max() for each in self]


for _names, _make in ((_UNARY, _unary), (_BINARY, _binary), (_WITH_PRODUCT, _with_product)):
    for _name in _names:
        for _inplace in (False, True):
            _full = f"_foreach_{_name}" + "_" * _inplace
            _function = _make(_name, _inplace)
            _function.__name__ = _function.__qualname__ = _full
            globals()[_full] = _function
