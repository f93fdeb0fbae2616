"""Tests of the data sets with one folder a class."""

from pathlib import Path

import pytest
from facula_vision.datasets import DatasetFolder, ImageFolder
from facula_vision.datasets.folder import find_classes, is_image_file, make_dataset, pil_loader
from facula_vision.transforms import Compose, Grayscale, ToTensor
from PIL import Image


def save_image(path: Path, colour: tuple[int, int, int] = (10, 20, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 3), colour).save(path)


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    save_image(tmp_path / "dog" / "b.png", (1, 2, 3))
    save_image(tmp_path / "dog" / "a.JPG")
    save_image(tmp_path / "dog" / "puppies" / "c.bmp")
    save_image(tmp_path / "cat" / "z.png", (7, 8, 9))
    (tmp_path / "cat" / "notes.txt").write_text("not an image")
    save_image(tmp_path / "loose.png")
    return tmp_path


def test_samples_are_sorted_by_class_folder_and_name(animals: Path) -> None:
    dataset = ImageFolder(animals)
    assert dataset.classes == ["cat", "dog"]
    assert dataset.class_to_idx == {"cat": 0, "dog": 1}
    names = [Path(path).relative_to(animals).as_posix() for path, _ in dataset.samples]
    assert names == ["cat/z.png", "dog/a.JPG", "dog/b.png", "dog/puppies/c.bmp"]
    assert dataset.targets == [0, 1, 1, 1]
    assert dataset.imgs is dataset.samples
    assert len(dataset) == 4


def test_an_item_is_an_rgb_image_and_the_class(animals: Path) -> None:
    image, target = ImageFolder(str(animals), target_transform=lambda index: index + 10)[0]
    assert (image.mode, image.size, image.getpixel((0, 0)), target) == ("RGB", (4, 3), (7, 8, 9), 10)


def test_transforms_are_applied(animals: Path) -> None:
    image, _ = ImageFolder(animals, transform=Compose([Grayscale(), ToTensor()]))[2]
    assert tuple(image.shape) == (1, 3, 4)


def test_is_valid_file_replaces_the_extensions(animals: Path) -> None:
    dataset = ImageFolder(animals, is_valid_file=lambda path: path.endswith((".png", ".txt")))
    assert [Path(path).name for path, _ in dataset.samples] == ["notes.txt", "z.png", "b.png"]


def test_dataset_folder_uses_its_loader(animals: Path) -> None:
    dataset = DatasetFolder(animals, lambda path: Path(path).read_text(), extensions=(".txt",), allow_empty=True)
    assert dataset.classes == ["cat", "dog"]
    assert dataset[0] == ("not an image", 0)


def test_a_root_without_classes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Couldn't find any class folder"):
        find_classes(tmp_path)
    with pytest.raises(FileNotFoundError):
        ImageFolder(tmp_path / "missing")


def test_empty_classes_are_named_or_allowed(animals: Path) -> None:
    (animals / "axolotl").mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"no valid file for the classes axolotl .*Supported extensions are: \.jpg"
    ):
        ImageFolder(animals)
    dataset = ImageFolder(animals, allow_empty=True)
    assert dataset.classes == ["axolotl", "cat", "dog"]
    assert dataset.targets == [1, 2, 2, 2]


def test_make_dataset_wants_one_way_to_tell_files(animals: Path) -> None:
    with pytest.raises(ValueError, match="cannot be None or not None at the same time"):
        make_dataset(animals)
    with pytest.raises(ValueError, match="at least one entry"):
        make_dataset(animals, {}, extensions=".png")


def test_a_damaged_image_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    save_image(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(OSError, match=r"broken\.png: cannot decode the image"):
        pil_loader(path)
    path.write_bytes(b"no image at all")
    with pytest.raises(OSError, match=r"broken\.png: cannot decode the image"):
        pil_loader(path)


def test_is_image_file_ignores_case() -> None:
    assert is_image_file("a.JPEG")
    assert not is_image_file("a.txt")


def test_the_textures(real_data: Path) -> None:
    dataset = ImageFolder(real_data / "images" / "textures" / "train")
    assert dataset.classes == ["brick", "grass", "gravel"]
    assert len(dataset) == 144
    assert dataset[0][0].size == (64, 64)
