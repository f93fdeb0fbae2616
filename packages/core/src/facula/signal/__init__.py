"""Signals: window functions."""

from facula.signal import windows

__all__ = ["windows"]
