"""CIFAR-10 and CIFAR-100 (Krizhevsky 2009, "Learning Multiple Layers of Features from Tiny Images")."""

import codecs
import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from facula_vision.datasets.utils import check_integrity, download_and_extract_archive
from facula_vision.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100"]

#: All that a batch of images needs: the parts of NumPy, and of Python's text, that make an array.
_reconstruct = np.empty(0).__reduce__()[0]
_ALLOWED = {
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): codecs.encode,
}


class _Unpickler(pickle.Unpickler):
    """Reads the published files, which are pickles, without running anything a file may name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is not allowed in a file of images")
        return _ALLOWED[module, name]


class CIFAR10(VisionDataset):
    """60,000 colour images of 32x32 in 10 classes: 50,000 to train on, 10,000 to test.

    An item is (Pillow image in mode RGB, class index). Attributes: ``data`` (uint8 array, N x 32 x 32 x 3), ``targets``
    (list of int), ``classes`` and ``class_to_idx``. The files are in ``root/cifar-10-batches-py``; ``download=True``
    fetches them. Raises ``RuntimeError`` when they are missing or not the published ones.
    """

    root: str | os.PathLike[str]
    base_folder = "cifar-10-batches-py"
    url = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        if not self._check_integrity():
            raise RuntimeError("Dataset not found or corrupted. You can use download=True to download it")
        batches = [self._read(name) for name, _ in (self.train_list if train else self.test_list)]
        pixels = np.concatenate([batch["data"] for batch in batches])
        self.data = np.ascontiguousarray(pixels.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
        self.targets: list[int] = []
        for batch in batches:
            self.targets += batch["labels"] if "labels" in batch else batch["fine_labels"]
        self.classes: list[str] = self._read(self.meta["filename"])[self.meta["key"]]
        self.class_to_idx = {name: index for index, name in enumerate(self.classes)}

    @property
    def _folder(self) -> Path:
        return Path(os.fspath(self.root)) / self.base_folder

    def _read(self, name: str) -> dict[str, Any]:
        path = self._folder / name
        try:
            with open(path, "rb") as file:
                return _Unpickler(file, encoding="latin1").load()
        except (pickle.UnpicklingError, EOFError, ValueError) as error:
            raise RuntimeError(f"{path}: not a file of this data set ({error})") from error

    def _check_integrity(self) -> bool:
        files = [*self.train_list, *self.test_list, [self.meta["filename"], self.meta["md5"]]]
        return all(check_integrity(self._folder / name, md5) for name, md5 in files)

    def download(self) -> None:
        """Fetch and unpack the files, unless they are there."""
        if not self._check_integrity():
            download_and_extract_archive(self.url, self.root, filename=self.filename, md5=self.tgz_md5)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image, target = Image.fromarray(self.data[index]), self.targets[index]
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        return len(self.data)

    def extra_repr(self) -> str:
        """Return the line with the split."""
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """60,000 colour images of 32x32 in 100 classes; otherwise as `CIFAR10`."""

    base_folder = "cifar-100-python"
    url = "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
