"""Tests of the v2 classes: samples of any nesting, one draw for all inputs, the same draws as in v1."""

from typing import Any

import facula
import numpy
import pytest
from facula import Tensor
from facula_vision import transforms as v1
from facula_vision import tv_tensors
from facula_vision.transforms import v2
from PIL import Image


def sample() -> dict[str, Any]:
    """Return an image whose mask and boxes show what is bright in it."""
    image = facula.zeros(3, 30, 40, dtype=facula.uint8)
    image[:, 5:15, 10:25] = 200
    boxes = tv_tensors.BoundingBoxes([[10, 5, 25, 15], [0, 0, 4, 4]], format="XYXY", canvas_size=(30, 40))
    mask = tv_tensors.Mask(image[0] // 200)
    return {
        "image": tv_tensors.Image(image),
        "target": [boxes, mask, {"labels": facula.tensor([3, 4]), "name": "one"}],
    }


GEOMETRY = [
    v2.RandomHorizontalFlip(1.0),
    v2.RandomVerticalFlip(1.0),
    v2.Resize(20),
    v2.RandomResizedCrop(24, interpolation="nearest"),
    v2.RandomRotation(30),
    v2.RandomAffine(20, (0.1, 0.1), (0.8, 1.2), 5),
    v2.RandomCrop(26, padding=4),
    v2.RandomPerspective(0.3, p=1.0, interpolation="nearest"),
    v2.ElasticTransform(10.0, interpolation="nearest"),
    v2.RandomZoomOut(p=1.0),
    v2.ScaleJitter((30, 40), interpolation="nearest"),
    v2.RandomShortestSize([20, 26]),
    v2.RandomResize(20, 40),
    v2.Pad(3),
    v2.CenterCrop(28),
]


@pytest.mark.parametrize("transform", GEOMETRY, ids=lambda transform: type(transform).__name__)
def test_all_inputs_move_by_one_draw(transform: v2.Transform) -> None:
    for seed in range(3):
        facula.manual_seed(seed)
        out = transform(sample())
        boxes, mask, rest = out["target"]
        assert type(out["image"]) is tv_tensors.Image
        assert type(mask) is tv_tensors.Mask
        assert out["image"].shape[-2:] == mask.shape == boxes.canvas_size
        bright = out["image"].as_subclass(Tensor)[0] > 100
        agree = (bright == mask.as_subclass(Tensor).bool()).float().mean()
        assert agree > 0.93
        assert rest["labels"].tolist() == [3, 4]
        assert rest["name"] == "one"


SAME_DRAWS = [
    (v1.RandomResizedCrop(20), v2.RandomResizedCrop(20)),
    (v1.RandomHorizontalFlip(), v2.RandomHorizontalFlip()),
    (v1.RandomRotation(30), v2.RandomRotation(30)),
    (v1.RandomAffine(30, (0.2, 0.2), (0.5, 1.5), 10), v2.RandomAffine(30, (0.2, 0.2), (0.5, 1.5), 10)),
    (v1.RandomPerspective(), v2.RandomPerspective()),
    (v1.ColorJitter(0.3, 0.3, 0.3, 0.2), v2.ColorJitter(0.3, 0.3, 0.3, 0.2)),
    (v1.RandomErasing(0.7), v2.RandomErasing(0.7)),
    (v1.GaussianBlur(3), v2.GaussianBlur(3)),
    (v1.ElasticTransform(), v2.ElasticTransform()),
    (v1.RandomInvert(), v2.RandomInvert()),
]


@pytest.mark.parametrize(("old", "new"), SAME_DRAWS, ids=lambda transform: type(transform).__name__)
def test_draws_are_those_of_the_older_transforms(old: Any, new: v2.Transform) -> None:
    image = facula.rand(3, 30, 40)
    for seed in range(4):
        facula.manual_seed(seed)
        expected = old(image)
        facula.manual_seed(seed)
        assert facula.allclose(new(image), expected, atol=1e-6)


def test_which_plain_tensors_are_images() -> None:
    flip = v2.RandomHorizontalFlip(1.0)
    first, second = facula.rand(1, 2, 3), facula.rand(1, 2, 3)
    out = flip(first, second)
    assert facula.equal(out[0], first.flip(-1))
    assert out[1] is second
    out = flip({"data": first, "image": tv_tensors.Image(second)})
    assert out["data"] is first
    assert facula.equal(out["image"].as_subclass(Tensor), second.flip(-1))


def test_from_pillow_to_what_a_model_takes() -> None:
    pixels = numpy.random.default_rng(0).integers(0, 256, (30, 40, 3), numpy.uint8)
    pipeline = v2.Compose(
        [
            v2.ToImage(),
            v2.Resize(20),
            v2.CenterCrop(16),
            v2.ToDtype(facula.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.25] * 3),
            v2.ToPureTensor(),
        ]
    )
    image, label = pipeline(Image.fromarray(pixels), 3)
    assert type(image) is Tensor
    assert image.shape == (3, 16, 16)
    assert label == 3
    assert -2.0 <= image.min() < image.max() <= 2.0


def test_containers() -> None:
    image = facula.rand(1, 4, 4)
    flips = [v2.RandomHorizontalFlip(1.0), v2.RandomVerticalFlip(1.0)]
    assert facula.equal(v2.Compose(flips)(image), image.flip(-1).flip(-2))
    assert facula.equal(v2.RandomOrder(flips)(image), image.flip(-1).flip(-2))
    assert facula.equal(v2.RandomApply(flips, p=1.0)(image), image.flip(-1).flip(-2))
    assert v2.RandomApply(flips, p=0.0)(image) is image
    assert facula.equal(v2.RandomChoice(flips, p=[0.0, 1.0])(image), image.flip(-2))
    assert "RandomHorizontalFlip(p=1.0)" in repr(v2.Compose(flips))
    with pytest.raises(ValueError, match="at least one"):
        v2.Compose([])
    with pytest.raises(TypeError, match="sequence of callables"):
        v2.Compose(v2.Identity())


