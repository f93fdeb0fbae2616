"""Modules that change the sample rate or the speed."""

from collections.abc import Sequence

import facula
from facula import Tensor, nn

from facula_audio.functional import resampling, waveforms

__all__ = ["Resample", "Speed", "SpeedPerturbation"]


class Resample(nn.Module):
    """Resamples waveforms from one rate to another; see :func:`facula_audio.functional.resample`.

    The filters are computed once, in float64, and kept as the buffer ``kernel`` in ``dtype`` (float32 if None). Its shape
    is torchaudio's, except where that would take more than a million numbers (as for 44100 to 47999).

    >>> Resample(44100, 16000)(facula.ones(1, 44100)).shape
    facula.Size([1, 16000])
    """

    kernel: Tensor

    def __init__(
        self,
        orig_freq: int = 16000,
        new_freq: int = 16000,
        resampling_method: str = "sinc_interp_hann",
        lowpass_filter_width: int = 6,
        rolloff: float = 0.99,
        beta: float | None = None,
        *,
        dtype: facula.dtype | None = None,
    ) -> None:
        super().__init__()
        self.orig_freq = orig_freq
        self.new_freq = new_freq
        self.resampling_method = resampling_method
        self.lowpass_filter_width = lowpass_filter_width
        self.rolloff = rolloff
        self.beta = beta
        resampling._check_filter(lowpass_filter_width, rolloff, resampling_method)
        self._orig, self._new = resampling._reduced(orig_freq, new_freq)
        self.gcd = int(orig_freq) // self._orig
        if self._orig != self._new:
            array, self.width = resampling._sinc_kernel(
                self._orig, self._new, lowpass_filter_width, rolloff, resampling_method, beta
            )
            self.register_buffer("kernel", facula.from_numpy(array).to(facula.float32 if dtype is None else dtype))

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the waveform, shape ``(..., ceil(new_freq * time / orig_freq))``."""
        if self._orig == self._new:
            return waveform
        return resampling._apply_kernel(waveform, self.kernel, self.width, self._orig, self._new)


class Speed(nn.Module):
    """Plays waveforms ``factor`` times as fast; their pitch rises too.

    >>> Speed(8000, 1.1)(facula.ones(1, 880))[0].shape
    facula.Size([1, 800])
    """

    def __init__(self, orig_freq: int, factor: float) -> None:
        super().__init__()
        self.orig_freq = orig_freq
        self.factor = factor
        self.source_sample_rate, self.target_sample_rate = waveforms._speed_rates(orig_freq, factor)
        self.resampler = Resample(self.source_sample_rate, self.target_sample_rate)

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the waveform ``(..., time)`` at the new speed and the new lengths, None if none were given."""
        if lengths is not None:
            lengths = waveforms._speed_lengths(lengths, self.source_sample_rate, self.target_sample_rate)
        return self.resampler(waveform), lengths


class SpeedPerturbation(nn.Module):
    """Plays waveforms at a speed drawn from ``factors`` for each call (Ko et al. 2015).

    >>> SpeedPerturbation(8000, [1.0])(facula.ones(1, 880))[0].shape
    facula.Size([1, 880])
    """

    def __init__(self, orig_freq: int, factors: Sequence[float]) -> None:
        super().__init__()
        self.speeders = nn.ModuleList([Speed(orig_freq, factor) for factor in factors])

    def forward(self, waveform: Tensor, lengths: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Return the waveform at the drawn speed and the new lengths, None if none were given."""
        choice = int(facula.randint(len(self.speeders), ()))
        result: tuple[Tensor, Tensor | None] = self.speeders[choice](waveform, lengths)
        return result
