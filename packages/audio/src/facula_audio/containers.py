"""Whether a sound file holds all that its header promises: libsndfile shortens a truncated one without a word."""

import os
import struct
import warnings
from typing import BinaryIO

__all__ = ["check_complete"]

# 0 or all ones stand for "not known" in headers written while streaming
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
_LARGEST_OGG_PAGE = 27 + 255 + 255 * 255


def check_complete(file: BinaryIO, name: str) -> None:
    """Raise RuntimeError naming ``name`` and both counts if the WAV, AIFF, AU or Ogg file is shorter than it says.

    Files of other formats pass. The position in ``file`` is restored.
    """
    start = file.tell()
    try:
        size = file.seek(0, os.SEEK_END) - start
        file.seek(start)
        magic = file.read(12)
        if magic[:4] in (b"RIFF", b"RIFX", b"RF64") and magic[8:12] == b"WAVE":
            _check_wave(file, name, start, size, "big" if magic[:4] == b"RIFX" else "little")
        elif magic[:4] == b"FORM" and magic[8:12] in (b"AIFF", b"AIFC"):
            _check_aiff(file, name, start, size)
        elif magic[:4] == b".snd":
            offset, data_size = struct.unpack(">II", magic[4:12].ljust(8, b"\0"))
            _check_bytes(name, data_size, size - offset, 1)
        elif magic[:4] == b"OggS":
            _check_ogg(file, name, start, size)
    finally:
        file.seek(start)


def _check_bytes(name: str, promised: int, present: int, frame_size: int) -> None:
    """Raise if fewer bytes of samples are there than promised; count in frames where a frame's size is known."""
    present = max(present, 0)
    if promised in _UNKNOWN_SIZES or promised <= present:
        return
    if frame_size > 1:
        counts = f"its header promises {promised // frame_size} frames, but there are {present // frame_size}"
    else:
        counts = f"its header promises {promised} bytes of samples, but there are {present}"
    raise RuntimeError(f"{name}: truncated sound file: {counts}")


def _check_wave(file: BinaryIO, name: str, start: int, size: int, order: str) -> None:
    integer = "<I" if order == "little" else ">I"
    short = "<H" if order == "little" else ">H"
    frame_size = 1
    long_data_size = None
    position = 12
    while position + 8 <= size:
        file.seek(start + position)
        identifier, length = file.read(4), struct.unpack(integer, file.read(4))[0]
        body = position + 8
        if identifier == b"ds64":
            # RF64 keeps sizes beyond 4 GiB here: of the file, then of the samples
            fields = file.read(16)
            if len(fields) == 16:
                long_data_size = struct.unpack("<Q", fields[8:])[0]
        elif identifier == b"fmt ":
            fields = file.read(16)
            if len(fields) == 16 and struct.unpack(short, fields[:2])[0] != 0x11:
                # the block of an ADPCM file (format 0x11) holds many frames
                frame_size = struct.unpack(short, fields[12:14])[0]
        elif identifier == b"data":
            promised = length if long_data_size is None else long_data_size
            _check_bytes(name, promised, size - body, frame_size)
            return
        position = body + length + length % 2
    raise RuntimeError(f"{name}: truncated sound file: no 'data' chunk in its {size} bytes")


def _check_aiff(file: BinaryIO, name: str, start: int, size: int) -> None:
    frame_size = 1
    position = 12
    while position + 8 <= size:
        file.seek(start + position)
        identifier, length = struct.unpack(">4sI", file.read(8))
        if identifier == b"COMM":
            fields = file.read(8)
            if len(fields) == 8:
                channels, _, bits = struct.unpack(">HIH", fields)
                frame_size = channels * ((bits + 7) // 8)
        elif identifier == b"SSND":
            # the samples follow an offset and a block size of 4 bytes each
            _check_bytes(name, length - 8, size - position - 16, frame_size)
            return
        position += 8 + length + length % 2
    raise RuntimeError(f"{name}: truncated sound file: no 'SSND' chunk in its {size} bytes")


def _check_ogg(file: BinaryIO, name: str, start: int, size: int) -> None:
    tail_size = min(size, _LARGEST_OGG_PAGE)
    file.seek(start + size - tail_size)
    tail = file.read(tail_size)
    page = tail.rfind(b"OggS\x00")
    if page < 0:
        raise RuntimeError(f"{name}: corrupt sound file: no Ogg page in its last {tail_size} bytes")
    present = len(tail) - page
    header = 27 + tail[page + 26] if present > 26 else 28
    promised = header + sum(tail[page + 27 : page + header])
    if present < promised or present < header:
        raise RuntimeError(
            f"{name}: truncated sound file: its last Ogg page needs at least {promised} bytes, but there are {present}"
        )
    if tail[page + 5] & 4:
        return
    if present > promised:
        raise RuntimeError(
            f"{name}: truncated sound file: no end-of-stream mark, {present - promised} bytes after the last Ogg page"
        )
    warnings.warn(f"{name}: no end-of-stream mark in the last Ogg page: the file may be truncated", stacklevel=5)
