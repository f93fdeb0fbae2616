"""Rows of windows: NumPy's, one place longer and cut where they are periodic."""

from collections.abc import Callable

import numpy as np

from samples.sample import Sample, case

LENGTHS = [case(7), case(6, False), case(1), case(0)]


def periodic(window: Callable[..., np.ndarray]) -> Callable[..., np.ndarray]:
    def reference(length: int, periodic: bool = True, *parameters: float) -> np.ndarray:
        if length <= 1:
            return np.ones(length)
        return window(length + 1, *parameters)[:-1] if periodic else window(length, *parameters)

    return reference


def hamming(length: int, alpha: float = 0.54, beta: float = 0.46) -> np.ndarray:
    return alpha - beta * np.cos(2 * np.pi * np.arange(length) / (length - 1))


def row(name: str, window: Callable, *more: object) -> Sample:
    # The default type is float32.
    return Sample(name + "_window", [*LENGTHS, *more], periodic(window), dtypes=(), tolerance=1e-6)


ROWS = [
    row("bartlett", np.bartlett),
    row("blackman", np.blackman),
    row("hann", np.hanning),
    row("hamming", hamming, case(5, True, 0.6, 0.3)),
    row("kaiser", lambda length, beta=12.0: np.kaiser(length, beta), case(5, True, 3.0)),
]
