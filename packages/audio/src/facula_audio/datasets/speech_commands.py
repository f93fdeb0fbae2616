"""Speech Commands: one-second recordings of 35 English words (Warden 2018, arXiv:1804.03209)."""

import os
from pathlib import Path

from facula import Tensor
from facula.utils.data import Dataset

from facula_audio.datasets.download import download_file, extract_archive
from facula_audio.io import load

__all__ = ["SPEECHCOMMANDS"]

_URL = "http://download.tensorflow.org/data/{version}.tar.gz"
_SHA256 = {
    "speech_commands_v0.01": "743935421bb51cccdb6bdd152e04c5c70274e935c82119ad7faeec31780d811d",
    "speech_commands_v0.02": "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
}
_SAMPLE_RATE = 16000
_SEPARATOR = "_nohash_"
_BACKGROUND_NOISE = "_background_noise_"


class SPEECHCOMMANDS(Dataset[tuple[Tensor, int, str, str, int]]):
    """Reads the Speech Commands dataset (CC BY 4.0).

    An item is ``(waveform, sample_rate, label, speaker_id, utterance_number)``: float32 of shape ``(1, frames)``,
    16000, the word, the speaker and how often he or she has said it before. Items are sorted by path.

    Args:
        root: the folder that holds ``folder_in_archive``.
        url: the version, ``"speech_commands_v0.02"`` or ``"speech_commands_v0.01"``.
        folder_in_archive: the folder that holds the version's folder, with its ``{word}/{speaker}_nohash_{n}.wav``.
        download: whether to download and unpack the version if it is not there (2.3 GB).
        subset: ``"training"``, ``"validation"``, ``"testing"`` or None for all; the two lists of upstream decide.

    Raises RuntimeError if the folder is not there, ValueError for another version or subset.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        url: str = "speech_commands_v0.02",
        folder_in_archive: str = "SpeechCommands",
        download: bool = False,
        subset: str | None = None,
    ) -> None:
        if subset not in (None, "training", "validation", "testing"):
            raise ValueError(f"subset must be None, 'training', 'validation' or 'testing', but got {subset!r}")
        if url not in _SHA256:
            raise ValueError(f"url must be one of {sorted(_SHA256)}, but got {url!r}")
        self._archive = Path(root) / folder_in_archive
        self._path = self._archive / url
        if download and not self._path.is_dir():
            packed = Path(root) / f"{url}.tar.gz"
            download_file(_URL.format(version=url), packed, _SHA256[url])
            extract_archive(packed, self._path)
        if not self._path.is_dir():
            raise RuntimeError(f"{self._path}: dataset not found; download=True fetches it")
        self._walker = self._paths_of(subset)

    def _paths_of(self, subset: str | None) -> list[str]:
        if subset in ("validation", "testing"):
            return self._listed(f"{subset}_list.txt")
        every = [
            path.relative_to(self._path).as_posix()
            for path in sorted(self._path.glob("*/*.wav"))
            if _SEPARATOR in path.name and path.parent.name != _BACKGROUND_NOISE
        ]
        if subset is None:
            return every
        held_out = set(self._listed("validation_list.txt")) | set(self._listed("testing_list.txt"))
        return [path for path in every if path not in held_out]

    def _listed(self, name: str) -> list[str]:
        try:
            lines = (self._path / name).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError as error:
            raise RuntimeError(f"{self._path / name}: not found; the subset needs it") from error
        return [line.strip() for line in lines if line.strip()]

    def __len__(self) -> int:
        return len(self._walker)

    def get_metadata(self, n: int) -> tuple[str, int, str, str, int]:
        """Return item ``n`` with its path below ``folder_in_archive`` in place of the waveform."""
        path = self._walker[n]
        label, _, file_name = path.rpartition("/")
        speaker, separator, number = file_name.removesuffix(".wav").partition(_SEPARATOR)
        if not separator or not number.isdigit():
            raise RuntimeError(f"{self._path / path}: expected a name {{speaker}}{_SEPARATOR}{{number}}.wav")
        return f"{self._path.name}/{path}", _SAMPLE_RATE, label, speaker, int(number)

    def __getitem__(self, n: int) -> tuple[Tensor, int, str, str, int]:
        path, expected_rate, label, speaker, number = self.get_metadata(n)
        waveform, sample_rate = load(self._archive / path)
        if sample_rate != expected_rate:
            raise RuntimeError(f"{self._archive / path}: expected {expected_rate} Hz, but got {sample_rate} Hz")
        return waveform, sample_rate, label, speaker, number
