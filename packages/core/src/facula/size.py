"""The shape of a tensor."""

from collections.abc import Iterable
from math import prod
from typing import SupportsIndex, overload


class Size(tuple[int, ...]):
    """A shape: a tuple of ints that knows its number of elements.

    >>> facula.zeros(2, 3).shape.numel()
    6
    """

    __slots__ = ()

    def __new__(cls, dims: Iterable[int] = ()) -> "Size":
        """Return a shape; TypeError for lengths that are no integers."""
        made = super().__new__(cls, dims)
        for each in made:
            if not isinstance(each, int):
                if not hasattr(each, "__index__"):
                    raise TypeError(f"facula.Size() takes an iterable of 'int', got an item of {type(each).__name__}")
                return super().__new__(cls, (item.__index__() for item in made))
        return made

    def numel(self) -> int:
        """Return the number of elements of a tensor of this shape."""
        return prod(self)

    def __repr__(self) -> str:
        return f"facula.Size({list(self)})"

    def __add__(self, other: tuple[int, ...]) -> "Size":  # type: ignore[override]  # a shape has only ints
        return Size(tuple.__add__(self, other))

    def __radd__(self, other: tuple[int, ...]) -> "Size":
        return Size(tuple.__add__(tuple(other), self))

    def __mul__(self, times: SupportsIndex) -> "Size":
        return Size(tuple.__mul__(self, times))

    __rmul__ = __mul__

    @overload
    def __getitem__(self, item: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, item: slice) -> "Size": ...
    def __getitem__(self, item: SupportsIndex | slice) -> "int | Size":
        found = tuple.__getitem__(self, item)
        return found if isinstance(found, int) else Size(found)

    def __reduce__(self) -> tuple[type, tuple[tuple[int, ...]]]:
        return Size, (tuple(self),)
