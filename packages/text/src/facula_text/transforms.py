"""Transforms from strings and token lists to tensors, with torchtext's names."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import facula
from facula import Tensor

from facula_text.data.collate import pad_sequences
from facula_text.vocab import Vocab

__all__ = [
    "AddToken",
    "LabelToIndex",
    "PadTransform",
    "Sequential",
    "StrToIntTransform",
    "ToTensor",
    "Truncate",
    "VocabTransform",
]

Indices: TypeAlias = list[int] | list[list[int]]


class Sequential:
    """Applies transforms one after the other.

    >>> Sequential(Truncate(2), AddToken(0))([5, 6, 7])
    [0, 5, 6]
    """

    def __init__(self, *transforms: Callable[[Any], Any]) -> None:
        self.transforms = transforms

    def __call__(self, value: object) -> object:
        """Return what the last transform makes of ``value``."""
        for transform in self.transforms:
            value = transform(value)
        return value

    def __repr__(self) -> str:
        lines = "".join(f"\n    {transform!r}," for transform in self.transforms)
        return f"Sequential({lines}\n)"


def _each(function: Callable[[Any], list[Any]], values: Sequence[Any]) -> list[Any]:
    """Apply ``function`` to a sequence, or to each sequence of a batch of them."""
    if values and isinstance(values[0], (list, tuple)):
        return [function(value) for value in values]
    return function(values)


class VocabTransform:
    """Turns token lists, or a batch of them, into index lists."""

    def __init__(self, vocab: Vocab) -> None:
        self.vocab = vocab

    def __call__(self, tokens: Sequence[str] | Sequence[Sequence[str]]) -> Indices:
        """Return the indices of the tokens."""
        return _each(self.vocab.lookup_indices, tokens)


class Truncate:
    """Keeps the first ``max_seq_len`` tokens of a list, or of each list of a batch."""

    def __init__(self, max_seq_len: int) -> None:
        self.max_seq_len = max_seq_len

    def __call__(self, tokens: Sequence[Any]) -> list[Any]:
        """Return the first tokens, as new lists."""
        return _each(lambda values: list(values[: self.max_seq_len]), tokens)

    def __repr__(self) -> str:
        return f"Truncate(max_seq_len={self.max_seq_len})"


class AddToken:
    """Puts ``token`` at the beginning of a list, or at its end without ``begin``; of each list of a batch too."""

    def __init__(self, token: int | str, begin: bool = True) -> None:
        self.token = token
        self.begin = begin

    def __call__(self, tokens: Sequence[Any]) -> list[Any]:
        """Return the tokens with one more, as new lists."""
        return _each(lambda values: [self.token, *values] if self.begin else [*values, self.token], tokens)

    def __repr__(self) -> str:
        return f"AddToken(token={self.token!r}, begin={self.begin})"


class StrToIntTransform:
    """Turns lists of number words such as ``["12", "7"]``, or a batch of them, into integers."""

    def __call__(self, tokens: Sequence[Any]) -> list[Any]:
        """Return the numbers."""
        return _each(lambda values: [int(value) for value in values], tokens)


class LabelToIndex:
    """Turns labels into their positions in ``label_names``, sorted first when ``sort_names``.

    ``label_path`` names a file with one label a line instead; exactly one of the two is given.
    """

    def __init__(
        self, label_names: Sequence[str] | None = None, label_path: str | None = None, sort_names: bool = False
    ) -> None:
        if (label_names is None) == (label_path is None):
            raise ValueError("expected either label_names or label_path, got both or neither")
        if label_path is not None:
            with open(label_path, encoding="utf-8") as file:
                label_names = [line.strip() for line in file if line.strip()]
        assert label_names is not None
        self._vocab = Vocab(sorted(label_names) if sort_names else label_names)

    @property
    def label_names(self) -> list[str]:
        """The labels in the order of their indices."""
        return self._vocab.get_itos()

    def __call__(self, labels: str | Sequence[str]) -> int | list[int]:
        """Return the index of a label, or of each of several; RuntimeError for one that is not known."""
        if isinstance(labels, str):
            return self._vocab[labels]
        return self._vocab.lookup_indices(labels)


class ToTensor:
    """Turns an index list into a tensor (L,), or a batch of lists into (N, L) padded with ``padding_value``.

    >>> ToTensor(padding_value=0)([[1, 2], [3]]).tolist()
    [[1, 2], [3, 0]]
    """

    def __init__(self, padding_value: int | None = None, dtype: facula.dtype = facula.int64) -> None:
        self.padding_value = padding_value
        self.dtype = dtype

    def __call__(self, tokens: Sequence[Any]) -> Tensor:
        """Return the tensor."""
        if self.padding_value is None:
            return facula.tensor(tokens, dtype=self.dtype)
        return pad_sequences(tokens, self.padding_value).to(self.dtype)


class PadTransform:
    """Pads the last dimension of a tensor to ``max_length`` with ``pad_value``; longer tensors stay as they are."""

    def __init__(self, max_length: int, pad_value: int) -> None:
        self.max_length = max_length
        self.pad_value = pad_value

    def __call__(self, x: Tensor) -> Tensor:
        """Return ``x`` padded."""
        missing = self.max_length - x.size(-1)
        if missing <= 0:
            return x
        return facula.nn.functional.pad(x, (0, missing), value=self.pad_value)
