"""Writing files so that they are never seen half-written."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from secrets import token_hex
from typing import BinaryIO


@contextmanager
def replacing(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Give a file to write into that takes the place of ``path`` at the end, or vanishes when there is an error."""
    target = os.path.abspath(path)
    temporary = os.path.join(os.path.dirname(target), f".{os.path.basename(target)}.{token_hex(4)}.part")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, target)
    finally:
        if os.path.exists(temporary):
            os.unlink(temporary)


def write_text(path: str | PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``path``: the file appears, or is replaced, all at once."""
    with replacing(path) as file:
        file.write(text.encode())
