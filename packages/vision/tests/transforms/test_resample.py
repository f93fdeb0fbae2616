"""Tests of resizing with antialiasing, against Pillow and, where it is installed, PyTorch."""

import facula
import numpy
import pytest
from facula_vision.transforms._resample import antialias_weights, resize_antialiased
from PIL import Image

SIZES = [(7, 5), (5, 7), (40, 13), (13, 40), (30, 30), (1, 6), (6, 1), (64, 63)]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_every_row_of_weights_sums_to_one(source: int, target: int, mode: str) -> None:
    weights = antialias_weights(source, target, mode)
    assert weights.shape == (target, source)
    assert numpy.abs(weights.sum(axis=1) - 1).max() < 1e-12


def test_halving_averages_with_the_triangle() -> None:
    weights = antialias_weights(8, 4, "bilinear")
    # A triangle of width 4 around the border between two pixels weighs 1, 3, 3, 1.
    assert weights[1].tolist() == pytest.approx([0, 1 / 8, 3 / 8, 3 / 8, 1 / 8, 0, 0, 0])


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_pillow_gives_the_same_floats(source: int, target: int, mode: str) -> None:
    values = numpy.random.default_rng(0).random((source, source), numpy.float32)
    resampling = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}[mode]
    expected = numpy.asarray(Image.fromarray(values).resize((target + 2, target), resampling))
    found = resize_antialiased(facula.from_numpy(values), (target, target + 2), mode).numpy()
    assert numpy.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize(("source", "target"), SIZES)
def test_pytorch_gives_the_same_floats(source: int, target: int, mode: str) -> None:
    torch = pytest.importorskip("torch")
    values = numpy.random.default_rng(0).random((2, 3, source, source + 3))
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values), size=(target, target + 2), mode=mode, antialias=True, align_corners=False
    ).numpy()
    found = resize_antialiased(facula.from_numpy(values), (target, target + 2), mode).numpy()
    assert numpy.abs(found - expected).max() < 1e-12


def test_gradients_flow() -> None:
    image = facula.ones(1, 1, 6, 6, requires_grad=True)
    resize_antialiased(image, (3, 2), "bilinear").sum().backward()
    assert float(image.grad.sum()) == pytest.approx(6.0)
