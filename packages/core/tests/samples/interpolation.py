"""Rows of resizing, and of moving numbers between channels and pixels."""

from math import ceil, floor

import numpy as np

from samples.sample import NUMBERS, Sample, case, numbers

F = "nn.functional."


def triangle(x: float) -> float:
    return max(0.0, 1 - abs(x))


def cubic(x: float, a: float = -0.75) -> float:
    """Return Keys' piecewise cubic (1981) with the parameter ``a``."""
    x = abs(x)
    if x < 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def line(
    values: np.ndarray, count: int, scale: float | None, mode: str, align_corners: bool, antialias: bool
) -> np.ndarray:
    """Return the vectors ``values[place]`` resized to ``count``, place by place."""
    length = len(values)
    step = length / count if scale is None else 1 / scale
    if align_corners:
        step = (length - 1) / (count - 1) if count > 1 else 0.0
    result = []
    for at in range(count):
        if mode in ("nearest", "nearest-exact"):
            place = at * step if mode == "nearest" else (at + 0.5) * step
            result.append(values[min(int(place), length - 1)])
            continue
        if mode == "area":
            result.append(values[floor(at * length / count) : ceil((at + 1) * length / count)].mean(0))
            continue
        center = at * step if align_corners else (at + 0.5) * step - 0.5
        kernel = cubic if mode == "bicubic" else triangle
        if antialias:
            wide = max(step, 1.0)
            weights = [
                cubic((n - center) / wide, -0.5) if kernel is cubic else triangle((n - center) / wide)
                for n in range(length)
            ]
            result.append(np.tensordot(np.array(weights) / sum(weights), values, 1))
            continue
        if kernel is triangle:
            center = max(center, 0.0)
        near = range(floor(center) - 1, floor(center) + 3)
        result.append(sum(kernel(n - center) * values[min(max(n, 0), length - 1)] for n in near))
    return np.stack(result)


def interpolate(x, size=None, scale_factor=None, mode="nearest", align_corners=False, antialias=False) -> np.ndarray:
    for axis in range(2, x.ndim):
        if size is None:
            scale = scale_factor if isinstance(scale_factor, float) else scale_factor[axis - 2]
            count = floor(x.shape[axis] * scale)
        else:
            scale, count = None, size if isinstance(size, int) else size[axis - 2]
        if count == x.shape[axis] and scale is None:
            continue
        resized = line(np.moveaxis(x, axis, 0), count, scale, mode, align_corners, antialias)
        x = np.moveaxis(resized, 0, axis)
    return x


def pixel_shuffle(x: np.ndarray, r: int) -> np.ndarray:
    *outer, channels, height, width = x.shape
    result = np.empty((*outer, channels // r**2, height * r, width * r), x.dtype)
    for channel in range(channels):
        result[..., channel // r**2, channel % r**2 // r :: r, channel % r :: r] = x[..., channel, :, :]
    return result


def pixel_unshuffle(x: np.ndarray, r: int) -> np.ndarray:
    parts = [x[..., c, i::r, j::r] for c in range(x.shape[-3]) for i in range(r) for j in range(r)]
    return np.stack(parts, -3)


def channel_shuffle(x: np.ndarray, groups: int) -> np.ndarray:
    each = x.shape[1] // groups
    return x[:, [group * each + at for at in range(each) for group in range(groups)]]


LINE, IMAGE, VOLUME = numbers(1, 2, 4), numbers(1, 1, 3, 4), numbers(1, 1, 2, 3, 2)

ROWS = [
    Sample(
        F + "interpolate",
        [
            *[case(each, 5, mode=mode) for each in (LINE, IMAGE, VOLUME) for mode in ("nearest", "area")],
            *[case(IMAGE, scale_factor=1.7, mode=mode) for mode in ("nearest", "nearest-exact")],
            *[case(LINE, 6, mode="linear", align_corners=corners) for corners in (True, False)],
            *[
                case(IMAGE, (5, 2), mode=mode, align_corners=corners)
                for mode in ("bilinear", "bicubic")
                for corners in (True, False)
            ],
            *[case(IMAGE, scale_factor=(0.7, 1.6), mode=mode, align_corners=False) for mode in ("bilinear", "bicubic")],
            *[case(IMAGE, (2, 2), mode=mode, antialias=True) for mode in ("bilinear", "bicubic")],
            *[case(VOLUME, (3, 2, 4), mode="trilinear", align_corners=corners) for corners in (True, False)],
            case(numbers(0, 1, 3, 4), 2),
        ],
        interpolate,
        slack=4,
    ),
    Sample(
        F + "upsample",
        [case(IMAGE, 5), case(IMAGE, (4, 6), mode="bilinear", align_corners=True)],
        interpolate,
        slack=4,
    ),
    Sample(F + "upsample_nearest", [case(IMAGE, (5, 6)), case(IMAGE, scale_factor=2.0)], interpolate),
    Sample(
        F + "upsample_bilinear",
        [case(IMAGE, (5, 6)), case(IMAGE, scale_factor=2.0)],
        lambda x, size=None, scale_factor=None: interpolate(x, size, scale_factor, "bilinear", True),
        slack=4,
    ),
    Sample(
        F + "pixel_shuffle",
        [case(numbers(1, 8, 2, 3), 2), case(numbers(9, 1, 1), 3), case(numbers(0, 4, 2, 2), 2)],
        pixel_shuffle,
        dtypes=NUMBERS,
        aliases=["pixel_shuffle"],
    ),
    Sample(
        F + "pixel_unshuffle",
        [case(numbers(1, 2, 4, 2), 2), case(numbers(1, 3, 3), 3), case(numbers(0, 1, 4, 4), 2)],
        pixel_unshuffle,
        dtypes=NUMBERS,
        aliases=["pixel_unshuffle"],
    ),
    Sample(
        F + "channel_shuffle",
        [case(numbers(2, 6, 2), 3), case(numbers(1, 4, 1, 2), 2), case(numbers(0, 4, 2), 2)],
        channel_shuffle,
        dtypes=NUMBERS,
        aliases=["channel_shuffle"],
    ),
]
