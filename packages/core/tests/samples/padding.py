"""Rows of padding."""

import numpy as np

from samples.sample import NUMBERS, Sample, case, numbers


def pad(x: np.ndarray, pad: tuple[int, ...], mode: str = "constant", value: float | None = None) -> np.ndarray:
    """Return NumPy's padding; pairs of widths go from the last dimension to the first, and may cut."""
    pairs = [(0, 0)] * (x.ndim - len(pad) // 2) + [(pad[at], pad[at + 1]) for at in range(0, len(pad), 2)][::-1]
    x = x[tuple(slice(max(-low, 0), n - max(-high, 0)) for (low, high), n in zip(pairs, x.shape))]
    widths = [(max(low, 0), max(high, 0)) for low, high in pairs]
    if mode == "constant":
        return np.pad(x, widths, constant_values=0 if value is None else value)
    return np.pad(x, widths, {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}[mode])


ROWS = [
    Sample(
        "nn.functional.pad",
        [
            case(numbers(2, 3), (1, 2)),
            case(numbers(2, 3), (1, 0, 2, 1), value=7.0),
            case(numbers(3, 4), (-1, 2, 1, -1)),
            case(numbers(0, 3), (1, 1, 2, 0)),
            case(numbers(2, 4), (2, 1), "reflect"),
            case(numbers(1, 2, 3, 4), (2, 1, 1, 2), "reflect"),
            case(numbers(2, 3), (4, 1), "replicate"),
            case(numbers(1, 2, 2, 3), (1, 2, 2, 0), "replicate"),
            case(numbers(1, 1, 2, 2, 2), (1, 1, 0, 1, 1, 0), "replicate"),
            case(numbers(2, 3), (2, 3), "circular"),
            case(numbers(1, 2, 2, 3), (1, 2, 2, 0), "circular"),
        ],
        pad,
        dtypes=NUMBERS,
    ),
]
