"""Downloading a dataset's files, each checked against its known digest."""

import hashlib
import os
from dataclasses import dataclass

from facula_text._files import replacing

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class RemoteFile:
    """Where a file comes from and its digest, ``"md5:..."`` or ``"sha256:..."``."""

    name: str
    url: str
    digest: str


def ensure_file(root: str | os.PathLike[str], remote: RemoteFile, download: bool) -> str:
    """Return the path of ``remote`` in ``root``, downloaded first where it is missing and ``download`` is set.

    FileNotFoundError names a missing file, ValueError a download whose digest is not the known one. A file that is
    there already is not checked: it may be a subset put there on purpose.
    """
    path = os.path.join(root, remote.name)
    if os.path.exists(path):
        return path
    if not download:
        raise FileNotFoundError(f"{path} is missing; pass download=True to fetch it from {remote.url}")
    import urllib.request  # what every other call can do without

    os.makedirs(root, exist_ok=True)
    kind, expected = remote.digest.split(":")
    digest = hashlib.new(kind, usedforsecurity=False)
    with replacing(path) as file:
        with urllib.request.urlopen(remote.url, timeout=_TIMEOUT_SECONDS) as response:
            while chunk := response.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != expected:
            raise ValueError(f"{remote.url}: expected {kind} {expected}, got {digest.hexdigest()}; nothing was kept")
    return path
