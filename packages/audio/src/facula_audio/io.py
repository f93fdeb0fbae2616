"""Reading and writing sound files through libsndfile, with torchaudio's signatures."""

import dataclasses
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, BinaryIO

import facula
import numpy as np
from facula import Tensor

from facula_audio.containers import check_complete

if TYPE_CHECKING:
    import soundfile

__all__ = ["AudioMetaData", "info", "load", "save"]

# libsndfile's subtype: torchaudio's encoding, bits a sample (0 where a sample has no fixed size)
_SUBTYPES = {
    "PCM_S8": ("PCM_S", 8),
    "PCM_U8": ("PCM_U", 8),
    "PCM_16": ("PCM_S", 16),
    "PCM_24": ("PCM_S", 24),
    "PCM_32": ("PCM_S", 32),
    "FLOAT": ("PCM_F", 32),
    "DOUBLE": ("PCM_F", 64),
    "ULAW": ("ULAW", 8),
    "ALAW": ("ALAW", 8),
    "VORBIS": ("VORBIS", 0),
    "OPUS": ("OPUS", 0),
    "MPEG_LAYER_III": ("MP3", 0),
    "GSM610": ("GSM", 0),
}

# what load(normalize=False) gives for a WAV file's samples
_NATIVE_DTYPES = {
    "PCM_U8": "uint8",
    "PCM_16": "int16",
    "PCM_24": "int32",
    "PCM_32": "int32",
    "ULAW": "int16",
    "ALAW": "int16",
    "FLOAT": "float32",
    "DOUBLE": "float64",
}

# file name extension or format=: libsndfile's format
_FORMATS = {
    "wav": "WAV",
    "flac": "FLAC",
    "ogg": "OGG",
    "vorbis": "OGG",
    "opus": "OGG",
    "mp3": "MP3",
    "aif": "AIFF",
    "aiff": "AIFF",
    "au": "AU",
    "caf": "CAF",
    "w64": "W64",
    "rf64": "RF64",
}

_DEFAULT_SUBTYPES = {
    facula.uint8: "PCM_U8",
    facula.int16: "PCM_16",
    facula.int32: "PCM_32",
    facula.float32: "FLOAT",
    facula.float64: "DOUBLE",
}

# encoding=: {bits_per_sample: libsndfile's subtype}, the first being the default
_ENCODINGS: dict[str, dict[int, str]] = {
    "PCM_S": {32: "PCM_32", 16: "PCM_16", 24: "PCM_24"},
    "PCM_U": {8: "PCM_U8"},
    "PCM_F": {32: "FLOAT", 64: "DOUBLE"},
    "ULAW": {8: "ULAW"},
    "ALAW": {8: "ALAW"},
}

# frames read at a time: a corrupt header may promise terabytes
_BLOCK = 1 << 24

Location = str | os.PathLike[str] | BinaryIO


@dataclasses.dataclass
class AudioMetaData:
    """What a sound file's header says.

    ``bits_per_sample`` is 0 for lossy encodings; ``encoding`` is PCM_S, PCM_U, PCM_F, ULAW, ALAW, FLAC, VORBIS, OPUS,
    MP3, GSM or UNKNOWN.
    """

    sample_rate: int
    num_frames: int
    num_channels: int
    bits_per_sample: int
    encoding: str


def _import_soundfile() -> ModuleType:
    try:
        import soundfile
    except ImportError as error:
        raise ImportError(
            "reading and writing sound files needs the package soundfile: pip install soundfile"
        ) from error
    module: ModuleType = soundfile
    return module


def _name(uri: Location) -> str:
    """Return what messages call the file."""
    if isinstance(uri, (str, os.PathLike)):
        return os.fspath(uri)
    return str(getattr(uri, "name", uri))


@contextmanager
def _open(uri: Location, format: str | None) -> Iterator["soundfile.SoundFile"]:
    """Open a sound file for reading; errors of libsndfile become RuntimeErrors with the file's name."""
    soundfile = _import_soundfile()
    name = _name(uri)
    handle: str | BinaryIO
    if isinstance(uri, (str, os.PathLike)):
        handle = os.fspath(uri)
        try:
            source: BinaryIO = open(uri, "rb")
        except OSError as error:
            raise RuntimeError(f"{name}: cannot open sound file: {error.strerror}") from error
    else:
        handle = source = uri
    try:
        check_complete(source, name)
        try:
            with soundfile.SoundFile(handle, "r") as file:
                yield file
        except soundfile.SoundFileError as error:
            reason = getattr(error, "error_string", str(error))
            raise RuntimeError(f"{name}: corrupt or unknown sound file: {reason}") from error
    finally:
        if source is not uri:
            source.close()


