"""Checkpoints from the internet, kept in a folder of the user's cache."""

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import facula

from facula_vision._download import fetch

__all__ = ["checkpoints_folder", "load_state_dict_from_url"]

_HASH_IN_NAME = re.compile(r"-([a-f0-9]{8,64})\.")


def checkpoints_folder() -> Path:
    """Return ``$FACULA_HOME/hub/checkpoints``; FACULA_HOME is ``facula`` in the user's cache folder by default."""
    home = os.environ.get("FACULA_HOME")
    if home is None:
        home = os.path.join(os.environ.get("XDG_CACHE_HOME", "~/.cache"), "facula")
    return Path(home).expanduser() / "hub" / "checkpoints"


def load_state_dict_from_url(
    url: str,
    model_dir: str | os.PathLike[str] | None = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
) -> dict[str, Any]:
    """Return the state dict that ``url`` serves, downloaded once into ``model_dir`` (default: the cache folder).

    With ``check_hash`` a download must have the sha256 whose start the file's name carries, as in
    ``resnet18-f37072fd.pth``. Nothing in the file is executed.
    """
    folder = Path(model_dir) if model_dir is not None else checkpoints_folder()
    path = folder / (file_name or os.path.basename(urlparse(url).path))
    if not path.is_file():
        match = _HASH_IN_NAME.search(path.name) if check_hash else None
        fetch(url, path, digest=("sha256", match.group(1)) if match else None, progress=progress)
    state_dict: dict[str, Any] = facula.load(path, map_location="cpu", weights_only=True)
    return state_dict
