"""What a tokenizer call returns: a dictionary of lists or tensors that knows how tokens and text correspond."""

from __future__ import annotations

from collections import UserDict
from typing import TYPE_CHECKING, Any

import facula
from facula import Tensor

if TYPE_CHECKING:
    from tokenizers import Encoding

__all__ = ["BatchEncoding"]


class BatchEncoding(UserDict[str, Any]):
    """A dictionary with ``input_ids``, ``attention_mask`` and so on; the keys are attributes too.

    ``encodings`` holds the Encoding of ``tokenizers`` of each row, which the methods below read.
    """

    def __init__(self, data: dict[str, Any], encodings: list[Encoding]) -> None:
        super().__init__(data)
        self.encodings = encodings

    def __getattr__(self, name: str) -> Any:
        # "data" itself is asked for while an instance is unpickled, before it is there.
        if name != "data" and name in self.data:
            return self.data[name]
        raise AttributeError(f"BatchEncoding has no attribute or key {name!r}")

    def to(self, device: str | facula.device) -> BatchEncoding:
        """Return a BatchEncoding whose tensors are on ``device``."""
        moved = {key: value.to(device) if isinstance(value, Tensor) else value for key, value in self.data.items()}
        return BatchEncoding(moved, self.encodings)

    def tokens(self, batch_index: int = 0) -> list[str]:
        """Return the tokens of one row."""
        return self.encodings[batch_index].tokens

    def word_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return for each token of one row the number of its word, None for special tokens."""
        return self.encodings[batch_index].word_ids

    def sequence_ids(self, batch_index: int = 0) -> list[int | None]:
        """Return for each token of one row 0 for the first text, 1 for the second, None for special tokens."""
        return self.encodings[batch_index].sequence_ids

    def char_to_token(self, batch_index: int, char_index: int, sequence_index: int = 0) -> int | None:
        """Return the token that holds a character of a row's text, None where none does."""
        return self.encodings[batch_index].char_to_token(char_index, sequence_index)

    def token_to_chars(self, batch_index: int, token_index: int) -> tuple[int, int] | None:
        """Return the span ``(start, end)`` of a token in a row's text, None for special tokens."""
        return self.encodings[batch_index].token_to_chars(token_index)
