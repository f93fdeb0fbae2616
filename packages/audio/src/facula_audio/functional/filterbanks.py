"""Constant matrices: triangular filter banks on the mel and linear scales, and the discrete cosine transform."""

import math
import warnings

import facula
from facula import Tensor

__all__ = ["create_dct", "linear_fbanks", "melscale_fbanks"]

# Slaney's scale (Auditory Toolbox, 1998): linear below 1000 Hz, then 27 mels a factor of 6.4
_SLANEY_HZ_PER_MEL = 200.0 / 3
_SLANEY_BREAK_HZ = 1000.0
_SLANEY_BREAK_MEL = _SLANEY_BREAK_HZ / _SLANEY_HZ_PER_MEL
_SLANEY_LOG_STEP = math.log(6.4) / 27.0


def _check_mel_scale(mel_scale: str) -> None:
    if mel_scale not in ("htk", "slaney"):
        raise ValueError(f'mel_scale should be one of "htk" or "slaney", but got {mel_scale!r}')


def _hz_to_mel(frequency: float, mel_scale: str) -> float:
    if mel_scale == "htk":
        return 2595.0 * math.log10(1.0 + frequency / 700.0)
    if frequency < _SLANEY_BREAK_HZ:
        return frequency / _SLANEY_HZ_PER_MEL
    return _SLANEY_BREAK_MEL + math.log(frequency / _SLANEY_BREAK_HZ) / _SLANEY_LOG_STEP


def _mel_to_hz(mels: Tensor, mel_scale: str) -> Tensor:
    if mel_scale == "htk":
        return 700.0 * (10.0 ** (mels / 2595.0) - 1.0)
    above = _SLANEY_BREAK_HZ * facula.exp(_SLANEY_LOG_STEP * (mels - _SLANEY_BREAK_MEL))
    return facula.where(mels >= _SLANEY_BREAK_MEL, above, _SLANEY_HZ_PER_MEL * mels)


def _triangles(bins: Tensor, corners: Tensor) -> Tensor:
    """Return filters, shape (bins, corners - 2): filter m rises from corner m to m + 1 and falls to m + 2."""
    widths = corners[1:] - corners[:-1]
    slopes = corners.unsqueeze(0) - bins.unsqueeze(1)
    falling = -slopes[:, :-2] / widths[:-1]
    rising = slopes[:, 2:] / widths[1:]
    return facula.minimum(falling, rising).clamp(min=0.0)


def melscale_fbanks(
    n_freqs: int,
    f_min: float,
    f_max: float,
    n_mels: int,
    sample_rate: int,
    norm: str | None = None,
    mel_scale: str = "htk",
) -> Tensor:
    """Return triangular filters equally spaced on the mel scale, shape ``(n_freqs, n_mels)``.

    Args:
        n_freqs: number of linear frequencies, from 0 to ``sample_rate // 2`` Hz.
        f_min, f_max: where the first filter begins and the last ends, in Hz.
        norm: ``"slaney"`` gives each filter area 1; None gives it height 1.
        mel_scale: ``"htk"``, ``2595 log10(1 + f / 700)``, or ``"slaney"``, linear up to 1000 Hz and logarithmic above.

    A spectrogram ``(..., n_freqs, frames)`` becomes a mel spectrogram by ``fbanks.T @ spectrogram``. librosa's filters
    are ``norm="slaney", mel_scale="slaney"``. Warns when a filter is so narrow that no frequency falls in it.

    >>> melscale_fbanks(201, 0.0, 4000.0, 40, 8000).shape
    facula.Size([201, 40])
    """
    if norm is not None and norm != "slaney":
        raise ValueError(f'norm must be one of None or "slaney", but got {norm!r}')
    _check_mel_scale(mel_scale)
    bins = facula.linspace(0, sample_rate // 2, n_freqs)
    mels = facula.linspace(_hz_to_mel(f_min, mel_scale), _hz_to_mel(f_max, mel_scale), n_mels + 2)
    corners = _mel_to_hz(mels, mel_scale)
    filters = _triangles(bins, corners)
    if norm == "slaney":
        filters = filters * (2.0 / (corners[2:] - corners[:-2]))
    empty = int((filters.amax(dim=0) == 0.0).sum())
    if empty:
        warnings.warn(
            f"{empty} of {n_mels} mel filters are all zero: n_mels ({n_mels}) may be set too high, "
            f"or n_freqs ({n_freqs}) too low.",
            stacklevel=2,
        )
    return filters


def linear_fbanks(n_freqs: int, f_min: float, f_max: float, n_filter: int, sample_rate: int) -> Tensor:
    """Return triangular filters equally spaced in Hz, shape ``(n_freqs, n_filter)``, each of height 1.

    >>> linear_fbanks(201, 0.0, 4000.0, 40, 8000).shape
    facula.Size([201, 40])
    """
    bins = facula.linspace(0, sample_rate // 2, n_freqs)
    corners = facula.linspace(f_min, f_max, n_filter + 2)
    return _triangles(bins, corners)


def create_dct(n_mfcc: int, n_mels: int, norm: str | None) -> Tensor:
    """Return the matrix of the discrete cosine transform (type II), shape ``(n_mels, n_mfcc)``.

    ``norm="ortho"`` makes its columns orthonormal; None gives the plain sum, twice over, as in SciPy.

    >>> create_dct(2, 2, "ortho")
    tensor([[ 0.7071,  0.7071],
            [ 0.7071, -0.7071]])
    """
    if norm is not None and norm != "ortho":
        raise ValueError(f'norm must be either "ortho" or None, but got {norm!r}')
    n = facula.arange(float(n_mels))
    k = facula.arange(float(n_mfcc)).unsqueeze(1)
    dct = facula.cos(math.pi / n_mels * (n + 0.5) * k)
    if norm is None:
        dct = dct * 2.0
    else:
        scale = facula.full((n_mfcc, 1), math.sqrt(2.0 / n_mels))
        scale[0] = math.sqrt(1.0 / n_mels)
        dct = dct * scale
    return dct.t().contiguous()
