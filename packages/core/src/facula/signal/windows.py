"""Window functions of M points; ``sym=False`` leaves out the last of M + 1 points, for spectral analysis.

Source: Harris 1978, "On the use of windows for harmonic analysis with the discrete Fourier transform".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import facula
from facula import Tensor
from facula.devices import device as Device
from facula.dtypes import dtype as DType

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]


def _window(
    name: str, M: int, dtype: DType | None, layout: Any, device: Any, requires_grad: bool, values: Callable[[], Tensor]
) -> Tensor:
    """Return a window after checks; ``values`` gives it where there is more than one point."""
    kind = dtype or facula.get_default_dtype()
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if layout not in (None, facula.strided):
        raise ValueError(f"{name} is implemented for strided tensors only, got: {layout}")
    if kind not in (facula.float32, facula.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {kind}")
    if M < 2:
        return facula.ones(M, dtype=kind, device=device, requires_grad=requires_grad)
    found = values().to(dtype=kind, device=device)
    return found.requires_grad_(requires_grad)


def _points(start: float, end: float, M: int, dtype: DType | None) -> Tensor:
    return facula.linspace(start, end, M, dtype=dtype or facula.get_default_dtype())


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``exp(-|n - center| / tau)``; a ``center`` can be given for ``sym=False`` only."""
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")

    def values() -> Tensor:
        middle = (M if not sym else M - 1) / 2.0 if center is None else center
        constant = 1 / tau
        k = _points(-middle * constant, (-middle + (M - 1)) * constant, M, dtype)
        return facula.exp(-facula.abs(k))

    return _window("exponential", M, dtype, layout, device, requires_grad, values)


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``sin(pi (n + 1/2) / M)``."""

    def values() -> Tensor:
        constant = facula.pi / (M + 1 if not sym else M)
        return facula.sin(_points(0.5 * constant, (0.5 + (M - 1)) * constant, M, dtype))

    return _window("cosine", M, dtype, layout, device, requires_grad, values)


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``exp(-((n - centre) / std) ** 2 / 2)``."""
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")

    def values() -> Tensor:
        start = -(M if not sym else M - 1) / 2.0
        constant = 1 / (std * 2**0.5)
        k = _points(start * constant, (start + (M - 1)) * constant, M, dtype)
        return facula.exp(-(k**2))

    return _window("gaussian", M, dtype, layout, device, requires_grad, values)


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``I0(beta sqrt(1 - ((n - centre) / centre) ** 2)) / I0(beta)``."""
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")

    def values() -> Tensor:
        kind = dtype or facula.get_default_dtype()
        # The division by beta's bessel function is done in the window's own type.
        limit = facula.tensor(beta, dtype=kind)
        constant = 2.0 * beta / (M if not sym else M - 1)
        k = _points(-beta, min(beta, -beta + (M - 1) * constant), M, dtype)
        return facula.i0(facula.sqrt((beta * beta - k**2).clamp(min=0))) / facula.i0(limit)

    return _window("kaiser", M, dtype, layout, device, requires_grad, values)


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``0.54 - 0.46 cos(2 pi n / (M - 1))``."""
    return general_hamming(M, sym=sym, dtype=dtype, layout=layout, device=device, requires_grad=requires_grad)


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``0.5 - 0.5 cos(2 pi n / (M - 1))``.

    >>> facula.signal.windows.hann(5)
    tensor([0.0000, 0.5000, 1.0000, 0.5000, 0.0000])
    """
    options = {"sym": sym, "dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_hamming(M, alpha=0.5, **options)


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``0.42 - 0.5 cos(2 pi n / (M - 1)) + 0.08 cos(4 pi n / (M - 1))``."""
    options = {"sym": sym, "dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_cosine(M, a=[0.42, 0.5, 0.08], **options)


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the triangle ``1 - |2 n / (M - 1) - 1|``."""

    def values() -> Tensor:
        constant = 2 / (M if not sym else M - 1)
        return 1 - facula.abs(_points(-1, -1 + (M - 1) * constant, M, dtype))

    return _window("bartlett", M, dtype, layout, device, requires_grad, values)


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the sum of ``(-1) ** i a[i] cos(2 pi i n / (M - 1))``."""
    if not isinstance(a, Iterable):
        raise TypeError("Coefficients must be a list/tuple")
    weights = list(a)
    if not weights:
        raise ValueError("Coefficients cannot be empty")

    def values() -> Tensor:
        constant = 2 * facula.pi / (M if not sym else M - 1)
        k = _points(0, (M - 1) * constant, M, dtype)
        signed = facula.tensor([(-1) ** i * w for i, w in enumerate(weights)], dtype=k.dtype)
        i = facula.arange(len(weights), dtype=k.dtype)
        return (signed.unsqueeze(-1) * facula.cos(i.unsqueeze(-1) * k)).sum(0)

    return _window("general_cosine", M, dtype, layout, device, requires_grad, values)


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return ``alpha - (1 - alpha) cos(2 pi n / (M - 1))``."""
    options = {"sym": sym, "dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_cosine(M, a=[alpha, 1.0 - alpha], **options)


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: DType | None = None,
    layout: Any = facula.strided,
    device: Device | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return Nuttall's minimum 4-term Blackman-Harris window (Heinzel et al. 2002)."""
    options = {"sym": sym, "dtype": dtype, "layout": layout, "device": device, "requires_grad": requires_grad}
    return general_cosine(M, a=[0.3635819, 0.4891775, 0.1365995, 0.0106411], **options)
