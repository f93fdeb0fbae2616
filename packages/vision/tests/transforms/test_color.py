"""Tests of grey, brightness, contrast, saturation and hue, on Pillow images and tensors."""

import colorsys

import facula
import numpy
import pytest
from facula_vision.transforms import ColorJitter, Grayscale, RandomGrayscale
from facula_vision.transforms import functional as F
from PIL import Image


@pytest.fixture
def image() -> Image.Image:
    pixels = numpy.random.default_rng(0).integers(0, 256, (20, 30, 3), numpy.uint8)
    return Image.fromarray(pixels)


def difference(one: Image.Image, other: facula.Tensor) -> int:
    found = F.pil_to_tensor(one)
    assert tuple(found.shape) == tuple(other.shape)
    return int((found.int() - other.int()).abs().max())


@pytest.mark.parametrize("channels", [1, 3])
def test_grey_is_within_one_level_of_pillow(image: Image.Image, channels: int) -> None:
    transform = Grayscale(channels)
    assert difference(transform(image), transform(F.pil_to_tensor(image))) <= 1
    grey = image.convert("L")
    assert difference(transform(grey), transform(F.pil_to_tensor(grey))) == 0
    assert F.to_grayscale(image, channels).tobytes() == transform(image).tobytes()


def test_grey_of_floats_has_the_weights_of_bt601() -> None:
    colours = facula.eye(3).view(3, 1, 3)
    assert F.rgb_to_grayscale(colours).flatten().tolist() == pytest.approx([0.2989, 0.587, 0.114])


def test_random_grayscale_keeps_the_channels(image: Image.Image) -> None:
    always = RandomGrayscale(p=1.0)(image)
    assert always.mode == "RGB"
    assert always.tobytes() == F.to_grayscale(image, 3).tobytes()
    assert RandomGrayscale(p=0.0)(image) is image


@pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
@pytest.mark.parametrize("name", ["adjust_brightness", "adjust_contrast", "adjust_saturation"])
def test_blends_are_near_pillows(image: Image.Image, name: str, factor: float) -> None:
    adjust = getattr(F, name)
    # Pillow's grey is rounded where the tensor's is truncated.
    assert difference(adjust(image, factor), adjust(F.pil_to_tensor(image), factor)) <= 2
    floats = adjust(F.to_tensor(image), factor)
    assert difference(adjust(image, factor), (floats * 255).round().to(facula.uint8)) <= 2


def test_a_factor_of_one_changes_nothing(image: Image.Image) -> None:
    tensor = F.pil_to_tensor(image)
    for adjust in (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation):
        assert adjust(tensor, 1.0).tolist() == tensor.tolist()


@pytest.mark.parametrize("turn", [-0.5, -0.2, 0.0, 0.1, 0.5])
def test_hue_is_turned_on_the_colour_circle(turn: float) -> None:
    colours = numpy.random.default_rng(0).random((3, 50))
    found = F.adjust_hue(facula.from_numpy(colours).view(3, 1, 50), turn).view(3, 50).numpy()
    for column in range(50):
        hue, saturation, value = colorsys.rgb_to_hsv(*colours[:, column])
        expected = colorsys.hsv_to_rgb((hue + turn) % 1.0, saturation, value)
        assert found[:, column] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("turn", [-0.3, 0.25])
def test_hue_is_near_pillows(image: Image.Image, turn: float) -> None:
    # Pillow counts the circle in 256 steps of 6 levels, and truncates the hue, the turn and the saturation.
    found = F.adjust_hue(F.pil_to_tensor(image), turn).int() - F.pil_to_tensor(F.adjust_hue(image, turn)).int()
    assert float(found.abs().float().mean()) < 3
    assert int(found.abs().max()) <= 3 * 6


def test_grey_images_have_no_colour_to_change(image: Image.Image) -> None:
    grey = image.convert("L")
    tensor = F.pil_to_tensor(grey)
    assert F.adjust_hue(grey, 0.3) is grey
    assert F.adjust_hue(tensor, 0.3) is tensor
    assert F.adjust_saturation(tensor, 0.3) is tensor


def test_arguments_are_checked() -> None:
    tensor = facula.zeros(3, 2, 2)
    with pytest.raises(ValueError, match=r"brightness_factor \(-1\) is not non-negative"):
        F.adjust_brightness(tensor, -1)
    with pytest.raises(ValueError, match=r"hue_factor \(0.6\) is not in \[-0.5, 0.5\]"):
        F.adjust_hue(tensor, 0.6)
    with pytest.raises(TypeError, match=r"permitted channel values are \[1, 3\], but found 2"):
        F.adjust_contrast(tensor[:2], 1.0)
    with pytest.raises(ValueError, match="num_output_channels should be either 1 or 3, got 2"):
        F.rgb_to_grayscale(tensor, 2)
    with pytest.raises(ValueError, match="num_output_channels should be either 1 or 3, got 2"):
        F.to_grayscale(Image.new("RGB", (2, 2)), 2)
    with pytest.raises(TypeError, match="Input should be PIL Image"):
        F.to_grayscale(tensor)
    with pytest.raises(ValueError, match="If contrast is a single number, it must be non negative, got -1"):
        ColorJitter(contrast=-1)
    with pytest.raises(ValueError, match=r"hue values should be between \(-0.5, 0.5\), but got \[-0.6, 0.6\]"):
        ColorJitter(hue=0.6)
    with pytest.raises(TypeError, match="saturation should be a single number or a list/tuple with length 2"):
        ColorJitter(saturation=(1, 2, 3))


def test_jitter_draws_order_and_amounts() -> None:
    # Recorded with PyTorch's random numbers.
    facula.manual_seed(0)
    jitter = ColorJitter(brightness=0.5, contrast=(0.8, 1.2), hue=0.1)
    order, *amounts = jitter.get_params(jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue)
    assert order.tolist() == [0, 1, 3, 2]
    assert amounts[0] == pytest.approx(0.6320304870605469, abs=1e-7)
    assert amounts[1] == pytest.approx(0.9229691624641418, abs=1e-7)
    assert amounts[2] is None
    assert amounts[3] == pytest.approx(0.026815736666321754, abs=1e-7)


def test_jitter_applies_what_it_draws(image: Image.Image) -> None:
    jitter = ColorJitter(brightness=0.5, contrast=0.2)
    facula.manual_seed(0)
    found = jitter(image)
    facula.manual_seed(0)
    order, brightness, contrast, _, _ = jitter.get_params(jitter.brightness, jitter.contrast, None, None)
    expected = image
    for index in order.tolist():
        if index == 0:
            expected = F.adjust_brightness(expected, brightness)
        elif index == 1:
            expected = F.adjust_contrast(expected, contrast)
    assert found.tobytes() == expected.tobytes()
    assert found.tobytes() != image.tobytes()


def test_representations() -> None:
    assert repr(Grayscale(3)) == "Grayscale(num_output_channels=3)"
    assert repr(RandomGrayscale()) == "RandomGrayscale(p=0.1)"
    expected = "ColorJitter(brightness=(0.5, 1.5), contrast=None, saturation=(0.2, 0.3), hue=(-0.1, 0.1))"
    assert repr(ColorJitter(0.5, 0, (0.2, 0.3), 0.1)) == expected
