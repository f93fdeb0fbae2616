"""Reading images at places of a grid."""

import facula
import numpy as np
import pytest
from facula.autograd import gradcheck, gradgradcheck
from facula.nn.functional import affine_grid, grid_sample


def _places(*shape: int) -> facula.Tensor:
    # Away from whole pixels, where the derivative jumps.
    return facula.from_numpy(np.random.default_rng(0).uniform(-1.3, 1.3, shape)).requires_grad_()


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_the_identity_reads_the_image_itself(mode: str, align_corners: bool) -> None:
    image = facula.arange(24.0, dtype=facula.float64).reshape(2, 1, 3, 4)
    theta = facula.eye(2, 3, dtype=facula.float64).expand(2, 2, 3)
    read = grid_sample(image, affine_grid(theta, (2, 1, 3, 4), align_corners), mode, align_corners=align_corners)
    facula_close(read, image)


def test_a_mirrored_volume() -> None:
    volume = facula.arange(24.0, dtype=facula.float64).reshape(1, 1, 2, 3, 4)
    theta = facula.tensor([[[-1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, -1, 0]]], dtype=facula.float64)
    grid = affine_grid(theta, (1, 1, 2, 3, 4), False)
    facula_close(grid_sample(volume, grid, align_corners=False), volume.flip(4, 2))


@pytest.mark.parametrize(
    ("padding", "expected"), [("zeros", [0.0, 0.5]), ("border", [1.0, 1.0]), ("reflection", [2.0, 1.0])]
)
def test_what_lies_outside(padding: str, expected: list[float]) -> None:
    image = facula.tensor([[[[1.0, 2.0]]]])
    grid = facula.tensor([[[[-2.5, 0.0], [-1.0, 0.0]]]])
    assert grid_sample(image, grid, padding_mode=padding, align_corners=False).flatten().tolist() == expected


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [True, False])
def test_derivatives(mode: str, padding: str, align_corners: bool) -> None:
    image = facula.randn(1, 2, 3, 4, dtype=facula.float64, requires_grad=True)

    def read(image: facula.Tensor, grid: facula.Tensor) -> facula.Tensor:
        return grid_sample(image, grid, mode, padding, align_corners)

    assert gradcheck(read, (image, _places(1, 2, 3, 2)))
    assert gradgradcheck(read, (image, _places(1, 2, 3, 2)))


def test_places_of_nearest_pixels_have_no_slope() -> None:
    grid = _places(1, 2, 2, 2)
    grid_sample(facula.rand(1, 1, 3, 3, dtype=facula.float64), grid, "nearest", align_corners=True).sum().backward()
    assert grid.grad.abs().sum() == 0


def test_mistakes() -> None:
    image, grid = facula.zeros(1, 1, 2, 2), facula.zeros(1, 1, 1, 2)
    with pytest.raises(ValueError, match="expected mode"):
        grid_sample(image, grid, "cubic", align_corners=False)
    with pytest.raises(ValueError, match="padding_mode"):
        grid_sample(image, grid, padding_mode="same", align_corners=False)
    with pytest.raises(RuntimeError, match="same batch size"):
        grid_sample(image, grid.expand(2, 1, 1, 2), align_corners=False)
    with pytest.raises(RuntimeError, match="size 2 in last dimension"):
        grid_sample(image, facula.zeros(1, 1, 1, 3), align_corners=False)
    with pytest.raises(RuntimeError, match="only supports 4D"):
        grid_sample(facula.zeros(1, 1, 2, 2, 2), facula.zeros(1, 1, 1, 1, 3), "bicubic", align_corners=False)
    with pytest.raises(NotImplementedError, match="4D and 5D sizes"):
        affine_grid(facula.zeros(1, 2, 3), (1, 1, 2), False)
    with pytest.raises(ValueError, match="Nx2x3"):
        affine_grid(facula.zeros(1, 3, 4), (1, 1, 2, 2), False)
    with pytest.warns(UserWarning, match="align_corners"):
        grid_sample(image, grid)


def facula_close(actual: facula.Tensor, expected: facula.Tensor) -> None:
    np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)
