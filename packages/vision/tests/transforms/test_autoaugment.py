"""Tests of the augmentations that combine many."""

import facula
import numpy
import pytest
from facula_vision import transforms
from facula_vision.transforms import autoaugment
from facula_vision.transforms import functional as F
from PIL import Image

ALL = [
    *(transforms.AutoAugment(policy) for policy in transforms.AutoAugmentPolicy),
    transforms.RandAugment(fill=3),
    transforms.TrivialAugmentWide(),
    transforms.AugMix(),
]


@pytest.fixture
def image() -> Image.Image:
    return Image.fromarray(numpy.random.default_rng(0).integers(0, 256, (24, 30, 3), numpy.uint8))


@pytest.mark.parametrize("transform", ALL, ids=repr)
def test_images_keep_type_and_size_and_a_seed_decides(transform: facula.nn.Module, image: Image.Image) -> None:
    tensor = F.pil_to_tensor(image)
    changed = 0
    for seed in range(12):
        facula.manual_seed(seed)
        first = transform(tensor)
        facula.manual_seed(seed)
        assert facula.equal(transform(tensor), first)
        facula.manual_seed(seed)
        assert transform(image).size == image.size
        assert first.dtype == facula.uint8
        assert first.shape == tensor.shape
        changed += not facula.equal(first, tensor)
    assert changed >= 6


def test_policies_name_known_operations() -> None:
    for policy, count in zip(transforms.AutoAugmentPolicy, (25, 25, 25), strict=True):
        pairs = transforms.AutoAugment(policy).policies
        assert len(pairs) == count
        for name, probability, strength in (each for pair in pairs for each in pair):
            assert name in autoaugment._GEOMETRY or name in autoaugment._LEVELS
            assert 0 <= probability <= 1
            assert strength is None or 0 <= strength <= 9


def test_strengths() -> None:
    space = autoaugment._google_space(10, 331, 662)
    assert space["ShearX"][0][-1].item() == pytest.approx(0.3)
    assert space["TranslateX"][0][-1].item() == pytest.approx(300)
    assert space["TranslateY"][0][-1].item() == pytest.approx(150)
    assert space["Posterize"][0].tolist() == [8, 8, 7, 7, 6, 6, 5, 5, 4, 4]


def test_severity_and_names_are_checked(image: Image.Image) -> None:
    with pytest.raises(ValueError, match="severity must be between"):
        transforms.AugMix(severity=11)
    with pytest.raises(ValueError, match="operator Twist is not recognized"):
        autoaugment._apply_op(image, "Twist", 0.0, transforms.InterpolationMode.NEAREST, None)
    with pytest.raises(ValueError, match="policy .* is not recognized"):
        transforms.AutoAugment("imagenet")  # type: ignore[arg-type]
