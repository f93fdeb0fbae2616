"""The dataset every reader returns, and what the readers share."""

from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Generic, TypeAlias, TypeVar

from facula.utils.data import Dataset

__all__ = ["TextDataset"]

Sample = TypeVar("Sample")

Path: TypeAlias = str | PathLike[str]
Splits: TypeAlias = list[str] | tuple[str, ...]


class TextDataset(Dataset[Sample], Generic[Sample]):
    """The samples of one split of a text dataset, in memory, in the order of the file."""

    def __init__(self, name: str, split: str, samples: Sequence[Sample]) -> None:
        self.name = name
        self.split = split
        self._samples = list(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]

    def __iter__(self) -> Iterator[Sample]:
        return iter(self._samples)

    def __repr__(self) -> str:
        return f"{self.name}(split={self.split!r}, samples={len(self)})"


def check_splits(name: str, split: str | Splits, splits: Sequence[str]) -> list[str]:
    """Return the splits asked for as a list; ValueError names the ones there are."""
    asked = [split] if isinstance(split, str) else list(split)
    for one in asked:
        if one not in splits:
            raise ValueError(f"{name} has the splits {', '.join(map(repr, splits))}, got {one!r}")
    return asked


def read_lines(content: bytes, path: Path) -> list[str]:
    """Return the lines of UTF-8 ``content``, line ends kept; ValueError names ``path`` and the line that is not UTF-8.

    Only a line feed ends a line: str.splitlines would also cut at the rarer separators inside sentences.
    """
    lines = []
    for number, line in enumerate(content.split(b"\n"), start=1):
        try:
            lines.append(line.decode("utf-8") + "\n")
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}, line {number}: expected UTF-8 text, got {error}") from error
    last = lines.pop()[:-1]
    if last:
        lines.append(last)
    if not lines:
        raise ValueError(f"{path}: expected text, got an empty file")
    return lines
