"""Signal processing as functions of tensors, differentiable, with torchaudio's names."""

from facula_audio.functional.amplitude import DB_to_amplitude, amplitude_to_DB, gain, mu_law_decoding, mu_law_encoding
from facula_audio.functional.features import compute_deltas, sliding_window_cmn
from facula_audio.functional.filterbanks import create_dct, linear_fbanks, melscale_fbanks
from facula_audio.functional.masking import mask_along_axis, mask_along_axis_iid
from facula_audio.functional.resampling import resample
from facula_audio.functional.spectral import (
    griffinlim,
    inverse_spectrogram,
    phase_vocoder,
    spectral_centroid,
    spectrogram,
)
from facula_audio.functional.waveforms import add_noise, convolve, edit_distance, fftconvolve, preemphasis, speed

__all__ = [
    "DB_to_amplitude",
    "add_noise",
    "amplitude_to_DB",
    "compute_deltas",
    "convolve",
    "create_dct",
    "edit_distance",
    "fftconvolve",
    "gain",
    "griffinlim",
    "inverse_spectrogram",
    "linear_fbanks",
    "mask_along_axis",
    "mask_along_axis_iid",
    "melscale_fbanks",
    "mu_law_decoding",
    "mu_law_encoding",
    "phase_vocoder",
    "preemphasis",
    "resample",
    "sliding_window_cmn",
    "spectral_centroid",
    "spectrogram",
    "speed",
]
