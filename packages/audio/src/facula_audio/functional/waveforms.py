"""Waveform operations: convolution, noise at a given level, speed, pre-emphasis; and the edit distance of labels."""

import math
from collections.abc import Sequence

import facula
from facula import Tensor

from facula_audio.functional.resampling import resample

__all__ = ["add_noise", "convolve", "edit_distance", "fftconvolve", "preemphasis", "speed"]


def _check_convolution(x: Tensor, y: Tensor, mode: str) -> None:
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"Unrecognized mode value {mode!r}. Please specify one of ['full', 'valid', 'same'].")
    if x.dim() != y.dim():
        raise ValueError(f"The operands must be the same dimension (got {x.dim()} and {y.dim()}).")
    for left, right in zip(x.shape[:-1], y.shape[:-1], strict=True):
        if left != right and 1 not in (left, right):
            raise ValueError(
                f"Leading dimensions of x and y are not broadcastable (got {tuple(x.shape)} and {tuple(y.shape)})."
            )


def _trim(full: Tensor, x_length: int, y_length: int, mode: str) -> Tensor:
    """Return the part of the full convolution that ``mode`` asks for."""
    if mode == "full":
        return full
    target = x_length if mode == "same" else max(x_length, y_length) - min(x_length, y_length) + 1
    start = (full.shape[-1] - target) // 2
    return full[..., start : start + target]


def fftconvolve(x: Tensor, y: Tensor, mode: str = "full") -> Tensor:
    """Return the convolution of ``x`` and ``y`` along the last dimension, by fast Fourier transforms.

    Shapes ``(..., N)`` and ``(..., M)`` give ``(..., N + M - 1)`` for ``mode="full"``, the middle ``N`` for ``"same"``,
    the ``max(N, M) - min(N, M) + 1`` values without padding for ``"valid"``; leading dimensions broadcast.

    >>> fftconvolve(facula.tensor([1.0, 2.0]), facula.tensor([1.0, 10.0])).round()
    tensor([ 1., 12., 20.])
    """
    _check_convolution(x, y, mode)
    n = x.shape[-1] + y.shape[-1] - 1
    full = facula.fft.irfft(facula.fft.rfft(x, n=n) * facula.fft.rfft(y, n=n), n=n)
    return _trim(full, x.shape[-1], y.shape[-1], mode)


def convolve(x: Tensor, y: Tensor, mode: str = "full") -> Tensor:
    """Return the convolution of ``x`` and ``y`` along the last dimension, computed directly.

    Shapes and modes are those of :func:`fftconvolve`; this is quicker when one of the two is short.

    >>> convolve(facula.tensor([1.0, 2.0]), facula.tensor([1.0, 10.0]))
    tensor([ 1., 12., 20.])
    """
    _check_convolution(x, y, mode)
    x_length, y_length = x.shape[-1], y.shape[-1]
    if x_length < y_length:
        x, y = y, x
    leading = [max(left, right) for left, right in zip(x.shape[:-1], y.shape[:-1], strict=True)]
    count = math.prod(leading)
    signals = x.expand([*leading, x.shape[-1]]).reshape(1, count, x.shape[-1])
    kernels = y.expand([*leading, y.shape[-1]]).reshape(count, 1, y.shape[-1]).flip(-1)
    full = facula.nn.functional.conv1d(signals, kernels, groups=count, padding=y.shape[-1] - 1)
    return _trim(full.reshape([*leading, full.shape[-1]]), x_length, y_length, mode)


def add_noise(waveform: Tensor, noise: Tensor, snr: Tensor, lengths: Tensor | None = None) -> Tensor:
    """Return the waveform with noise added so that the signal-to-noise ratio is ``snr`` decibels.

    Args:
        waveform, noise: shape ``(..., time)``.
        snr: shape ``(...)``.
        lengths: how many samples of each waveform the levels are measured over, shape ``(...)``; None for all.

    >>> add_noise(facula.ones(4), facula.ones(4), facula.tensor(20.0))
    tensor([1.1000, 1.1000, 1.1000, 1.1000])
    """
    dims = {waveform.dim() - 1, noise.dim() - 1, snr.dim()} | ({lengths.dim()} if lengths is not None else set())
    if len(dims) != 1:
        raise ValueError(
            f"Input leading dimensions don't match (waveform {tuple(waveform.shape)}, noise {tuple(noise.shape)}, "
            f"snr {tuple(snr.shape)})."
        )
    length = waveform.shape[-1]
    if length != noise.shape[-1]:
        raise ValueError(f"Length dimensions of waveform and noise don't match (got {length} and {noise.shape[-1]}).")
    signal_power, noise_power = waveform.pow(2), noise.pow(2)
    if lengths is not None:
        valid = facula.arange(length, device=waveform.device) < lengths.unsqueeze(-1)
        signal_power = signal_power * valid
        noise_power = noise_power * valid
    signal_energy = signal_power.sum(-1)
    noise_energy = noise_power.sum(-1)
    original_snr = 10 * (facula.log10(signal_energy) - facula.log10(noise_energy))
    scale = 10 ** ((original_snr - snr) / 20.0)
    return waveform + scale.unsqueeze(-1) * noise


def speed(
    waveform: Tensor, orig_freq: int, factor: float, lengths: Tensor | None = None
) -> tuple[Tensor, Tensor | None]:
    """Return the waveform played ``factor`` times as fast (its pitch rises too), and the new lengths if given.

    >>> wave, lengths = speed(facula.ones(1, 880), 8000, 1.1)
    >>> wave.shape
    facula.Size([1, 800])
    """
    source, target = _speed_rates(orig_freq, factor)
    new_lengths = None if lengths is None else _speed_lengths(lengths, source, target)
    return resample(waveform, source, target), new_lengths


def _speed_rates(orig_freq: int, factor: float) -> tuple[int, int]:
    source, target = int(factor * orig_freq), int(orig_freq)
    divisor = math.gcd(source, target)
    return source // divisor, target // divisor


def _speed_lengths(lengths: Tensor, source: int, target: int) -> Tensor:
    return facula.ceil(lengths * target / source).to(lengths.dtype)


def preemphasis(waveform: Tensor, coeff: float = 0.97) -> Tensor:
    """Return ``y[i] = x[i] - coeff * x[i - 1]`` along the last dimension, the first sample unchanged.

    >>> preemphasis(facula.ones(3))
    tensor([1.0000, 0.0300, 0.0300])
    """
    return facula.cat([waveform[..., :1], waveform[..., 1:] - coeff * waveform[..., :-1]], dim=-1)


def edit_distance(seq1: Sequence[object], seq2: Sequence[object]) -> int:
    """Return how many insertions, deletions and substitutions turn one sequence into the other (Levenshtein).

    >>> edit_distance("kitten", "sitting")
    3
    """
    row = list(range(len(seq2) + 1))
    for i, first in enumerate(seq1, start=1):
        diagonal, row[0] = row[0], i
        for j, second in enumerate(seq2, start=1):
            substitution = diagonal + (first != second)
            diagonal = row[j]
            row[j] = min(substitution, row[j] + 1, row[j - 1] + 1)
    return row[-1]
