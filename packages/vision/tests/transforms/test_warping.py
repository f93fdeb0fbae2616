"""Tests of affine maps, perspectives and elastic distortions."""

import facula
import numpy
import pytest
from facula_vision import transforms
from facula_vision.transforms import InterpolationMode
from facula_vision.transforms import functional as F
from PIL import Image

BILINEAR = InterpolationMode.BILINEAR


@pytest.fixture
def image() -> Image.Image:
    rows, columns = numpy.mgrid[0:40, 0:60]
    return Image.fromarray(numpy.stack([rows * 6, columns * 4, 255 - rows * 3 - columns], -1).astype(numpy.uint8))


def test_matrix_does_what_each_part_says() -> None:
    def place(point: tuple[float, float], **options: object) -> list[float]:
        amounts = {"angle": 0.0, "translate": [0, 0], "scale": 1.0, "shear": [0.0, 0.0], **options}
        a, b, c, d, e, f = F._get_inverse_affine_matrix([10.0, 20.0], **amounts, inverted=False)
        return [a * point[0] + b * point[1] + c, d * point[0] + e * point[1] + f]

    assert place((15, 20), translate=[3, -4]) == pytest.approx([18, 16])
    assert place((15, 20), scale=2.0) == pytest.approx([20, 20])
    # With the clock, where y goes down.
    assert place((15, 20), angle=90.0) == pytest.approx([10, 25])
    assert place((10, 25), shear=[45.0, 0.0]) == pytest.approx([5, 25])
    assert place((15, 20), shear=[0.0, 45.0]) == pytest.approx([15, 15])


def test_inverse_matrix_takes_places_back() -> None:
    amounts = ([4.0, 5.0], 30.0, [1, 2], 1.5, [10.0, -7.0])
    forth = numpy.array([*F._get_inverse_affine_matrix(*amounts, inverted=False), 0, 0, 1]).reshape(3, 3)
    back = numpy.array([*F._get_inverse_affine_matrix(*amounts), 0, 0, 1]).reshape(3, 3)
    numpy.testing.assert_allclose(back @ forth, numpy.eye(3), atol=1e-12)


@pytest.mark.parametrize("interpolation", [InterpolationMode.NEAREST, BILINEAR])
@pytest.mark.parametrize("center", [None, [12, 7]])
def test_affine_is_near_pillows(image: Image.Image, interpolation: InterpolationMode, center: list[int] | None) -> None:
    arguments = (17.0, [3, -2], 1.1, [4.0, 2.0], interpolation)
    expected = F.pil_to_tensor(F.affine(image, *arguments, center=center)).int()
    found = F.affine(F.pil_to_tensor(image), *arguments, center=center).int()
    differ = (found - expected).abs().amax(dim=0)
    # At the edge Pillow samples whole pixels where the tensors mix with the outside.
    assert (differ > 6).float().mean() < 0.08


def test_a_turn_by_affine_is_a_rotation_the_other_way(image: Image.Image) -> None:
    tensor = F.to_tensor(image)
    turned = F.affine(tensor, 25, [0, 0], 1.0, 0.0, BILINEAR, fill=[0.5])
    assert facula.allclose(turned, F.rotate(tensor, -25, BILINEAR, fill=[0.5]), atol=1e-4)


def test_moving_fills_what_comes_in(image: Image.Image) -> None:
    tensor = F.pil_to_tensor(image)
    moved = F.affine(tensor, 0, [5, 0], 1.0, 0.0, fill=[1, 2, 3])
    assert facula.equal(moved[:, :, 5:], tensor[:, :, :-5])
    assert moved[:, 7, 2].tolist() == [1, 2, 3]
    assert F.affine(image, 0, [5, 0], 1.0, 0.0, fill=(1, 2, 3)).getpixel((2, 7)) == (1, 2, 3)


def test_perspective_moves_the_corners() -> None:
    starts, ends = [[0, 0], [59, 0], [59, 39], [0, 39]], [[5, 4], [50, 2], [55, 35], [3, 37]]
    a, b, c, d, e, f, g, h = F._get_perspective_coeffs(starts, ends)
    for (x, y), start in zip(ends, starts, strict=True):
        depth = g * x + h * y + 1
        assert [(a * x + b * y + c) / depth, (d * x + e * y + f) / depth] == pytest.approx(start, abs=1e-3)
    with pytest.raises(ValueError, match="exactly four corners"):
        F.perspective(facula.zeros(1, 4, 4), starts[:3], ends)


