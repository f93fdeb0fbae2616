"""AG News: news items of four classes (Zhang, Zhao and LeCun 2015)."""

import csv
import os
from typing import overload

from facula_text.datasets._download import RemoteFile, ensure_file
from facula_text.datasets.text_dataset import Path, Splits, TextDataset, check_splits, read_lines

__all__ = ["AG_NEWS", "AG_NEWS_CLASSES"]

AG_NEWS_CLASSES = ("World", "Sports", "Business", "Sci/Tech")
"""The names of the labels 1 to 4."""

_SOURCE = "https://raw.githubusercontent.com/mhjabreel/CharCnn_Keras/master/data/ag_news_csv/"
_FILES = {
    "train": RemoteFile("train.csv", _SOURCE + "train.csv", "md5:b1a00f826fdfbd249f79597b59e1dc12"),
    "test": RemoteFile("test.csv", _SOURCE + "test.csv", "md5:d52ea96a97a2d943681189a97654912d"),
}

NewsDataset = TextDataset[tuple[int, str]]


@overload
def AG_NEWS(root: Path, split: str, *, train_file: str | None = ..., download: bool = ...) -> NewsDataset: ...


@overload
def AG_NEWS(
    root: Path, split: Splits = ..., *, train_file: str | None = ..., download: bool = ...
) -> tuple[NewsDataset, ...]: ...


def AG_NEWS(
    root: Path,
    split: str | Splits = ("train", "test"),
    *,
    train_file: str | None = None,
    download: bool = False,
) -> NewsDataset | tuple[NewsDataset, ...]:
    """Return one split, or several, of AG News: samples (label 1 to 4, title and description joined by a space).

    ``root`` is a folder with ``train.csv`` (120,000 rows) and ``test.csv`` (7,600), rows of class, title and
    description. ``train_file`` reads the training split from another file there. A damaged row raises ValueError with
    the file's name, the line and what is wrong.
    """
    datasets = []
    for one in check_splits("AG_NEWS", split, tuple(_FILES)):
        if one == "train" and train_file is not None:
            path = os.path.join(root, train_file)
        else:
            path = ensure_file(root, _FILES[one], download)
        datasets.append(TextDataset("AG_NEWS", one, _read(path)))
    return datasets[0] if isinstance(split, str) else tuple(datasets)


def _read(path: str) -> list[tuple[int, str]]:
    with open(path, "rb") as file:
        lines = read_lines(file.read(), path)
    # strict: a quote that never closes, or closes too early, is an error instead of a field of many lines.
    rows = csv.reader(lines, strict=True)
    samples = []
    number = 1
    try:
        for row in rows:
            samples.append(_sample(row, f"{path}, line {number}"))
            number = rows.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{path}, line {number}: expected a row of quoted fields, got a damaged one: {error}"
        ) from error
    return samples


def _sample(row: list[str], place: str) -> tuple[int, str]:
    if len(row) != 3:
        raise ValueError(f"{place}: expected 3 fields (class, title, description), got {len(row)}")
    if row[0] not in ("1", "2", "3", "4"):
        raise ValueError(f"{place}: expected a class from 1 to 4, got {row[0]!r:.40}")
    return int(row[0]), f"{row[1]} {row[2]}"
