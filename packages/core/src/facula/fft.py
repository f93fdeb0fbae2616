"""Fourier transforms, under PyTorch's names."""

from __future__ import annotations

from facula.devices import device as Device
from facula.dtypes import dtype as DType
from facula.dtypes import get_default_dtype
from facula.ops.conversion import layout as Layout
from facula.ops.conversion import strided
from facula.ops.fourier import (
    fft,
    fft2,
    fftn,
    fftshift,
    hfft,
    hfft2,
    hfftn,
    ifft,
    ifft2,
    ifftn,
    ifftshift,
    ihfft,
    ihfft2,
    ihfftn,
    irfft,
    irfft2,
    irfftn,
    rfft,
    rfft2,
    rfftn,
)
from facula.primitive import write_out
from facula.ranges import arange
from facula.tensor import Tensor

__all__ = [
    "fft",
    "fft2",
    "fftfreq",
    "fftn",
    "fftshift",
    "hfft",
    "hfft2",
    "hfftn",
    "ifft",
    "ifft2",
    "ifftn",
    "ifftshift",
]
__all__ += ["ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft", "rfft2", "rfftfreq", "rfftn"]


def fftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Layout = strided,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies of a transform of ``n`` points that are ``d`` apart; negative ones last.

    >>> facula.fft.fftfreq(4)
    tensor([ 0.0000,  0.2500, -0.5000, -0.2500])
    """
    places = arange(n, dtype=dtype or get_default_dtype(), device=device)
    found = (places - n * (places >= (n + 1) // 2).to(places.dtype)) / (n * d)
    return _finished(found, out, "fftfreq", requires_grad)


def rfftfreq(
    n: int,
    d: float = 1.0,
    *,
    out: Tensor | None = None,
    dtype: DType | None = None,
    layout: Layout = strided,
    device: Device | str | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Return the frequencies, none negative, of a transform of ``n`` real points that are ``d`` apart.

    >>> facula.fft.rfftfreq(4)
    tensor([0.0000, 0.2500, 0.5000])
    """
    found = arange(n // 2 + 1, dtype=dtype or get_default_dtype(), device=device) / (n * d)
    return _finished(found, out, "rfftfreq", requires_grad)


def _finished(found: Tensor, out: Tensor | None, name: str, requires_grad: bool) -> Tensor:
    result = found if out is None else write_out(found, out, name)
    return result.requires_grad_() if requires_grad else result
