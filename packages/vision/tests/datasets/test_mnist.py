"""Tests of MNIST, FashionMNIST and KMNIST on small files in their format, and on the real ones."""

import gzip
import hashlib
import struct
from pathlib import Path

import facula
import numpy
import pytest
from facula_vision.datasets import KMNIST, MNIST, FashionMNIST
from facula_vision.datasets.utils import calculate_md5
from PIL import Image


def images_file(images: numpy.ndarray) -> bytes:
    return struct.pack(">4B3I", 0, 0, 8, 3, *images.shape) + images.astype(numpy.uint8).tobytes()


def labels_file(labels: list[int]) -> bytes:
    return struct.pack(">4BI", 0, 0, 8, 1, len(labels)) + bytes(labels)


TRAIN_IMAGES = numpy.arange(3 * 28 * 28).reshape(3, 28, 28) % 251
TEST_IMAGES = TRAIN_IMAGES[:2] // 2
FILES = {
    "train-images-idx3-ubyte": images_file(TRAIN_IMAGES),
    "train-labels-idx1-ubyte": labels_file([5, 0, 9]),
    "t10k-images-idx3-ubyte": images_file(TEST_IMAGES),
    "t10k-labels-idx1-ubyte": labels_file([7, 2]),
}


def write_files(folder: Path, compress: bool = True, **changes: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in {**FILES, **changes}.items():
        if compress:
            (folder / f"{name}.gz").write_bytes(gzip.compress(content, mtime=0))
        else:
            (folder / name).write_bytes(content)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("place", ["MNIST/raw", "."])
def test_files_are_found_in_both_places_and_forms(tmp_path: Path, place: str, compress: bool) -> None:
    write_files(tmp_path / place, compress)
    train = MNIST(tmp_path)
    test = MNIST(str(tmp_path), train=False)
    assert (train.data.numpy() == TRAIN_IMAGES).all()
    assert train.targets.tolist() == [5, 0, 9]
    assert train.targets.dtype == facula.int64
    assert (test.data.numpy() == TEST_IMAGES).all()
    assert test.targets.tolist() == [7, 2]


def test_items_representation_and_classes(tmp_path: Path) -> None:
    write_files(tmp_path)
    dataset = MNIST(tmp_path, transform=lambda image: image.rotate(90), target_transform=str)
    image, target = dataset[2]
    expected = Image.fromarray(TRAIN_IMAGES[2].astype(numpy.uint8)).rotate(90)
    assert image.tobytes() == expected.tobytes()
    assert target == "9"
    lines = repr(MNIST(str(tmp_path), train=False)).splitlines()
    assert lines == [
        "Dataset MNIST",
        "    Number of datapoints: 2",
        f"    Root location: {tmp_path}",
        "    Split: Test",
    ]
    assert dataset.class_to_idx["9 - nine"] == 9
    assert [len(kind.classes) for kind in (MNIST, FashionMNIST, KMNIST)] == [10, 10, 10]


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="Dataset not found") as caught:
        KMNIST(tmp_path)
    assert "train-images-idx3-ubyte.gz" in str(caught.value)
    assert str(tmp_path / "KMNIST" / "raw") in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images-idx3-ubyte", FILES["train-images-idx3-ubyte"][:-1], "expected 2352 bytes of data"),
        ("train-images-idx3-ubyte", labels_file([1, 2, 3]), "expected images as uint8 with 3 dimensions"),
        ("train-labels-idx1-ubyte", FILES["train-images-idx3-ubyte"], "expected labels as uint8 with 1 dimension"),
        ("train-labels-idx1-ubyte", labels_file([1, 2]), "expected a label for each of 3 images, got 2"),
        ("train-labels-idx1-ubyte", labels_file([1, 2, 10]), "expected labels below 10, found the label 10"),
    ],
)
def test_damaged_files_are_refused_by_name(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    write_files(tmp_path, **{name: content})
    with pytest.raises(ValueError, match=message) as caught:
        MNIST(tmp_path)
    assert str(tmp_path / f"{name}.gz") in str(caught.value)
    assert len(MNIST(tmp_path, train=False)) == 2


@pytest.fixture
def served(server, monkeypatch: pytest.MonkeyPatch):
    """The files on two mirrors of a loopback server, with their checksums."""
    resources = []
    for name, content in FILES.items():
        compressed = gzip.compress(content, mtime=0)
        resources.append((f"{name}.gz", hashlib.md5(compressed, usedforsecurity=False).hexdigest()))
        for mirror in ("first", "second"):
            server.files[f"/{mirror}/{name}.gz"] = compressed
    monkeypatch.setattr(MNIST, "resources", resources)
    monkeypatch.setattr(MNIST, "mirrors", [server.url + "first/", server.url + "second/"])
    return server


def test_download_once(tmp_path: Path, served) -> None:
    assert len(MNIST(tmp_path, download=True)) == 3
    assert len(served.requests) == 4
    assert len(MNIST(tmp_path, train=False, download=True)) == 2
    assert len(served.requests) == 4
    # The extracted files are there too, as torchvision leaves them.
    assert (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").read_bytes() == FILES["train-labels-idx1-ubyte"]


def test_download_goes_on_with_the_next_mirror(tmp_path: Path, served) -> None:
    del served.files["/first/train-images-idx3-ubyte.gz"]
    served.files["/first/train-labels-idx1-ubyte.gz"] = b"something else"
    served.truncated.add("/first/t10k-images-idx3-ubyte.gz")
    assert len(MNIST(tmp_path, download=True)) == 3
    assert served.requests.count("/second/t10k-labels-idx1-ubyte.gz") == 0
    assert len([path for path in served.requests if path.startswith("/second/")]) == 3


def test_download_tells_why_every_mirror_failed(tmp_path: Path, served) -> None:
    del served.files["/first/train-images-idx3-ubyte.gz"]
    served.files["/second/train-images-idx3-ubyte.gz"] = b"something else"
    with pytest.raises(RuntimeError, match="every mirror failed") as caught:
        MNIST(tmp_path, download=True)
    assert "404" in str(caught.value)
    assert "expected md5" in str(caught.value)
    assert list((tmp_path / "MNIST" / "raw").iterdir()) == []


@pytest.mark.parametrize(("kind", "folder"), [(MNIST, "mnist"), (FashionMNIST, "fashion_mnist")])
def test_the_real_files(real_data: Path, kind: type[MNIST], folder: str) -> None:
    root = real_data / folder
    for name, md5 in kind.resources:
        assert calculate_md5(root / name) == md5
    train, test = kind(root), kind(root, train=False)
    assert tuple(train.data.shape) == (60000, 28, 28)
    assert tuple(test.data.shape) == (10000, 28, 28)
    counts = facula.bincount(test.targets).tolist()
    assert counts == ([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009] if kind is MNIST else [1000] * 10)
    assert train.targets[:5].tolist() == ([5, 0, 4, 1, 9] if kind is MNIST else [9, 0, 0, 3, 0])
