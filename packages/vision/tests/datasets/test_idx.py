"""Tests of reading idx files."""

import gzip
import struct
from pathlib import Path

import facula
import numpy
import pytest
from facula_vision.datasets.idx import read_idx

CODES = {"uint8": 8, "int8": 9, "int16": 11, "int32": 12, "float32": 13, "float64": 14}


def idx_bytes(array: numpy.ndarray) -> bytes:
    header = struct.pack(">4B", 0, 0, CODES[array.dtype.name], array.ndim) + struct.pack(
        f">{array.ndim}I", *array.shape
    )
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("name", CODES)
def test_every_type_is_read(tmp_path: Path, name: str, compress: bool) -> None:
    array = numpy.array([[[1, 2, 3], [4, 5, 100]]]).astype(name)
    path = tmp_path / "numbers"
    content = idx_bytes(array)
    path.write_bytes(gzip.compress(content) if compress else content)
    tensor = read_idx(path)
    assert tensor.dtype == getattr(facula, name)
    assert tensor.tolist() == array.tolist()


def test_the_result_can_be_written_to(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(idx_bytes(numpy.zeros(3, numpy.uint8)))
    tensor = read_idx(path)
    tensor[0] = 1
    assert tensor.tolist() == [1, 0, 0]


def test_an_empty_array_is_read(tmp_path: Path) -> None:
    path = tmp_path / "numbers"
    path.write_bytes(idx_bytes(numpy.zeros((0, 28, 28), numpy.uint8)))
    assert tuple(read_idx(path).shape) == (0, 28, 28)


GOOD = idx_bytes(numpy.arange(12, dtype=numpy.uint8).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "header of at least 4 bytes, the file has 0"),
        (b"\x89PNG\r\n", "not an idx file"),
        (b"\0\0\x07\x01" + bytes(8), "unknown idx type code 7"),
        (GOOD[:9], "expected 12 bytes of header for 2 dimensions, the file has 9"),
        (GOOD[:-1], r"expected 12 bytes of data for the shape \(3, 4\), the file has 11"),
        (GOOD + b"x", r"expected 12 bytes of data for the shape \(3, 4\), the file has 13"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "the file has 0"),
        (gzip.compress(GOOD)[:-9], "damaged or truncated gzip file"),
        (gzip.compress(GOOD)[:-8] + bytes(8), "damaged or truncated gzip file"),
        (gzip.compress(GOOD)[:10] + b"\xff" * 20, "damaged or truncated gzip file"),
        (gzip.compress(GOOD[:-1]), "the file has 11"),
    ],
)
def test_damage_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "damaged-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)
