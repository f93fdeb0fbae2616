"""Tests of the transforms as functions: Pillow images and tensors side by side."""

import facula
import numpy
import pytest
from facula_vision.transforms import InterpolationMode
from facula_vision.transforms import functional as F
from PIL import Image


def pixels(height: int = 13, width: int = 17, channels: int = 3) -> numpy.ndarray:
    shape = (height, width) if channels == 1 else (height, width, channels)
    return numpy.random.default_rng(0).integers(0, 256, shape, numpy.uint8)


def pair(height: int = 13, width: int = 17, channels: int = 3) -> tuple[Image.Image, facula.Tensor]:
    """The same image twice, for Pillow and as a uint8 tensor."""
    image = Image.fromarray(pixels(height, width, channels))
    return image, F.pil_to_tensor(image)


def assert_same(image: Image.Image, tensor: facula.Tensor, tolerance: int = 0) -> None:
    found = F.pil_to_tensor(image)
    assert tuple(found.shape) == tuple(tensor.shape)
    assert int((found.int() - tensor.int()).abs().max()) <= tolerance


def smooth_pair(height: int = 40, width: int = 52) -> tuple[Image.Image, facula.Tensor]:
    rows, columns = numpy.mgrid[:height, :width]
    planes = [127 + 120 * numpy.sin(rows / (3 + k) + columns / (5 - k)) for k in range(3)]
    image = Image.fromarray(numpy.stack(planes, axis=-1).astype(numpy.uint8))
    return image, F.pil_to_tensor(image)


def test_dimensions() -> None:
    image, tensor = pair()
    for each in (image, tensor):
        assert F.get_dimensions(each) == [3, 13, 17]
        assert F.get_image_size(each) == [17, 13]
        assert F.get_image_num_channels(each) == 3
    assert F.get_dimensions(facula.zeros(5, 6)) == [1, 5, 6]
    with pytest.raises(TypeError, match="expected at least 2 dimensions, got 1"):
        F.get_dimensions(facula.zeros(5))
    with pytest.raises(TypeError, match="Unexpected type <class 'list'>"):
        F.get_dimensions([1])


@pytest.mark.parametrize(
    ("size", "max_size", "expected"),
    [
        (10, None, (10, 13)),
        ([20], None, (20, 26)),
        ((5, 6), None, (5, 6)),
        (10, 12, (9, 12)),
        (10, 13, (10, 13)),
        (13, None, (13, 17)),
    ],
)
def test_resized_size(size: int | list[int], max_size: int | None, expected: tuple[int, int]) -> None:
    for each in pair():
        assert tuple(F.get_dimensions(F.resize(each, size, max_size=max_size))[1:]) == expected
        turned = each.transpose(Image.Transpose.TRANSPOSE) if isinstance(each, Image.Image) else each.transpose(-1, -2)
        if isinstance(size, int) or len(size) == 1:
            assert tuple(F.get_dimensions(F.resize(turned, size, max_size=max_size))[1:]) == expected[::-1]


def test_resize_to_the_same_size_returns_the_image_itself() -> None:
    for each in pair():
        assert F.resize(each, (13, 17)) is each


@pytest.mark.parametrize("size", [(20, 26), (80, 104), (13, 52), (40, 9)])
def test_bilinear_is_within_one_level_of_pillow(size: tuple[int, int]) -> None:
    image, tensor = pair(40, 52)
    assert_same(F.resize(image, size), F.resize(tensor, size), tolerance=1)


@pytest.mark.parametrize("size", [(20, 26), (80, 104)])
def test_bicubic_is_near_pillow_on_smooth_images(size: tuple[int, int]) -> None:
    image, tensor = smooth_pair()
    bicubic = InterpolationMode.BICUBIC
    assert_same(F.resize(image, size, bicubic), F.resize(tensor, size, bicubic), tolerance=2)


