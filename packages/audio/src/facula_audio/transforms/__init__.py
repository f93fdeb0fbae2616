"""Signal processing as modules, with torchaudio's names."""

from facula_audio.transforms.amplitude import AmplitudeToDB, Fade, MuLawDecoding, MuLawEncoding, Vol
from facula_audio.transforms.cepstral import LFCC, MFCC, ComputeDeltas
from facula_audio.transforms.masking import FrequencyMasking, SpecAugment, TimeMasking
from facula_audio.transforms.resampling import Resample, Speed, SpeedPerturbation
from facula_audio.transforms.spectral import (
    GriffinLim,
    InverseSpectrogram,
    MelScale,
    MelSpectrogram,
    SpectralCentroid,
    Spectrogram,
    TimeStretch,
)
from facula_audio.transforms.waveforms import AddNoise, Convolve, FFTConvolve, Preemphasis

__all__ = [
    "LFCC",
    "MFCC",
    "AddNoise",
    "AmplitudeToDB",
    "ComputeDeltas",
    "Convolve",
    "FFTConvolve",
    "Fade",
    "FrequencyMasking",
    "GriffinLim",
    "InverseSpectrogram",
    "MelScale",
    "MelSpectrogram",
    "MuLawDecoding",
    "MuLawEncoding",
    "Preemphasis",
    "Resample",
    "SpecAugment",
    "SpectralCentroid",
    "Spectrogram",
    "Speed",
    "SpeedPerturbation",
    "TimeMasking",
    "TimeStretch",
    "Vol",
]
