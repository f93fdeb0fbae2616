"""Exceptions that are not Python's own."""

__all__ = ["LinAlgError"]


class LinAlgError(RuntimeError):
    """A matrix has no inverse, or is not positive definite."""
