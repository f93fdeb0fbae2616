"""Tests of the conversions between Pillow images, arrays and tensors."""

import facula
import numpy
import pytest
from facula_vision.transforms import ConvertImageDtype, Normalize, PILToTensor, ToPILImage, ToTensor
from facula_vision.transforms import functional as F
from PIL import Image


def random_pixels(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(0).integers(0, 256, shape, numpy.uint8)


@pytest.mark.parametrize(
    ("mode", "channels"), [("L", 1), ("LA", 2), ("RGB", 3), ("YCbCr", 3), ("RGBA", 4), ("CMYK", 4)]
)
def test_pillow_images_there_and_back(mode: str, channels: int) -> None:
    image = Image.fromarray(random_pixels(5, 7, 3)).convert("RGBA" if mode == "LA" else "RGB").convert(mode)
    tensor = PILToTensor()(image)
    assert tensor.dtype == facula.uint8
    assert tuple(tensor.shape) == (channels, 5, 7)
    assert ToPILImage(mode)(tensor).tobytes() == image.tobytes()
    scaled = ToTensor()(image)
    assert scaled.dtype == facula.float32
    assert scaled.tolist() == tensor.to(facula.float32).div(255).tolist()
    assert ToPILImage(mode)(scaled).tobytes() == image.tobytes()


def test_bits_and_wide_pixels_are_not_scaled() -> None:
    bits = Image.fromarray(numpy.array([[True, False]]))
    assert PILToTensor()(bits).tolist() == [[[True, False]]]
    assert ToTensor()(bits).tolist() == [[[1.0, 0.0]]]
    wide = Image.fromarray(numpy.array([[0, 40000]], numpy.uint16))
    assert ToTensor()(wide).tolist() == [[[0, 40000]]]
    assert PILToTensor()(wide).dtype == facula.uint16
    assert ToPILImage()(PILToTensor()(wide)).tobytes() == wide.tobytes()
    integers = Image.fromarray(numpy.array([[-5, 70000]], numpy.int32))
    assert ToTensor()(integers).dtype == facula.int32
    floats = Image.fromarray(numpy.array([[0.5, 7.0]], numpy.float32))
    assert ToTensor()(floats).tolist() == [[[0.5, 7.0]]]


def test_the_pixels_are_a_copy() -> None:
    image = Image.new("L", (2, 2))
    PILToTensor()(image).fill_(9)
    assert image.getpixel((0, 0)) == 0


def test_arrays_have_their_channels_last() -> None:
    array = random_pixels(5, 7, 3)
    assert ToTensor()(array).tolist() == ToTensor()(Image.fromarray(array)).tolist()
    assert tuple(ToTensor()(array[:, :, 0]).shape) == (1, 5, 7)
    doubles = numpy.full((2, 3, 1), 7.0)
    assert ToTensor()(doubles).dtype == facula.float64
    assert ToTensor()(doubles).tolist() == [[[7.0] * 3] * 2]
    assert ToPILImage()(array).tobytes() == array.tobytes()


def test_the_default_type_is_followed() -> None:
    facula.set_default_dtype(facula.float64)
    try:
        assert ToTensor()(Image.new("L", (1, 1))).dtype == facula.float64
    finally:
        facula.set_default_dtype(facula.float32)


def test_inputs_are_checked() -> None:
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got <class 'list'>"):
        F.to_tensor([1])
    with pytest.raises(ValueError, match="pic should be 2/3 dimensional. Got 1 dimensions"):
        F.to_tensor(numpy.zeros(3))
    with pytest.raises(TypeError, match=r"pic should be PIL Image. Got"):
        F.pil_to_tensor(numpy.zeros((3, 3)))
    with pytest.raises(TypeError, match="pic should be Tensor or ndarray. Got <class 'str'>"):
        F.to_pil_image("image")
    with pytest.raises(ValueError, match="Got 4 dimensions"):
        F.to_pil_image(facula.zeros(1, 3, 4, 4))
    with pytest.raises(ValueError, match="should not have > 4 channels. Got 5 channels"):
        F.to_pil_image(facula.zeros(5, 4, 4))
    with pytest.raises(ValueError, match=r"Incorrect mode \(RGB\) supplied for input type uint8. Should be L"):
        F.to_pil_image(facula.zeros(1, 4, 4), mode="RGB")
    with pytest.raises(ValueError, match="are supported for 3 channels, got 'RGBA'"):
        F.to_pil_image(facula.zeros(3, 4, 4), mode="RGBA")
    with pytest.raises(TypeError, match="Input type int64 with 3 channels is not supported"):
        F.to_pil_image(facula.zeros(3, 4, 4, dtype=facula.int64))


@pytest.mark.parametrize(("dtype", "mode"), [("uint8", "L"), ("int16", "I;16"), ("int32", "I")])
def test_one_channel_images_of_integers(dtype: str, mode: str) -> None:
    image = ToPILImage()(facula.arange(6, dtype=getattr(facula, dtype)).view(1, 2, 3))
    assert image.mode == mode
    assert image.size == (3, 2)
    assert [image.getpixel((x, 1)) for x in range(3)] == [3, 4, 5]


def test_one_channel_of_floats_stays_with_mode_f() -> None:
    image = ToPILImage("F")(facula.tensor([[0.5, 300.0]]))
    assert image.mode == "F"
    assert image.getpixel((1, 0)) == 300.0


def test_floats_become_integers_in_equal_intervals() -> None:
    values = facula.tensor([0.0, 0.5 / 256, 1.5 / 256, 0.5, 255.5 / 256, 1.0])
    assert F.convert_image_dtype(values, facula.uint8).tolist() == [0, 0, 1, 127, 255, 255]
    assert F.convert_image_dtype(facula.ones(1, dtype=facula.float64), facula.int32).tolist() == [2**31 - 1]


def test_integers_become_floats_and_other_integers() -> None:
    values = facula.tensor([0, 128, 255], dtype=facula.uint8)
    assert F.convert_image_dtype(values).tolist() == (values.to(facula.float32) / 255).tolist()
    assert F.convert_image_dtype(values, facula.int16).tolist() == [0, 16384, 32640]
    assert F.convert_image_dtype(facula.tensor([0, 16384, 32767], dtype=facula.int16), facula.uint8).tolist() == [
        0,
        128,
        255,
    ]
    assert F.convert_image_dtype(values, facula.uint8) is values
    assert F.convert_image_dtype(facula.ones(1), facula.float64).dtype == facula.float64


def test_conversions_that_lose_values_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"The cast from .*float32 to .*int32 cannot be performed safely"):
        F.convert_image_dtype(facula.ones(1), facula.int32)
    with pytest.raises(RuntimeError, match="cannot be performed safely"):
        ConvertImageDtype(facula.int64)(facula.ones(1, dtype=facula.float64))
    with pytest.raises(TypeError, match="Input img should be Tensor Image"):
        F.convert_image_dtype(Image.new("L", (2, 2)))
    with pytest.raises(TypeError, match="Argument dtype should be"):
        ConvertImageDtype("uint8")


