"""Amplitudes: decibels, gain and mu-law companding."""

import math

import facula
from facula import Tensor

__all__ = ["DB_to_amplitude", "amplitude_to_DB", "gain", "mu_law_decoding", "mu_law_encoding"]


def amplitude_to_DB(
    x: Tensor, multiplier: float, amin: float, db_multiplier: float, top_db: float | None = None
) -> Tensor:
    """Return a spectrogram in decibels: ``multiplier * log10(max(x, amin)) - multiplier * db_multiplier``.

    Args:
        x: shape ``(frequency, time)``, ``(channel, frequency, time)`` or ``(..., batch, channel, frequency, time)``.
        multiplier: 10 for power, 20 for amplitude.
        amin: smallest value taken as it is.
        db_multiplier: ``log10(max(reference, amin))``.
        top_db: values further than this below the item's peak are raised to that; an item is all of
            ``(channel, frequency, time)``.

    >>> amplitude_to_DB(facula.tensor([[1.0, 10.0, 100.0]]), 10.0, 1e-10, 0.0, top_db=15.0).round()
    tensor([[ 5., 10., 20.]])
    """
    decibels = multiplier * facula.log10(x.clamp(min=amin)) - multiplier * db_multiplier
    if top_db is None:
        return decibels
    shape = tuple(decibels.shape)
    channels = shape[-3] if decibels.dim() > 2 else 1
    items = decibels.reshape((-1, channels, *shape[-2:]))
    floor = items.amax(dim=(-3, -2, -1), keepdim=True) - top_db
    return facula.maximum(items, floor).reshape(shape)


def DB_to_amplitude(x: Tensor, ref: float, power: float) -> Tensor:
    """Return amplitudes from decibels: ``ref * (10 ** (x / 10)) ** power``; power 1 for power, 0.5 for amplitude.

    >>> DB_to_amplitude(facula.tensor([0.0, 20.0]), 1.0, 0.5)
    tensor([ 1., 10.])
    """
    return ref * (10.0 ** (0.1 * x)) ** power


def gain(waveform: Tensor, gain_db: float = 1.0) -> Tensor:
    """Return the waveform louder by ``gain_db`` decibels.

    >>> gain(facula.tensor([0.01]), 20.0)
    tensor([0.1000])
    """
    if gain_db == 0:
        return waveform
    return waveform * 10.0 ** (gain_db / 20.0)


def mu_law_encoding(x: Tensor, quantization_channels: int) -> Tensor:
    """Return the mu-law codes, int64 in ``[0, quantization_channels)``, of a signal in ``[-1, 1]`` (ITU-T G.711).

    >>> mu_law_encoding(facula.tensor([-1.0, 0.0, 1.0]), 256)
    tensor([  0, 128, 255])
    """
    mu = quantization_channels - 1.0
    if not x.is_floating_point():
        x = x.to(facula.get_default_dtype())
    compressed = facula.sign(x) * facula.log1p(mu * facula.abs(x)) / math.log1p(mu)
    return ((compressed + 1) / 2 * mu + 0.5).to(facula.int64)


def mu_law_decoding(x_mu: Tensor, quantization_channels: int) -> Tensor:
    """Return the signal in ``[-1, 1]`` for mu-law codes in ``[0, quantization_channels)``.

    >>> mu_law_decoding(facula.tensor([0, 255]), 256)
    tensor([-1.,  1.])
    """
    mu = quantization_channels - 1.0
    if not x_mu.is_floating_point():
        x_mu = x_mu.to(facula.get_default_dtype())
    compressed = x_mu / mu * 2 - 1.0
    return facula.sign(compressed) * (facula.exp(facula.abs(compressed) * math.log1p(mu)) - 1.0) / mu