def _read(file: "soundfile.SoundFile", wanted: int, dtype: str) -> np.ndarray:
    """Return up to ``wanted`` frames, shape (frames, channels); memory is taken as they come, not as promised."""
    blocks = []
    while True:
        blocks.append(file.read(min(wanted, _BLOCK), dtype=dtype, always_2d=True))
        wanted -= _BLOCK
        if wanted <= 0 or len(blocks[-1]) < _BLOCK:
            return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def info(
    uri: Location, format: str | None = None, buffer_size: int = 4096, backend: str | None = None
) -> AudioMetaData:
    """Return what the header of a sound file says; the samples are not decoded.

    Args:
        uri: a path, or a file opened for reading bytes.
        format, buffer_size, backend: have no effect; kept for callers that pass them.

    Raises RuntimeError with the file's name if it is missing, truncated or no sound file.
    """
    with _open(uri, format) as file:
        encoding, bits = _SUBTYPES.get(file.subtype, ("UNKNOWN", 0))
        if file.format == "FLAC":
            encoding = "FLAC"
        return AudioMetaData(file.samplerate, file.frames, file.channels, bits, encoding)


def load(
    uri: Location,
    frame_offset: int = 0,
    num_frames: int = -1,
    normalize: bool = True,
    channels_first: bool = True,
    format: str | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
) -> tuple[Tensor, int]:
    """Return the samples of a sound file, float32 in [-1, 1] and of shape ``(channels, frames)``, and its sample rate.

    Args:
        uri: a path, or a file opened for reading bytes.
        frame_offset: frames skipped at the start.
        num_frames: most frames read, -1 for all; fewer come at the file's end.
        normalize: False keeps the samples of a WAV file as they are: uint8, int16, int32 (for 24 bits too, in the high
            bytes), float32 or float64. Other formats give float32 always.
        channels_first: False gives ``(frames, channels)``.
        format, buffer_size, backend: have no effect; kept for callers that pass them.

    Raises RuntimeError with the file's name if it is missing, truncated or no sound file.
    """
    if frame_offset < 0:
        raise ValueError(f"frame_offset must be non-negative, but got {frame_offset}")
    if num_frames < -1:
        raise ValueError(f"num_frames must be -1 (all) or non-negative, but got {num_frames}")
    with _open(uri, format) as file:
        dtype = "float32"
        if not normalize and file.format in ("WAV", "WAVEX", "RF64"):
            dtype = _NATIVE_DTYPES.get(file.subtype, "float32")
        available = max(file.frames - frame_offset, 0)
        wanted = available if num_frames == -1 else min(num_frames, available)
        if frame_offset and wanted:
            file.seek(frame_offset)
        # libsndfile has no unsigned bytes: it reads them as the high byte of int16
        frames = _read(file, wanted, "int16" if dtype == "uint8" else dtype)
        if len(frames) < wanted:
            raise RuntimeError(
                f"{_name(uri)}: truncated sound file: its header promises {file.frames} frames, "
                f"but reading stopped after {frame_offset + len(frames)}"
            )
        sample_rate = file.samplerate
    if dtype == "uint8":
        frames = ((frames >> 8) + 128).astype(np.uint8)
    if channels_first:
        frames = np.ascontiguousarray(frames.T)
    return facula.from_numpy(frames), sample_rate


def _subtype(format: str, dtype: facula.dtype, encoding: str | None, bits_per_sample: int | None) -> str:
    """Return libsndfile's name for the samples to be written, or raise ValueError for what the format cannot hold."""
    container = _FORMATS[format]
    if format == "opus":
        subtype, lossy = "OPUS", True
    elif container == "OGG":
        subtype, lossy = "VORBIS", True
    elif container == "MP3":
        subtype, lossy = "MPEG_LAYER_III", True
    else:
        subtype, lossy = "", False
    if lossy:
        if encoding is not None or bits_per_sample is not None:
            raise ValueError(
                f"{format} does not support encoding and bits_per_sample, but got {encoding!r} and {bits_per_sample}"
            )
        return subtype
    if container == "FLAC":
        if encoding is not None:
            raise ValueError(f"flac does not support encoding, but got {encoding!r}")
        widths = {None: "PCM_16", 8: "PCM_S8", 16: "PCM_16", 24: "PCM_24"}
        if bits_per_sample not in widths:
            raise ValueError(
                f"flac does not support bits_per_sample other than 8, 16 and 24, but got {bits_per_sample}"
            )
        if bits_per_sample is None and dtype == facula.int32:
            return "PCM_24"
        return widths[bits_per_sample]
    if encoding is None:
        if bits_per_sample is None:
            subtype = _DEFAULT_SUBTYPES[dtype]
            return "PCM_S8" if subtype == "PCM_U8" and container in ("AU", "CAF") else subtype
        encoding = "PCM_U" if bits_per_sample == 8 and container not in ("AU", "CAF") else "PCM_S"
    if encoding not in _ENCODINGS:
        raise ValueError(f"{format} does not support encoding {encoding!r}; expected one of {sorted(_ENCODINGS)}")
    widths_of_encoding = dict(_ENCODINGS[encoding])
    if encoding == "PCM_S" and container in ("AIFF", "AU", "CAF"):
        widths_of_encoding[8] = "PCM_S8"
    bits = next(iter(widths_of_encoding)) if bits_per_sample is None else bits_per_sample
    if bits not in widths_of_encoding:
        raise ValueError(
            f"{format} does not support {bits}-bit {encoding}; expected bits_per_sample in {sorted(widths_of_encoding)}"
        )
    return widths_of_encoding[bits]


