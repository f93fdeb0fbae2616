"""The Free Spoken Digit Dataset: recordings of English digits at 8 kHz."""

import io
import os
import re
import zipfile
from pathlib import Path

from facula import Tensor
from facula.utils.data import Dataset

from facula_audio.datasets.download import download_file, extract_archive
from facula_audio.io import load

__all__ = ["FSDD", "SpokenDigits"]

_URL = "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz"
_SHA256 = "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0"
_SAMPLE_RATE = 8000
_FILE_NAME = re.compile(r"(?P<label>[0-9])_(?P<speaker>[^_/]+)_(?P<number>[0-9]+)\.wav")


class SpokenDigits(Dataset[tuple[Tensor, int, int, str, int]]):
    """Reads the Free Spoken Digit Dataset (Jackson et al., CC BY-SA 4.0): digits spoken by a few people, 50 times each.

    An item is ``(waveform, sample_rate, label, speaker, number)``: float32 of shape ``(1, frames)``, 8000, the digit,
    the speaker's name and the number of the recording. Items are sorted by label, speaker and number.

    Args:
        root: a folder with upstream's files ``{digit}_{speaker}_{number}.wav``, or one that holds them in
            ``recordings/``, in ``recordings.zip`` or in upstream's archive unpacked; or a zip file itself.
        subset: ``"training"``, ``"testing"`` (upstream's split: numbers 0 to 4 are for testing) or None for all.
        download: whether to download upstream's version 1.0.9 (12 MB, 2,500 recordings) into ``root`` if there is none.

    Raises RuntimeError if no recording is found, ValueError for another subset.
    """

    def __init__(self, root: str | os.PathLike[str], subset: str | None = None, download: bool = False) -> None:
        if subset not in (None, "training", "testing"):
            raise ValueError(f"subset must be None, 'training' or 'testing', but got {subset!r}")
        root = Path(root)
        source = _find_recordings(root)
        if source is None and download:
            archive = root / "free-spoken-digit-dataset-1.0.9.tar.gz"
            download_file(_URL, archive, _SHA256)
            extract_archive(archive, root)
            source = _find_recordings(root)
        if source is None:
            raise RuntimeError(
                f"{root}: no recordings {{digit}}_{{speaker}}_{{number}}.wav found in it, its folder recordings or its "
                f"file recordings.zip; download=True fetches them"
            )
        self._source = source
        self._items = _items(source, subset)
        self._zip: zipfile.ZipFile | None = None
        self._zip_process = 0

    def __len__(self) -> int:
        return len(self._items)

    def get_metadata(self, n: int) -> tuple[str, int, int, str, int]:
        """Return item ``n`` with the path (below the folder, or in the zip file) in place of the waveform."""
        path, label, speaker, number = self._items[n]
        return path, _SAMPLE_RATE, label, speaker, number

    def __getitem__(self, n: int) -> tuple[Tensor, int, int, str, int]:
        path, label, speaker, number = self._items[n]
        if self._source.is_dir():
            waveform, sample_rate = load(self._source / path)
        else:
            waveform, sample_rate = load(self._read_zipped(path))
        return waveform, sample_rate, label, speaker, number

    def _read_zipped(self, path: str) -> io.BytesIO:
        # an open zip file must not be shared by processes: they would move each other's position in it
        if self._zip is None or self._zip_process != os.getpid():
            self._zip = zipfile.ZipFile(self._source)
            self._zip_process = os.getpid()
        try:
            file = io.BytesIO(self._zip.read(path))
        except zipfile.BadZipFile as error:
            raise RuntimeError(f"{self._source}: corrupt zip file: {error}") from error
        file.name = f"{self._source}/{path}"
        return file

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_zip": None}


FSDD = SpokenDigits


def _recordings_in(folder: Path) -> bool:
    return any(_FILE_NAME.fullmatch(path.name) for path in folder.glob("[0-9]_*.wav"))


def _find_recordings(root: Path) -> Path | None:
    """Return the folder or zip file that holds the recordings, None if there is none."""
    if root.is_file():
        return root
    if not root.is_dir():
        return None
    unpacked = sorted(root.glob("free-spoken-digit-dataset-*/recordings"))
    for folder in (root / "recordings", root, *unpacked):
        if folder.is_dir() and _recordings_in(folder):
            return folder
    zipped = root / "recordings.zip"
    return zipped if zipped.is_file() else None


def _items(source: Path, subset: str | None) -> list[tuple[str, int, str, int]]:
    """Return path, label, speaker and number of each recording of the subset, sorted."""
    if source.is_dir():
        paths = [path.name for path in source.iterdir()]
    else:
        try:
            with zipfile.ZipFile(source) as archive:
                paths = archive.namelist()
        except zipfile.BadZipFile as error:
            raise RuntimeError(f"{source}: corrupt zip file: {error}") from error
    items = []
    for path in paths:
        matched = _FILE_NAME.fullmatch(path.rsplit("/", 1)[-1])
        if matched is None:
            continue
        number = int(matched["number"])
        if subset is None or (subset == "testing") == (number < 5):
            items.append((path, int(matched["label"]), matched["speaker"], number))
    if not items:
        wanted = "recordings" if subset is None else f"{subset} recordings"
        raise RuntimeError(f"{source}: no {wanted} {{digit}}_{{speaker}}_{{number}}.wav found in it")
    return sorted(items, key=lambda item: item[1:])
