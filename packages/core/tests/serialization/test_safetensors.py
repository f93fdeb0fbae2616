"""Safetensors files: what comes back, and what is refused."""

import json
import struct

import facula
import numpy as np
import pytest
from facula.serialization import load_safetensors, save_safetensors

TYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]


def write(path, header: object, body: bytes = b"", length: int | None = None) -> None:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + body)


@pytest.mark.parametrize("name", TYPES)
def test_every_type_comes_back(tmp_path, name):
    tensor = facula.arange(6).reshape(2, 3).to(getattr(facula, name))
    save_safetensors({"a": tensor, "turned": tensor.t(), "one": tensor[0, 0]}, tmp_path / "file.safetensors")
    back = load_safetensors(tmp_path / "file.safetensors")
    assert facula.equal(back["a"], tensor)
    assert facula.equal(back["turned"], tensor.t())
    assert (back["a"].dtype, tuple(back["one"].shape)) == (tensor.dtype, ())


def test_the_safetensors_package_agrees(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    tensors = {"b": facula.arange(3), "a": facula.ones(2, 2), "empty": facula.zeros(0, 3), "c": facula.ones(1).bool()}
    save_safetensors(tensors, tmp_path / "mine.safetensors", metadata={"format": "pt"})
    read = package.load_file(tmp_path / "mine.safetensors")
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(read[name], tensor.numpy())
    package.save_file({name: tensor.numpy() for name, tensor in tensors.items()}, tmp_path / "theirs.safetensors")
    for name, tensor in load_safetensors(tmp_path / "theirs.safetensors").items():
        assert facula.equal(tensor, tensors[name])


def entry(shape: list, start: int, end: int, dtype: str = "F32") -> dict:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    ("header", "body"),
    [
        ({"a": entry([2], 0, 8)}, b"1234"),
        ({"a": entry([2], 0, 4)}, b"12345678"),
        ({"a": entry([1], -4, 0)}, b"1234"),
        ({"a": entry([1], 4, 0)}, b"12345678"),
        ({"a": entry([-1], 0, 4)}, b"1234"),
        ({"a": entry([2**62, 4], 0, 0)}, b""),
        ({"a": entry([1], 0, 4), "b": entry([1], 2, 6)}, b"123456"),
        ({"a": entry([1], 0, 4), "b": entry([1], 8, 12)}, b"123456789012"),
        ({"a": entry([1], 0, 4)}, b"12345678"),
        ({"a": entry([1], 0, 4, "F99")}, b"1234"),
        ({"a": entry([1.5], 0, 4)}, b"1234"),
        ({"a": entry("4", 0, 4)}, b"1234"),
        ({"a": {"dtype": "F32"}}, b""),
        ({"a": 1}, b""),
        ([1], b""),
        (b"{not json", b""),
        (b"\xff\xfe", b""),
    ],
)
def test_a_wrong_header_is_refused(tmp_path, header, body):
    path = tmp_path / "bad.safetensors"
    write(path, header, body)
    with pytest.raises(RuntimeError, match=r"bad\.safetensors"):
        load_safetensors(path)


@pytest.mark.parametrize("length", [3, 10**6, 2**63])
def test_a_wrong_length_is_refused(tmp_path, length):
    path = tmp_path / "bad.safetensors"
    write(path, {"a": entry([1], 0, 4)}, b"1234", length)
    with pytest.raises(RuntimeError, match=r"bad\.safetensors"):
        load_safetensors(path)


def test_every_cut_is_noticed(tmp_path):
    path = tmp_path / "cut.safetensors"
    save_safetensors({"a": facula.ones(20)}, path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(RuntimeError, match=r"cut\.safetensors"):
            load_safetensors(path)


def test_types_it_does_not_have_are_refused(tmp_path):
    with pytest.raises(TypeError, match="complex64"):
        save_safetensors({"a": facula.ones(2, dtype=facula.complex64)}, tmp_path / "no.safetensors")
    assert list(tmp_path.iterdir()) == []
