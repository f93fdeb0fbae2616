"""Short-time Fourier analysis and synthesis: spectrograms, their inverses, the phase vocoder."""

import math

import facula
from facula import Tensor

__all__ = ["griffinlim", "inverse_spectrogram", "phase_vocoder", "spectral_centroid", "spectrogram"]


def _normalization(normalized: bool | str) -> tuple[bool, bool]:
    """Return whether to scale by the frame's length and whether by the window's energy."""
    if isinstance(normalized, str):
        if normalized not in ("frame_length", "window"):
            raise ValueError(
                f"Invalid normalized parameter: expected a bool, 'window' or 'frame_length', but got {normalized!r}"
            )
        return normalized == "frame_length", normalized == "window"
    return False, bool(normalized)


def _window_norm(window: Tensor) -> Tensor:
    return window.pow(2.0).sum().sqrt()


def spectrogram(
    waveform: Tensor,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float | None,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
    return_complex: bool | None = None,
) -> Tensor:
    """Return the spectrogram of a waveform: its short-time Fourier transform, or a power of its magnitude.

    Args:
        waveform: shape ``(..., time)``.
        pad: zeros put on both sides first.
        window: shape ``(win_length,)``.
        power: exponent of the magnitude (1 magnitude, 2 power), or None for the complex transform.
        normalized: True or ``"window"`` divides by the window's 2-norm, ``"frame_length"`` by ``sqrt(n_fft)``.
        center: whether frame ``t`` is centred at sample ``t * hop_length``, the ends padded by ``pad_mode``.
        onesided: whether only the ``n_fft // 2 + 1`` non-negative frequencies are returned.
        return_complex: has no effect; kept for callers that pass it.

    Returns:
        Shape ``(..., frequency, frames)``; complex if ``power`` is None.

    >>> wave = facula.sin(facula.arange(800) * 0.1)
    >>> spectrogram(wave, 0, facula.hann_window(400), 400, 200, 400, 2.0, False).shape
    facula.Size([201, 5])
    """
    by_frame_length, by_window = _normalization(normalized)
    if pad > 0:
        waveform = facula.nn.functional.pad(waveform, (pad, pad), "constant")
    leading = tuple(waveform.shape[:-1])
    result = facula.stft(
        waveform.reshape(-1, waveform.shape[-1]),
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        window=window,
        center=center,
        pad_mode=pad_mode,
        normalized=by_frame_length,
        onesided=onesided,
        return_complex=True,
    )
    result = result.reshape(leading + tuple(result.shape[-2:]))
    if by_window:
        result = result / _window_norm(window)
    if power is None:
        return result
    if power == 1.0:
        return result.abs()
    return result.abs().pow(power)


def inverse_spectrogram(
    spectrogram: Tensor,
    length: int | None,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    normalized: bool | str,
    center: bool = True,
    pad_mode: str = "reflect",
    onesided: bool = True,
) -> Tensor:
    """Return the waveform ``(..., time)`` of which this is the complex spectrogram ``(..., frequency, frames)``.

    The arguments are those the spectrogram was made with. ``length`` is the number of samples wanted; with None the
    ``pad`` zeros stay on both sides, as in torchaudio. ``pad_mode`` has no effect on the inverse.

    >>> window = facula.hann_window(400)
    >>> wave = facula.sin(facula.arange(800) * 0.1)
    >>> spec = spectrogram(wave, 0, window, 400, 200, 400, None, False)
    >>> bool(facula.allclose(inverse_spectrogram(spec, 800, 0, window, 400, 200, 400, False), wave, atol=1e-5))
    True
    """
    if not spectrogram.is_complex():
        raise ValueError(f"Expected `spectrogram` to be complex dtype, but got {spectrogram.dtype}")
    by_frame_length, by_window = _normalization(normalized)
    if by_window:
        spectrogram = spectrogram * _window_norm(window)
    leading = tuple(spectrogram.shape[:-2])
    waveform = facula.istft(
        spectrogram.reshape((-1, *tuple(spectrogram.shape[-2:]))),
        n_fft=n_fft,
        hop_length=hop_length,
        win_length=win_length,
        window=window,
        center=center,
        normalized=by_frame_length,
        onesided=onesided,
        length=None if length is None else length + 2 * pad,
        return_complex=False,
    )
    if length is not None and pad > 0:
        waveform = waveform[:, pad:-pad]
    return waveform.reshape((*leading, waveform.shape[-1]))