def test_normalize() -> None:
    image = facula.tensor([1.0, 2.0, 3.0]).view(3, 1, 1).expand(2, 3, 4, 4).clone()
    result = Normalize([1.0, 1.0, 1.0], [0.5, 1.0, 2.0])(image)
    assert result[1, :, 0, 0].tolist() == [0.0, 1.0, 1.0]
    assert image[1, :, 0, 0].tolist() == [1.0, 2.0, 3.0]
    again = F.normalize(image, [1.0], [2.0], inplace=True)
    assert again is image
    assert image[0, :, 0, 0].tolist() == [0.0, 0.5, 1.0]


def test_normalize_checks_its_arguments() -> None:
    image = facula.zeros(3, 4, 4)
    with pytest.raises(TypeError, match="img should be Tensor Image. Got"):
        F.normalize(Image.new("L", (2, 2)), [0.0], [1.0])
    with pytest.raises(TypeError, match=r"Input tensor should be a float tensor. Got .*uint8"):
        F.normalize(image.to(facula.uint8), [0.0], [1.0])
    with pytest.raises(ValueError, match=r"size \(..., C, H, W\). Got tensor.size\(\) = \(4, 4\)"):
        F.normalize(image[0], [0.0], [1.0])
    with pytest.raises(ValueError, match="std evaluated to zero"):
        F.normalize(image, [0.0] * 3, [1.0, 0.0, 1.0])


def test_representations() -> None:
    assert repr(ToTensor()) == "ToTensor()"
    assert repr(PILToTensor()) == "PILToTensor()"
    assert repr(ConvertImageDtype(facula.float32)) == "ConvertImageDtype()"
    assert repr(ToPILImage()) == "ToPILImage()"
    assert repr(ToPILImage("RGB")) == "ToPILImage(mode=RGB)"
    assert repr(Normalize([0.5], [0.25])) == "Normalize(mean=[0.5], std=[0.25])"
