"""Tests of gamma, sharpness, blur, histogram changes, inversion and erasing, and of their random classes."""

import facula
import numpy
import pytest
from facula import Tensor
from facula_vision import transforms
from facula_vision.transforms import functional as F
from PIL import Image


@pytest.fixture
def image() -> Image.Image:
    pixels = numpy.random.default_rng(0).integers(20, 200, (20, 30, 3), numpy.uint8)
    return Image.fromarray(pixels)


CHANGES = {
    "gamma": lambda img: F.adjust_gamma(img, 1.7, 0.9),
    "sharper": lambda img: F.adjust_sharpness(img, 2.3),
    "softer": lambda img: F.adjust_sharpness(img, 0.3),
    "brighter, by an integer": lambda img: F.adjust_brightness(img, 2),
    "autocontrast": F.autocontrast,
    "equalize": F.equalize,
    "invert": F.invert,
    "posterize": lambda img: F.posterize(img, 3),
    "posterize to nothing": lambda img: F.posterize(img, 0),
    "solarize": lambda img: F.solarize(img, 100),
}


@pytest.mark.parametrize("name", CHANGES)
def test_tensors_are_within_one_level_of_pillow(image: Image.Image, name: str) -> None:
    change = CHANGES[name]
    expected = F.pil_to_tensor(change(image)).int()
    found = change(F.pil_to_tensor(image))
    assert found.dtype == facula.uint8
    assert (found.int() - expected).abs().max() <= 1


def test_floats_and_batches_give_what_each_image_gives(image: Image.Image) -> None:
    floats = F.to_tensor(image)
    batch = facula.stack([floats, floats.flip(-1)])
    for change in (F.autocontrast, F.invert, lambda img: F.gaussian_blur(img, 5), lambda img: F.solarize(img, 0.4)):
        together = change(batch)
        assert facula.allclose(together[0], change(floats), atol=1e-6)
        assert facula.allclose(together[1], change(floats.flip(-1)), atol=1e-6)


def test_blur_is_the_product_of_two_gaussians() -> None:
    point = facula.zeros(1, 9, 11)
    point[0, 4, 5] = 1.0
    blurred = F.gaussian_blur(point, (5, 3), (1.0, 0.5))
    x = numpy.exp(-0.5 * (numpy.arange(-2, 3) / 1.0) ** 2)
    y = numpy.exp(-0.5 * (numpy.arange(-1, 2) / 0.5) ** 2)
    expected = numpy.outer(y / y.sum(), x / x.sum())
    numpy.testing.assert_allclose(blurred[0, 3:6, 3:8].numpy(), expected, rtol=1e-5)
    assert blurred.sum().item() == pytest.approx(1.0)
    assert facula.allclose(F.gaussian_blur(point, 3), F.gaussian_blur(point, [3, 3], 0.8))


def test_blur_of_pillow_images_is_that_of_tensors(image: Image.Image) -> None:
    assert facula.equal(F.pil_to_tensor(F.gaussian_blur(image, 5)), F.gaussian_blur(F.pil_to_tensor(image), 5))


def test_a_flat_channel_stays() -> None:
    flat = facula.full((3, 4, 4), 90, dtype=facula.uint8)
    assert facula.equal(F.autocontrast(flat), flat)
    assert facula.equal(F.equalize(flat), flat)


def test_what_is_refused(image: Image.Image) -> None:
    floats = F.to_tensor(image)
    with pytest.raises(ValueError, match="non-negative"):
        F.adjust_gamma(image, -1)
    with pytest.raises(TypeError, match="Only uint8"):
        F.equalize(floats)
    with pytest.raises(TypeError, match="Only uint8"):
        F.posterize(floats, 3)
    with pytest.raises(ValueError, match="between 0 and 8"):
        F.posterize(image, 9)
    with pytest.raises(TypeError, match="Threshold should be less"):
        F.solarize(floats, 2.0)
    with pytest.raises(ValueError, match="odd and positive"):
        F.gaussian_blur(floats, 4)
    with pytest.raises(ValueError, match="positive values"):
        F.gaussian_blur(floats, 3, 0.0)
    with pytest.raises(TypeError, match="img should be Tensor Image"):
        F.erase(image, 0, 0, 1, 1, facula.zeros(1))  # type: ignore[arg-type]


