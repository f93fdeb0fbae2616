"""A trainer beside another: with its settings, and with loops, counters and metrics of its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from facula_lightning.checkpointing.connector import CheckpointConnector
from facula_lightning.loops.evaluation import EvaluationLoop
from facula_lightning.loops.fit import FitLoop
from facula_lightning.loops.prediction import PredictionLoop
from facula_lightning.plugins.io import CheckpointIO
from facula_lightning.trainer.data import DataSource
from facula_lightning.trainer.logging import Logging
from facula_lightning.trainer.optimization import Optimization

if TYPE_CHECKING:
    from facula_lightning.trainer.trainer import Trainer


def apart(trainer: Trainer) -> Trainer:
    """Return a trainer with the settings of another whose runs leave that one as it is, and write no files.

    It has no optimizers and no data yet. Callbacks, loggers, the strategy and the precision are the other's, for the caller to
    replace.
    """
    other = copy.copy(trainer)
    other._profiler = None
    other.checkpoint_io = NoFiles()
    other._data, other._logging = DataSource(other), Logging(other)
    other._optimization, other._checkpoints = Optimization(other), CheckpointConnector(other)
    other.fit_loop, other.predict_loop = FitLoop(other), PredictionLoop(other)
    other.validate_loop, other.test_loop = EvaluationLoop(other, "validation"), EvaluationLoop(other, "test")
    other.should_stop = other.sanity_checking = other.validating = False
    return other


class NoFiles(CheckpointIO):
    """Writes and deletes nothing."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Do nothing."""

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = None) -> dict[str, Any]:
        """Return nothing."""
        return {}

    def remove_checkpoint(self, path: Any) -> None:
        """Do nothing."""
