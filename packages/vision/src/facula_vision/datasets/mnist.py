"""MNIST and the data sets in its format: FashionMNIST and KMNIST."""

import os
import urllib.error
from collections.abc import Callable
from pathlib import Path
from typing import Any

import facula
from facula import Tensor

from facula_vision.datasets.idx import read_idx
from facula_vision.datasets.in_memory import InMemoryImages
from facula_vision.datasets.utils import download_and_extract_archive

__all__ = ["KMNIST", "MNIST", "FashionMNIST"]


class MNIST(InMemoryImages):
    """The handwritten digits of LeCun, Cortes and Burges: 60,000 training and 10,000 test images of 28x28.

    An item is (Pillow image in mode L, class index). Attributes: ``data`` (uint8, N x 28 x 28), ``targets`` (int64, N),
    ``classes`` and ``class_to_idx``.
    The four files, compressed or not, are looked for in ``root/MNIST/raw`` and then in ``root`` itself;
    ``download=True`` fetches them into the former. Raises ``RuntimeError`` when they are not there, ``ValueError`` when
    one is damaged.
    """

    mirrors = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]

    root: str | os.PathLike[str]

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        download: bool = False,
    ) -> None:
        super().__init__(root, train, transform, target_transform)
        if download:
            self.download()
        if not self._check_exists():
            names = ", ".join(name for name, _ in self.resources)
            raise RuntimeError(
                f"Dataset not found. You can use download=True to download it, or place its files ({names}) "
                f"in {self.raw_folder} or in {self.root}."
            )
        self.data, self.targets = self._load_data()

    @property
    def raw_folder(self) -> str:
        """The folder that ``download`` fills."""
        return os.path.join(os.fspath(self.root), type(self).__name__, "raw")

    def _find(self, name: str) -> Path | None:
        """Return the file ``name`` without its .gz ending where it exists so, else with it, else None."""
        for folder in (Path(self.raw_folder), Path(self.root)):
            for candidate in (folder / Path(name).stem, folder / name):
                if candidate.is_file():
                    return candidate
        return None

    def _check_exists(self) -> bool:
        return all(self._find(name) is not None for name, _ in self.resources)

    def download(self) -> None:
        """Fetch the files that are missing, from the first mirror that serves them intact."""
        for name, md5 in self.resources:
            if self._find(name) is None:
                self._download_one(name, md5)

    def _download_one(self, name: str, md5: str) -> None:
        failures = []
        for mirror in self.mirrors:
            try:
                download_and_extract_archive(mirror + name, self.raw_folder, filename=name, md5=md5)
                return
            except (urllib.error.URLError, ConnectionError, TimeoutError, RuntimeError) as error:
                failures.append(f"{mirror}{name}: {error}")
        raise RuntimeError("\n  ".join([f"Error downloading {name}; every mirror failed:", *failures]))

    def _load_data(self) -> tuple[Tensor, Tensor]:
        split = self.resources[:2] if self.train else self.resources[2:]
        # _check_exists has found them.
        image_path, label_path = (self._find(name) or Path(name) for name, _ in split)
        images = read_idx(image_path)
        labels = read_idx(label_path)
        if images.dtype != facula.uint8 or images.ndim != 3:
            raise ValueError(
                f"{image_path}: expected images as uint8 with 3 dimensions, got {images.dtype} with {images.ndim}"
            )
        if labels.dtype != facula.uint8 or labels.ndim != 1:
            raise ValueError(
                f"{label_path}: expected labels as uint8 with 1 dimension, got {labels.dtype} with {labels.ndim}"
            )
        if len(images) != len(labels):
            raise ValueError(f"{label_path}: expected a label for each of {len(images)} images, got {len(labels)}")
        if len(labels) and int(labels.max()) >= len(self.classes):
            raise ValueError(
                f"{label_path}: expected labels below {len(self.classes)}, found the label {int(labels.max())}"
            )
        return images, labels.to(facula.int64)


class FashionMNIST(MNIST):
    """Zalando's clothing articles (Xiao et al. 2017, arXiv 1708.07747): MNIST's format, sizes and interface."""

    mirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Kuzushiji-MNIST, cursive Japanese letters (Clanuwat et al. 2018, arXiv 1812.01718), in MNIST's format."""

    mirrors = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
