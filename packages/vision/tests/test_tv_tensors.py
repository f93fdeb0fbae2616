"""Tests of tensors that say what they hold: what operations return, what is kept, what is refused."""

import copy

import facula
import numpy
import pytest
from facula_vision import tv_tensors
from PIL import Image


@pytest.fixture
def boxes() -> tv_tensors.BoundingBoxes:
    return tv_tensors.BoundingBoxes([[1, 2, 3, 4], [0, 0, 5, 6]], format="xywh", canvas_size=(10, 20))


def test_operations_return_plain_tensors(boxes: tv_tensors.BoundingBoxes) -> None:
    for result in (boxes + 1, boxes[0], boxes.sum(), facula.stack([boxes, boxes]), boxes.view(-1)):
        assert type(result) is facula.Tensor
    assert (boxes + 1).tolist() == [[2, 3, 4, 5], [1, 1, 6, 7]]
    assert type(facula.ones(2, 4) * boxes) is facula.Tensor


def test_what_keeps_the_class_keeps_what_it_says(boxes: tv_tensors.BoundingBoxes) -> None:
    for kept in (boxes.clone(), boxes.to(facula.float64), boxes.detach(), copy.deepcopy(boxes)):
        assert type(kept) is tv_tensors.BoundingBoxes
        assert kept.format is tv_tensors.BoundingBoxFormat.XYWH
        assert kept.canvas_size == (10, 20)
        assert kept.tolist() == boxes.tolist()
    assert boxes.to(facula.float64).dtype == facula.float64


def test_set_return_type(boxes: tv_tensors.BoundingBoxes) -> None:
    with tv_tensors.set_return_type("TVTensor"):
        doubled = boxes * 2
        assert type(doubled) is tv_tensors.BoundingBoxes
        assert doubled.canvas_size == (10, 20)
        assert type(boxes.sum()) is facula.Tensor
    assert type(boxes * 2) is facula.Tensor
    tv_tensors.set_return_type("tvtensor")
    try:
        assert type(tv_tensors.Image(facula.zeros(3, 2, 2)) + 1) is tv_tensors.Image
    finally:
        tv_tensors.set_return_type("Tensor")
    with pytest.raises(ValueError, match="must be 'TVTensor' or 'Tensor'"):
        tv_tensors.set_return_type("Image")


def test_wrap_copies_or_replaces(boxes: tv_tensors.BoundingBoxes) -> None:
    wrapped = tv_tensors.wrap(boxes * 2, like=boxes, canvas_size=(20, 40))
    assert wrapped.canvas_size == (20, 40)
    assert wrapped.format is boxes.format
    assert type(tv_tensors.wrap(facula.zeros(2, 2), like=tv_tensors.Mask(facula.zeros(1, 1)))) is tv_tensors.Mask


def test_images_and_masks_of_what_there_is() -> None:
    pixels = numpy.arange(24, dtype=numpy.uint8).reshape(2, 4, 3)
    assert facula.equal(tv_tensors.Image(Image.fromarray(pixels)), facula.from_numpy(pixels.transpose(2, 0, 1).copy()))
    assert tv_tensors.Image([[1.0, 2.0]]).shape == (1, 1, 2)
    assert tv_tensors.Image(facula.zeros(2, 2), dtype=facula.float64).dtype == facula.float64
    with pytest.raises(ValueError, match="height and width"):
        tv_tensors.Image([1.0])
    with pytest.raises(ValueError, match="T, C, H, W"):
        tv_tensors.Video(facula.zeros(3, 2, 2))


def test_gradients_flow_through() -> None:
    source = facula.ones(1, 2, 2, requires_grad=True)
    image = tv_tensors.Image(source)
    assert image.requires_grad
    (image * 3).sum().backward()
    assert source.grad.tolist() == [[[3.0, 3.0], [3.0, 3.0]]]


def test_boxes_are_checked() -> None:
    with pytest.raises(ValueError, match="1D or 2D"):
        tv_tensors.BoundingBoxes(facula.zeros(1, 2, 4), format="XYXY", canvas_size=(1, 1))
    with pytest.raises(ValueError, match="clamping_mode must be"):
        tv_tensors.BoundingBoxes([[0, 0, 1, 1]], format="XYXY", canvas_size=(1, 1), clamping_mode="most")
    with pytest.raises(ValueError, match="floating point"):
        tv_tensors.BoundingBoxes([[0, 0, 1, 1, 30]], format="XYWHR", canvas_size=(1, 1))
    with pytest.raises(ValueError, match="shape .*, 2"):
        tv_tensors.KeyPoints(facula.zeros(2, 3), canvas_size=(1, 1))
    assert tv_tensors.BoundingBoxes([0, 0, 1, 1], format="XYXY", canvas_size=(1, 1)).shape == (1, 4)


def test_representation(boxes: tv_tensors.BoundingBoxes) -> None:
    assert repr(boxes).startswith("BoundingBoxes([[1, 2, 3, 4],")
    assert repr(boxes).endswith("format=BoundingBoxFormat.XYWH, canvas_size=(10, 20), clamping_mode=soft)")