def test_erase_leaves_its_input_unless_told() -> None:
    image = facula.ones(3, 5, 6)
    erased = F.erase(image, 1, 2, 3, 2, facula.zeros(3, 1, 1))
    assert erased.sum() == 3 * (30 - 6)
    assert image.sum() == 90
    assert F.erase(image, 1, 2, 3, 2, facula.zeros(3, 1, 1), inplace=True) is image
    assert facula.equal(image, erased)


def test_random_erasing() -> None:
    image = facula.ones(3, 20, 20)
    for value in (0, (0.0, 0.0, 0.0), "random"):
        facula.manual_seed(1)
        erased = transforms.RandomErasing(p=1.0, value=value)(image)
        changed = (erased != 1).all(dim=0)
        rows, columns = changed.any(dim=1).sum().item(), changed.any(dim=0).sum().item()
        assert changed.sum() == rows * columns
        assert 0.02 * 400 * 0.8 <= rows * columns <= 0.33 * 400 * 1.2
    assert transforms.RandomErasing(p=0.0)(image) is image
    with pytest.raises(ValueError, match="should be 'random'"):
        transforms.RandomErasing(value="noise")
    with pytest.raises(ValueError, match="3 .number of input channels"):
        transforms.RandomErasing(p=1.0, value=(1, 2))(image)


RANDOM = {
    "RandomInvert(p=1.0)": (transforms.RandomInvert(1.0), F.invert),
    "RandomPosterize(bits=2,p=1.0)": (transforms.RandomPosterize(2, 1.0), lambda img: F.posterize(img, 2)),
    "RandomSolarize(threshold=90,p=1.0)": (transforms.RandomSolarize(90, 1.0), lambda img: F.solarize(img, 90)),
    "RandomAdjustSharpness(sharpness_factor=2,p=1.0)": (
        transforms.RandomAdjustSharpness(2, 1.0),
        lambda img: F.adjust_sharpness(img, 2),
    ),
    "RandomAutocontrast(p=1.0)": (transforms.RandomAutocontrast(1.0), F.autocontrast),
    "RandomEqualize(p=1.0)": (transforms.RandomEqualize(1.0), F.equalize),
}


@pytest.mark.parametrize("shown", RANDOM)
def test_random_classes_apply_their_function(image: Image.Image, shown: str) -> None:
    transform, function = RANDOM[shown]
    tensor = F.pil_to_tensor(image)
    assert repr(transform) == shown
    assert facula.equal(transform(tensor), function(tensor))
    transform.p = 0.0
    assert transform(image) is image
    transform.p = 1.0


def test_gaussian_blur_draws_its_width(monkeypatch: pytest.MonkeyPatch, image: Image.Image) -> None:
    transform = transforms.GaussianBlur(3, (0.2, 0.9))
    facula.manual_seed(0)
    sigma = transform.get_params(0.2, 0.9)
    assert 0.2 <= sigma <= 0.9
    facula.manual_seed(0)
    assert facula.equal(transform(F.to_tensor(image)), F.gaussian_blur(F.to_tensor(image), 3, sigma))
    assert repr(transform) == "GaussianBlur(kernel_size=(3, 3), sigma=(0.2, 0.9))"
    with pytest.raises(ValueError, match="form .min, max."):
        transforms.GaussianBlur(3, (0.9, 0.2))


def test_linear_transformation() -> None:
    mean, matrix = facula.randn(12), facula.randn(12, 12)
    image: Tensor = facula.randn(5, 3, 2, 2)
    found = transforms.LinearTransformation(matrix, mean)(image)
    assert found.shape == image.shape
    assert facula.allclose(found[2].flatten(), (image[2].flatten() - mean) @ matrix, atol=1e-5)
    with pytest.raises(ValueError, match="incompatible shape"):
        transforms.LinearTransformation(matrix, mean)(facula.zeros(3, 3, 3))
    with pytest.raises(ValueError, match="should be square"):
        transforms.LinearTransformation(facula.zeros(2, 3), facula.zeros(2))
