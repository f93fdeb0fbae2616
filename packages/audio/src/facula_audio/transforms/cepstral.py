"""Modules that compute cepstral coefficients and their deltas."""

from collections.abc import Mapping
from typing import Any

import facula
from facula import Tensor, nn

from facula_audio import functional as F
from facula_audio.transforms.amplitude import AmplitudeToDB
from facula_audio.transforms.spectral import MelSpectrogram, Spectrogram

__all__ = ["LFCC", "MFCC", "ComputeDeltas"]

# what keeps the logarithm of silence finite
_LOG_OFFSET = 1e-6


def _check_dct_type(dct_type: int) -> None:
    if dct_type != 2:
        raise ValueError(f"DCT type not supported: {dct_type} (only 2 is)")


class MFCC(nn.Module):
    """Computes mel-frequency cepstral coefficients: the cosine transform of the mel spectrogram in decibels.

    Args:
        n_mfcc: how many coefficients, at most the number of mel bands.
        norm: ``"ortho"`` or None, see :func:`facula_audio.functional.create_dct`.
        log_mels: whether to take ``log(mel + 1e-6)`` in place of decibels cut 80 below the peak.
        melkwargs: arguments of :class:`MelSpectrogram`.

    >>> MFCC(sample_rate=8000, n_mfcc=13, melkwargs={"n_mels": 40})(facula.zeros(1, 8000)).shape
    facula.Size([1, 13, 41])
    """

    dct_mat: Tensor

    def __init__(
        self,
        sample_rate: int = 16000,
        n_mfcc: int = 40,
        dct_type: int = 2,
        norm: str | None = "ortho",
        log_mels: bool = False,
        melkwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check_dct_type(dct_type)
        self.sample_rate = sample_rate
        self.n_mfcc = n_mfcc
        self.dct_type = dct_type
        self.norm = norm
        self.top_db = 80.0
        self.amplitude_to_DB = AmplitudeToDB("power", self.top_db)
        self.MelSpectrogram = MelSpectrogram(sample_rate=sample_rate, **(melkwargs or {}))
        if n_mfcc > self.MelSpectrogram.n_mels:
            raise ValueError(
                f"Cannot select more MFCC coefficients than # mel bins: n_mfcc is {n_mfcc}, "
                f"n_mels is {self.MelSpectrogram.n_mels}"
            )
        self.register_buffer("dct_mat", F.create_dct(n_mfcc, self.MelSpectrogram.n_mels, norm))
        self.log_mels = log_mels

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the coefficients ``(..., n_mfcc, frames)`` of a waveform ``(..., time)``."""
        mels = self.MelSpectrogram(waveform)
        logarithms = facula.log(mels + _LOG_OFFSET) if self.log_mels else self.amplitude_to_DB(mels)
        return facula.matmul(logarithms.transpose(-1, -2), self.dct_mat).transpose(-1, -2)


class LFCC(nn.Module):
    """Computes linear-frequency cepstral coefficients: as :class:`MFCC`, but with filters equally spaced in Hz.

    Args:
        n_filter: how many filters.
        f_min, f_max: where they begin and end; ``f_max`` is ``sample_rate // 2`` if None.
        n_lfcc: how many coefficients, at most ``n_filter``.
        log_lf: whether to take ``log(power + 1e-6)`` in place of decibels cut 80 below the peak.
        speckwargs: arguments of :class:`Spectrogram`.

    >>> LFCC(sample_rate=8000, n_lfcc=20)(facula.zeros(1, 8000)).shape
    facula.Size([1, 20, 41])
    """

    filter_mat: Tensor
    dct_mat: Tensor

    def __init__(
        self,
        sample_rate: int = 16000,
        n_filter: int = 128,
        f_min: float = 0.0,
        f_max: float | None = None,
        n_lfcc: int = 40,
        dct_type: int = 2,
        norm: str | None = "ortho",
        log_lf: bool = False,
        speckwargs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        _check_dct_type(dct_type)
        self.sample_rate = sample_rate
        self.f_min = f_min
        self.f_max = f_max if f_max is not None else float(sample_rate // 2)
        self.n_filter = n_filter
        self.n_lfcc = n_lfcc
        self.dct_type = dct_type
        self.norm = norm
        self.top_db = 80.0
        self.amplitude_to_DB = AmplitudeToDB("power", self.top_db)
        self.Spectrogram = Spectrogram(**(speckwargs or {}))
        if n_lfcc > self.Spectrogram.n_fft:
            raise ValueError(
                f"Cannot select more LFCC coefficients than # fft bins: n_lfcc is {n_lfcc}, "
                f"n_fft is {self.Spectrogram.n_fft}"
            )
        filters = F.linear_fbanks(
            self.Spectrogram.n_fft // 2 + 1, self.f_min, self.f_max, self.n_filter, self.sample_rate
        )
        self.register_buffer("filter_mat", filters)
        self.register_buffer("dct_mat", F.create_dct(self.n_lfcc, self.n_filter, self.norm))
        self.log_lf = log_lf

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the coefficients ``(..., n_lfcc, frames)`` of a waveform ``(..., time)``."""
        bands = facula.matmul(self.Spectrogram(waveform).transpose(-1, -2), self.filter_mat).transpose(-1, -2)
        logarithms = facula.log(bands + _LOG_OFFSET) if self.log_lf else self.amplitude_to_DB(bands)
        return facula.matmul(logarithms.transpose(-1, -2), self.dct_mat).transpose(-1, -2)


class ComputeDeltas(nn.Module):
    """Computes the slope of features over time; see :func:`facula_audio.functional.compute_deltas`.

    >>> ComputeDeltas()(facula.arange(6.0).reshape(1, 6))
    tensor([[0.5000, 0.8000, 1.0000, 1.0000, 0.8000, 0.5000]])
    """

    def __init__(self, win_length: int = 5, mode: str = "replicate") -> None:
        super().__init__()
        self.win_length = win_length
        self.mode = mode

    def forward(self, specgram: Tensor) -> Tensor:
        """Return the slopes, of the shape of the features ``(..., frequency, time)``."""
        return F.compute_deltas(specgram, win_length=self.win_length, mode=self.mode)
