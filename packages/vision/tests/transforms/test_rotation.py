"""Tests of rotation, on Pillow images and tensors."""

import facula
import numpy
import pytest
from facula_vision.transforms import InterpolationMode, RandomRotation
from facula_vision.transforms import functional as F
from PIL import Image


@pytest.fixture
def image() -> Image.Image:
    rows, columns = numpy.mgrid[:30, :40]
    planes = [127 + 100 * numpy.sin(rows / (4 + k) + columns / (6 - k)) for k in range(3)]
    return Image.fromarray(numpy.stack(planes, axis=-1).astype(numpy.uint8))


def different(one: Image.Image, other: facula.Tensor, tolerance: int) -> float:
    """The share of values that differ by more than ``tolerance`` levels."""
    found = F.pil_to_tensor(one)
    assert tuple(found.shape) == tuple(other.shape)
    return float(((found.int() - other.int()).abs() > tolerance).float().mean())


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_exact(turns: int) -> None:
    image = facula.arange(25, dtype=facula.uint8).view(1, 5, 5)
    assert F.rotate(image, 90 * turns).tolist() == image.rot90(turns, (-2, -1)).tolist()
    wide = facula.arange(24, dtype=facula.uint8).view(1, 4, 6)
    assert F.rotate(wide, 90 * turns, expand=True).tolist() == wide.rot90(turns, (-2, -1)).tolist()


@pytest.mark.parametrize("angle", [0, 10, -33.3, 50, 131, 200])
@pytest.mark.parametrize("options", [{}, {"fill": [50, 60, 70]}, {"center": (10, 5)}, {"expand": True}])
def test_pillow_turns_the_same_way(image: Image.Image, angle: float, options: dict) -> None:
    tensor = F.pil_to_tensor(image)
    pillow_options = {name: tuple(value) if name == "fill" else value for name, value in options.items()}
    # Pillow rounds places to 1/65536 of a pixel, so a few values come from the next one; and where bilinear sampling
    # meets the border, it takes the nearest pixel instead of mixing in black.
    nearest = different(F.rotate(image, angle, **pillow_options), F.rotate(tensor, angle, **options), tolerance=12)
    assert nearest < 0.01
    bilinear = InterpolationMode.BILINEAR
    turned = F.rotate(image, angle, bilinear, **pillow_options)
    assert different(turned, F.rotate(tensor, angle, bilinear, **options), tolerance=2) < 0.08


def test_outside_is_filled() -> None:
    image = facula.ones(2, 3, 9, 9)
    turned = F.rotate(image, 45.0, fill=[2.0, 3.0, 4.0])
    assert turned[1, :, 0, 0].tolist() == [2.0, 3.0, 4.0]
    assert turned[1, :, 4, 4].tolist() == [1.0, 1.0, 1.0]
    assert F.rotate(image, 45.0)[0, :, 0, 0].tolist() == [0.0, 0.0, 0.0]
    assert F.rotate(image, 45.0, fill=5)[0, :, 0, 0].tolist() == [5.0, 5.0, 5.0]


def test_a_seed_gives_pytorchs_angles(image: Image.Image) -> None:
    # Recorded with PyTorch's random numbers: 0.4963 and 0.7682 of the interval.
    facula.manual_seed(0)
    angles = [RandomRotation.get_params([-30.0, 30.0]) for _ in range(2)]
    assert angles == pytest.approx([-0.2246, 16.0933], abs=1e-3)
    facula.manual_seed(0)
    transform = RandomRotation(30, interpolation=InterpolationMode.BILINEAR, fill=9)
    expected = F.rotate(image, angles[0], InterpolationMode.BILINEAR, fill=9)
    assert transform(image).tobytes() == expected.tobytes()


def test_arguments_are_checked(image: Image.Image) -> None:
    tensor = F.pil_to_tensor(image)
    with pytest.raises(TypeError, match="Argument angle should be int or float, got str"):
        F.rotate(image, "90")
    with pytest.raises(TypeError, match="Argument center should be a sequence of two numbers, got 3"):
        F.rotate(image, 90, center=3)
    with pytest.raises(ValueError, match="unsupported with Tensor input: bicubic"):
        F.rotate(tensor, 90, InterpolationMode.BICUBIC)
    with pytest.raises(ValueError, match=r"channels of the image \(2 != 3\)"):
        F.rotate(tensor, 90, fill=[1, 2])
    with pytest.raises(ValueError, match="it must be positive, got -3"):
        RandomRotation(-3)
    with pytest.raises(ValueError, match="should be a sequence of length 2"):
        RandomRotation([1, 2, 3])
    with pytest.raises(TypeError, match="should be a number or a sequence of length 2"):
        RandomRotation(None)


def test_representation() -> None:
    expected = "RandomRotation(degrees=[-10.0, 10.0], interpolation=nearest, expand=False, fill=0)"
    assert repr(RandomRotation(10)) == expected
    expected = "RandomRotation(degrees=[0.0, 5.0], interpolation=bilinear, expand=True, center=(1, 2), fill=0)"
    assert repr(RandomRotation((0, 5), InterpolationMode.BILINEAR, expand=True, center=(1, 2))) == expected
