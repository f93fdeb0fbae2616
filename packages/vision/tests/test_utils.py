"""Tests of grids of images and of writing tensors as image files."""

import io
from pathlib import Path

import facula
import pytest
from facula_vision.io import read_image
from facula_vision.utils import make_grid, save_image


def test_images_stand_in_rows_with_padding() -> None:
    images = facula.arange(1.0, 6.0).view(5, 1, 1, 1).expand(5, 3, 2, 2)
    grid = make_grid(images, nrow=3, padding=1, pad_value=9.0)
    assert tuple(grid.shape) == (3, 7, 10)
    assert grid[0].tolist() == [
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 1, 1, 9, 2, 2, 9, 3, 3, 9],
        [9, 1, 1, 9, 2, 2, 9, 3, 3, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
        [9, 4, 4, 9, 5, 5, 9, 9, 9, 9],
        [9, 4, 4, 9, 5, 5, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9, 9, 9, 9],
    ]


def test_one_channel_becomes_three_and_lists_are_stacked() -> None:
    grid = make_grid([facula.zeros(1, 4, 5), facula.ones(1, 4, 5)])
    assert tuple(grid.shape) == (3, 8, 16)
    assert tuple(make_grid(facula.zeros(2, 5, 4, 4)).shape) == (5, 8, 14)


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (3, 4, 5), (1, 3, 4, 5), (1, 1, 4, 5)])
def test_a_single_image_gets_no_border(shape: tuple[int, ...]) -> None:
    assert tuple(make_grid(facula.zeros(shape)).shape) == (3, 4, 5)


def test_normalize() -> None:
    images = facula.tensor([[0.0, 10.0], [20.0, 40.0]]).view(2, 1, 1, 2).expand(2, 3, 1, 2)
    together = make_grid(images, padding=0, normalize=True)
    assert together[0].tolist() == [[0.0, 0.25, 0.5, 1.0]]
    each = make_grid(images, padding=0, normalize=True, scale_each=True)
    assert each[0].tolist() == [[0.0, 1.0, 0.0, 1.0]]
    given = make_grid(images, padding=0, normalize=True, value_range=(10.0, 30.0))
    assert given[0].tolist() == [[0.0, 0.0, 0.5, 1.0]]
    assert images[1, 0, 0].tolist() == [20.0, 40.0]


def test_arguments_are_checked() -> None:
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'int'>"):
        make_grid(3)
    with pytest.raises(TypeError, match="list containing <class 'float'>"):
        make_grid([1.0])
    with pytest.raises(TypeError, match="value_range has to be a tuple"):
        make_grid(facula.zeros(1, 3, 2, 2), normalize=True, value_range=[0, 1])
    with pytest.raises(ValueError, match=r"got the shape \(1, 1, 1, 1, 1\)"):
        make_grid(facula.zeros(1, 1, 1, 1, 1))
    with pytest.raises(ValueError, match="at least one image"):
        make_grid(facula.zeros(0, 3, 4, 4))


def test_save_image_rounds_and_clamps(tmp_path: Path) -> None:
    path = tmp_path / "picture.png"
    save_image(facula.tensor([[-1.0, 0.0, 0.5, 100.4 / 255, 100.6 / 255, 1.0, 7.0]]), path)
    assert read_image(path)[0].tolist() == [[0, 0, 128, 100, 101, 255, 255]]


def test_save_image_to_an_open_file() -> None:
    file = io.BytesIO()
    save_image([facula.zeros(3, 4, 4), facula.ones(3, 4, 4)], file, format="png", padding=1)
    assert file.getvalue().startswith(b"\x89PNG")


def test_gradients_are_not_recorded() -> None:
    images = facula.zeros(2, 3, 4, 4, requires_grad=True)
    assert not make_grid(images).requires_grad
