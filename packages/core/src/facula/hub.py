"""Files from the network: where they are kept, and how they come there whole."""

import hashlib
import os
import re
import tempfile
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from facula import serialization

__all__ = ["download_url_to_file", "get_dir", "load_state_dict_from_url", "set_dir"]

#: A file's name may carry the first digits of its SHA-256: ``resnet18-5c106cde.pth``.
HASH_REGEX = re.compile(r"-([a-f0-9]*)\.")
_directory: str | None = None


def get_dir() -> str:
    """Return the folder of downloaded files: ``$TORCH_HOME/hub``, by default ``~/.cache/torch/hub``."""
    if _directory is not None:
        return _directory
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return os.path.join(os.path.expanduser(os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Make ``d`` the folder of downloaded files."""
    global _directory
    _directory = os.path.expanduser(d)


def download_url_to_file(
    url: str, dst: str | os.PathLike[str], hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Download a file to ``dst``: whole and with the expected SHA-256, or not at all (RuntimeError)."""
    target = Path(dst)
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, suffix=".part")
    try:
        with urllib.request.urlopen(url) as response, os.fdopen(handle, "wb") as file:
            while block := response.read(1 << 16):
                digest.update(block)
                file.write(block)
        if hash_prefix and not digest.hexdigest().startswith(hash_prefix):
            raise RuntimeError(f'invalid hash value of {url} (expected "{hash_prefix}", got "{digest.hexdigest()}")')
        os.replace(name, target)
    finally:
        if os.path.exists(name):
            os.remove(name)


def load_state_dict_from_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> object:
    """Return the checkpoint at a URL, downloaded when it is not in ``model_dir`` (by default ``get_dir()/checkpoints``)."""
    folder = Path(model_dir) if model_dir is not None else Path(get_dir()) / "checkpoints"
    name = file_name or os.path.basename(urlparse(url).path)
    path = folder / name
    if not path.exists():
        found = HASH_REGEX.search(name) if check_hash else None
        download_url_to_file(url, path, found.group(1) if found else None, progress)
    return serialization.load(path, map_location=map_location, weights_only=weights_only)
