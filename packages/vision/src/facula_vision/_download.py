"""Fetching one file over HTTP: checked, atomic, with a progress line."""

import hashlib
import os
import sys
import uuid
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from urllib.response import addinfourl

CHUNK_BYTES = 1 << 16
TIMEOUT_SECONDS = 60.0


class ProgressLine:
    """One line on a terminal's standard error that counts the bytes of a download; silent elsewhere."""

    def __init__(self, label: str, total: int | None, enabled: bool = True) -> None:
        self.label = label
        self.total = total
        self.enabled = enabled and sys.stderr.isatty()
        self.received = 0

    def add(self, count: int) -> None:
        """Add ``count`` received bytes and redraw the line."""
        self.received += count
        if not self.enabled:
            return
        megabytes = self.received / 1e6
        share = f" of {self.total / 1e6:.1f} MB ({self.received / self.total:4.0%})" if self.total else " MB"
        print(f"\r{self.label}: {megabytes:.1f}{share}", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """End the line."""
        if self.enabled:
            print(file=sys.stderr)


def file_digest(path: str | os.PathLike[str], algorithm: str) -> str:
    """Return the hexadecimal digest of a file, for example with ``"md5"`` or ``"sha256"``."""
    # The digests here find damage, they do not authenticate: MD5 is what the data sets publish.
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    digest: tuple[str, str] | None = None,
    progress: bool = True,
    max_redirections: int = 10,
) -> None:
    """Write what ``url`` serves to ``path``.

    The file appears under its name only when it is complete and, where ``digest`` gives an algorithm and the start of
    the hexadecimal digest, correct: it is written beside it first and then renamed.
    Raises ``urllib.error.URLError`` (an ``OSError``) when the server cannot be reached or refuses, ``RuntimeError``
    when what came is short or does not match the digest.
    """
    # Here and not above: they bring in ssl, which most programs that import this package never need.
    import http.client
    import urllib.request

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    redirects = urllib.request.HTTPRedirectHandler()
    redirects.max_redirections = max_redirections  # type: ignore[misc]  # urllib reads it from the instance
    opener = urllib.request.build_opener(redirects)
    request = urllib.request.Request(url, headers={"User-Agent": "facula-vision"})
    # Two processes may want the same file at the same time: each writes its own.
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.part")
    try:
        with open(partial, "wb") as file, opener.open(request, timeout=TIMEOUT_SECONDS) as response:
            try:
                _copy(response, file, url, path.name, progress)
            except http.client.IncompleteRead as error:
                raise RuntimeError(f"{url}: the connection ended early") from error
        if digest is not None:
            algorithm, expected = digest
            found = file_digest(partial, algorithm)
            if not found.startswith(expected.lower()):
                raise RuntimeError(f"{url}: expected {algorithm} {expected}, got {found}")
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def _copy(response: "HTTPResponse | addinfourl", file: IO[bytes], url: str, label: str, progress: bool) -> None:
    length = response.headers.get("Content-Length")
    total = int(length) if length else None
    line = ProgressLine(label, total, enabled=progress)
    try:
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            line.add(len(chunk))
    finally:
        line.close()
    if total is not None and line.received != total:
        raise RuntimeError(f"{url}: the connection ended after {line.received} of {total} bytes")