@pytest.mark.parametrize("size", [(20, 26), (80, 104), (7, 31)])
def test_nearest_exact_is_pillows_nearest(size: tuple[int, int]) -> None:
    # Odd sizes, so that no centre lies on a border between pixels, where rounding decides.
    image, tensor = pair(41, 53)
    assert_same(
        F.resize(image, size, InterpolationMode.NEAREST), F.resize(tensor, size, InterpolationMode.NEAREST_EXACT)
    )


def test_nearest_takes_the_pixel_below() -> None:
    tensor = facula.arange(6, dtype=facula.uint8).view(1, 1, 6)
    assert F.resize(tensor, (1, 4), InterpolationMode.NEAREST).tolist() == [[[0, 1, 3, 4]]]
    assert F.resize(tensor, (1, 4), InterpolationMode.NEAREST_EXACT).tolist() == [[[0, 2, 3, 5]]]


def test_without_antialiasing_only_neighbours_count() -> None:
    tensor = facula.arange(8.0).view(1, 1, 8)
    # Centres at 1.5 and 5.5 lie between two pixels.
    assert F.resize(tensor, (1, 2), antialias=False).tolist() == [[[1.5, 5.5]]]


@pytest.mark.parametrize("name", ["nearest", "nearest-exact", "bilinear", "bicubic"])
@pytest.mark.parametrize("antialias", [False, True])
def test_resize_agrees_with_pytorch(name: str, antialias: bool) -> None:
    torch = pytest.importorskip("torch")
    if antialias and name.startswith("nearest"):
        antialias = False
    values = pixels(40, 52).transpose(2, 0, 1).copy()
    options = {} if name.startswith("nearest") else {"align_corners": False, "antialias": antialias}
    for size in [(20, 26), (33, 70), (61, 17)]:
        exact = torch.nn.functional.interpolate(
            torch.from_numpy(values)[None].double(), size=size, mode=name, **options
        )
        expected = exact[0].clamp(0, 255).numpy()
        found = F.resize(facula.from_numpy(values), size, InterpolationMode(name), antialias=antialias).numpy()
        assert found.dtype == numpy.uint8
        # Half a level of rounding, and single precision of places up to 52 times steps of up to 255.
        assert numpy.abs(found - expected).max() <= 0.5 + 1e-3


def test_resize_keeps_type_and_leading_dimensions() -> None:
    for dtype in (facula.uint8, facula.int16, facula.int64, facula.float32, facula.float64):
        resized = F.resize(facula.ones(2, 5, 3, 8, 8, dtype=dtype), 4)
        assert resized.dtype == dtype
        assert tuple(resized.shape) == (2, 5, 3, 4, 4)
        assert float(resized.sum()) == 2 * 5 * 3 * 16
    assert tuple(F.resize(facula.zeros(8, 6), 3).shape) == (4, 3)


