"""Reading and writing image files as uint8 tensors of shape (C, H, W), through Pillow."""

import io
import os
from enum import Enum

import facula
import numpy
from facula import Tensor
from PIL import Image, ImageOps

from facula_vision.transforms.functional import pil_to_tensor, to_pil_image

__all__ = [
    "ImageReadMode",
    "decode_image",
    "encode_jpeg",
    "encode_png",
    "read_file",
    "read_image",
    "write_file",
    "write_jpeg",
    "write_png",
]


class ImageReadMode(Enum):
    """What the channels of a decoded image are to be; UNCHANGED keeps the file's."""

    UNCHANGED = 0
    GRAY = 1
    GRAY_ALPHA = 2
    RGB = 3
    RGB_ALPHA = 4


_PILLOW_MODES = {
    ImageReadMode.GRAY: "L",
    ImageReadMode.GRAY_ALPHA: "LA",
    ImageReadMode.RGB: "RGB",
    ImageReadMode.RGB_ALPHA: "RGBA",
}


def read_file(path: str | os.PathLike[str]) -> Tensor:
    """Return the file's bytes as a uint8 tensor of one dimension."""
    with open(path, "rb") as file:
        content = bytearray(file.read())
    return facula.from_numpy(numpy.frombuffer(content, numpy.uint8))


def write_file(filename: str | os.PathLike[str], data: Tensor) -> None:
    """Write the bytes of a uint8 tensor of one dimension."""
    if data.dtype != facula.uint8 or data.ndim != 1:
        raise RuntimeError(f"Expected a 1-dimensional uint8 tensor, got {data.dtype} with {data.ndim} dimensions")
    with open(filename, "wb") as file:
        file.write(data.cpu().numpy().tobytes())


def _read_mode(mode: ImageReadMode | str) -> ImageReadMode:
    if isinstance(mode, str):
        try:
            return ImageReadMode[mode.upper()]
        except KeyError:
            known = ", ".join(ImageReadMode.__members__)
            raise ValueError(f"Unknown image mode {mode!r}; known modes are {known}") from None
    return mode


def _decode(source: io.BytesIO, mode: ImageReadMode | str, apply_exif_orientation: bool, name: str) -> Tensor:
    mode = _read_mode(mode)
    try:
        with Image.open(source) as file:
            file.load()
            image: Image.Image = file
            if apply_exif_orientation:
                image = ImageOps.exif_transpose(image)
            if mode is ImageReadMode.UNCHANGED and image.mode in ("P", "1", "PA"):
                # A palette's numbers mean nothing by themselves.
                image = image.convert("L" if image.mode == "1" else "RGBA" if image.has_transparency_data else "RGB")
            elif mode is not ImageReadMode.UNCHANGED:
                image = image.convert(_PILLOW_MODES[mode])
            return pil_to_tensor(image)
    except (OSError, SyntaxError, ValueError) as error:
        raise RuntimeError(f"{name}: cannot decode the image: {error}") from error


def decode_image(
    input: Tensor | str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Return the image, (C, H, W) uint8, in a file's bytes (uint8, one dimension) or in the file of that name.

    Knows every format that Pillow knows. Raises ``RuntimeError`` when the image is damaged or of an unknown format.
    """
    if not isinstance(input, Tensor):
        return read_image(input, mode, apply_exif_orientation)
    if input.dtype != facula.uint8 or input.ndim != 1:
        raise RuntimeError(f"Expected a 1-dimensional uint8 tensor, got {input.dtype} with {input.ndim} dimensions")
    source = io.BytesIO(input.cpu().numpy().tobytes())
    return _decode(source, mode, apply_exif_orientation, f"<{input.numel()} bytes>")


def read_image(
    path: str | os.PathLike[str],
    mode: ImageReadMode | str = ImageReadMode.UNCHANGED,
    apply_exif_orientation: bool = False,
) -> Tensor:
    """Return the image file as (C, H, W), uint8 for 8-bit images.

    Raises ``RuntimeError`` naming the file when it is damaged or of an unknown format.
    """
    with open(path, "rb") as file:
        source = io.BytesIO(file.read())
    return _decode(source, mode, apply_exif_orientation, os.fspath(path))


def _checked_image(input: Tensor, permitted_channels: tuple[int, ...]) -> Image.Image:
    if input.dtype != facula.uint8:
        raise RuntimeError(f"Input tensor dtype should be uint8, got {input.dtype}")
    if input.ndim != 3 or input.shape[0] not in permitted_channels:
        raise RuntimeError(
            f"Expected an image (C, H, W) with C one of {permitted_channels}, got the shape {tuple(input.shape)}"
        )
    return to_pil_image(input)


def _encoded(image: Image.Image, format: str, **options: int) -> Tensor:
    target = io.BytesIO()
    image.save(target, format=format, **options)
    return facula.from_numpy(numpy.frombuffer(bytearray(target.getvalue()), numpy.uint8))


def encode_png(input: Tensor, compression_level: int = 6) -> Tensor:
    """Return the PNG file, as uint8 bytes, of a uint8 image (C, H, W) with 1 or 3 channels; levels 0 to 9."""
    if not 0 <= compression_level <= 9:
        raise RuntimeError(f"Compression level should be between 0 and 9, got {compression_level}")
    return _encoded(_checked_image(input, (1, 3)), "png", compress_level=compression_level)


def encode_jpeg(input: Tensor, quality: int = 75) -> Tensor:
    """Return the JPEG file, as uint8 bytes, of a uint8 image (C, H, W) with 1 or 3 channels; quality 1 to 100."""
    if not 1 <= quality <= 100:
        raise ValueError(f"Image quality should be a positive number between 1 and 100, got {quality}")
    return _encoded(_checked_image(input, (1, 3)), "jpeg", quality=quality)


def write_png(input: Tensor, filename: str | os.PathLike[str], compression_level: int = 6) -> None:
    """Write a uint8 image (C, H, W) with 1 or 3 channels as a PNG file."""
    write_file(filename, encode_png(input, compression_level))


def write_jpeg(input: Tensor, filename: str | os.PathLike[str], quality: int = 75) -> None:
    """Write a uint8 image (C, H, W) with 1 or 3 channels as a JPEG file."""
    write_file(filename, encode_jpeg(input, quality))
