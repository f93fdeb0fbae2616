"""Loggers: where logged numbers go."""

from typing import TYPE_CHECKING

from facula_lightning.later import later

__all__ = ["CSVLogger", "DummyLogger", "JSONLLogger", "Logger", "MLFlowLogger", "TensorBoardLogger", "WandbLogger"]

if TYPE_CHECKING:
    from facula_lightning.loggers.csv_logs import CSVLogger as CSVLogger
    from facula_lightning.loggers.jsonl import JSONLLogger as JSONLLogger
    from facula_lightning.loggers.logger import DummyLogger as DummyLogger, Logger as Logger
    from facula_lightning.loggers.mlflow import MLFlowLogger as MLFlowLogger
    from facula_lightning.loggers.tensorboard import TensorBoardLogger as TensorBoardLogger
    from facula_lightning.loggers.wandb import WandbLogger as WandbLogger

# A program has use for one or two of them.
_LATER = {
    "CSVLogger": "csv_logs",
    "DummyLogger": "logger",
    "JSONLLogger": "jsonl",
    "Logger": "logger",
    "MLFlowLogger": "mlflow",
    "TensorBoardLogger": "tensorboard",
    "WandbLogger": "wandb",
}

if not TYPE_CHECKING:  # type checkers read the imports above, and report a name that does not exist
    __getattr__, __dir__ = later(__name__, globals(), _LATER)
