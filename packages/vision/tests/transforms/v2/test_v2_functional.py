"""Tests of the v2 functions: images, masks, boxes and points move together; formats, types and kinds of one's own."""

from collections.abc import Callable
from typing import Any

import facula
import numpy
import pytest
from facula import Tensor
from facula_vision import tv_tensors
from facula_vision.transforms import functional as v1
from facula_vision.transforms.v2 import functional as F
from PIL import Image

HEIGHT, WIDTH = 40, 60
DISPLACEMENT = facula.full((1, HEIGHT, WIDTH, 2), 0.1)
CORNERS = ([[0, 0], [59, 0], [59, 39], [0, 39]], [[4, 3], [55, 1], [57, 36], [2, 38]])

GEOMETRY: dict[str, Callable[[Any], Any]] = {
    "hflip": F.horizontal_flip,
    "vflip": F.vertical_flip,
    "resize": lambda inpt: F.resize(inpt, [25, 90]),
    "resize longer side": lambda inpt: F.resize(inpt, None, max_size=45),
    "pad": lambda inpt: F.pad(inpt, [1, 2, 3, 4]),
    "crop": lambda inpt: F.crop(inpt, 5, 8, 30, 40),
    "center_crop": lambda inpt: F.center_crop(inpt, [30, 70]),
    "resized_crop": lambda inpt: F.resized_crop(inpt, 4, 6, 30, 44, [50, 50]),
    "rotate": lambda inpt: F.rotate(inpt, 20.0),
    "rotate a quarter": lambda inpt: F.rotate(inpt, 90.0, expand=True),
    "rotate, all of it": lambda inpt: F.rotate(inpt, 35.0, expand=True),
    "affine": lambda inpt: F.affine(inpt, 10.0, [3, -2], 1.1, [4.0, 2.0]),
    "perspective": lambda inpt: F.perspective(inpt, *CORNERS),
    "elastic": lambda inpt: F.elastic(inpt, DISPLACEMENT),
}


@pytest.mark.parametrize("name", GEOMETRY)
def test_boxes_and_points_follow_the_mask(name: str) -> None:
    function = GEOMETRY[name]
    left, top, right, bottom = 20, 12, 36, 28
    mask = facula.zeros(HEIGHT, WIDTH, dtype=facula.uint8)
    mask[top:bottom, left:right] = 1
    canvas = (HEIGHT, WIDTH)
    moved_mask = function(tv_tensors.Mask(mask))
    boxes = function(
        tv_tensors.BoundingBoxes([[left, top, right, bottom]], format="XYXY", canvas_size=canvas, dtype=facula.float32)
    )
    points = function(tv_tensors.KeyPoints([[27.5, 19.5]], canvas_size=canvas))
    assert type(moved_mask) is tv_tensors.Mask
    assert set(moved_mask.unique().tolist()) <= {0, 1}
    assert tuple(moved_mask.shape) == boxes.canvas_size == points.canvas_size
    rows, columns = facula.nonzero(moved_mask.as_subclass(Tensor)).unbind(dim=1)
    found = [columns.min().item(), rows.min().item(), columns.max().item() + 1, rows.max().item() + 1]
    assert boxes.flatten().tolist() == pytest.approx(found, abs=1.6)
    middle = [columns.float().mean().item(), rows.float().mean().item()]
    assert points.flatten().tolist() == pytest.approx(middle, abs=2.0)


@pytest.mark.parametrize("format", ["XYWH", "CXCYWH"])
@pytest.mark.parametrize("name", GEOMETRY)
def test_formats_agree(name: str, format: str) -> None:
    function = GEOMETRY[name]
    boxes = tv_tensors.BoundingBoxes([[20.0, 12.0, 36.0, 28.0]], format="XYXY", canvas_size=(HEIGHT, WIDTH))
    other = function(F.convert_bounding_box_format(boxes, new_format=format))
    assert other.format.value == format
    back = F.convert_bounding_box_format(other, new_format="XYXY")
    assert facula.allclose(back.as_subclass(Tensor), function(boxes).as_subclass(Tensor), atol=1e-4)


