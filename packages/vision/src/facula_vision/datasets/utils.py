"""Downloading, checking and unpacking the files of data sets."""

import bz2
import gzip
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import IO, Any

from facula_vision._download import fetch, file_digest

__all__ = [
    "calculate_md5",
    "check_integrity",
    "check_md5",
    "download_and_extract_archive",
    "download_url",
    "extract_archive",
    "iterable_to_str",
    "list_dir",
    "list_files",
    "verify_str_arg",
]

_DECOMPRESSORS: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_TAR_ALIASES = {".tgz": ".gz", ".tbz": ".bz2", ".tbz2": ".bz2", ".txz": ".xz"}


def calculate_md5(fpath: str | os.PathLike[str], chunk_size: int = 1024 * 1024) -> str:
    """Return the hexadecimal MD5 digest of a file."""
    del chunk_size  # Kept so that calls written for torchvision run; the result does not depend on it.
    return file_digest(fpath, "md5")


def check_md5(fpath: str | os.PathLike[str], md5: str) -> bool:
    """Return whether the file's MD5 digest is ``md5``."""
    return calculate_md5(fpath) == md5.lower()


def check_integrity(fpath: str | os.PathLike[str], md5: str | None = None) -> bool:
    """Return whether the file is there and, if ``md5`` is given, has that digest."""
    if not os.path.isfile(fpath):
        return False
    return md5 is None or check_md5(fpath, md5)


def download_url(
    url: str,
    root: str | os.PathLike[str],
    filename: str | os.PathLike[str] | None = None,
    md5: str | None = None,
    max_redirect_hops: int = 3,
) -> None:
    """Download a file into ``root``, unless it is already there and, if ``md5`` is given, intact.

    ``filename`` defaults to the last part of the address. An incomplete or wrong download leaves nothing behind.
    Raises ``urllib.error.URLError`` when the server cannot be reached or refuses, ``RuntimeError`` when the file that
    came is not the expected one.
    """
    folder = Path(root).expanduser()
    target = folder / (filename or os.path.basename(url))
    if check_integrity(target, md5):
        return
    fetch(url, target, digest=("md5", md5) if md5 else None, max_redirections=max_redirect_hops)


def extract_archive(
    from_path: str | os.PathLike[str],
    to_path: str | os.PathLike[str] | None = None,
    remove_finished: bool = False,
) -> str | os.PathLike[str]:
    """Unpack an archive (zip, tar) or a compressed file (gz, bz2, xz) and return where to.

    The kind is told from the name's endings. An archive goes into the folder ``to_path`` (default: the archive's own
    folder); a compressed file becomes the file ``to_path`` (default: its name without the last ending).
    Only files and folders are written: links become copies of what they point to inside the archive.
    Raises ``RuntimeError`` naming the archive when the kind is unknown, when an entry would be written outside
    ``to_path``, or when the archive is damaged.
    """
    archive = Path(from_path)
    kind, compression = _detect_kind(archive)
    if kind == "file":
        target = Path(to_path) if to_path is not None else archive.with_suffix("")
    else:
        target = Path(to_path) if to_path is not None else archive.parent
    try:
        if kind == "zip":
            _extract_zip(archive, target)
        elif kind == "tar":
            _extract_tar(archive, target)
        else:
            _decompress(archive, target, compression)
    except (zipfile.BadZipFile, tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError) as error:
        # gzip and bz2 report damage as an OSError without a number; one with a number is the system's own.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise RuntimeError(f"{archive}: damaged or truncated archive: {error}") from error
    if remove_finished:
        archive.unlink()
    return target if to_path is None else to_path


def _detect_kind(archive: Path) -> tuple[str, str]:
    """Return ("zip" | "tar" | "file", the compression's ending or "")."""
    suffixes = [suffix.lower() for suffix in archive.suffixes[-2:]]
    last = suffixes[-1] if suffixes else ""
    if last == ".zip":
        return "zip", ""
    if last == ".tar" or last in _TAR_ALIASES or (last in _DECOMPRESSORS and suffixes[0] == ".tar"):
        return "tar", _TAR_ALIASES.get(last, last)
    if last in _DECOMPRESSORS:
        return "file", last
    known = ", ".join([".zip", ".tar", *_TAR_ALIASES, *_DECOMPRESSORS])
    raise RuntimeError(f"{archive}: unknown compression or archive type {last!r}; known endings are {known}")


