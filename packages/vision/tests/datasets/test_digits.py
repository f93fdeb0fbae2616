"""Tests of the digits that come with the package."""

from pathlib import Path

import facula
import facula_vision.datasets.digits
import numpy
import pytest
from facula_vision.datasets import Digits
from facula_vision.transforms import ToTensor


def test_the_splits_share_out_the_1797_images() -> None:
    train, test = Digits(train=True), Digits(train=False)
    assert (len(train), len(test)) == (1442, 355)
    assert facula.bincount(train.targets).tolist() == [143, 146, 142, 147, 145, 146, 145, 144, 140, 144]
    assert facula.bincount(test.targets).tolist() == [35, 36, 35, 36, 36, 36, 36, 35, 34, 36]
    everything = {image.tobytes() for split in (train, test) for image in split.data.numpy()}
    assert len(everything) == 1797


def test_an_item_is_a_grey_image_and_its_class() -> None:
    image, target = Digits()[0]
    assert (image.mode, image.size, target) == ("L", (8, 8), 0)
    # The first row of the first image in UCI's file is 0 0 5 13 9 1 0 0, of 16 levels.
    assert [image.getpixel((x, 0)) for x in range(8)] == [0, 0, 80, 207, 143, 16, 0, 0]


def test_attributes_are_those_of_mnist() -> None:
    digits = Digits(train=False)
    assert digits.data.dtype == facula.uint8
    assert tuple(digits.data.shape) == (355, 8, 8)
    assert int(digits.data.max()) == 255
    assert digits.targets.dtype == facula.int64
    assert digits.classes == list("0123456789")
    assert digits.class_to_idx["7"] == 7
    assert repr(digits) == "Dataset Digits\n    Number of datapoints: 355\n    Split: Test"


def test_transforms_are_applied() -> None:
    image, target = Digits(transform=ToTensor(), target_transform=lambda label: -label)[1]
    assert tuple(image.shape) == (1, 8, 8)
    assert image.dtype == facula.float32
    assert float(image.max()) == 1.0
    assert target == -1


def test_another_library_holds_the_same_images() -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    bunch = datasets.load_digits()
    # Of each class every fifth image is for test.
    seen = numpy.zeros(10, int)
    is_test = []
    for label in bunch.target:
        seen[label] += 1
        is_test.append(seen[label] % 5 == 0)
    scaled = numpy.round(bunch.images * 255 / 16 + 1e-9).astype(numpy.uint8)
    test = Digits(train=False)
    assert (test.data.numpy() == scaled[is_test]).all()
    assert (test.targets.numpy() == bunch.target[is_test]).all()


def test_the_files_are_small_and_say_where_they_are_from() -> None:
    folder = Path(facula_vision.datasets.digits.__file__).parent / "data"
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 100_000
    notice = (folder / "README.md").read_text(encoding="utf-8")
    assert "Creative Commons Attribution 4.0" in notice
    assert "Alpaydin" in notice
