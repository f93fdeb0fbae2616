"""Networks for audio."""

from facula_audio.models.m5 import M5

__all__ = ["M5"]