@pytest.mark.parametrize("name", GEOMETRY)
def test_images_tensors_and_videos_agree(name: str) -> None:
    function = GEOMETRY[name]
    image = facula.rand(3, HEIGHT, WIDTH)
    expected = function(image)
    assert type(expected) is Tensor
    wrapped = function(tv_tensors.Image(image))
    assert type(wrapped) is tv_tensors.Image
    assert facula.equal(wrapped.as_subclass(Tensor), expected)
    video = function(tv_tensors.Video(image.unsqueeze(0)))
    assert type(video) is tv_tensors.Video
    assert facula.allclose(video.as_subclass(Tensor)[0], expected, atol=1e-6)


def test_no_boxes_stay_no_boxes() -> None:
    boxes = tv_tensors.BoundingBoxes(facula.zeros(0, 4), format="XYXY", canvas_size=(4, 4))
    assert F.rotate(boxes, 30).shape == (0, 4)


def test_quarter_turns_move_pixels() -> None:
    image = facula.rand(3, 5, 7)
    assert facula.equal(F.rotate(image, 90, expand=True), facula.rot90(image, 1, (-2, -1)))
    assert facula.equal(F.rotate(image, 180), image.flip(-1).flip(-2))
    assert facula.equal(F.rotate(image, 360), image)


def test_padding_with_a_colour() -> None:
    padded = F.pad(facula.zeros(3, 2, 2), [1, 0, 0, 0], fill=[0.1, 0.2, 0.3])
    assert padded[:, 0, 0].tolist() == pytest.approx([0.1, 0.2, 0.3])
    assert padded[:, :, 1:].abs().sum() == 0
    boxes = tv_tensors.BoundingBoxes([[0, 0, 1, 1]], format="XYXY", canvas_size=(2, 2))
    with pytest.raises(ValueError, match="'reflect' is not supported with bounding boxes"):
        F.pad(boxes, 1, padding_mode="reflect")


def test_bytes_are_resized_as_by_pillow() -> None:
    pixels = numpy.random.default_rng(0).integers(0, 256, (40, 60, 3), numpy.uint8)
    tensor = v1.pil_to_tensor(Image.fromarray(pixels))
    for mode, pillow in (("bilinear", Image.Resampling.BILINEAR), ("bicubic", Image.Resampling.BICUBIC)):
        for size in ((17, 23), (90, 31), (40, 100)):
            expected = v1.pil_to_tensor(Image.fromarray(pixels).resize(size[::-1], pillow)).int()
            found = F.resize(tensor, size, mode)
            assert found.dtype == facula.uint8
            assert (found.int() - expected).abs().max() <= 1


@pytest.mark.parametrize("dtype", [facula.uint8, facula.int16, facula.float32])
def test_types_scale_there_and_back(dtype: facula.dtype) -> None:
    image = facula.arange(256, dtype=facula.uint8).view(1, 16, 16)
    assert facula.equal(F.to_dtype(F.to_dtype(image, dtype, scale=True), facula.uint8, scale=True), image)
    assert F.to_dtype(image, facula.float32)[0, 0, 5] == 5.0
    boxes = tv_tensors.BoundingBoxes([[0, 0, 3, 3]], format="XYXY", canvas_size=(4, 4))
    assert F.to_dtype(boxes, facula.float32, scale=True).tolist() == [[0.0, 0.0, 3.0, 3.0]]


def test_colours_of_floats() -> None:
    image = facula.rand(3, 8, 8)
    assert facula.allclose(F.invert(image), 1 - image)
    assert facula.allclose(F.solarize(image, 0.5), facula.where(image >= 0.5, 1 - image, image))
    assert facula.allclose(F.posterize(image, 2), (image * 4).floor() / 4)
    assert F.equalize(image).dtype == facula.float32
    assert F.permute_channels(image, [2, 0, 1])[0].equal(image[2])
    assert F.grayscale_to_rgb(image[:1]).shape == (3, 8, 8)
    with pytest.raises(ValueError, match="2 != 3"):
        F.permute_channels(image, [0, 1])


