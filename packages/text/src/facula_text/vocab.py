"""Vocabularies with torchtext's behaviour: tokens to indices and back."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Vocab", "build_vocab_from_iterator", "vocab"]


class Vocab:
    """A table of tokens and their indices, plain Python and picklable.

    ``tokens`` gives the tokens in the order of their indices; a token that stands there twice raises RuntimeError.

    >>> words = Vocab(["<unk>", "to", "be"])
    >>> words(["be", "to"])
    [2, 1]
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        self._tokens: list[str] = []
        self._indices: dict[str, int] = {}
        self._default_index: int | None = None
        for token in tokens:
            if token in self._indices:
                raise RuntimeError(f"Duplicate token found in tokens list: {token!r}")
            self._indices[token] = len(self._tokens)
            self._tokens.append(token)

    def __len__(self) -> int:
        return len(self._tokens)

    def __contains__(self, token: object) -> bool:
        return token in self._indices

    def __getitem__(self, token: str) -> int:
        """Return the index of ``token``, else the default index; without one raise RuntimeError."""
        index = self._indices.get(token, self._default_index)
        if index is None:
            raise RuntimeError(f"Token {token!r} not found and default index is not set")
        return index

    def __call__(self, tokens: Sequence[str]) -> list[int]:
        """Return the index of each of ``tokens``."""
        return self.lookup_indices(tokens)

    def forward(self, tokens: Sequence[str]) -> list[int]:
        """Return the index of each of ``tokens``."""
        return self.lookup_indices(tokens)

    def __repr__(self) -> str:
        return f"Vocab(size={len(self)}, default_index={self._default_index})"

    def set_default_index(self, index: int | None) -> None:
        """Answer ``index`` for every unknown token from now on; with None unknown tokens are errors again."""
        self._default_index = index

    def get_default_index(self) -> int | None:
        """Return the index answered for unknown tokens, None where they are errors."""
        return self._default_index

    def insert_token(self, token: str, index: int) -> None:
        """Put a new token at ``index`` and move the following ones up by one.

        The default index stays the number it is. Raises RuntimeError when the token is there already or ``index``
        lies outside ``0 .. len(self)``.
        """
        if not 0 <= index <= len(self):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self)}")
        self._refuse_known(token)
        self._tokens.insert(index, token)
        for position in range(index, len(self._tokens)):
            self._indices[self._tokens[position]] = position

    def append_token(self, token: str) -> None:
        """Put a new token at the end; raises RuntimeError when it is there already."""
        self._refuse_known(token)
        self._indices[token] = len(self._tokens)
        self._tokens.append(token)

    def _refuse_known(self, token: str) -> None:
        if token in self._indices:
            raise RuntimeError(f"Token {token!r} already exists in the Vocab with index: {self._indices[token]}")

    def lookup_token(self, index: int) -> str:
        """Return the token at ``index``; raises RuntimeError outside ``0 .. len(self) - 1``."""
        if not 0 <= index < len(self):
            raise RuntimeError(f"Specified index {index} is out of bounds for vocab of size {len(self)}")
        return self._tokens[index]

    def lookup_tokens(self, indices: Iterable[int]) -> list[str]:
        """Return the token at each of ``indices``."""
        return [self.lookup_token(index) for index in indices]

    def lookup_indices(self, tokens: Iterable[str]) -> list[int]:
        """Return the index of each of ``tokens``."""
        return [self[token] for token in tokens]

    def get_stoi(self) -> dict[str, int]:
        """Return a new dictionary from tokens to indices ("string to integer")."""
        return dict(self._indices)

    def get_itos(self) -> list[str]:
        """Return a new list of the tokens in the order of their indices ("integer to string")."""
        return list(self._tokens)


def vocab(
    ordered_dict: Mapping[str, int],
    min_freq: int = 1,
    specials: Sequence[str] | None = None,
    special_first: bool = True,
) -> Vocab:
    """Return a Vocab of the tokens in ``ordered_dict`` (token to frequency), in that order.

    Tokens seen fewer than ``min_freq`` times are left out; ``specials`` come first, or last, whatever their frequency.

    >>> vocab({"to": 2, "be": 2, "or": 1}, min_freq=2, specials=["<unk>"]).get_itos()
    ['<unk>', 'to', 'be']
    """
    special_tokens = list(specials or [])
    known = frozenset(special_tokens)
    tokens = [token for token, frequency in ordered_dict.items() if frequency >= min_freq and token not in known]
    return Vocab(special_tokens + tokens if special_first else tokens + special_tokens)


def build_vocab_from_iterator(
    iterator: Iterable[Iterable[str]],
    min_freq: int = 1,
    specials: Sequence[str] | None = None,
    special_first: bool = True,
    max_tokens: int | None = None,
) -> Vocab:
    """Return a Vocab of the tokens of all token lists in ``iterator``, most frequent first, ties in code point order.

    ``max_tokens`` bounds the size, specials included; AssertionError when it leaves room for specials only.

    >>> build_vocab_from_iterator([["to", "be"], ["be"]], specials=["<unk>"]).get_itos()
    ['<unk>', 'be', 'to']
    """
    counter: Counter[str] = Counter()
    for tokens in iterator:
        counter.update(tokens)
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    if max_tokens is not None:
        room = max_tokens - len(specials or [])
        if room <= 0:
            raise AssertionError(
                f"expected max_tokens above the number of specials ({len(specials or [])}), got {max_tokens}: "
                "the vocab would be entirely special tokens"
            )
        ordered = ordered[:room]
    return vocab(dict(ordered), min_freq=min_freq, specials=specials, special_first=special_first)