def griffinlim(
    specgram: Tensor,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
    power: float,
    n_iter: int,
    momentum: float,
    length: int | None,
    rand_init: bool,
) -> Tensor:
    """Return a waveform, shape ``(..., time)``, whose spectrogram is near the given one, by finding fitting phases.

    Args:
        specgram: ``|STFT| ** power``, shape ``(..., frequency, frames)``.
        n_iter: how often to go to the waveform and back.
        momentum: in ``[0, 1)``; 0 is the method of Griffin and Lim (1984), more is faster (Perraudin et al. 2013).
        length: number of samples wanted, as many frames as the spectrogram has; None for ``(frames - 1) * hop_length``.
        rand_init: whether the phases start random rather than zero.
    """
    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must be in the range [0, 1). Found: {momentum}")
    momentum = momentum / (1 + momentum)
    frames = specgram.shape[-1]
    if length is not None and length // hop_length + 1 != frames:
        raise ValueError(
            f"Expected a length of {frames} frames, {(frames - 1) * hop_length} to "
            f"{frames * hop_length - 1} samples, but got {length}"
        )
    leading = tuple(specgram.shape[:-2])
    magnitude = specgram.reshape((-1, *tuple(specgram.shape[-2:]))).pow(1 / power)

    def synthesize(phases: Tensor) -> Tensor:
        return facula.istft(
            magnitude * phases,
            n_fft=n_fft,
            hop_length=hop_length,
            win_length=win_length,
            window=window,
            length=length,
        )

    if rand_init:
        start = facula.rand((*tuple(magnitude.shape), 2), dtype=magnitude.dtype, device=magnitude.device)
        phases = facula.complex(start[..., 0], start[..., 1])
    else:
        phases = facula.complex(facula.ones_like(magnitude), facula.zeros_like(magnitude))

    previous = None
    for _ in range(n_iter):
        rebuilt = facula.stft(
            synthesize(phases),
            n_fft=n_fft,
            hop_length=hop_length,
            win_length=win_length,
            window=window,
            center=True,
            pad_mode="reflect",
            normalized=False,
            onesided=True,
            return_complex=True,
        )
        phases = rebuilt
        if momentum and previous is not None:
            phases = phases - momentum * previous
        phases = phases / (phases.abs() + 1e-16)
        previous = rebuilt

    waveform = synthesize(phases)
    return waveform.reshape((*leading, waveform.shape[-1]))


def phase_vocoder(complex_specgrams: Tensor, rate: float, phase_advance: Tensor) -> Tensor:
    """Return the spectrogram played ``rate`` times as fast, its pitch unchanged.

    Args:
        complex_specgrams: shape ``(..., frequency, frames)``, complex.
        rate: above 1 is faster.
        phase_advance: expected advance of each frequency's phase in one hop, shape ``(frequency, 1)``.

    Returns:
        Shape ``(..., frequency, ceil(frames / rate))``, complex.
    """
    if rate == 1.0:
        return complex_specgrams
    frames = complex_specgrams.shape[-1]
    steps = facula.arange(0, frames, rate, dtype=phase_advance.dtype, device=complex_specgrams.device)
    fraction = steps % 1.0
    before = steps.long()

    # two silent frames, so that the last step has a right neighbour
    silence = facula.zeros(
        (*tuple(complex_specgrams.shape[:-1]), 2), dtype=complex_specgrams.dtype, device=complex_specgrams.device
    )
    padded = facula.cat([complex_specgrams, silence], dim=-1)
    left = padded.index_select(-1, before)
    right = padded.index_select(-1, before + 1)

    advance = right.angle() - left.angle() - phase_advance
    advance = advance - 2 * math.pi * facula.round(advance / (2 * math.pi))
    advance = advance + phase_advance
    start = complex_specgrams[..., :1].angle()
    phase = facula.cat([start, advance[..., :-1]], dim=-1).cumsum(-1)

    magnitude = fraction * right.abs() + (1 - fraction) * left.abs()
    return facula.polar(magnitude, phase)


def spectral_centroid(
    waveform: Tensor,
    sample_rate: int,
    pad: int,
    window: Tensor,
    n_fft: int,
    hop_length: int,
    win_length: int,
) -> Tensor:
    """Return each frame's mean frequency in Hz, weighted by magnitude, shape ``(..., frames)``.

    >>> wave = facula.sin(facula.arange(8000) * (2 * 3.141592653589793 * 1000 / 8000))
    >>> float(spectral_centroid(wave, 8000, 0, facula.hann_window(400), 400, 200, 400)[10].round())
    1000.0
    """
    magnitude = spectrogram(waveform, pad, window, n_fft, hop_length, win_length, 1.0, False)
    frequencies = facula.linspace(0, sample_rate // 2, 1 + n_fft // 2, dtype=magnitude.dtype, device=magnitude.device)
    return (frequencies.reshape(-1, 1) * magnitude).sum(-2) / magnitude.sum(-2)
