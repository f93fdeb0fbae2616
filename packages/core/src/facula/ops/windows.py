"""Window functions."""

from __future__ import annotations

import numpy as np

from facula import dtypes
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.tensor_base import wrap
from facula.types import Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _finish(values: np.ndarray, dtype: DType | None, device: Device | str | None, requires_grad: bool) -> Tensor:
    kind = dtype or dtypes.get_default_dtype()
    if not kind.is_floating_point:
        raise RuntimeError(f"window functions expect floating point dtypes, got: {kind}")
    return wrap(values.astype(kind.numpy)).to(device=device).requires_grad_(requires_grad)


def _phases(window_length: int, periodic: bool) -> np.ndarray:
    """Return the places of a window's points: n / N for a periodic window, n / (N - 1) for a symmetric one."""
    if window_length < 0:
        raise RuntimeError(f"window_length must be non-negative, got {window_length}")
    if window_length == 1:
        return np.full(1, 0.5)
    return np.arange(window_length) / max(window_length if periodic else window_length - 1, 1)


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``0.5 - 0.5 cos(2 pi n / N)``.

    >>> facula.hann_window(4)
    tensor([0.0000, 0.5000, 1.0000, 0.5000])
    """
    return hamming_window(window_length, periodic, 0.5, 0.5, dtype=dtype, device=device, requires_grad=requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``alpha - beta cos(2 pi n / N)``."""
    phases = _phases(window_length, periodic)
    values = np.ones(1) if window_length == 1 else alpha - beta * np.cos(2 * np.pi * phases)
    return _finish(values, dtype, device, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)``."""
    phases = _phases(window_length, periodic)
    values = 0.42 - 0.5 * np.cos(2 * np.pi * phases) + 0.08 * np.cos(4 * np.pi * phases)
    return _finish(np.ones(1) if window_length == 1 else values, dtype, device, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return the triangle ``1 - |2 n / N - 1|``."""
    return _finish(1 - np.abs(2 * _phases(window_length, periodic) - 1), dtype, device, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: DType | None = None,
    layout: object = None,
    device: Device | str | None = None,
    pin_memory: bool = False,
    requires_grad: bool = False,
) -> Tensor:
    """Return Kaiser's window, ``I0(beta sqrt(1 - (2 n / N - 1) ** 2)) / I0(beta)``."""
    phases = 2 * _phases(window_length, periodic) - 1
    values = np.i0(beta * np.sqrt(np.maximum(1 - phases * phases, 0))) / np.i0(beta)
    return _finish(values, dtype, device, requires_grad)
