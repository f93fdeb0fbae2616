"""Loggers: where logged numbers go."""

from facula_lightning.loggers.csv_logs import CSVLogger
from facula_lightning.loggers.logger import DummyLogger, Logger

__all__ = ["CSVLogger", "DummyLogger", "Logger"]
