"""A tokenizer whose tokens are the characters of its training text, in pure Python."""

import json
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import overload

import facula
from facula import Tensor

from facula_text._files import write_text

__all__ = ["CharTokenizer"]


class CharTokenizer:
    """Turns text into one index a character: special tokens first, then the characters in code point order.

    With ``unk_token`` (one of ``special_tokens``) unknown characters get its index; without it they raise ValueError.

    >>> tokenizer = CharTokenizer("hello")
    >>> tokenizer.encode("hole")
    [1, 3, 2, 0]
    >>> tokenizer.decode([1, 0, 2, 2, 3])
    'hello'
    """

    def __init__(
        self, characters: Iterable[str] = "", special_tokens: Sequence[str] = (), unk_token: str | None = None
    ) -> None:
        if unk_token is not None and unk_token not in special_tokens:
            raise ValueError(
                f"expected unk_token to be one of special_tokens {list(special_tokens)}, got {unk_token!r}"
            )
        self.special_tokens = list(special_tokens)
        self.unk_token = unk_token
        self._set_characters(set().union(*characters))

    def _set_characters(self, characters: Iterable[str]) -> None:
        self._tokens = self.special_tokens + sorted(set(characters) - set(self.special_tokens))
        self._indices = {token: index for index, token in enumerate(self._tokens)}

    def train_from_iterator(self, iterator: Iterable[str]) -> None:
        """Take the characters of all texts in ``iterator`` as the vocabulary, in place of the old ones."""
        characters: set[str] = set()
        for text in iterator:
            characters.update(text)
        self._set_characters(characters)

    def __len__(self) -> int:
        return len(self._tokens)

    @property
    def vocab_size(self) -> int:
        """The number of tokens, special ones included."""
        return len(self._tokens)

    def get_vocab(self) -> dict[str, int]:
        """Return a new dictionary from tokens to indices."""
        return dict(self._indices)

    def token_to_id(self, token: str) -> int | None:
        """Return the index of ``token``, None where it is unknown."""
        return self._indices.get(token)

    def id_to_token(self, index: int) -> str | None:
        """Return the token at ``index``, None outside the vocabulary."""
        return self._tokens[index] if 0 <= index < len(self._tokens) else None

    @overload
    def encode(self, text: str, return_tensors: None = None) -> list[int]: ...
    @overload
    def encode(self, text: str, return_tensors: str) -> Tensor: ...
    def encode(self, text: str, return_tensors: str | None = None) -> list[int] | Tensor:
        """Return one index a character, as a list, or with ``return_tensors="pt"`` as an int64 tensor (1, L)."""
        if return_tensors not in (None, "pt"):
            raise ValueError(f"expected return_tensors None or 'pt', got {return_tensors!r}")
        unknown = None if self.unk_token is None else self._indices[self.unk_token]
        indices: list[int] = []
        for position, character in enumerate(text):
            index = self._indices.get(character, unknown)
            if index is None:
                raise ValueError(f"character {character!r} at position {position} is not in the vocabulary")
            indices.append(index)
        return indices if return_tensors is None else facula.tensor([indices], dtype=facula.int64)

    def encode_batch(self, texts: Iterable[str]) -> list[list[int]]:
        """Return the index list of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int] | Tensor, skip_special_tokens: bool = True) -> str:
        """Return the text of ``ids`` (a list or a tensor (L,)); IndexError for an index outside the vocabulary."""
        indices = ids.tolist() if isinstance(ids, Tensor) else ids
        for index in indices:
            if not 0 <= index < len(self._tokens):
                raise IndexError(f"expected indices between 0 and {len(self._tokens) - 1}, got {index}")
        first = len(self.special_tokens) if skip_special_tokens else 0
        return "".join(self._tokens[index] for index in indices if index >= first)

    def batch_decode(self, sequences: Iterable[Sequence[int] | Tensor], skip_special_tokens: bool = True) -> list[str]:
        """Return the text of each index sequence, or of each row of a tensor (N, L)."""
        return [self.decode(ids, skip_special_tokens) for ids in sequences]

    def save(self, path: str | PathLike[str]) -> None:
        """Write the vocabulary to a JSON file."""
        content = {
            "type": "CharTokenizer",
            "special_tokens": self.special_tokens,
            "unk_token": self.unk_token,
            "characters": "".join(self._tokens[len(self.special_tokens) :]),
        }
        write_text(path, json.dumps(content, ensure_ascii=False, indent=2) + "\n")

    @classmethod
    def from_file(cls, path: str | PathLike[str]) -> "CharTokenizer":
        """Return the tokenizer written by ``save``; ValueError names a file that is something else."""
        try:
            with open(path, encoding="utf-8") as file:
                content = json.load(file)
            if content["type"] != "CharTokenizer":
                raise ValueError(f"type is {content['type']!r}")
            return cls(content["characters"], content["special_tokens"], content["unk_token"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: expected a CharTokenizer file, got {error}") from error