def test_resize_checks_its_arguments() -> None:
    image, tensor = pair()
    with pytest.raises(ValueError, match="not a 3 element tuple/list"):
        F.resize(image, (1, 2, 3))
    with pytest.raises(ValueError, match="max_size should only be passed"):
        F.resize(image, (5, 5), max_size=9)
    with pytest.raises(ValueError, match="max_size = 5 must be strictly greater"):
        F.resize(tensor, 5, max_size=5)
    with pytest.raises(TypeError, match="should be a InterpolationMode"):
        F.resize(image, 5, interpolation="bilinear")
    with pytest.raises(ValueError, match="unsupported with Tensor input: lanczos"):
        F.resize(tensor, 5, InterpolationMode.LANCZOS)
    assert F.resize(image, 5, Image.Resampling.LANCZOS).size == (6, 5)


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
@pytest.mark.parametrize("padding", [2, [3], (1, 2), (4, 3, 2, 1), (0, 5, 0, 0), (-2, 3, 1, -4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_padding_is_the_same_on_both(padding: int | list[int], mode: str, channels: int) -> None:
    image, tensor = pair(channels=channels)
    assert_same(F.pad(image, padding, fill=7, padding_mode=mode), F.pad(tensor, padding, fill=7, padding_mode=mode))


def test_padding_with_a_colour() -> None:
    image, tensor = pair()
    assert F.pad(image, 1, fill=(1, 2, 3)).getpixel((0, 0)) == (1, 2, 3)
    assert F.pad(tensor, 1, fill=[4])[:, 0, 0].tolist() == [4, 4, 4]
    with pytest.raises(ValueError, match=r"does not match the number of channels of the image \(2 != 3\)"):
        F.pad(image, 1, fill=(1, 2))
    with pytest.raises(TypeError, match="a Tensor is filled with one number"):
        F.pad(tensor, 1, fill=(1, 2, 3))


def test_padding_keeps_palettes_and_floats() -> None:
    palette = pair()[0].convert("P")
    padded = F.pad(palette, 2, padding_mode="edge")
    assert padded.mode == "P"
    assert padded.convert("RGB").getpixel((0, 0)) == palette.convert("RGB").getpixel((0, 0))
    floats = Image.fromarray(numpy.full((2, 2), 0.25, numpy.float32))
    assert F.pad(floats, 1, fill=0.5).getpixel((0, 0)) == 0.5


def test_pad_checks_its_arguments() -> None:
    tensor = facula.zeros(1, 4, 4)
    with pytest.raises(TypeError, match="inappropriate padding arg: '1'"):
        F.pad(tensor, "1")
    with pytest.raises(ValueError, match="not a 3 element tuple"):
        F.pad(tensor, (1, 2, 3))
    with pytest.raises(TypeError, match="inappropriate fill arg: '0'"):
        F.pad(tensor, 1, fill="0")
    with pytest.raises(TypeError, match="inappropriate padding_mode arg: 3"):
        F.pad(tensor, 1, padding_mode=3)
    with pytest.raises(ValueError, match="got 'wrap'"):
        F.pad(tensor, 1, padding_mode="wrap")


@pytest.mark.parametrize("corner", [(0, 0), (3, 5), (-2, -3), (10, 12), (-20, 0), (0, 40)])
def test_crops_are_the_same_on_both(corner: tuple[int, int]) -> None:
    image, tensor = pair()
    assert_same(F.crop(image, *corner, 6, 8), F.crop(tensor, *corner, 6, 8))


@pytest.mark.parametrize("size", [5, [6], (4, 9), (13, 17), (20, 10), (10, 22), (20, 30), (12, 16)])
def test_center_crops_are_the_same_on_both(size: int | list[int]) -> None:
    image, tensor = pair()
    assert_same(F.center_crop(image, size), F.center_crop(tensor, size))


def test_center_crop_rounds_half_to_even() -> None:
    tensor = facula.arange(7).view(1, 1, 7)
    assert F.center_crop(tensor, (1, 4)).tolist() == [[[2, 3, 4, 5]]]
    assert F.center_crop(tensor[..., :5], (1, 4)).tolist() == [[[0, 1, 2, 3]]]


def test_flips_and_resized_crops() -> None:
    image, tensor = pair()
    assert_same(F.hflip(image), F.hflip(tensor))
    assert_same(F.vflip(image), F.vflip(tensor))
    assert_same(F.resized_crop(image, 1, 2, 10, 12, 8), F.resized_crop(tensor, 1, 2, 10, 12, 8), tolerance=1)


def test_five_and_ten_crops() -> None:
    image, tensor = pair()
    images, tensors = F.ten_crop(image, (5, 6)), F.ten_crop(tensor, (5, 6))
    assert len(images) == len(tensors) == 10
    for one, other in zip(images, tensors, strict=True):
        assert_same(one, other)
    assert tensors[3].tolist() == tensor[:, -5:, -6:].tolist()
    assert F.ten_crop(tensor, 5, vertical_flip=True)[5].tolist() == tensor.flip(-2)[:, :5, :5].tolist()
    with pytest.raises(ValueError, match=r"crop size \(20, 20\) is bigger than input size \(13, 17\)"):
        F.five_crop(image, 20)


def test_float_images_work_too() -> None:
    image = facula.rand(3, 8, 8)
    assert F.crop(image, -1, -1, 3, 3)[:, 0].tolist() == [[0.0] * 3] * 3
    assert tuple(F.center_crop(image, 12).shape) == (3, 12, 12)
