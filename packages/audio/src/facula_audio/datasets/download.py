"""Downloading an archive, checking it against its SHA-256, and unpacking it."""

import hashlib
import os
import shutil
import sys
import zipfile
from pathlib import Path

__all__ = ["download_file", "extract_archive", "sha256_of"]

_BLOCK = 1 << 20


def sha256_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def download_file(url: str, path: str | os.PathLike[str], sha256: str) -> None:
    """Put what is at ``url`` into the file ``path``, unless a file of the right SHA-256 is there already.

    The file appears under its name only when it is whole and right; else RuntimeError names both sums.
    """
    path = Path(path)
    if path.is_file() and sha256_of(path) == sha256:
        return
    import urllib.request  # here, because it brings the whole of http and ssl

    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    print(f"downloading {url}", file=sys.stderr)
    try:
        with urllib.request.urlopen(url) as response, open(partial, "wb") as file:
            shutil.copyfileobj(response, file, _BLOCK)
        found = sha256_of(partial)
        if found != sha256:
            raise RuntimeError(f"{path}: downloaded from {url}: expected SHA-256 {sha256}, but got {found}")
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


def extract_archive(archive: str | os.PathLike[str], folder: str | os.PathLike[str]) -> None:
    """Unpack a ``.zip``, ``.tar`` or ``.tar.gz`` into ``folder``; no member may lie outside of it."""
    archive, folder = Path(archive), Path(folder).resolve()
    if archive.suffix == ".zip":
        with zipfile.ZipFile(archive) as zipped:
            _check_members(archive, folder, zipped.namelist())
            zipped.extractall(folder)
        return
    import tarfile

    with tarfile.open(archive) as tarred:
        members = tarred.getmembers()
        _check_members(archive, folder, [member.name for member in members])
        for member in members:
            if not (member.isfile() or member.isdir()):
                raise RuntimeError(f"{archive}: refused: {member.name!r} is neither a file nor a folder")
        if hasattr(tarfile, "data_filter"):
            tarred.extractall(folder, filter="data")
        else:
            tarred.extractall(folder)


def _check_members(archive: Path, folder: Path, names: list[str]) -> None:
    for name in names:
        if not (folder / name).resolve().is_relative_to(folder):
            raise RuntimeError(f"{archive}: refused: {name!r} would be written outside {folder}")
