"""Checkpoint files in detail: how they are written, verified and read."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import socket
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import facula

from facula_lightning.checkpointing.io import CheckpointFileError, MapLocation, PathLike
from facula_lightning.checkpointing.manifest import compare_with_manifest, make_manifest
from facula_lightning.checkpointing.migration import known_classes, migrate
from facula_lightning.checkpointing.safetensors import is_safetensors, read_safetensors_checkpoint
from facula_lightning.utilities.data import apply_to_collection

_PICKLE, _MANIFEST = "archive/data.pkl", "archive/facula.json"


def write_checkpoint(checkpoint: dict[str, Any], path: PathLike) -> None:
    """Write ``checkpoint`` to ``path`` in PyTorch's format, with a manifest of the SHA-256 of everything in it.

    Whoever reads ``path``, after a crash too, finds the old file or the new one.
    """
    with replacing(path) as file:
        facula.save(checkpoint, file)
        with zipfile.ZipFile(file, "a") as archive:
            manifest = make_manifest(checkpoint, archive.read(_PICKLE))
            archive.writestr(_MANIFEST, json.dumps(manifest))


@contextmanager
def replacing(path: PathLike) -> Iterator[BinaryIO]:
    """Give a file that, once written and on the disk, takes the place of ``path``; after an error it is removed."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    prefix = f".{target.name}.{socket.gethostname()}-"
    _remove_abandoned(target.parent, prefix)
    handle, temporary = tempfile.mkstemp(prefix=f"{prefix}{os.getpid()}-", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(handle, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(temporary, 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _synchronise_folder(target.parent)


def _remove_abandoned(folder: Path, prefix: str) -> None:
    """Remove the temporary files of processes of this machine that were killed while they wrote."""
    for each in folder.glob(f"{glob.escape(prefix)}*.tmp"):
        number = each.name.removeprefix(prefix).partition("-")[0]
        if not number.isdigit():
            continue
        try:
            os.kill(int(number), 0)
        except ProcessLookupError:
            each.unlink(missing_ok=True)
        except OSError:
            continue


def _synchronise_folder(folder: Path) -> None:
    """Bring a rename to the disk, where folders can be opened (not on Windows)."""
    with suppress(PermissionError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read_checkpoint(path: PathLike, map_location: MapLocation = None) -> dict[str, Any]:
    """Return the checkpoint in ``path``, tensors on ``map_location``; nothing in the file is executed.

    What facula-lightning wrote is compared with its hashes. Files of PyTorch Lightning are read too, those of its older
    versions as its newest would write them. Raises FileNotFoundError, or CheckpointFileError naming the file and what is
    wrong with it.
    """
    checkpoint = read_verified(path)
    if not isinstance(checkpoint, dict) or "state_dict" not in checkpoint:
        found = sorted(map(str, checkpoint)) if isinstance(checkpoint, dict) else type(checkpoint).__name__
        raise CheckpointFileError(
            f"The file {os.fspath(path)} is no checkpoint of a trainer: expected a dictionary with the key 'state_dict',"
            f" got {found}"
        )
    if map_location is not None:
        checkpoint = _moved(checkpoint, map_location)
    return migrate(checkpoint)


def read_verified(path: PathLike) -> Any:
    """Return what is in a file, compared with its hashes where it has some; errors as for `read_checkpoint`."""
    if not os.path.isfile(path):
        raise FileNotFoundError(f"Checkpoint file not found: {os.fspath(path)}")
    try:
        checkpoint, manifest = read_tree(path)
    except CheckpointFileError:
        raise
    except Exception as error:
        raise CheckpointFileError(
            f"The checkpoint {os.fspath(path)} cannot be read, it is damaged or in another format: {error}"
        ) from error
    if manifest is not None:
        wrong = compare_with_manifest(checkpoint, manifest)
        if wrong:
            raise CheckpointFileError(f"The checkpoint {os.fspath(path)} is damaged: {wrong[0]}")
    return checkpoint


def read_tree(path: PathLike) -> tuple[Any, dict[str, Any] | None]:
    """Return what is in a file, as it is there, and its manifest; None where it has none."""
    with open(path, "rb") as file:
        if file.read(4) != b"PK\x03\x04":
            file.seek(0)
            if is_safetensors(file):
                return read_safetensors_checkpoint(path)
            return facula.load(path, weights_only=True), None
    manifest = None
    with zipfile.ZipFile(path) as archive:
        if _MANIFEST in archive.namelist():
            manifest = json.loads(archive.read(_MANIFEST))
            if hashlib.sha256(archive.read(_PICKLE)).hexdigest() != manifest.get("pickle"):
                raise CheckpointFileError(f"The checkpoint {os.fspath(path)} is damaged: its contents were changed")
    with known_classes():
        return facula.load(path, weights_only=True), manifest


def _moved(checkpoint: dict[str, Any], map_location: MapLocation) -> dict[str, Any]:
    """Return a checkpoint with its tensors on the device that ``map_location`` means, but for generators' states."""

    def target(tensor: facula.Tensor) -> facula.Tensor:
        if isinstance(map_location, dict):
            return tensor.to(map_location.get(str(tensor.device), tensor.device))
        if callable(map_location):
            found = map_location(None, str(tensor.device))
            return tensor.to(found) if isinstance(found, (str, facula.device)) else tensor.cpu()
        return tensor.to(map_location)

    stays = {"ranks"}
    return {
        key: value if key in stays else apply_to_collection(value, facula.Tensor, target)
        for key, value in checkpoint.items()
    }
