"""What starts the processes of a run."""

from facula_lightning.strategies.launchers.job import Job
from facula_lightning.strategies.launchers.launcher import Launcher
from facula_lightning.strategies.launchers.script import ScriptLauncher
from facula_lightning.strategies.launchers.spawn import SpawnLauncher

__all__ = ["Job", "Launcher", "ScriptLauncher", "SpawnLauncher"]