def test_noise_has_its_mean_and_width() -> None:
    facula.manual_seed(0)
    noisy = F.gaussian_noise(facula.full((1, 200, 200), 0.5), mean=0.1, sigma=0.05)
    assert noisy.mean().item() == pytest.approx(0.6, abs=0.002)
    assert noisy.std().item() == pytest.approx(0.05, abs=0.002)
    noisy = F.gaussian_noise(facula.full((1, 200, 200), 128, dtype=facula.uint8), sigma=0.1)
    assert noisy.float().std().item() == pytest.approx(25.5, abs=0.5)


def test_images_of_what_there_is() -> None:
    pixels = numpy.arange(24, dtype=numpy.uint8).reshape(2, 4, 3)
    for source in (pixels, Image.fromarray(pixels), facula.from_numpy(pixels.transpose(2, 0, 1).copy())):
        image = F.to_image(source)
        assert type(image) is tv_tensors.Image
        assert F.to_pil_image(image).tobytes() == pixels.tobytes()
    with pytest.raises(TypeError, match="numpy array, or a PIL image"):
        F.to_image([1, 2])
    assert F.jpeg(F.to_image(pixels), 90).shape == (3, 2, 4)


def test_sanitizing_plain_boxes() -> None:
    boxes = facula.tensor([[0.0, 0, 2, 2], [1, 1, 1.5, 3], [-1, 0, 2, 2], [2, 2, 9, 4]])
    kept, valid = F.sanitize_bounding_boxes(boxes, "XYXY", (4, 4))
    assert valid.tolist() == [True, False, False, False]
    assert kept.tolist() == [[0, 0, 2, 2]]
    kept, valid = F.sanitize_keypoints(facula.tensor([[0.0, 0], [4, 1], [3, 3]]), (4, 4))
    assert valid.tolist() == [True, False, True]


def test_clamping_follows_the_mode() -> None:
    boxes = tv_tensors.BoundingBoxes([[-1, -2, 9, 3]], format="XYXY", canvas_size=(4, 4))
    assert F.clamp_bounding_boxes(boxes).tolist() == [[0, 0, 4, 3]]
    free = tv_tensors.wrap(boxes.as_subclass(Tensor), like=boxes, clamping_mode=None)
    assert F.clamp_bounding_boxes(free).tolist() == boxes.tolist()
    assert F.crop(free, 1, 1, 2, 2).tolist() == [[-2, -3, 8, 2]]
    with pytest.raises(ValueError, match="have to be passed"):
        F.clamp_bounding_boxes(facula.zeros(1, 4))


def test_turned_boxes_are_refused_by_name() -> None:
    boxes = tv_tensors.BoundingBoxes([[1.0, 1, 2, 2, 30]], format="XYWHR", canvas_size=(4, 4))
    with pytest.raises(NotImplementedError, match="rotated boxes, here XYWHR"):
        F.hflip(boxes)


def test_a_kind_of_ones_own() -> None:
    class Depth(tv_tensors.TVTensor):
        pass

    depth = facula.rand(4, 4).as_subclass(Depth)
    with pytest.raises(TypeError, match="supports inputs of type"):
        F.hflip(depth)

    @F.register_kernel("hflip", Depth)
    def flip_depth(depth: Depth) -> Tensor:
        return tv_tensors.wrap(depth.as_subclass(Tensor).flip(-1) + 1, like=depth)

    assert type(F.hflip(depth)) is Depth
    with pytest.raises(ValueError, match="already has a kernel"):
        F.register_kernel(F.hflip, Depth)
    with pytest.raises(ValueError, match="builtin"):
        F.register_kernel(F.hflip, tv_tensors.Image)
    with pytest.raises(ValueError, match="Could not find functional"):
        F.register_kernel("twist", Depth)
