"""DatasetFolder and ImageFolder: one folder a class."""

import os
from collections.abc import Callable
from typing import IO, Any

from PIL import Image

from facula_vision.datasets.vision import VisionDataset

__all__ = [
    "IMG_EXTENSIONS",
    "DatasetFolder",
    "ImageFolder",
    "default_loader",
    "find_classes",
    "has_file_allowed_extension",
    "is_image_file",
    "make_dataset",
    "pil_loader",
]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def has_file_allowed_extension(filename: str, extensions: str | tuple[str, ...]) -> bool:
    """Return whether the name ends with one of ``extensions`` (lower case), whatever the name's case."""
    return filename.lower().endswith(extensions)


def is_image_file(filename: str) -> bool:
    """Return whether the name has an image's extension.

    >>> is_image_file("cat.JPG")
    True
    """
    return has_file_allowed_extension(filename, IMG_EXTENSIONS)


def find_classes(directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
    """Return the sorted names of the folders in ``directory`` and each name's index.

    Raises ``FileNotFoundError`` when there is none.
    """
    classes = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
    if not classes:
        raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
    return classes, {name: index for index, name in enumerate(classes)}


def make_dataset(
    directory: str | os.PathLike[str],
    class_to_idx: dict[str, int] | None = None,
    extensions: str | tuple[str, ...] | None = None,
    is_valid_file: Callable[[str], bool] | None = None,
    allow_empty: bool = False,
) -> list[tuple[str, int]]:
    """Return the (path, class index) of every file of each class, sorted by class, folder and name.

    A file counts when it has one of ``extensions`` or when ``is_valid_file`` says so; exactly one of the two must be
    given, else ``ValueError``. ``FileNotFoundError`` names the classes without a file, unless ``allow_empty``.
    """
    if (extensions is None) == (is_valid_file is None):
        raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")
    if class_to_idx is None:
        _, class_to_idx = find_classes(directory)
    elif not class_to_idx:
        raise ValueError("'class_to_idx' must have at least one entry to collect any samples.")
    samples = []
    empty_classes = []
    for class_name in sorted(class_to_idx):
        paths = _files_below(os.path.join(os.path.expanduser(directory), class_name))
        if extensions is not None:
            paths = [path for path in paths if has_file_allowed_extension(path, extensions)]
        elif is_valid_file is not None:
            paths = [path for path in paths if is_valid_file(path)]
        if not paths:
            empty_classes.append(class_name)
        samples += [(path, class_to_idx[class_name]) for path in paths]
    if empty_classes and not allow_empty:
        message = f"Found no valid file for the classes {', '.join(empty_classes)} in {directory}."
        if extensions is not None:
            names = extensions if isinstance(extensions, str) else ", ".join(extensions)
            message += f" Supported extensions are: {names}"
        raise FileNotFoundError(message)
    return samples


def _files_below(folder: str) -> list[str]:
    walked = sorted(os.walk(folder, followlinks=True))
    return [os.path.join(place, name) for place, _, names in walked for name in sorted(names)]


def pil_loader(path: str | os.PathLike[str]) -> Image.Image:
    """Return the image file as a Pillow image in RGB; ``OSError`` names a file that cannot be decoded."""
    with open(path, "rb") as file:
        return _decode(path, file)


def _decode(path: str | os.PathLike[str], file: IO[bytes]) -> Image.Image:
    try:
        return Image.open(file).convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        # Pillow reports damage in several ways (a broken PNG chunk is a SyntaxError) and seldom names the file.
        raise OSError(f"{path}: cannot decode the image: {error}") from error


def default_loader(path: str | os.PathLike[str]) -> Image.Image:
    """Return the image file as a Pillow image in RGB."""
    return pil_loader(path)


class DatasetFolder(VisionDataset):
    """The files under ``root``, whose sub-folders are the classes, as (sample, class index).

    Attributes: ``classes`` (sorted names), ``class_to_idx``, ``samples`` (pairs of path and index), ``targets``.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        loader: Callable[[str], object],
        extensions: tuple[str, ...] | None = None,
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.loader = loader
        self.extensions = extensions
        directory = os.fspath(root) if self.root is None else self.root
        self.classes, self.class_to_idx = self.find_classes(directory)
        self.samples = self.make_dataset(directory, self.class_to_idx, extensions, is_valid_file, allow_empty)
        self.targets = [target for _, target in self.samples]

    @staticmethod
    def make_dataset(
        directory: str | os.PathLike[str],
        class_to_idx: dict[str, int],
        extensions: tuple[str, ...] | None = None,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> list[tuple[str, int]]:
        """Return the (path, class index) of every file; a subclass may override how they are found."""
        if class_to_idx is None:
            raise ValueError("The class_to_idx parameter cannot be None.")
        return make_dataset(directory, class_to_idx, extensions, is_valid_file, allow_empty)

    def find_classes(self, directory: str | os.PathLike[str]) -> tuple[list[str], dict[str, int]]:
        """Return the classes and their indices; a subclass may override how they are found."""
        return find_classes(directory)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        sample = self.loader(path)
        if self.transform is not None:
            sample = self.transform(sample)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return sample, target

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """The images under ``root/class_name/`` as (RGB Pillow image, class index).

    Beside DatasetFolder's attributes, ``imgs`` is another name of ``samples``.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[..., Any] | None = None,
        target_transform: Callable[..., Any] | None = None,
        loader: Callable[[str], object] = default_loader,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
    ) -> None:
        super().__init__(
            root,
            loader,
            IMG_EXTENSIONS if is_valid_file is None else None,
            transform=transform,
            target_transform=target_transform,
            is_valid_file=is_valid_file,
            allow_empty=allow_empty,
        )
        self.imgs = self.samples
