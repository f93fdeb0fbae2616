"""A dictionary whose keys are attributes too."""

from __future__ import annotations

from typing import Any


class AttributeDict(dict[str, Any]):
    """A dictionary whose keys can be read and written as attributes.

    >>> settings = AttributeDict(lr=0.1)
    >>> settings.lr
    0.1
    """

    def __getattr__(self, key: str) -> Any:
        try:
            return self[key]
        except KeyError:
            raise AttributeError(f"Missing attribute {key!r}") from None

    def __setattr__(self, key: str, value: object) -> None:
        self[key] = value

    def __repr__(self) -> str:
        if not self:
            return ""
        width = max(len(str(key)) for key in self) + 3
        return "\n".join(f"{f'{key!r}:':{width}s} {value}" for key, value in self.items())
