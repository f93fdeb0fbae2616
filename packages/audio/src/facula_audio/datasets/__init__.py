"""Readers of public datasets in the file formats of their authors."""

from facula_audio.datasets.speech_commands import SPEECHCOMMANDS
from facula_audio.datasets.spoken_digits import FSDD, SpokenDigits

__all__ = ["FSDD", "SPEECHCOMMANDS", "SpokenDigits"]
