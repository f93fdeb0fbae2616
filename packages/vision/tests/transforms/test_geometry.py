"""Tests of resizing, cropping, padding and flipping as transforms, and of what they draw."""

import facula
import numpy
import pytest
from facula_vision.transforms import (
    CenterCrop,
    FiveCrop,
    InterpolationMode,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomResizedCrop,
    RandomVerticalFlip,
    Resize,
    TenCrop,
)
from facula_vision.transforms import functional as F
from PIL import Image


@pytest.fixture
def image() -> Image.Image:
    pixels = numpy.random.default_rng(0).integers(0, 256, (40, 50, 3), numpy.uint8)
    return Image.fromarray(pixels)


def test_transforms_are_their_functions(image: Image.Image) -> None:
    pairs = [
        (Resize(20), F.resize(image, 20)),
        (Resize((20, 10), InterpolationMode.NEAREST), F.resize(image, (20, 10), InterpolationMode.NEAREST)),
        (Resize(20, max_size=22), F.resize(image, 20, max_size=22)),
        (CenterCrop(30), F.center_crop(image, 30)),
        (CenterCrop([30]), F.center_crop(image, 30)),
        (Pad((1, 2), 3, "constant"), F.pad(image, (1, 2), 3)),
        (RandomHorizontalFlip(1.0), F.hflip(image)),
        (RandomVerticalFlip(1.0), F.vflip(image)),
        (RandomHorizontalFlip(0.0), image),
        (FiveCrop(10), F.five_crop(image, 10)),
        (TenCrop(10, vertical_flip=True), F.ten_crop(image, 10, vertical_flip=True)),
    ]
    for transform, expected in pairs:
        found = transform(image)
        if isinstance(expected, tuple):
            assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
        else:
            assert found.size == expected.size
            assert found.tobytes() == expected.tobytes()


def test_a_seed_gives_pytorchs_crops(image: Image.Image) -> None:
    # Recorded with PyTorch's random numbers.
    facula.manual_seed(0)
    found = [RandomCrop.get_params(image, (20, 30)) for _ in range(4)]
    assert found == [(11, 3, 20, 30), (14, 9, 20, 30), (1, 9, 20, 30), (13, 10, 20, 30)]
    facula.manual_seed(0)
    found = [RandomResizedCrop.get_params(image, (0.08, 1.0), (3 / 4, 4 / 3)) for _ in range(5)]
    assert found == [(1, 0, 30, 35), (7, 22, 26, 28), (9, 2, 30, 33), (3, 34, 16, 13), (2, 3, 35, 41)]


def test_a_seed_gives_pytorchs_flips() -> None:
    facula.manual_seed(0)
    line = facula.tensor([[1, 2]])
    flip = RandomHorizontalFlip()
    assert [flip(line).tolist() == [[2, 1]] for _ in range(10)] == [bool(int(digit)) for digit in "1011101010"]


def test_pillow_and_tensor_get_the_same_random_crop(image: Image.Image) -> None:
    for transform in (RandomCrop(20), RandomCrop(30, padding=4, padding_mode="reflect"), RandomResizedCrop(24)):
        facula.manual_seed(3)
        one = F.pil_to_tensor(transform(image))
        facula.manual_seed(3)
        other = transform(F.pil_to_tensor(image))
        assert int((one.int() - other.int()).abs().max()) <= 1


def test_crops_stay_inside(image: Image.Image) -> None:
    facula.manual_seed(0)
    for _ in range(200):
        top, left, height, width = RandomResizedCrop.get_params(image, (0.01, 1.0), (0.2, 5.0))
        assert top >= 0
        assert left >= 0
        assert height > 0
        assert width > 0
        assert top + height <= 40
        assert left + width <= 50


def test_random_resized_crop_falls_back_to_the_middle() -> None:
    wide, high = facula.zeros(3, 4, 50), facula.zeros(3, 50, 4)
    # No rectangle of these ratios covers nine tenths of the image.
    assert RandomResizedCrop.get_params(wide, (0.9, 1.0), (3 / 4, 4 / 3)) == (0, 22, 4, 5)
    assert RandomResizedCrop.get_params(high, (0.9, 1.0), (3 / 4, 4 / 3)) == (22, 0, 5, 4)
    assert RandomResizedCrop.get_params(facula.zeros(1, 4, 4), (2.0, 2.0), (0.5, 2.0)) == (0, 0, 4, 4)


def test_random_crop_pads_when_told(image: Image.Image) -> None:
    with pytest.raises(ValueError, match=r"crop size \(60, 30\) is larger than input image size \(40, 50\)"):
        RandomCrop((60, 30))(image)
    assert RandomCrop((60, 30), pad_if_needed=True)(image).size == (30, 60)
    assert RandomCrop((60, 70), pad_if_needed=True, padding_mode="edge")(image).size == (70, 60)
    assert RandomCrop((60, 70), pad_if_needed=True)(F.pil_to_tensor(image)).shape[-2:] == (60, 70)
    whole = RandomCrop((40, 50))(image)
    assert whole.tobytes() == image.tobytes()


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="Size should be int or sequence. Got <class 'float'>"):
        Resize(3.5)
    with pytest.raises(ValueError, match="should have 1 or 2 values, got 3"):
        Resize((1, 2, 3))
    with pytest.raises(ValueError, match=r"Please provide only two dimensions \(h, w\) for size, got \(1, 2, 3\)"):
        CenterCrop((1, 2, 3))
    with pytest.raises(ValueError, match="Padding must be an int or a 1, 2, or 4 element tuple"):
        Pad((1, 2, 3))
    with pytest.raises(TypeError, match="inappropriate padding arg"):
        Pad("1")
    with pytest.raises(TypeError, match="inappropriate fill arg"):
        Pad(1, fill="red")
    with pytest.raises(ValueError, match="got 'wrap'"):
        Pad(1, padding_mode="wrap")
    with pytest.raises(TypeError, match="Scale should be a sequence"):
        RandomResizedCrop(3, scale=0.5)
    with pytest.raises(ValueError, match=r"Ratio should be of kind \(min, max\), got \(2, 1\)"):
        RandomResizedCrop(3, ratio=(2, 1))


def test_representations() -> None:
    expected = {
        "Resize(size=256, interpolation=bilinear, max_size=None, antialias=True)": Resize(256),
        "CenterCrop(size=(224, 224))": CenterCrop(224),
        "Pad(padding=(1, 2), fill=3, padding_mode=edge)": Pad((1, 2), 3, "edge"),
        "RandomCrop(size=(32, 32), padding=4)": RandomCrop(32, padding=4),
        "RandomHorizontalFlip(p=0.5)": RandomHorizontalFlip(),
        "RandomVerticalFlip(p=0.1)": RandomVerticalFlip(0.1),
        "RandomResizedCrop(size=(224, 224), scale=(0.08, 1.0), ratio=(0.75, 1.3333), interpolation=bicubic, "
        "antialias=True)": RandomResizedCrop(224, interpolation=InterpolationMode.BICUBIC),
        "FiveCrop(size=(4, 4))": FiveCrop(4),
        "TenCrop(size=(4, 5), vertical_flip=False)": TenCrop((4, 5)),
    }
    for text, transform in expected.items():
        assert repr(transform) == text
