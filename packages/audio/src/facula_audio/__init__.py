"""Audio for facula: files, signal processing, datasets and models with torchaudio's names."""

from facula_audio import datasets, functional, models, transforms
from facula_audio.io import AudioMetaData, info, load, save

__version__ = "0.1.0"

__all__ = [
    "AudioMetaData",
    "datasets",
    "functional",
    "info",
    "load",
    "models",
    "save",
    "transforms",
]
