"""Multi30k: image captions in English, German and French, line by line (Elliott and others 2016)."""

import gzip
import os
import zlib
from typing import overload

from facula_text.datasets.text_dataset import Path, Splits, TextDataset, check_splits, read_lines

__all__ = ["Multi30k"]

_SPLITS = ("train", "valid", "test", "test_2016_flickr", "test_2017_flickr")
# torchtext's names of the splits, and the names of the files upstream and in torchtext's own archives.
_STEMS = {"valid": ("val",), "test": ("test", "test_2016_flickr")}

PairDataset = TextDataset[tuple[str, str]]


@overload
def Multi30k(root: Path, split: str, language_pair: tuple[str, str] = ...) -> PairDataset: ...


@overload
def Multi30k(root: Path, split: Splits = ..., language_pair: tuple[str, str] = ...) -> tuple[PairDataset, ...]: ...


def Multi30k(
    root: Path,
    split: str | Splits = ("train", "valid", "test"),
    language_pair: tuple[str, str] = ("de", "en"),
) -> PairDataset | tuple[PairDataset, ...]:
    """Return one split, or several, of Multi30k: samples (sentence, its translation) in the languages asked for.

    ``root`` is a folder with one file a split and language, ``train.de`` or ``train.de.gz``, a sentence a line;
    ``valid`` reads ``val.*`` and ``test`` the ``test_2016_flickr.*`` files. Files whose lines do not pair up raise
    ValueError.
    """
    if len(language_pair) != 2 or language_pair[0] == language_pair[1]:
        raise ValueError(f"expected language_pair to name two different languages, got {language_pair!r}")
    datasets = [
        TextDataset("Multi30k", one, _read(root, one, language_pair))
        for one in check_splits("Multi30k", split, _SPLITS)
    ]
    return datasets[0] if isinstance(split, str) else tuple(datasets)


def _read(root: Path, split: str, language_pair: tuple[str, str]) -> list[tuple[str, str]]:
    source_path, target_path = (_find(root, split, language) for language in language_pair)
    source, target = _sentences(source_path), _sentences(target_path)
    if len(source) != len(target):
        raise ValueError(
            f"expected as many lines in {source_path} as in {target_path}, got {len(source)} and {len(target)}"
        )
    return list(zip(source, target, strict=True))


def _find(root: Path, split: str, language: str) -> str:
    stems = _STEMS.get(split, (split,))
    paths = [os.path.join(root, f"{stem}.{language}{suffix}") for stem in stems for suffix in ("", ".gz")]
    for path in paths:
        if os.path.exists(path):
            return path
    raise FileNotFoundError(f"expected one of {', '.join(paths)}, found none")


def _sentences(path: str) -> list[str]:
    with open(path, "rb") as file:
        content = file.read()
    if path.endswith(".gz"):
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: expected a gzip file, got {error}") from error
    return [line.rstrip("\r\n") for line in read_lines(content, path)]