def test_types_by_kind() -> None:
    out = v2.ToDtype({tv_tensors.Image: facula.float32, tv_tensors.Mask: facula.int64, "others": None}, scale=True)(
        sample()
    )
    boxes, mask, _ = out["target"]
    assert out["image"].max().item() == pytest.approx(200 / 255)
    assert mask.dtype == facula.int64
    assert boxes.dtype == facula.int64
    with pytest.raises(ValueError, match="No dtype was specified for type .*BoundingBoxes"):
        v2.ToDtype({tv_tensors.Image: facula.float32, tv_tensors.Mask: facula.int64})(sample())


def test_fill_by_kind() -> None:
    out = v2.Pad(2, fill={tv_tensors.Image: 9, "others": 1})(sample())
    assert out["image"][0, 0, 0] == 9
    assert out["target"][1][0, 0] == 1


def test_sanitizing_takes_labels_and_masks_along() -> None:
    boxes = tv_tensors.BoundingBoxes([[0.0, 0, 5, 5], [3, 3, 3, 9], [1, 1, 4, 4]], format="XYXY", canvas_size=(9, 9))
    masks = tv_tensors.Mask(facula.arange(3).view(3, 1, 1).expand(3, 9, 9))
    out = v2.SanitizeBoundingBoxes()({"boxes": boxes, "masks": masks, "labels": facula.tensor([7, 8, 9])})
    assert out["labels"].tolist() == [7, 9]
    assert out["masks"][:, 0, 0].tolist() == [0, 2]
    assert type(out["boxes"]) is tv_tensors.BoundingBoxes
    assert out["boxes"].shape == (2, 4)
    with pytest.raises(ValueError, match="Could not infer where the labels are"):
        v2.SanitizeBoundingBoxes()({"boxes": boxes})


def test_crop_by_overlap_empties_boxes_outside() -> None:
    crop = v2.RandomIoUCrop()
    for seed in range(8):
        facula.manual_seed(seed)
        out = crop(sample())
        boxes = out["target"][0]
        assert boxes.canvas_size == out["image"].shape[-2:]
        assert (boxes.as_subclass(Tensor).sum(dim=1) > 0).any()
    with pytest.raises(TypeError, match="bounding boxes"):
        crop(facula.rand(3, 4, 4))


@pytest.mark.parametrize("mixer", [v2.MixUp(num_classes=5), v2.CutMix(num_classes=5)])
def test_mixing_batches(mixer: v2.Transform) -> None:
    facula.manual_seed(1)
    images = facula.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 8, 8).clone()
    mixed, labels = mixer(images, facula.tensor([0, 1, 2, 3]))
    assert labels.shape == (4, 5)
    assert facula.allclose(labels.sum(dim=1), facula.ones(4))
    # As much of an image as its label says.
    share = labels[0, 0]
    assert facula.allclose(mixed[1].mean(), share * 1.0 + (1 - share) * 0.0, atol=1e-5)
    with pytest.raises(ValueError, match="num_classes must be passed"):
        type(mixer)()(images, facula.tensor([0, 1, 2, 3]))
    with pytest.raises(ValueError, match="does not support PIL images"):
        mixer(Image.new("RGB", (2, 2)), facula.tensor([0]))


AUTOMATIC = [v2.AutoAugment(), v2.RandAugment(), v2.TrivialAugmentWide(), v2.AugMix()]


@pytest.mark.parametrize("transform", AUTOMATIC, ids=lambda transform: type(transform).__name__)
def test_automatic_augmentations(transform: v2.Transform) -> None:
    pixels = numpy.random.default_rng(0).integers(0, 256, (24, 30, 3), numpy.uint8)
    for image in (Image.fromarray(pixels), v2.functional.to_image(pixels), facula.rand(3, 24, 30)):
        for seed in range(6):
            facula.manual_seed(seed)
            out, label = transform(image, 1)
            assert type(out) is type(image)
            assert v2.functional.get_size(out) == [24, 30]
            assert label == 1
            if isinstance(image, Tensor):
                assert out.dtype == image.dtype
    with pytest.raises(TypeError, match="BoundingBoxes are not supported"):
        transform(sample())


def test_ones_own_transform() -> None:
    class Darker(v2.Transform):
        def make_params(self, flat_inputs: list[Any]) -> dict[str, Any]:
            return {"size": v2.query_size(flat_inputs)}

        def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
            assert params["size"] == (2, 3)
            return inpt / 2

    image, text = Darker()(facula.ones(1, 2, 3), "text")
    assert image.unique().tolist() == [0.5]
    assert text == "text"
    with pytest.raises(TypeError, match="No image or video"):
        v2.query_chw([1, 2])
    with pytest.raises(ValueError, match="multiple HxW"):
        v2.query_size([facula.zeros(1, 2, 3), facula.zeros(1, 3, 3)])


def test_old_names_warn() -> None:
    with pytest.warns(UserWarning, match="ToImage"):
        assert v2.ToTensor()(Image.new("L", (2, 3))).shape == (1, 3, 2)


def test_representations() -> None:
    assert repr(v2.Resize(20)) == "Resize(size=[20], interpolation=bilinear, antialias=True)"
    assert repr(v2.RandomAffine(5)) == ("RandomAffine(degrees=[-5.0, 5.0], interpolation=nearest, fill=0)")
