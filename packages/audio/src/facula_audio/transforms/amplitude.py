"""Modules that change amplitudes: decibels, mu-law, volume and fades."""

import math

import facula
from facula import Tensor, nn

from facula_audio import functional as F

__all__ = ["AmplitudeToDB", "Fade", "MuLawDecoding", "MuLawEncoding", "Vol"]

_FADE_SHAPES = ("quarter_sine", "half_sine", "linear", "logarithmic", "exponential")


class AmplitudeToDB(nn.Module):
    """Turns spectrograms into decibels; see :func:`facula_audio.functional.amplitude_to_DB`.

    Args:
        stype: ``"power"`` or ``"magnitude"``, what the spectrogram holds.
        top_db: lowest level kept below each item's peak, or None to keep all.

    >>> AmplitudeToDB(top_db=15.0)(facula.tensor([[1.0, 10.0, 100.0]])).round()
    tensor([[ 5., 10., 20.]])
    """

    def __init__(self, stype: str = "power", top_db: float | None = None) -> None:
        super().__init__()
        if stype not in ("power", "magnitude"):
            raise ValueError(f"stype must be 'power' or 'magnitude', but got {stype!r}")
        if top_db is not None and top_db < 0:
            raise ValueError(f"top_db must be positive value, but got {top_db}")
        self.stype = stype
        self.top_db = top_db
        self.multiplier = 10.0 if stype == "power" else 20.0
        self.amin = 1e-10
        self.ref_value = 1.0
        self.db_multiplier = math.log10(max(self.amin, self.ref_value))

    def forward(self, x: Tensor) -> Tensor:
        """Return the spectrogram in decibels, of the same shape."""
        return F.amplitude_to_DB(x, self.multiplier, self.amin, self.db_multiplier, self.top_db)


class MuLawEncoding(nn.Module):
    """Turns signals in ``[-1, 1]`` into mu-law codes, int64 in ``[0, quantization_channels)``.

    >>> MuLawEncoding()(facula.tensor([-1.0, 0.0, 1.0]))
    tensor([  0, 128, 255])
    """

    def __init__(self, quantization_channels: int = 256) -> None:
        super().__init__()
        self.quantization_channels = quantization_channels

    def forward(self, x: Tensor) -> Tensor:
        """Return the codes, of the same shape."""
        return F.mu_law_encoding(x, self.quantization_channels)


class MuLawDecoding(nn.Module):
    """Turns mu-law codes in ``[0, quantization_channels)`` into signals in ``[-1, 1]``.

    >>> MuLawDecoding()(facula.tensor([0, 255]))
    tensor([-1.,  1.])
    """

    def __init__(self, quantization_channels: int = 256) -> None:
        super().__init__()
        self.quantization_channels = quantization_channels

    def forward(self, x_mu: Tensor) -> Tensor:
        """Return the signal, of the same shape."""
        return F.mu_law_decoding(x_mu, self.quantization_channels)


class Vol(nn.Module):
    """Makes waveforms louder or softer, and clips them to ``[-1, 1]``.

    ``gain`` is a factor of the amplitude, of the power, or decibels, as ``gain_type`` says (``"amplitude"``,
    ``"power"``, ``"db"``).

    >>> Vol(0.5)(facula.tensor([0.5, -1.0]))
    tensor([ 0.2500, -0.5000])
    """

    def __init__(self, gain: float, gain_type: str = "amplitude") -> None:
        super().__init__()
        if gain_type not in ("amplitude", "power", "db"):
            raise ValueError(f"gain_type must be 'amplitude', 'power' or 'db', but got {gain_type!r}")
        if gain_type in ("amplitude", "power") and gain < 0:
            raise ValueError(f"If gain_type = amplitude or power, gain must be positive, but got {gain}")
        self.gain = gain
        self.gain_type = gain_type

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the waveform, of the same shape."""
        if self.gain_type == "amplitude":
            factor = self.gain
        elif self.gain_type == "power":
            factor = math.sqrt(self.gain)
        else:
            factor = 10.0 ** (self.gain / 20.0)
        return (waveform * factor).clamp(-1.0, 1.0)


class Fade(nn.Module):
    """Fades waveforms in and out.

    Args:
        fade_in_len, fade_out_len: samples that fade at the beginning and at the end.
        fade_shape: ``"linear"``, ``"quarter_sine"``, ``"half_sine"``, ``"logarithmic"`` or ``"exponential"``.

    >>> Fade(2, 3)(facula.ones(6))
    tensor([0.0000, 1.0000, 1.0000, 1.0000, 0.5000, 0.0000])
    """

    def __init__(self, fade_in_len: int = 0, fade_out_len: int = 0, fade_shape: str = "linear") -> None:
        super().__init__()
        if fade_shape not in _FADE_SHAPES:
            raise ValueError(f"fade_shape must be one of {_FADE_SHAPES}, but got {fade_shape!r}")
        self.fade_in_len = fade_in_len
        self.fade_out_len = fade_out_len
        self.fade_shape = fade_shape

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the waveform ``(..., time)`` times the fades."""
        length = waveform.shape[-1]
        if max(self.fade_in_len, self.fade_out_len) > length:
            raise RuntimeError(
                f"Expected fades no longer than the waveform, but got fade_in_len {self.fade_in_len}, "
                f"fade_out_len {self.fade_out_len} and {length} samples"
            )
        dtype, device = waveform.dtype, waveform.device
        rising = facula.linspace(0, 1, self.fade_in_len, dtype=dtype, device=device)
        falling = facula.linspace(1, 0, self.fade_out_len, dtype=dtype, device=device)
        fade_in = facula.cat([self._curve(rising), waveform.new_ones(length - self.fade_in_len)])
        fade_out = facula.cat([waveform.new_ones(length - self.fade_out_len), self._curve(falling)])
        return waveform * fade_in * fade_out

    def _curve(self, level: Tensor) -> Tensor:
        """Return the factors for levels that go from 0 (silent) to 1."""
        if self.fade_shape == "exponential":
            level = facula.pow(2.0, level - 1) * level
        elif self.fade_shape == "logarithmic":
            level = facula.log10(0.1 + level) + 1
        elif self.fade_shape == "quarter_sine":
            level = facula.sin(level * (math.pi / 2))
        elif self.fade_shape == "half_sine":
            level = facula.sin(level * math.pi - math.pi / 2) / 2 + 0.5
        return level.clamp(0, 1)
