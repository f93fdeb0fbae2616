"""Tests of reading and writing image files."""

from pathlib import Path

import facula
import numpy
import pytest
from facula_vision.io import (
    ImageReadMode,
    decode_image,
    encode_jpeg,
    encode_png,
    read_file,
    read_image,
    write_file,
    write_jpeg,
    write_png,
)
from PIL import Image


def picture(channels: int = 3) -> facula.Tensor:
    """A smooth picture of 10 x 12 pixels."""
    rows = facula.arange(10).view(1, 10, 1) * 9
    columns = facula.arange(12).view(1, 1, 12) * 10
    shift = facula.arange(channels).view(channels, 1, 1) * 20
    return (rows + columns + shift).to(facula.uint8)


@pytest.mark.parametrize("channels", [1, 3])
def test_png_keeps_every_pixel(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "picture.png"
    write_png(picture(channels), path)
    again = read_image(path)
    assert again.dtype == facula.uint8
    assert again.tolist() == picture(channels).tolist()
    assert decode_image(encode_png(picture(channels), compression_level=0)).tolist() == picture(channels).tolist()


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_keeps_the_picture_roughly(tmp_path: Path, channels: int) -> None:
    path = tmp_path / "picture.jpg"
    write_jpeg(picture(channels), str(path), quality=95)
    difference = (read_image(path).int() - picture(channels).int()).abs()
    assert int(difference.max()) <= 12
    assert float(difference.float().mean()) <= 2.0
    assert encode_jpeg(picture(), quality=10).numel() < encode_jpeg(picture(), quality=95).numel()


@pytest.mark.parametrize(
    ("mode", "channels"),
    [
        (ImageReadMode.UNCHANGED, 4),
        (ImageReadMode.GRAY, 1),
        (ImageReadMode.GRAY_ALPHA, 2),
        (ImageReadMode.RGB, 3),
        (ImageReadMode.RGB_ALPHA, 4),
        ("rgb", 3),
    ],
)
def test_read_modes(tmp_path: Path, mode: ImageReadMode | str, channels: int) -> None:
    path = tmp_path / "picture.png"
    Image.new("RGBA", (5, 4), (10, 20, 30, 128)).save(path)
    image = read_image(path, mode)
    assert tuple(image.shape) == (channels, 4, 5)
    expected = {1: [18], 2: [18, 128], 3: [10, 20, 30], 4: [10, 20, 30, 128]}[channels]
    assert image[:, 0, 0].tolist() == expected


def test_palettes_and_wide_images(tmp_path: Path) -> None:
    Image.new("RGB", (3, 2), (250, 0, 0)).convert("P").save(tmp_path / "palette.png")
    assert tuple(read_image(tmp_path / "palette.png").shape) == (3, 2, 3)
    Image.new("1", (3, 2), 1).save(tmp_path / "bits.png")
    assert read_image(tmp_path / "bits.png").tolist() == [[[255] * 3] * 2]
    Image.fromarray(numpy.full((2, 3), 40000, numpy.uint16)).save(tmp_path / "wide.png")
    assert read_image(tmp_path / "wide.png").dtype == facula.uint16
    assert read_image(tmp_path / "wide.png").tolist() == [[[40000] * 3] * 2]


def test_exif_orientation(tmp_path: Path) -> None:
    path = tmp_path / "turned.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(path, exif=exif)
    assert tuple(read_image(path).shape) == (3, 4, 8)
    assert tuple(read_image(path, apply_exif_orientation=True).shape) == (3, 8, 4)


def test_bytes_of_files(tmp_path: Path) -> None:
    path = tmp_path / "bytes"
    write_file(path, facula.tensor([1, 2, 255], dtype=facula.uint8))
    assert path.read_bytes() == b"\x01\x02\xff"
    assert read_file(path).tolist() == [1, 2, 255]
    with pytest.raises(RuntimeError, match="1-dimensional uint8 tensor"):
        write_file(path, facula.tensor([1.0]))


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broken.png"
    write_png(picture(), path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(RuntimeError, match=r"broken\.png: cannot decode the image"):
        read_image(path)
    path.write_bytes(b"text")
    with pytest.raises(RuntimeError, match=r"broken\.png: cannot decode the image"):
        decode_image(path)
    with pytest.raises(RuntimeError, match="<4 bytes>: cannot decode the image"):
        decode_image(read_file(path))
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "missing.png")


def test_arguments_are_checked() -> None:
    with pytest.raises(RuntimeError, match="dtype should be uint8, got"):
        encode_png(picture().float())
    with pytest.raises(RuntimeError, match=r"got the shape \(2, 10, 12\)"):
        encode_jpeg(picture(2))
    with pytest.raises(RuntimeError, match="between 0 and 9, got 10"):
        encode_png(picture(), compression_level=10)
    with pytest.raises(ValueError, match="between 1 and 100, got 0"):
        encode_jpeg(picture(), quality=0)
    with pytest.raises(RuntimeError, match="1-dimensional uint8 tensor"):
        decode_image(picture())
    with pytest.raises(ValueError, match="Unknown image mode 'blue'"):
        decode_image(encode_png(picture()), mode="blue")


def test_real_photos(real_data: Path) -> None:
    photos = sorted((real_data / "images" / "photos").glob("*.*g"))
    assert len(photos) == 11
    for path in photos:
        with Image.open(path) as image:
            expected = numpy.asarray(image)
        found = read_image(path).permute(1, 2, 0).numpy()
        assert (found.reshape(expected.shape) == expected).all()
