"""Bringing the arguments of the transforms into one form."""

from collections.abc import Sequence


def two_sizes(size: int | Sequence[int]) -> Sequence[int]:
    """Return (height, width) of one number or of a sequence of one or two; ``ValueError`` for others."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if not isinstance(size, Sequence) or len(size) != 2:
        raise ValueError(f"Please provide only two dimensions (h, w) for size, got {size!r}.")
    return size
