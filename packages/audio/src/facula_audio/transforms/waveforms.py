"""Modules on waveforms: convolution, noise and pre-emphasis."""

from facula import Tensor, nn

from facula_audio import functional as F

__all__ = ["AddNoise", "Convolve", "FFTConvolve", "Preemphasis"]


class _Convolution(nn.Module):
    def __init__(self, mode: str = "full") -> None:
        super().__init__()
        if mode not in ("full", "valid", "same"):
            raise ValueError(f"Unrecognized mode value {mode!r}. Please specify one of ['full', 'valid', 'same'].")
        self.mode = mode


class Convolve(_Convolution):
    """Convolves two waveforms directly; see :func:`facula_audio.functional.convolve`.

    >>> Convolve()(facula.tensor([1.0, 2.0]), facula.tensor([1.0, 10.0]))
    tensor([ 1., 12., 20.])
    """

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the convolution of ``x`` ``(..., N)`` and ``y`` ``(..., M)``."""
        return F.convolve(x, y, self.mode)


class FFTConvolve(_Convolution):
    """Convolves two waveforms by Fourier transforms; see :func:`facula_audio.functional.fftconvolve`.

    >>> FFTConvolve("same")(facula.ones(1, 100), facula.ones(1, 9)).shape
    facula.Size([1, 100])
    """

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Return the convolution of ``x`` ``(..., N)`` and ``y`` ``(..., M)``."""
        return F.fftconvolve(x, y, self.mode)


class AddNoise(nn.Module):
    """Adds noise at a given signal-to-noise ratio; see :func:`facula_audio.functional.add_noise`.

    >>> AddNoise()(facula.ones(4), facula.ones(4), facula.tensor(20.0))
    tensor([1.1000, 1.1000, 1.1000, 1.1000])
    """

    def forward(self, waveform: Tensor, noise: Tensor, snr: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the waveform ``(..., time)`` with the noise at ``snr`` decibels."""
        return F.add_noise(waveform, noise, snr, lengths)


class Preemphasis(nn.Module):
    """Subtracts ``coeff`` times the sample before from each sample.

    >>> Preemphasis()(facula.ones(3))
    tensor([1.0000, 0.0300, 0.0300])
    """

    def __init__(self, coeff: float = 0.97) -> None:
        super().__init__()
        self.coeff = coeff

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the waveform ``(..., time)`` with high frequencies raised."""
        return F.preemphasis(waveform, self.coeff)
