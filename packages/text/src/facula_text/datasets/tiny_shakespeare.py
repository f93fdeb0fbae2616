"""Tiny Shakespeare: 40,000 lines of the plays in one text of 1.1 million characters (Karpathy 2015)."""

from typing import overload

from facula_text.datasets._download import RemoteFile, ensure_file
from facula_text.datasets.text_dataset import Path, Splits, check_splits, read_lines

__all__ = ["TinyShakespeare"]

_FILE = RemoteFile(
    "input.txt",
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt",
    "sha256:86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed",
)


@overload
def TinyShakespeare(root: Path, split: str, *, download: bool = ...) -> str: ...


@overload
def TinyShakespeare(root: Path, split: Splits = ..., *, download: bool = ...) -> tuple[str, ...]: ...


def TinyShakespeare(
    root: Path, split: str | Splits = ("train", "val"), *, download: bool = False
) -> str | tuple[str, ...]:
    """Return the text of one split, or of several: ``"train"`` is the first nine tenths, ``"val"`` the rest.

    ``root`` is a folder with ``input.txt``.
    """
    splits = check_splits("TinyShakespeare", split, ("train", "val"))
    path = ensure_file(root, _FILE, download)
    with open(path, "rb") as file:
        text = "".join(read_lines(file.read(), path))
    border = int(0.9 * len(text))
    parts = {"train": text[:border], "val": text[border:]}
    return parts[splits[0]] if isinstance(split, str) else tuple(parts[one] for one in splits)
