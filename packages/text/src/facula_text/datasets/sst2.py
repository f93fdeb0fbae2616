"""SST-2: sentences of film reviews, negative or positive (Socher and others 2013)."""

import os
from typing import TypeAlias, overload

from facula_text.datasets.text_dataset import Path, Splits, TextDataset, check_splits, read_lines

__all__ = ["SST2"]

Review: TypeAlias = tuple[str, int] | tuple[str]
ReviewDataset: TypeAlias = TextDataset[Review]


@overload
def SST2(root: Path, split: str) -> ReviewDataset: ...


@overload
def SST2(root: Path, split: Splits = ...) -> tuple[ReviewDataset, ...]: ...


def SST2(root: Path, split: str | Splits = ("train", "dev", "test")) -> ReviewDataset | tuple[ReviewDataset, ...]:
    """Return one split, or several, of SST-2: samples (sentence, label), label 0 negative and 1 positive.

    ``root`` is a folder with ``train.tsv``, ``dev.tsv`` and ``test.tsv``, either rows of sentence and label, or as the
    GLUE benchmark has them: with a first row of names, and a test split of index and sentence whose samples are
    (sentence,). A damaged row raises ValueError with the file's name, the line and what is wrong.
    """
    datasets = [
        TextDataset("SST2", one, _read(os.path.join(root, f"{one}.tsv")))
        for one in check_splits("SST2", split, ("train", "dev", "test"))
    ]
    return datasets[0] if isinstance(split, str) else tuple(datasets)


def _read(path: str) -> list[Review]:
    with open(path, "rb") as file:
        lines = [line.rstrip("\r\n") for line in read_lines(file.read(), path)]
    is_unlabeled = lines[0] == "index\tsentence"
    first = 1 if is_unlabeled or lines[0] == "sentence\tlabel" else 0
    rows = []
    for number, line in enumerate(lines[first:], start=first + 1):
        fields = line.split("\t")
        if len(fields) != 2:
            raise ValueError(f"{path}, line {number}: expected 2 fields separated by a tab, got {len(fields)}")
        rows.append(fields)
    if is_unlabeled:
        return [(sentence.strip(),) for _, sentence in rows]
    for number, (_, label) in enumerate(rows, start=first + 1):
        if label not in ("0", "1"):
            raise ValueError(f"{path}, line {number}: expected a label 0 or 1, got {label!r:.40}")
    return [(sentence.strip(), int(label)) for sentence, label in rows]