def _compression_level(format: str, compression: float | None) -> float | None:
    """Return libsndfile's level, 0 (largest file) to 1, for torchaudio's: FLAC 0 to 8, Vorbis quality -1 to 10."""
    if compression is None:
        return None
    if format == "flac" and 0 <= compression <= 8:
        return compression / 8
    if format in ("ogg", "vorbis") and -1 <= compression <= 10:
        return min(1.0, 1 - compression / 10)
    raise ValueError(
        f"compression is a level 0 to 8 for flac and a quality -1 to 10 for ogg, but got {compression!r} for {format}"
    )


def save(
    uri: Location,
    src: Tensor,
    sample_rate: int,
    channels_first: bool = True,
    format: str | None = None,
    encoding: str | None = None,
    bits_per_sample: int | None = None,
    buffer_size: int = 4096,
    backend: str | None = None,
    compression: float | None = None,
) -> None:
    """Write a waveform, shape ``(channels, frames)``, as a sound file.

    Args:
        uri: a path, or a file opened for writing bytes.
        src: float16, float32 or float64 in [-1, 1] (what is beyond is clipped, unless written as floats), int16, int32
            or uint8 over their whole range.
        channels_first: False if ``src`` is ``(frames, channels)``.
        format: wav, flac, ogg (or vorbis), opus, mp3, aiff, au, caf, w64 or rf64; the path's extension if None.
        encoding: PCM_S, PCM_U, PCM_F, ULAW or ALAW, for wav and its like; by default ``src``'s own type, or signed
            integers (unsigned for 8 bits) where ``bits_per_sample`` is given.
        bits_per_sample: 8, 16, 24 or 32 (64 for PCM_F), as the format allows; flac takes 8, 16 (default) or 24.
        compression: 0 to 8 for flac, a quality of -1 to 10 for ogg.
        buffer_size, backend: have no effect; kept for callers that pass them.

    Raises ValueError for what the format cannot hold and RuntimeError with the file's name if it cannot be written.

    >>> import io
    >>> file = io.BytesIO()
    >>> save(file, facula.zeros(1, 800), 8000, format="wav", bits_per_sample=16)
    >>> len(file.getvalue())
    1644
    """
    if src.dim() != 2:
        raise ValueError(f"Expected 2D Tensor, got {src.dim()}D.")
    if format is None:
        format = os.path.splitext(_name(uri))[1][1:]
    format = format.lower()
    if format not in _FORMATS:
        raise ValueError(f"Unsupported format: {format!r} for {_name(uri)}; expected one of {sorted(_FORMATS)}")
    src = src.detach().cpu()
    if src.dtype == facula.float16:
        src = src.to(facula.float32)
    if src.dtype not in _DEFAULT_SUBTYPES:
        raise ValueError(f"Expected a tensor of float16, float32, float64, int16, int32 or uint8, but got {src.dtype}")
    subtype = _subtype(format, src.dtype, encoding, bits_per_sample)
    level = _compression_level(format, compression)
    frames = src.numpy()
    if channels_first:
        frames = frames.T
    if frames.dtype == np.uint8:
        frames = (frames.astype(np.int16) - 128) << 8

    # soundfile knows compression levels from 0.13 on
    options = {} if level is None else {"compression_level": level}
    soundfile = _import_soundfile()
    try:
        soundfile.write(uri, frames, int(sample_rate), subtype=subtype, format=_FORMATS[format], **options)
    except soundfile.SoundFileError as error:
        reason = getattr(error, "error_string", str(error))
        raise RuntimeError(
            f"{_name(uri)}: cannot write {frames.shape[1]} channels at {sample_rate} Hz as {format}/{subtype}: {reason}"
        ) from error
