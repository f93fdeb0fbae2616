"""Loggers: where logged numbers go."""

from facula_lightning.loggers.csv_logs import CSVLogger
from facula_lightning.loggers.jsonl import JSONLLogger
from facula_lightning.loggers.logger import DummyLogger, Logger
from facula_lightning.loggers.mlflow import MLFlowLogger
from facula_lightning.loggers.tensorboard import TensorBoardLogger
from facula_lightning.loggers.wandb import WandbLogger

__all__ = ["CSVLogger", "DummyLogger", "JSONLLogger", "Logger", "MLFlowLogger", "TensorBoardLogger", "WandbLogger"]
