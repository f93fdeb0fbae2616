"""Small helpers over iterables of text and of samples, with torchtext's names."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from facula.utils.data import Dataset

__all__ = ["custom_replace", "numericalize_tokens_from_iterator", "simple_space_split", "to_map_style_dataset"]

Sample = TypeVar("Sample")


class _ListDataset(Dataset[Sample]):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples = list(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


def to_map_style_dataset(iter_data: Iterable[Sample]) -> Dataset[Sample]:
    """Return a dataset that holds every sample of ``iter_data`` in memory, with a length and indexing."""
    return _ListDataset(iter_data)


def numericalize_tokens_from_iterator(
    vocab: Mapping[str, int],
    iterator: Iterable[Sequence[str]],
    removed_tokens: Sequence[str] | None = None,
) -> Iterator[Iterator[int]]:
    """Return an iterator that gives for each token list an iterator over its indices, ``removed_tokens`` left out."""
    removed = frozenset(removed_tokens or ())
    for tokens in iterator:
        yield iter([vocab[token] for token in tokens if token not in removed])


def simple_space_split(iterator: Iterable[str]) -> Iterator[list[str]]:
    """Return an iterator over the lines, each cut at white space."""
    for line in iterator:
        yield line.split()


def custom_replace(replace_pattern: Sequence[tuple[str, str]]) -> Callable[[Iterable[str]], Iterator[str]]:
    """Return a function that applies (regular expression, replacement) pairs in turn to each line it is given.

    >>> list(custom_replace([("S", "s"), (r"\\s+", " ")])(["Sentencepiece   encode"]))
    ['sentencepiece encode']
    """
    pairs = [(re.compile(pattern), replacement) for pattern, replacement in replace_pattern]

    def replace(lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            for pattern, replacement in pairs:
                line = pattern.sub(replacement, line)
            yield line

    return replace
