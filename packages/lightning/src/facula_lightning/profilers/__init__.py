"""Profilers: how long the hooks and steps of a run take."""

from facula_lightning.profilers.advanced import AdvancedProfiler
from facula_lightning.profilers.operations import FaculaProfiler
from facula_lightning.profilers.profiler import PassThroughProfiler, Profiler
from facula_lightning.profilers.simple import SimpleProfiler

__all__ = ["AdvancedProfiler", "FaculaProfiler", "PassThroughProfiler", "Profiler", "SimpleProfiler"]
