"""Fourier transforms, under PyTorch's names."""

from __future__ import annotations

from facula.creation import arange
from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.dtypes import get_default_dtype
from facula.ops.fourier import (
    fft,
    fft2,
    fftn,
    fftshift,
    hfft,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftn,
)
from facula.tensor import Tensor

__all__ = ["fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifft2", "ifftn", "ifftshift", "ihfft"]
__all__ += ["irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn"]


def fftfreq(n: int, d: float = 1.0, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Return the frequencies of a transform of ``n`` points that are ``d`` apart; negative ones last."""
    places = arange(n, dtype=dtype or get_default_dtype(), device=device)
    return (places - n * (places >= (n + 1) // 2).to(places.dtype)) / (n * d)


def rfftfreq(n: int, d: float = 1.0, *, dtype: DType | None = None, device: Device | str | None = None) -> Tensor:
    """Return the frequencies, none negative, of a transform of ``n`` real points that are ``d`` apart."""
    return arange(n // 2 + 1, dtype=dtype or get_default_dtype(), device=device) / (n * d)
