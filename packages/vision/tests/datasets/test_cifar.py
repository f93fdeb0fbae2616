"""The readers of CIFAR-10 and CIFAR-100, on small files written in the published layout."""

import hashlib
import pickle

import numpy as np
import pytest
from facula_vision.datasets import CIFAR10, CIFAR100


def write(folder, contents: dict[str, object]) -> dict[str, str]:
    """Write each content as a pickle; return the files' digests."""
    folder.mkdir()
    digests = {}
    for name, content in contents.items():
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        digests[name] = hashlib.md5(data).hexdigest()
    return digests


def batch(count: int, seed: int, key: str = "labels") -> dict[str, object]:
    random = np.random.RandomState(seed)
    return {"data": random.randint(0, 256, (count, 3072), np.uint8), key: random.randint(0, 2, count).tolist()}


@pytest.fixture
def small(tmp_path):
    contents = {"one": batch(3, 0), "two": batch(2, 1), "test": batch(4, 2), "meta": {"label_names": ["cat", "dog"]}}
    md5 = write(tmp_path / "cifar-10-batches-py", contents)

    class Small(CIFAR10):
        train_list = [["one", md5["one"]], ["two", md5["two"]]]
        test_list = [["test", md5["test"]]]
        meta = {"filename": "meta", "key": "label_names", "md5": md5["meta"]}

    return Small, tmp_path, contents


def test_images_and_labels_are_those_of_the_files(small) -> None:
    Small, root, contents = small
    data = Small(root)
    assert (len(data), data.classes, data.class_to_idx) == (5, ["cat", "dog"], {"cat": 0, "dog": 1})
    assert data.targets == contents["one"]["labels"] + contents["two"]["labels"]
    image, label = data[4]
    assert (image.size, image.mode, label) == ((32, 32), "RGB", data.targets[4])
    assert np.array_equal(np.asarray(image).transpose(2, 0, 1).reshape(-1), contents["two"]["data"][1])
    assert len(Small(root, train=False, transform=np.asarray)) == 4


def test_fine_labels_of_the_hundred_classes(tmp_path) -> None:
    contents = {
        "train": batch(3, 0, "fine_labels"),
        "test": batch(2, 1, "fine_labels"),
        "meta": {"fine_label_names": ["a", "b"]},
    }
    md5 = write(tmp_path / "cifar-100-python", contents)

    class Small(CIFAR100):
        train_list = [["train", md5["train"]]]
        test_list = [["test", md5["test"]]]
        meta = {"filename": "meta", "key": "fine_label_names", "md5": md5["meta"]}

    assert Small(tmp_path).targets == contents["train"]["fine_labels"]


def test_missing_and_damaged_files_are_refused(small) -> None:
    Small, root, _ = small
    (root / "cifar-10-batches-py" / "two").write_bytes(b"x")
    with pytest.raises(RuntimeError, match="not found or corrupted"):
        Small(root)


def test_a_file_that_names_code_is_refused(small) -> None:
    Small, root, _ = small
    path = root / "cifar-10-batches-py" / "meta"
    path.write_bytes(pickle.dumps(print))
    Small.meta = {**Small.meta, "md5": hashlib.md5(path.read_bytes()).hexdigest()}
    with pytest.raises(RuntimeError, match=r"builtins.print is not allowed"):
        Small(root)
