"""Tests of what published weights want done to an image."""

import facula
import numpy
import pytest
from facula_vision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor
from facula_vision.transforms._presets import ImageClassification
from PIL import Image


def test_classification_is_resize_crop_scale_normalize() -> None:
    pixels = numpy.random.default_rng(0).integers(0, 256, (50, 70, 3), numpy.uint8)
    image = Image.fromarray(pixels)
    preset = ImageClassification(crop_size=24, resize_size=32)
    mean, std = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    expected = Compose([Resize(32), CenterCrop(24), ToTensor(), Normalize(mean, std)])(image)
    found = preset(image)
    assert found.tolist() == expected.tolist()
    from_tensor = preset(facula.from_numpy(pixels.transpose(2, 0, 1).copy()))
    assert from_tensor.numpy() == pytest.approx(expected.numpy(), abs=1.01 / 255 / min(std))


def test_representation() -> None:
    assert repr(ImageClassification(crop_size=224)).splitlines() == [
        "ImageClassification(",
        "    crop_size=[224]",
        "    resize_size=[256]",
        "    mean=[0.485, 0.456, 0.406]",
        "    std=[0.229, 0.224, 0.225]",
        "    interpolation=InterpolationMode.BILINEAR",
        ")",
    ]