def _inside(archive: Path, folder: Path, name: str) -> Path:
    """Return where the entry ``name`` goes; refuse a place outside ``folder``."""
    target = Path(os.path.realpath(folder / name))
    if not target.is_relative_to(os.path.realpath(folder)):
        raise RuntimeError(f"{archive}: the entry {name!r} would be written outside {folder}")
    return target


def _write(source: IO[bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as file:
        shutil.copyfileobj(source, file)


def _extract_zip(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        targets = [(member, _inside(archive, folder, member.filename)) for member in opened.infolist()]
        for member, target in targets:
            if member.is_dir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            with opened.open(member) as source:
                _write(source, target)


def _extract_tar(archive: Path, folder: Path) -> None:
    with tarfile.open(archive) as opened:
        targets = [(member, _inside(archive, folder, member.name)) for member in opened.getmembers()]
        for member, target in targets:
            if member.isdir():
                target.mkdir(parents=True, exist_ok=True)
                continue
            try:
                source = opened.extractfile(member)
            except KeyError as error:
                raise RuntimeError(f"{archive}: the link {member.name!r} points outside the archive") from error
            if source is None:
                raise RuntimeError(f"{archive}: the entry {member.name!r} is neither a file nor a folder")
            with source:
                _write(source, target)


def _decompress(archive: Path, target: Path, compression: str) -> None:
    # Written beside the target first, so that a damaged archive does not leave half a file under the final name.
    partial = target.with_name(target.name + ".part")
    try:
        with _DECOMPRESSORS[compression](archive, "rb") as source:
            _write(source, partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def download_and_extract_archive(
    url: str,
    download_root: str | os.PathLike[str],
    extract_root: str | os.PathLike[str] | None = None,
    filename: str | os.PathLike[str] | None = None,
    md5: str | None = None,
    remove_finished: bool = False,
) -> None:
    """Download an archive into ``download_root`` and unpack it into ``extract_root`` (default: the same folder)."""
    download_root = Path(download_root).expanduser()
    extract_root = Path(extract_root).expanduser() if extract_root is not None else download_root
    name = Path(filename or os.path.basename(url))
    download_url(url, download_root, name, md5)
    archive = download_root / name
    kind, _ = _detect_kind(archive)
    # A lone compressed file goes into the folder under its own name.
    target = extract_root / name.stem if kind == "file" else extract_root
    extract_archive(archive, target, remove_finished)


def iterable_to_str(iterable: Iterable[object]) -> str:
    """Return the items quoted and separated by commas.

    >>> iterable_to_str(["train", "test"])
    "'train', 'test'"
    """
    return "'" + "', '".join(str(item) for item in iterable) + "'"


def verify_str_arg(
    value: str,
    arg: str | None = None,
    valid_values: Sequence[str] | None = None,
    custom_msg: str | None = None,
) -> str:
    """Return ``value`` after checking that it is a string and one of ``valid_values``; ``ValueError`` if not.

    >>> verify_str_arg("train", "split", ("train", "test"))
    'train'
    """
    if not isinstance(value, str):
        name = "" if arg is None else f" for argument {arg}"
        raise ValueError(f"Expected type str{name}, but got type {type(value)}.")
    if valid_values is None or value in valid_values:
        return value
    if custom_msg is not None:
        raise ValueError(custom_msg)
    name = "" if arg is None else f" for argument {arg}"
    raise ValueError(f"Unknown value '{value}'{name}. Valid values are {{{iterable_to_str(valid_values)}}}.")


def list_dir(root: str | os.PathLike[str], prefix: bool = False) -> list[str]:
    """Return the names of the folders in ``root``, or their paths with ``prefix=True``."""
    names = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name))]
    return [os.path.join(root, name) for name in names] if prefix else names


def list_files(root: str | os.PathLike[str], suffix: str | tuple[str, ...], prefix: bool = False) -> list[str]:
    """Return the names of the files in ``root`` that end with ``suffix``, or their paths with ``prefix=True``."""
    names = [name for name in os.listdir(root) if os.path.isfile(os.path.join(root, name)) and name.endswith(suffix)]
    return [os.path.join(root, name) for name in names] if prefix else names