def test_perspective_is_near_pillows(image: Image.Image) -> None:
    points = ([[0, 0], [59, 0], [59, 39], [0, 39]], [[5, 4], [50, 2], [55, 35], [3, 37]])
    expected = F.pil_to_tensor(F.perspective(image, *points)).int()
    differ = (F.perspective(F.pil_to_tensor(image), *points).int() - expected).abs().amax(dim=0)
    assert (differ > 6).float().mean() < 0.1


def test_elastic_moves_pixels_by_the_displacement(image: Image.Image) -> None:
    tensor = F.to_tensor(image)
    move = facula.zeros(1, 40, 60, 2)
    move[..., 0] = 2 * 3 / 60
    found = F.elastic_transform(tensor, move)
    assert facula.allclose(found[:, :, :-3], tensor[:, :, 3:], atol=1e-4)
    assert found[:, :, -2:].abs().max() < 1e-4
    assert facula.allclose(F.elastic_transform(tensor, facula.zeros(1, 40, 60, 2)), tensor, atol=1e-5)
    assert F.elastic_transform(image, facula.zeros(1, 40, 60, 2)).tobytes() == image.tobytes()
    with pytest.raises(ValueError, match="displacement shape should be"):
        F.elastic_transform(tensor, facula.zeros(1, 4, 6, 2))


def test_random_affine_stays_in_its_intervals() -> None:
    for _ in range(30):
        angle, move, scale, shear = transforms.RandomAffine.get_params(
            [-10, 20], [0.1, 0.5], [0.8, 1.2], [-3, 3, 5, 6], [100, 40]
        )
        assert -10 <= angle <= 20
        assert abs(move[0]) <= 10
        assert abs(move[1]) <= 20
        assert 0.8 <= scale <= 1.2
        assert -3 <= shear[0] <= 3
        assert 5 <= shear[1] <= 6


def test_random_classes(image: Image.Image) -> None:
    facula.manual_seed(3)
    affine = transforms.RandomAffine(30, (0.1, 0.1), (0.9, 1.1), 5, BILINEAR, fill=7, center=(3, 4))
    assert affine(image).size == image.size
    assert repr(affine) == (
        "RandomAffine(degrees=[-30.0, 30.0], translate=(0.1, 0.1), scale=(0.9, 1.1), shear=[-5.0, 5.0], "
        "interpolation=bilinear, fill=7, center=(3, 4))"
    )
    perspective = transforms.RandomPerspective(p=0.0)
    assert perspective(image) is image
    starts, ends = perspective.get_params(60, 40, 0.5)
    assert starts == [[0, 0], [59, 0], [59, 39], [0, 39]]
    assert all(abs(x - u) <= 15 and abs(y - v) <= 10 for (x, y), (u, v) in zip(starts, ends, strict=True))
    elastic = transforms.ElasticTransform(40.0, 3.0)
    assert elastic(F.to_tensor(image)).shape == (3, 40, 60)


def test_what_is_refused() -> None:
    image = facula.zeros(3, 4, 4)
    with pytest.raises(ValueError, match="scale should be positive"):
        F.affine(image, 0, [0, 0], 0.0, 0.0)
    with pytest.raises(TypeError, match="translate should be a sequence"):
        F.affine(image, 0, 3, 1.0, 0.0)
    with pytest.raises(ValueError, match="unsupported with Tensor input"):
        F.affine(image, 0, [0, 0], 1.0, 0.0, InterpolationMode.BICUBIC)
    with pytest.raises(ValueError, match="2 != 3"):
        F.affine(image, 0, [0, 0], 1.0, 0.0, fill=[1.0, 2.0])
    with pytest.raises(ValueError, match="between 0 and 1"):
        transforms.RandomAffine(3, (0.5, 1.5))
    with pytest.raises(ValueError, match="must be positive"):
        transforms.RandomAffine(-3)
    with pytest.raises(ValueError, match="scale values should be positive"):
        transforms.RandomAffine(3, scale=(0.0, 1.0))
