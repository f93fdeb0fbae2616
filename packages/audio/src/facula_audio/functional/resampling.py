"""Resampling by a windowed sinc filter for each output phase (Smith, Digital Audio Resampling)."""

import functools
import math

import facula
import numpy as np
from facula import Tensor

__all__ = ["resample"]

_KAISER_BETA = 14.769656459379492

# up to so many numbers the filters are one strided convolution's; beyond, each output gathers its own few samples
_LARGEST_DENSE_KERNEL = 1 << 20
_BLOCK = 1 << 15


def _reduced(orig_freq: float, new_freq: float) -> tuple[int, int]:
    """Return both rates divided by their greatest common divisor."""
    if orig_freq <= 0 or new_freq <= 0:
        raise ValueError(
            f"Original frequency and desired frequency should be positive, but got "
            f"orig_freq={orig_freq} and new_freq={new_freq}"
        )
    if int(orig_freq) != orig_freq or int(new_freq) != new_freq:
        raise ValueError(
            f"Frequencies must be of integer type, but got orig_freq={orig_freq} and new_freq={new_freq}: "
            f"scale both to integers of the same ratio"
        )
    divisor = math.gcd(int(orig_freq), int(new_freq))
    return int(orig_freq) // divisor, int(new_freq) // divisor


def _check_filter(lowpass_filter_width: int, rolloff: float, resampling_method: str) -> None:
    if lowpass_filter_width <= 0:
        raise ValueError(f"Low pass filter width should be positive, but got {lowpass_filter_width}")
    if not 0 < rolloff <= 1:
        raise ValueError(f"rolloff must be in (0, 1], but got {rolloff}")
    if resampling_method not in ("sinc_interp_hann", "sinc_interp_kaiser"):
        raise ValueError(
            f"Invalid resampling method: {resampling_method!r}; expected 'sinc_interp_hann' or 'sinc_interp_kaiser'"
        )


def _sinc_kernel(
    orig: int, new: int, lowpass_filter_width: int, rolloff: float, resampling_method: str, beta: float | None
) -> tuple[np.ndarray, int]:
    """Return the filters in float64 and how many samples they reach before and after theirs.

    ``orig`` and ``new`` have no common divisor. Filter j gives the output samples j, j + new, j + 2 new …: it is the
    sinc, cut to ``lowpass_filter_width`` zero crossings a side, sampled from the time of output sample j. The shape is
    ``(new, 1, 2 * width + orig)``, each filter starting ``width`` before the first of ``orig`` samples; or, where that
    would be large, ``(new, 2 * width + 2)``, each filter starting ``width`` before the sample at or before its time.
    """
    base = min(orig, new) * rolloff
    width = math.ceil(lowpass_filter_width * orig / base)
    outputs = np.arange(new, dtype=np.int64)[:, None]
    if new * (2 * width + orig) <= _LARGEST_DENSE_KERNEL:
        samples = np.arange(-width, width + orig, dtype=np.float64) / orig
        time = samples - outputs / new
    else:
        offsets = np.arange(-width, width + 2)
        time = (offsets - (outputs * orig % new) / new) / orig
    time = np.clip(time * base, -lowpass_filter_width, lowpass_filter_width)
    if resampling_method == "sinc_interp_hann":
        window = np.cos(time * math.pi / lowpass_filter_width / 2) ** 2
    else:
        shape = _KAISER_BETA if beta is None else beta
        window = np.i0(shape * np.sqrt(1 - (time / lowpass_filter_width) ** 2)) / np.i0(shape)
    kernel = np.sinc(time) * window * (base / orig)
    return (kernel[:, None, :] if kernel.shape[1] == 2 * width + orig else kernel), width


_cached_sinc_kernel = functools.lru_cache(maxsize=16)(_sinc_kernel)


def _apply_kernel(waveform: Tensor, kernel: Tensor, width: int, orig: int, new: int) -> Tensor:
    if not waveform.is_floating_point():
        raise TypeError(f"Expected floating point type for waveform tensor, but received {waveform.dtype}.")
    leading = tuple(waveform.shape[:-1])
    length = waveform.shape[-1]
    target_length = -(-new * length // orig)
    rows = waveform.reshape(-1, length)
    if kernel.dim() == 3:
        padded = facula.nn.functional.pad(rows.unsqueeze(1), (width, width + orig))
        filtered = facula.nn.functional.conv1d(padded, kernel, stride=orig)
        resampled = filtered.transpose(1, 2).reshape(filtered.shape[0], -1)[:, :target_length]
    else:
        padded = facula.nn.functional.pad(rows, (width, width + 1))
        taps = facula.arange(2 * width + 2, device=waveform.device)
        blocks = []
        for start in range(0, target_length, _BLOCK):
            outputs = facula.arange(start, min(start + _BLOCK, target_length), device=waveform.device)
            first = facula.div(outputs * orig, new, rounding_mode="floor")
            windows = padded[:, first.unsqueeze(-1) + taps]
            blocks.append((windows * kernel[outputs % new]).sum(-1))
        resampled = facula.cat(blocks, dim=-1)
    return resampled.reshape((*leading, target_length))


def resample(
    waveform: Tensor,
    orig_freq: int,
    new_freq: int,
    lowpass_filter_width: int = 6,
    rolloff: float = 0.99,
    resampling_method: str = "sinc_interp_hann",
    beta: float | None = None,
) -> Tensor:
    """Return the waveform at another sample rate, shape ``(..., ceil(new_freq * time / orig_freq))``.

    Args:
        waveform: shape ``(..., time)``, floating point.
        orig_freq, new_freq: sample rates, whole numbers; only their ratio counts.
        lowpass_filter_width: zero crossings of the sinc on each side; more is sharper and slower.
        rolloff: the filter's cut-off as a fraction of the lower Nyquist frequency.
        resampling_method: the window on the sinc, ``"sinc_interp_hann"`` or ``"sinc_interp_kaiser"``.
        beta: the Kaiser window's shape, 14.77 if None.

    ``transforms.Resample`` keeps the filters and is quicker for many waveforms.

    >>> resample(facula.ones(1, 44100), 44100, 16000).shape
    facula.Size([1, 16000])
    """
    orig, new = _reduced(orig_freq, new_freq)
    _check_filter(lowpass_filter_width, rolloff, resampling_method)
    if orig == new:
        return waveform
    array, width = _cached_sinc_kernel(orig, new, lowpass_filter_width, rolloff, resampling_method, beta)
    kernel = facula.from_numpy(array).to(device=waveform.device, dtype=waveform.dtype)
    return _apply_kernel(waveform, kernel, width, orig, new)
