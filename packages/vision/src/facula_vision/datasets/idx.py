"""Reading idx files, the format of MNIST: a header with the type and sizes, then the numbers, big-endian."""

import gzip
import math
import os
import zlib

import facula
import numpy
from facula import Tensor

__all__ = ["read_idx"]

_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(path: str | os.PathLike[str]) -> Tensor:
    """Return the array of an idx file, gzip-compressed or not, as a tensor of the file's type and shape.

    Types: uint8, int8, int16, int32, float32, float64. The format is described at the end of LeCun's MNIST page.
    Raises ``ValueError`` naming the file and what is wrong when it is damaged, truncated or of another format.
    """
    content = _read(path)
    if len(content) < 4:
        raise ValueError(f"{path}: expected an idx header of at least 4 bytes, the file has {len(content)}")
    zeros, type_code, dimensions = content[:2], content[2], content[3]
    if zeros != b"\0\0":
        raise ValueError(f"{path}: not an idx file: it must start with two zero bytes, it starts with {content[:4]!r}")
    if type_code not in _TYPES:
        known = ", ".join(str(code) for code in _TYPES)
        raise ValueError(f"{path}: unknown idx type code {type_code}; known codes are {known}")
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise ValueError(
            f"{path}: expected {header} bytes of header for {dimensions} dimensions, the file has {len(content)}"
        )
    shape = tuple(int(size) for size in numpy.frombuffer(content, ">u4", dimensions, offset=4))
    dtype = numpy.dtype(_TYPES[type_code])
    expected = math.prod(shape) * dtype.itemsize
    found = len(content) - header
    if found != expected:
        raise ValueError(f"{path}: expected {expected} bytes of data for the shape {shape}, the file has {found}")
    array = numpy.frombuffer(content, dtype, offset=header).reshape(shape)
    return facula.from_numpy(array.astype(dtype.newbyteorder("=")))


def _read(path: str | os.PathLike[str]) -> bytes:
    with open(path, "rb") as file:
        content = file.read()
    if not content.startswith(_GZIP_MAGIC):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise ValueError(f"{path}: damaged or truncated gzip file: {error}") from error
