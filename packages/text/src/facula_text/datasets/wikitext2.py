"""WikiText-2: articles of Wikipedia, two million words (Merity, Xiong, Bradbury and Socher 2016)."""

import os
import zipfile
from typing import overload

from facula_text.datasets.text_dataset import Path, Splits, TextDataset, check_splits, read_lines

__all__ = ["WikiText2"]

_ARCHIVE = "wikitext-2-v1.zip"
_FOLDER = "wikitext-2"


@overload
def WikiText2(root: Path, split: str) -> TextDataset[str]: ...


@overload
def WikiText2(root: Path, split: Splits = ...) -> tuple[TextDataset[str], ...]: ...


def WikiText2(
    root: Path, split: str | Splits = ("train", "valid", "test")
) -> TextDataset[str] | tuple[TextDataset[str], ...]:
    """Return one split, or several, of WikiText-2: a sample is a line, its line feed kept; many lines are blank.

    ``root`` is a folder with ``wikitext-2-v1.zip`` as published, or the folder ``wikitext-2`` out of it; the place
    it was published at is gone, so there is no download. Tokens are separated by spaces, ``<unk>`` is among them.
    """
    datasets = [
        TextDataset("WikiText2", one, _read(root, f"wiki.{one}.tokens"))
        for one in check_splits("WikiText2", split, ("train", "valid", "test"))
    ]
    return datasets[0] if isinstance(split, str) else tuple(datasets)


def _read(root: Path, name: str) -> list[str]:
    loose = os.path.join(root, _FOLDER, name)
    if os.path.exists(loose):
        with open(loose, "rb") as file:
            return read_lines(file.read(), loose)
    archive_path = os.path.join(root, _ARCHIVE)
    if not os.path.exists(archive_path):
        raise FileNotFoundError(f"expected {archive_path} or {loose}, found neither")
    member = f"{_FOLDER}/{name}"
    try:
        with zipfile.ZipFile(archive_path) as archive:
            content = archive.read(member)
    except (zipfile.BadZipFile, KeyError, EOFError) as error:
        raise ValueError(f"{archive_path}: expected a zip archive with {member}, got {error}") from error
    return read_lines(content, f"{archive_path}:{member}")
