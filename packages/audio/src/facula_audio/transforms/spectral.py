"""Modules that go between waveforms and spectrograms, linear and mel."""

import math
from collections.abc import Callable, Mapping

import facula
from facula import Tensor, nn

from facula_audio import functional as F

__all__ = [
    "GriffinLim",
    "InverseSpectrogram",
    "MelScale",
    "MelSpectrogram",
    "SpectralCentroid",
    "Spectrogram",
    "TimeStretch",
]

WindowFunction = Callable[..., Tensor]
WindowOptions = Mapping[str, bool | float]


def _make_window(window_fn: WindowFunction, win_length: int, wkwargs: WindowOptions | None) -> Tensor:
    return window_fn(win_length) if wkwargs is None else window_fn(win_length, **wkwargs)


class Spectrogram(nn.Module):
    """Computes ``|STFT| ** power`` of waveforms; see :func:`facula_audio.functional.spectrogram`.

    Args:
        n_fft: length of the Fourier transform; there are ``n_fft // 2 + 1`` frequencies.
        win_length: length of the window, ``n_fft`` if None.
        hop_length: samples between frames, ``win_length // 2`` if None.
        window_fn, wkwargs: make the window: ``window_fn(win_length, **wkwargs)``.

    >>> Spectrogram(n_fft=512)(facula.zeros(2, 16000)).shape
    facula.Size([2, 257, 63])
    """

    window: Tensor

    def __init__(
        self,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad: int = 0,
        window_fn: WindowFunction = facula.hann_window,
        power: float | None = 2.0,
        normalized: bool | str = False,
        wkwargs: WindowOptions | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        onesided: bool = True,
        return_complex: bool | None = None,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.win_length = win_length if win_length is not None else n_fft
        self.hop_length = hop_length if hop_length is not None else self.win_length // 2
        self.register_buffer("window", _make_window(window_fn, self.win_length, wkwargs))
        self.pad = pad
        self.power = power
        self.normalized = normalized
        self.center = center
        self.pad_mode = pad_mode
        self.onesided = onesided

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the spectrogram, shape ``(..., frequency, frames)``, of a waveform ``(..., time)``."""
        return F.spectrogram(
            waveform,
            self.pad,
            self.window,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.power,
            self.normalized,
            self.center,
            self.pad_mode,
            self.onesided,
        )


class InverseSpectrogram(nn.Module):
    """Computes the waveform of a complex spectrogram; the arguments are those it was made with.

    >>> wave = facula.sin(facula.arange(1600) * 0.1)
    >>> spectrogram = Spectrogram(power=None)(wave)
    >>> bool(facula.allclose(InverseSpectrogram()(spectrogram, length=1600), wave, atol=1e-5))
    True
    """

    window: Tensor

    def __init__(
        self,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad: int = 0,
        window_fn: WindowFunction = facula.hann_window,
        normalized: bool | str = False,
        wkwargs: WindowOptions | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        onesided: bool = True,
    ) -> None:
        super().__init__()
        self.n_fft = n_fft
        self.win_length = win_length if win_length is not None else n_fft
        self.hop_length = hop_length if hop_length is not None else self.win_length // 2
        self.register_buffer("window", _make_window(window_fn, self.win_length, wkwargs))
        self.pad = pad
        self.normalized = normalized
        self.center = center
        self.pad_mode = pad_mode
        self.onesided = onesided

    def forward(self, spectrogram: Tensor, length: int | None = None) -> Tensor:
        """Return the waveform ``(..., time)``, of ``length`` samples if given."""
        return F.inverse_spectrogram(
            spectrogram,
            length,
            self.pad,
            self.window,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.normalized,
            self.center,
            self.pad_mode,
            self.onesided,
        )


class GriffinLim(nn.Module):
    """Computes a waveform from a spectrogram without phases; see :func:`facula_audio.functional.griffinlim`.

    >>> spectrogram = Spectrogram()(facula.sin(facula.arange(1600) * 0.1))
    >>> GriffinLim(n_iter=4)(spectrogram).shape
    facula.Size([1600])
    """

    window: Tensor

    def __init__(
        self,
        n_fft: int = 400,
        n_iter: int = 32,
        win_length: int | None = None,
        hop_length: int | None = None,
        window_fn: WindowFunction = facula.hann_window,
        power: float = 2.0,
        wkwargs: WindowOptions | None = None,
        momentum: float = 0.99,
        length: int | None = None,
        rand_init: bool = True,
    ) -> None:
        super().__init__()
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum must be in the range [0, 1). Found: {momentum}")
        self.n_fft = n_fft
        self.n_iter = n_iter
        self.win_length = win_length if win_length is not None else n_fft
        self.hop_length = hop_length if hop_length is not None else self.win_length // 2
        self.register_buffer("window", _make_window(window_fn, self.win_length, wkwargs))
        self.length = length
        self.power = power
        self.momentum = momentum
        self.rand_init = rand_init

    def forward(self, specgram: Tensor) -> Tensor:
        """Return a waveform ``(..., time)`` for a spectrogram ``(..., frequency, frames)``."""
        return F.griffinlim(
            specgram,
            self.window,
            self.n_fft,
            self.hop_length,
            self.win_length,
            self.power,
            self.n_iter,
            self.momentum,
            self.length,
            self.rand_init,
        )


class MelScale(nn.Module):
    """Sums a spectrogram's frequencies into mel bands; see :func:`facula_audio.functional.melscale_fbanks`.

    Args:
        n_mels: number of bands.
        f_max: where the last band ends, ``sample_rate // 2`` if None.
        n_stft: number of frequencies of the spectrogram, ``n_fft // 2 + 1``.

    >>> MelScale(n_mels=40, n_stft=201)(facula.ones(1, 201, 10)).shape
    facula.Size([1, 40, 10])
    """

    fb: Tensor

    def __init__(
        self,
        n_mels: int = 128,
        sample_rate: int = 16000,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_stft: int = 201,
        norm: str | None = None,
        mel_scale: str = "htk",
    ) -> None:
        super().__init__()
        self.n_mels = n_mels
        self.sample_rate = sample_rate
        self.f_max = f_max if f_max is not None else float(sample_rate // 2)
        self.f_min = f_min
        self.norm = norm
        self.mel_scale = mel_scale
        if f_min > self.f_max:
            raise ValueError(f"Require f_min: {f_min} <= f_max: {self.f_max}")
        filters = F.melscale_fbanks(n_stft, self.f_min, self.f_max, n_mels, sample_rate, norm, mel_scale)
        self.register_buffer("fb", filters)

    def forward(self, specgram: Tensor) -> Tensor:
        """Return the mel spectrogram ``(..., n_mels, frames)`` of a spectrogram ``(..., n_stft, frames)``."""
        return facula.matmul(specgram.transpose(-1, -2), self.fb).transpose(-1, -2)


class MelSpectrogram(nn.Module):
    """Computes mel spectrograms of waveforms: :class:`Spectrogram`, then :class:`MelScale`.

    ``onesided`` has no effect; kept for callers that pass it.

    >>> MelSpectrogram(sample_rate=8000, n_mels=40)(facula.zeros(2, 8000)).shape
    facula.Size([2, 40, 41])
    """

    def __init__(
        self,
        sample_rate: int = 16000,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        f_min: float = 0.0,
        f_max: float | None = None,
        pad: int = 0,
        n_mels: int = 128,
        window_fn: WindowFunction = facula.hann_window,
        power: float = 2.0,
        normalized: bool | str = False,
        wkwargs: WindowOptions | None = None,
        center: bool = True,
        pad_mode: str = "reflect",
        onesided: bool | None = None,
        norm: str | None = None,
        mel_scale: str = "htk",
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length if win_length is not None else n_fft
        self.hop_length = hop_length if hop_length is not None else self.win_length // 2
        self.pad = pad
        self.power = power
        self.normalized = normalized
        self.n_mels = n_mels
        self.f_max = f_max
        self.f_min = f_min
        self.spectrogram = Spectrogram(
            n_fft=n_fft,
            win_length=self.win_length,
            hop_length=self.hop_length,
            pad=pad,
            window_fn=window_fn,
            power=power,
            normalized=normalized,
            wkwargs=wkwargs,
            center=center,
            pad_mode=pad_mode,
        )
        self.mel_scale = MelScale(n_mels, sample_rate, f_min, f_max, n_fft // 2 + 1, norm, mel_scale)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the mel spectrogram ``(..., n_mels, frames)`` of a waveform ``(..., time)``."""
        mels: Tensor = self.mel_scale(self.spectrogram(waveform))
        return mels


class SpectralCentroid(nn.Module):
    """Computes each frame's magnitude-weighted mean frequency in Hz.

    >>> SpectralCentroid(8000)(facula.randn(1, 8000)).shape
    facula.Size([1, 41])
    """

    window: Tensor

    def __init__(
        self,
        sample_rate: int,
        n_fft: int = 400,
        win_length: int | None = None,
        hop_length: int | None = None,
        pad: int = 0,
        window_fn: WindowFunction = facula.hann_window,
        wkwargs: WindowOptions | None = None,
    ) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.n_fft = n_fft
        self.win_length = win_length if win_length is not None else n_fft
        self.hop_length = hop_length if hop_length is not None else self.win_length // 2
        self.register_buffer("window", _make_window(window_fn, self.win_length, wkwargs))
        self.pad = pad

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the centroids ``(..., frames)`` of a waveform ``(..., time)``."""
        return F.spectral_centroid(
            waveform, self.sample_rate, self.pad, self.window, self.n_fft, self.hop_length, self.win_length
        )


class TimeStretch(nn.Module):
    """Stretches complex spectrograms in time and keeps their pitch; see :func:`facula_audio.functional.phase_vocoder`.

    >>> spectrogram = Spectrogram(power=None)(facula.randn(1, 8000))
    >>> TimeStretch(fixed_rate=2.0)(spectrogram).shape
    facula.Size([1, 201, 21])
    """

    phase_advance: Tensor

    def __init__(self, hop_length: int | None = None, n_freq: int = 201, fixed_rate: float | None = None) -> None:
        super().__init__()
        self.fixed_rate = fixed_rate
        hop_length = hop_length if hop_length is not None else n_freq - 1
        self.register_buffer("phase_advance", facula.linspace(0, math.pi * hop_length, n_freq).unsqueeze(-1))

    def forward(self, complex_specgrams: Tensor, overriding_rate: float | None = None) -> Tensor:
        """Return the spectrogram with ``ceil(frames / rate)`` frames."""
        rate = self.fixed_rate if overriding_rate is None else overriding_rate
        if rate is None:
            raise ValueError("If no fixed_rate is specified, must pass a valid rate to the forward method.")
        return F.phase_vocoder(complex_specgrams, rate, self.phase_advance)
