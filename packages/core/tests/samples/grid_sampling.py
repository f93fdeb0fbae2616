"""Rows of sampling an image at given places."""

import itertools
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from samples.sample import Sample, between, case, numbers

F = "nn.functional."


def affine_grid(theta: np.ndarray, size: tuple[int, ...], align_corners: bool) -> np.ndarray:
    """Return, for each place of an image whose sides are from -1 to 1, where the transformation takes it from."""
    axes = []
    for n in size[2:]:
        axes.append(np.linspace(-1, 1, n) if align_corners else (2 * np.arange(n) + 1) / n - 1)
    rows = np.meshgrid(*axes, indexing="ij")
    places = np.stack([*rows[::-1], np.ones_like(rows[0])], -1)
    return np.stack([places @ matrix.T for matrix in theta])


def grid_sample(
    x: np.ndarray, grid: np.ndarray, mode: str = "bilinear", padding_mode: str = "zeros", align_corners: bool = False
) -> np.ndarray:
    """Return SciPy's spline of order 0 or 1 at the places; outside, zeros or the nearest or mirrored place."""
    lengths = x.shape[2:]
    result = np.zeros((*x.shape[:2], *grid.shape[1:-1]))
    for item, channel in itertools.product(range(x.shape[0]), range(x.shape[1])):
        places = []
        for n, values in zip(lengths, np.moveaxis(grid[item], -1, 0)[::-1]):
            place = (values + 1) / 2 * (n - 1) if align_corners else ((values + 1) * n - 1) / 2
            if padding_mode == "border":
                place = np.clip(place, 0, n - 1)
            if padding_mode == "reflection":
                edge = 0 if align_corners else -0.5
                span = n - 1 if align_corners else n
                folded = np.abs((place - edge + span) % (2 * span) - span) if span else place * 0
                place = np.clip(folded + edge, 0, n - 1)
            places.append(place)
        wide = np.pad(x[item, channel], 1)
        order = 0 if mode == "nearest" else 1
        if order == 0:
            places = [np.rint(place) for place in places]
        result[item, channel] = ndimage.map_coordinates(
            wide, [place + 1 for place in places], order=order, mode="constant"
        )
    return result


def by_numbers(x: np.ndarray, grid: np.ndarray, mode: int, padding: int, align_corners: bool) -> np.ndarray:
    modes, paddings = ("bilinear", "nearest"), ("zeros", "border", "reflection")
    return grid_sample(x, grid, modes[mode], paddings[padding], align_corners)


IMAGE, PLACES = numbers(1, 1, 3, 3), between(-1.3, 1.3, 1, 2, 2, 2)
VOLUME, PLACES_3D = numbers(1, 1, 2, 3, 2), between(-1.3, 1.3, 1, 1, 1, 3, 3)


def numbered(*inputs: np.ndarray) -> list:
    return [
        case(*inputs, mode, padding, corners) for mode in (0, 1) for padding in (0, 1, 2) for corners in (True, False)
    ]


def row(name: str, cases: list, reference: Callable) -> Sample:
    # What is taken depends on places that lower precision rounds.
    return Sample(name, cases, reference, dtypes=("float32", "float64"), slack=20)


ROWS = [
    row(
        F + "grid_sample",
        [
            case(IMAGE, PLACES, align_corners=False),
            case(IMAGE, PLACES, padding_mode="border", align_corners=True),
            case(VOLUME, PLACES_3D, padding_mode="reflection", align_corners=False),
            case(IMAGE, PLACES, "nearest", "zeros", False),
        ],
        grid_sample,
    ),
    row("grid_sampler", [*numbered(IMAGE, PLACES)[:3], *numbered(VOLUME, PLACES_3D)[:2]], by_numbers),
    row("grid_sampler_2d", numbered(IMAGE, PLACES), by_numbers),
    row("grid_sampler_3d", numbered(VOLUME, PLACES_3D), by_numbers),
    row(
        F + "affine_grid",
        [
            case(numbers(2, 2, 3), (2, 1, 2, 3), True),
            case(numbers(1, 2, 3), (1, 1, 2, 3), False),
            case(numbers(1, 3, 4), (1, 1, 2, 1, 2), False),
        ],
        affine_grid,
    ),
    row("affine_grid_generator", [case(numbers(1, 2, 3), (1, 1, 2, 3), False)], affine_grid),
]
